"""How many requests an account may send, and when it must wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol


class CoordinationError(Exception):
    """What tasks share of an account cannot be used: its rate limit, its lock and its access token.

    Then no request is sent, since no other task would count it.
    """

    transient: ClassVar[bool] = True
    """As in :class:`~airflow_provider_lms.lms.errors.LmsError`: it may be back soon."""


@dataclass(frozen=True)
class RateLimits:
    """The request limits of one account, as set in its connection.

    :param requests: calls allowed in any ``window_seconds``; None for no limit.
    :param window_seconds: length of that window in seconds.
    :param lock_seconds: pause for all tasks, in seconds, after a rate-limit response without ``Retry-After``.
    :param requests_per_day: calls allowed in any 24 hours; None for no limit.
    """

    requests: int | None = None
    window_seconds: float = 60.0
    lock_seconds: float = 300.0
    requests_per_day: int | None = None

    def seconds_for(self, calls: int) -> float:
        """Seconds that this many calls take at the limit, when nobody else calls."""
        return 0.0 if self.requests is None else calls * self.window_seconds / self.requests


class RetryAfter(NamedTuple):
    """The answer "not now" of a rate limiter or a token store.

    :param seconds: when to ask again.
    :param reason: what stands in the way, as the middle of a sentence.
    :param locked: whether the LMS demands the pause. Otherwise this side holds back to stay within its limits.
    """

    seconds: float
    reason: str
    locked: bool = False


class RateLimiter(Protocol):
    """Counts the requests of an account. No method blocks: the caller waits."""

    @property
    def limits(self) -> RateLimits:
        """The account's limits."""

    def sibling(self) -> RateLimiter:
        """The rate limiter of the same account for another thread, which has one request in flight like this one."""

    def acquire(self) -> RetryAfter | None:
        """Count one request and return None, or say when to ask again."""

    def release(self) -> None:
        """Report that an acquired request is over, whatever its outcome."""

    def cancel(self) -> None:
        """Give up waiting: this client will not ask again."""

    def block(self, seconds: float | None) -> float:
        """Pause the account for all tasks; return the seconds taken.

        :param seconds: length of the pause; None takes the account's ``lock_seconds``.
        """

    def lock_seconds_left(self) -> float:
        """How long the account is still paused, in seconds; 0 if it is not."""

    def lift_lock(self) -> None:
        """End the pause, for all tasks."""
