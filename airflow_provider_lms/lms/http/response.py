"""A response of an LMS, and the error that its HTTP status stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

from airflow_provider_lms.lms.errors import (
    LmsBrokenPage,
    LmsError,
    LmsGarbledResponse,
    LmsInvalidValue,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
    LmsUnknownError,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_HTML = re.compile(rb"<(!doctype\s+html|(html|head|body|title|meta|center|h1|script|p|div)[\s>])", re.IGNORECASE)


@dataclass(frozen=True)
class Response:
    """What an LMS sent back.

    :param call: endpoint and page for messages, such as ``GET /learners/results, page 3``.
    :param status: the HTTP status.
    :param content_type: the media type in lower case, without parameters.
    :param body: the whole body, decompressed.
    :param retry_after: seconds that the LMS asks to wait, if it does.
    :param location: the host that a redirect names, if this is a redirect.
    :param redirect: the whole address that a redirect names, if it may be followed. It may be a secret.
    """

    call: str
    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None
    location: str | None = None
    redirect: str | None = field(default=None, repr=False)

    @property
    def is_web_page(self) -> bool:
        """Whether the body is HTML. No LMS answers so: it is a gateway, a sign-in page or a maintenance page."""
        return _HTML.match(self.body[:512].removeprefix(BYTE_ORDER_MARK).lstrip()) is not None

    def broken_page(self, reason: str) -> LmsBrokenPage:
        """The error to raise when this is not the page that was expected."""
        return LmsBrokenPage(f"{self.call}: {reason} Nothing from this page was kept.", self.status)

    def garbled(self, reason: str) -> LmsGarbledResponse:
        """The error to raise when this is not a response of the LMS, or a damaged one."""
        return LmsGarbledResponse(f"{self.call}: HTTP {self.status}: {reason}", self.status)


def error_of_status(
    response: Response, *, unauthorized_hint: str = "Check the connection's credentials and host."
) -> LmsError | None:
    """The error that the HTTP status stands for; None for 2xx.

    :param unauthorized_hint: what to check after a 401, since that differs between LMSs.
    """
    status, call = response.status, response.call
    if 200 <= status < 300:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return LmsRateLimited(f"{call}: HTTP 429, too many requests.", status, response.retry_after)
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY) or status >= 500:
        return LmsUnavailable(f"{call}: HTTP {status}. The LMS cannot answer at the moment.", status)
    if status == HTTPStatus.UNAUTHORIZED:
        return LmsTokenRefused(f"{call}: HTTP 401, even with a new access token. {unauthorized_hint}", status)
    if 300 <= status < 400:
        return response.garbled(
            f"a redirect to {response.location or 'nowhere'}, which was not followed. "
            "Set the connection's host to the address of the API itself."
        )
    if response.is_web_page:
        return response.garbled(
            "a web page in place of an answer of the LMS. Is something else in the way, or the connection's host wrong?"
        )
    if status == HTTPStatus.FORBIDDEN:
        return LmsPermissionError(
            f"{call}: HTTP 403. The connection's account may not do this: grant it the right in the LMS.", status
        )
    if status == HTTPStatus.NOT_FOUND:
        return LmsNotFound(f"{call}: HTTP 404. Check the ids, and the connection's host and path.", status)
    if status == HTTPStatus.BAD_REQUEST:
        return LmsInvalidValue(f"{call}: HTTP 400. The LMS rejected a parameter of the request.", status)
    return LmsUnknownError(f"{call}: HTTP {status}, which is not documented for this LMS.", status)


def with_retry_after(error: LmsError, response: Response) -> LmsError:
    """The error, with the time that the LMS asks to wait in an outage."""
    if isinstance(error, LmsUnavailable) and error.retry_after is None:
        error.retry_after = response.retry_after
    return error
