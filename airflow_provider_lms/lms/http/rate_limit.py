"""How many requests an account may send, and when it must wait."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.lms.errors import WaitReason as WaitReason


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
    :param waits_for: the same as ``reason``, for figures.
    """

    seconds: float
    reason: str
    locked: bool = False
    is_next: bool = False
    waits_for: WaitReason = WaitReason.RATE_LIMIT

    def error(self, call: str) -> LmsRateLimited:
        """The error for a call that it holds back."""
        # The difference of two times is off in its last digits: 600.0000000000036 is 600 s. A wait of 0 would never end
        # on a fake clock.
        seconds = max(round(self.seconds, 3), 0.001)
        message = f"{call}: {self.reason} for another {math.ceil(seconds)} s."
        return LmsRateLimited(
            message, retry_after=seconds, locked=self.locked, is_next=self.is_next, waits_for=self.waits_for
        )


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

    @classmethod
    def new(cls) -> Reservation:
        """Of a task that has not reserved anything yet."""
        return cls(uuid.uuid4().hex)


@dataclass(frozen=True)
class Usage:
    """What is used of an account's rate limit, by all tasks together.

    :param slots: the requests that its window allows; None if it has no such limit. Of several limits, the one of which
        most is used.
    :param slots_used: the requests that count in that window.
    :param queue_length: how many places are in the queue: of those who wait, and of tasks that come back.
    :param queued_calls: how many requests these places are for.
    :param lock_seconds_left: how long the account is still locked.
    :param day_calls: the requests of the last 24 hours; None if they are not counted, for want of a limit.
    """

    slots: int | None
    slots_used: int
    queue_length: int
    queued_calls: int
    lock_seconds_left: float
    day_calls: int | None


@dataclass(frozen=True)
class Holding:
    """What a task, or another process, holds of an account's rate limit.

    :param state: ``in_flight``: it has sent a request that has no response yet; ``waiting``: it has a place in the
        queue and waits for it; ``reserved``: it has reserved requests and comes back for them.
    :param requests: for how many requests.
    :param since: since when, as an RFC 3339 date.
    :param turn_at: when its turn is expected; None if it has sent its request.
    :param until: when the place is lost, if its holder does not ask again or no response comes.
    :param process: ``task`` or ``triggerer``; empty for another program, which has no name.
    """

    state: Literal["in_flight", "waiting", "reserved"]
    requests: int
    since: str
    turn_at: str | None
    until: str
    process: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1

    def to_json(self) -> dict[str, Any]:
        """The same as a dict that JSON can hold."""
        return asdict(self)


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

    def holders(self) -> Sequence[Holding]:
        """Who has requests in flight, and then who is in the queue, in its order."""
