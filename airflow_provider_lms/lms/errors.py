"""The errors of an LMS: one class for each case that a caller would handle differently."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class LmsError(Exception):
    """A call to an LMS failed. The message names the endpoint, the reason and the way out.

    It never holds a body, a token or a learner's data.

    :param message: the complete sentence for the log.
    :param status: the HTTP status, if there was a response.
    :param is_refusal: whether the LMS refused the call in its own error format, so that the same call will be refused
        again. A proxy or a gateway may send the same status for a while, but does not know the format.

    Example::

        try:
            pages = list(client.course_results(course_ids=course_id))
        except LmsError as error:
            if error.is_refusal:
                raise AirflowFailException(str(error)) from error
            raise
    """

    transient: ClassVar[bool] = False
    """Whether the same call may succeed later without anyone changing anything."""

    def __init__(self, message: str, status: int | None = None, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_refusal = is_refusal


class LmsAuthError(LmsError):
    """The LMS rejected the client, the secret or the access token."""


class LmsTokenRefused(LmsAuthError):
    """The LMS rejected the access token. A new one may work."""


class LmsPermissionError(LmsError):
    """The client is known, but its role may not do this."""


class LmsNotFound(LmsError):
    """The LMS has no such object or endpoint."""


class LmsBadRequest(LmsError):
    """The LMS rejected a parameter."""


class LmsInvalidValue(LmsBadRequest):
    """The LMS rejected the value of a parameter. It may be an id that does not exist."""


class LmsUnknownError(LmsError):
    """The LMS reports an error whose meaning is not known, so it is taken for none of the other cases."""


class WaitReason(StrEnum):
    """What a call must wait for."""

    RATE_LIMIT = "rate_limit"
    """The connection's ``requests_per_window`` are used up, or others come first."""
    DAY_LIMIT = "day_limit"
    """Its ``requests_per_day`` are used up."""
    LOCK = "lock"
    """The LMS has locked the account."""
    TOKEN = "token"  # noqa: S105
    """Another task requests an access token, or the LMS issues none at the moment."""
    FORGOTTEN = "forgotten"
    """What tasks share was lost, so nobody knows how many requests were sent lately."""
    OUTAGE = "outage"
    """The LMS does not answer, or not as it should."""
    STORE = "store"
    """What tasks share cannot be used."""


class LmsRateLimited(LmsError):
    """The LMS, or the connection's own rate limit, allows no request now.

    :param message: the complete sentence for the log.
    :param status: the HTTP status, if there was a response.
    :param retry_after: seconds until the next request may be sent; None if the LMS did not say.
    :param locked: whether the LMS demands the pause, now or in a response to another task. Otherwise this side holds
        back to stay within the connection's limits.
    :param is_next: whether no other task comes first.
    :param waits_for: what must be waited for.
    """

    transient: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        status: int | None = None,
        retry_after: float | None = None,
        *,
        locked: bool = False,
        is_next: bool = False,
        waits_for: WaitReason = WaitReason.LOCK,
    ) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after
        self.locked = locked or status is not None
        self.is_next = is_next
        self.waits_for = waits_for


class LmsUnavailable(LmsError):
    """The LMS did not respond, or responded that it cannot answer at the moment.

    :param message: the complete sentence for the log.
    :param status: the HTTP status, if there was a response.
    :param retry_after: seconds after which the LMS asks to try again, if it does.
    """

    transient: ClassVar[bool] = True

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class LmsUnconfirmed(LmsError):
    """A call that changes something was sent, and no response says whether the LMS has done it.

    Never send it again blindly: read the state, and send only what is missing.
    """


class LmsBrokenPage(LmsError):
    """The response is not a complete page of the expected shape. Nothing from it was kept."""


class LmsGarbledResponse(LmsBrokenPage):
    """The response is not the LMS's own: a web page of a gateway, or an empty or damaged body."""

    transient: ClassVar[bool] = True


class LmsFileError(LmsError):
    """A file that the LMS names cannot be fetched: its address must not be used, or there is no such file there."""


class LmsSchemaDrift(LmsError):
    """The LMS sends fields that are not declared, and the caller allows none."""


class LmsSplitError(LmsError):
    """Rows do not belong to the split that was asked for, so reading in splits would lose some."""


class LmsTruncatedPage(LmsBrokenPage):
    """The connection ended before the body was complete."""

    transient: ClassVar[bool] = True


REFUSALS = (LmsAuthError, LmsPermissionError, LmsNotFound, LmsBadRequest)
"""The errors by which an LMS refuses a call. Whether it was the LMS itself, ``is_refusal`` tells."""
