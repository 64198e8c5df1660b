"""What the processes share about an account's requests, and when the next request may be sent."""

from __future__ import annotations

import math

import msgspec

from airflow_provider_lms.coordination.store import DAY

DAY_STEP = 300.0
"""The requests of a day are counted in steps of this length."""

LIMIT_SECONDS = 3_600.0
"""How long a limit stays in force after the last request of a client that has it. Someone who raises a limit in a
connection should not wait for a day until that counts."""

# Clocks differ a little, and the LMS may count its window a little longer than its documentation says.
_MARGIN = 1.005
_OVERDUE_SECONDS = 0.25
_MOST_CALLS = 1_000_000


class Owner(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who uses an account, for people who look for it. It takes no part in what is allowed.

    :param process: ``task`` or ``triggerer``.
    :param run_id: of the DAG run: a task may run in several of them at the same time.
    :param map_index: -1 if the task is not mapped.
    """

    process: str
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1


class Slot(msgspec.Struct, array_like=True, gc=False):
    """One request: when it was sent or, once its response has come, when that was.

    :param holder: the client that has sent it and has no response yet.
    :param owner: whose client that is, as long as there is no response.
    """

    counted_at: float
    holder: str = ""
    owner: Owner | None = None

    def counts(self, span: float, now: float) -> bool:
        """Whether it still counts, in a window of ``span`` seconds. Without a response it is given another window."""
        return self.counted_at + span + (span if self.holder else 0.0) > now


class Place(msgspec.Struct, array_like=True, gc=False):
    """A place in the queue. It is lost if its holder does not ask again by ``kept_until``.

    :param calls: how many requests it is for.
    :param reserved_at: when it was reserved for a task that comes back for it; 0 if its holder waits.
    :param may_wait: how many requests of those who wait may go before it.
    :param owner: whose place it is.
    :param joined_at: since when its holder waits.
    """

    holder: str
    kept_until: float
    calls: int = 1
    reserved_at: float = 0.0
    may_wait: int = 0
    owner: Owner | None = None
    joined_at: float = 0.0

    def is_sound(self, now: float) -> bool:
        """Whether it can be true: what is stored may be damaged."""
        return (
            self.kept_until <= now + 2 * DAY
            and 0 < self.calls <= _MOST_CALLS
            and all(0 <= moment <= now + DAY_STEP for moment in (self.reserved_at, self.joined_at))
        )


class DayCount(msgspec.Struct, array_like=True, gc=False):
    """Requests of the day, in steps of five minutes. The last of them was sent before ``until``."""

    until: float
    requests: int


class Limit(msgspec.Struct, array_like=True, gc=False):
    """A limit that some connection of the account has. It is forgotten some time after its last use."""

    requests: int | None
    window_seconds: float
    requests_per_day: int | None
    kept_until: float

    @property
    def span(self) -> float:
        """Seconds for which a request counts."""
        return self.window_seconds * _MARGIN

    def is_like(self, other: Limit) -> bool:
        """Whether both allow the same."""
        mine = (self.requests, self.window_seconds, self.requests_per_day)
        return mine == (other.requests, other.window_seconds, other.requests_per_day)

    def is_sound(self, now: float) -> bool:
        """Whether it can be obeyed: what is stored may be damaged."""
        counts = (self.requests, self.requests_per_day)
        return (
            now < self.kept_until <= now + LIMIT_SECONDS + 2 * DAY
            and 0 < self.window_seconds <= DAY
            and all(count is None or count > 0 for count in counts)
        )


class RateLimitState(msgspec.Struct):
    """What the processes share about an account's requests. All times are the store's.

    :param id: chosen at random when the state is new. A process that knows another id knows that the store has
        forgotten what was there.
    :param lost_at: when a process has noticed that the store had forgotten; 0 if none has. Nobody knows what the LMS
        has counted until then, so each limit's window counts as full from that moment on.
    """

    slots: list[Slot] = []
    queue: list[Place] = []
    day: list[DayCount] = []
    locked_until: float = 0.0
    limits: list[Limit] = []
    id: str = ""
    lost_at: float = 0.0

    def drop_damaged(self, now: float) -> None:
        """Forget what cannot be true: the store may be damaged, or its clock was set back."""
        self.slots = [slot for slot in self.slots if not math.isnan(slot.counted_at)]
        for slot in self.slots:
            slot.counted_at = min(slot.counted_at, now)
        self.queue = [place for place in self.queue if place.is_sound(now)]
        self.day = [count for count in self.day if count.until <= now + DAY_STEP and count.requests > 0]


def seconds_until_free(slots: list[Slot], limit: Limit, now: float, ahead: int) -> float:
    """How long the next request must wait for one limit; 0 if it may be sent now.

    :param ahead: how many requests come first.
    """
    if limit.requests is None:
        return 0.0
    frees = sorted(slot.counted_at + limit.span for slot in slots if slot.counts(limit.span, now))
    short = ahead - (limit.requests - len(frees))
    if short < 0:
        return 0.0
    frees += [now + limit.span] * (limit.requests - len(frees))
    windows, index = divmod(short, len(frees))
    left = frees[index] - now
    return (left if left > 0 else _OVERDUE_SECONDS) + windows * limit.span
