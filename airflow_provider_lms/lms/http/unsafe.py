"""Calls that change something. They are sent once: nobody knows what a second one would do.

A call may be sent again only where the LMS cannot have done it: it refused the call, demanded a pause, rejected the
access token, or never got the whole request. Everything else leaves open whether it was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnconfirmed, LmsUnknownError
from airflow_provider_lms.lms.http.download import ErrorOf, Exchange
from airflow_provider_lms.lms.http.response import Response

Doubt: TypeAlias = Callable[[Response], str | None]
"""Why a response without an error does not say that the call was carried out, as a sentence; None if it does."""


def no_doubt(_: Response) -> None:
    """Whatever is no error says that the call was carried out."""


class Send(Protocol):
    """Sends a request. ``on_sent`` is called when all of its bytes are on their way."""

    def __call__(self, *, header: Mapping[str, str], on_sent: Callable[[], None]) -> Response: ...


def send_once(send: Send) -> Exchange:
    """An exchange whose failure is :class:`LmsUnconfirmed` from the moment on that the whole request was sent.

    A failure before that stays what it is, since the LMS cannot act on half a request.
    """

    def exchange(header: Mapping[str, str]) -> Response:
        is_sent = False

        def on_sent() -> None:
            nonlocal is_sent
            is_sent = True

        try:
            return send(header=header, on_sent=on_sent)
        except LmsError as error:
            if not is_sent:
                raise
            raise unconfirmed(error) from error

    return exchange


def error_if_unsafe(error_of: ErrorOf, doubt: Doubt) -> ErrorOf:
    """The errors of responses to a call that changes something: an outage leaves open whether it was done.

    :param doubt: see :data:`Doubt`.
    """

    def found(response: Response) -> LmsError | None:
        error = error_of(response)
        if error is None:
            reason = "a web page in place of an answer of the LMS." if response.is_web_page else doubt(response)
            return None if reason is None else unconfirmed(response.garbled(reason))
        return unconfirmed(error) if _leaves_open(error) else error

    return found


def unconfirmed(error: LmsError) -> LmsUnconfirmed:
    """The error for a call that may have been carried out, made of the one that hides it."""
    return LmsUnconfirmed(
        f"{error} Whether the LMS has carried it out is not known. Read the state before you send it again.",
        error.status,
    )


def _leaves_open(error: LmsError) -> bool:
    if isinstance(error, LmsUnknownError):
        # By HTTP's own rules a 4xx is a refusal. An unknown code with another status may be about a part of the call.
        return error.status is None or not 400 <= error.status < 500
    return error.transient and not isinstance(error, LmsRateLimited)
