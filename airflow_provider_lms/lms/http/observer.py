"""What happens to an account's requests, for those who watch it. Nothing here knows where it is reported to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import (
    LmsAuthError,
    LmsBadRequest,
    LmsBrokenPage,
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsUnavailable,
    LmsUnconfirmed,
    WaitReason,
)
from airflow_provider_lms.lms.http.rate_limit import CoordinationError, Usage

T = TypeVar("T")

_UP = "/.."

OK = "ok"
UNUSED = "unused"
"""The outcome of a request that was sent in advance, and that nobody asked for."""

_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (LmsAuthError, "auth"),
    (LmsPermissionError, "permission"),
    (LmsNotFound, "not_found"),
    (LmsBadRequest, "bad_request"),
    (LmsRateLimited, "rate_limited"),
    (LmsUnavailable, "unavailable"),
    (LmsBrokenPage, "broken"),
    (LmsUnconfirmed, "unconfirmed"),
)
OTHER = "other"
OUTCOMES = (OK, *(outcome for _, outcome in _OUTCOMES), OTHER, UNUSED)


@dataclass(frozen=True)
class Call:
    """A call as messages and traces name it.

    :param text: the method and the path for messages, such as ``GET /course/17/modules, page 3``.
    :param method: the HTTP method.
    :param endpoint: the path without any ids, such as ``/course/{course_id}/modules``.
    :param page: the page number, if the call reads a listing.
    """

    text: str
    method: str
    endpoint: str
    page: int | None = None

    @classmethod
    def of(cls, method: str, path: str, page: int | None, shown_path: str | None, endpoint: str | None) -> Call:
        """A call, named by its path.

        :param path: may begin with ``/..``, which leaves a part of the base URL's path.
        :param shown_path: the path for messages, if the real one holds a person's id.
        :param endpoint: the path for traces, if the one for messages holds any id.
        """
        shown = (shown_path or path).replace(_UP, "")
        text = f"{method} {shown}" + ("" if page is None else f", page {page}")
        return cls(text, method, shown if endpoint is None else endpoint.replace(_UP, ""), page)


@dataclass
class SentRequest:
    """One request that was sent, and what came of it. Filled in step by step, by one thread after the other.

    :param attempt: 1 for the first try of a call.
    :param started_at: in seconds since 1970.
    :param seconds: from sending to the end of the response.
    :param status: the HTTP status; None if there was no response.
    :param outcome: one of :data:`OUTCOMES`.
    """

    call: Call
    attempt: int = 1
    started_at: float = 0.0
    seconds: float = 0.0
    status: int | None = None
    outcome: str = OK

    def timed(self, send: Callable[[], T]) -> T:
        """Send the request, and note how long it takes."""
        self.started_at, began = clock.timestamp(), clock.monotonic()
        try:
            return send()
        finally:
            self.seconds = clock.monotonic() - began

    @property
    def is_failed(self) -> bool:
        """Whether it has led to an error."""
        return self.outcome not in (OK, UNUSED)

    def failed(self, error: BaseException) -> None:
        """Note the error that the request has led to."""
        self.outcome = outcome_of(error)
        if isinstance(error, LmsError) and error.status is not None:
            self.status = error.status


class Observer:
    """Is told what happens to an account's requests. This one does nothing with it.

    No method may raise, or take long. They are called in any thread that reads the account.
    """

    is_on = False
    """Whether anybody listens, so that it is worth finding out what costs something to find out."""

    def request_ended(self, request: SentRequest) -> None:
        """A request of the API is over. Those for a token are told of apart."""

    def token_requested(self, request: SentRequest) -> None:
        """An access token was requested."""

    def retries(self, error: LmsError | CoordinationError, seconds: float, *, in_triggerer: bool = False) -> None:
        """A call has met an error, and waits before it tries again.

        :param in_triggerer: whether it needs no worker slot meanwhile.
        """
        self.waited(reason_of(error), seconds, in_triggerer=in_triggerer)
        if isinstance(error, LmsBrokenPage):
            self.pages_reread("damaged")

    def waited(self, reason: WaitReason, seconds: float, *, in_triggerer: bool = False) -> None:
        """A call waits, or has waited.

        :param in_triggerer: whether it needs no worker slot meanwhile.
        """

    def rate_limit_used(self, usage: Usage) -> None:
        """What is used of the account's rate limit, after a request has asked for its share."""

    def pages_reread(self, reason: str, pages: int = 1) -> None:
        """Pages must be read again.

        :param reason: ``damaged``: the response was no complete page; ``moved``: records came or went while the listing
            was read; ``lost``: an attempt of the task has read them and could not keep them.
        """

    def records_written(self, listing: str, records: int, size: int) -> None:
        """A task has its result.

        :param size: the bytes of the dataset's files; 0 if the records went elsewhere.
        """

    def polls(self, count: int, waiting: int, oldest_seconds: float) -> None:
        """The polls of this process, for sensors that wait and for watchers.

        :param waiting: how many triggers wait for them.
        :param oldest_seconds: the longest time since any of them last succeeded.
        """


def outcome_of(error: BaseException) -> str:
    """The outcome of a request that has led to an error."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), OTHER)


def reason_of(error: LmsError | CoordinationError) -> WaitReason:
    """What a call waits for that has met this error."""
    if isinstance(error, CoordinationError):
        return WaitReason.STORE
    return error.waits_for if isinstance(error, LmsRateLimited) else WaitReason.OUTAGE
