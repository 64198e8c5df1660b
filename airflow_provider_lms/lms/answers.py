"""What an LMS sent back, and the error that its HTTP status stands for."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsBrokenPage,
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
)


@dataclass(frozen=True)
class Answer:
    """What an LMS sent back.

    :param call: the endpoint and page for messages, as in ``GET /learners/results, page 3``.
    :param status: the HTTP status.
    :param content_type: the media type, lower case, without parameters.
    :param body: the whole body, decompressed.
    :param retry_after: seconds the LMS asks to wait, if it does.
    :param location: the host that a redirect names, if it is one.
    """

    call: str
    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None
    location: str | None = None

    def broken(self, reason: str) -> LmsBrokenPage:
        return LmsBrokenPage(f"{self.call}: {reason} Nothing of this page was kept.", self.status)


def refusal(answer: Answer) -> LmsError | None:
    """The error that the HTTP status stands for; None for 2xx."""
    status, call = answer.status, answer.call
    if 200 <= status < 300:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return LmsRateLimited(f"{call}: HTTP 429, too many requests.", status, answer.retry_after)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= 500:
        return LmsUnavailable(f"{call}: HTTP {status}. The LMS cannot answer at the moment.", status)
    if status == HTTPStatus.UNAUTHORIZED:
        return LmsTokenRefused(
            f"{call}: HTTP 401, with a new access token too. Check the connection's auth_scheme and host.",
            status,
        )
    if status == HTTPStatus.FORBIDDEN:
        return LmsPermissionError(
            f"{call}: HTTP 403. The API key's role may not read this: give it the right in the LMS.", status
        )
    if status == HTTPStatus.NOT_FOUND:
        return LmsNotFound(f"{call}: HTTP 404. Check the ids given, and the connection's host with its path.", status)
    if 300 <= status < 400:
        return LmsBrokenPage(
            f"{call}: HTTP {status}, a redirect to {answer.location or 'nowhere'}, which was not followed. "
            "Set the connection's host to the API's own address.",
            status,
        )
    return LmsBadRequest(f"{call}: HTTP {status}. The LMS refused a parameter of the request.", status)
