"""What can go wrong between here and an LMS, one class for each thing a caller would do differently."""

from __future__ import annotations

from typing import ClassVar


class LmsError(Exception):
    """A call to an LMS failed. The message names the endpoint, the reason and the way out.

    It never holds a body, a token or a learner's data.

    :param message: the whole sentence for the log.
    :param status: the HTTP status of the answer, if there was one.
    """

    transient: ClassVar[bool] = False
    """Whether the same call may succeed later without anyone changing anything."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LmsAuthError(LmsError):
    """The LMS refused the client, the secret or the access token."""


class LmsTokenRefused(LmsAuthError):
    """The LMS refused the access token; a new one may do."""


class LmsPermissionError(LmsError):
    """The client is known, but its role may not do this."""


class LmsNotFound(LmsError):
    """The LMS has no such resource or endpoint."""


class LmsBadRequest(LmsError):
    """The LMS refused a parameter."""


class LmsRateLimited(LmsError):
    """The LMS, or the request budget set for it, allows no request now.

    :param message: the whole sentence for the log.
    :param status: the HTTP status of the answer, if there was one.
    :param retry_after: seconds until the next request may go out; None where the LMS did not say.
    :param locked: whether the LMS has said so, now or to another task; else this side keeps to the budget.
    """

    transient: ClassVar[bool] = True

    def __init__(
        self, message: str, status: int | None = None, retry_after: float | None = None, *, locked: bool = False
    ) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after
        self.locked = locked or status is not None


class LmsUnavailable(LmsError):
    """The LMS did not answer, or answered that it cannot at the moment."""

    transient: ClassVar[bool] = True


class LmsBrokenPage(LmsError):
    """An answer came that is not a whole page of the expected shape. Nothing of it was kept."""


class LmsTruncatedPage(LmsBrokenPage):
    """The connection ended before the body was complete."""

    transient: ClassVar[bool] = True
