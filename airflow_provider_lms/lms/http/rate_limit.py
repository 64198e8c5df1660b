"""How many requests an account may send, and when it must wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from airflow_provider_lms.lms.errors import LmsRateLimited


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
    :param is_next: whether nobody else comes first.
    """

    seconds: float
    reason: str
    locked: bool = False
    is_next: bool = False

    def error(self, call: str) -> LmsRateLimited:
        """The error for a call that it holds back."""
        # The difference of two times is off in its last digits: 600.0000000000036 is 600 s. A wait of 0 would never end
        # on a fake clock.
        seconds = max(round(self.seconds, 3), 0.001)
        message = f"{call}: {self.reason} for another {math.ceil(seconds)} s."
        return LmsRateLimited(message, retry_after=seconds, locked=self.locked, is_next=self.is_next)


class Reservation(NamedTuple):
    """A task that comes back for its requests, instead of waiting for them.

    :param id: tells it from others.
    :param account: under which name tasks share the account's rate limit.
    :param state_id: the id of what they share, so that the task notices if that is lost meanwhile.
    :param made_at: when it has reserved requests, by the clock of the store that tasks share; 0 if it has not.
    :param number: how many reservations it has made.
    """

    id: str
    account: str = ""
    state_id: str = ""
    made_at: float = 0.0
    number: int = 0


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

    def reserve(self) -> tuple[float, Reservation]:
        """Reserve requests. Tells in how many seconds to come back for them."""

    def close(self) -> None:
        """Give up waiting, and whatever was reserved for this process."""

    def block(self, seconds: float | None) -> float:
        """Pause the account for all tasks; return the seconds taken.

        :param seconds: length of the pause; None takes the account's ``lock_seconds``.
        """

    def lock_seconds_left(self) -> float:
        """How long the account is still paused, in seconds; 0 if it is not."""

    def lift_lock(self) -> None:
        """End the pause, for all tasks."""
