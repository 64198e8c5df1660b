"""One rate limit and one lock for all processes that use an account.

Why no library: see docs/coordination.md.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from contextlib import suppress
from copy import copy
from itertools import accumulate

from airflow_provider_lms.coordination.known import Known
from airflow_provider_lms.coordination.rate_limit_state import (
    DAY_STEP,
    LIMIT_SECONDS,
    DayCount,
    Limit,
    Place,
    RateLimitState,
    Slot,
    seconds_until_free,
)
from airflow_provider_lms.coordination.store import DAY, Store, seconds_until
from airflow_provider_lms.lms.http.rate_limit import CoordinationError, RateLimits, RetryAfter

log = logging.getLogger(__name__)


class SharedRateLimiter:
    """The rate limiter of an account, for one client.

    No window, as the LMS sees it, holds more requests than allowed. The LMS may count a request at any moment between
    sending and response, so a request counts for a whole window after its response. Clients that must wait form a
    queue; a client that does not ask again when its turn comes loses its place.

    If the account has connections with different limits, all of its clients keep to all of them.

    A store may forget, such as a Redis server that restarts without its data. A client that has used the state before
    notices it. Then the window counts as full, and a lock that the client knows of holds on.

    :param store: what processes share.
    :param host: the API's host. Together with ``client_id`` it identifies the account.
    :param limits: the limits of the client's own connection.
    :param host_store: keeps for later processes of this host what they need to notice that the store has forgotten.
    """

    def __init__(
        self, store: Store, host: str, client_id: str, limits: RateLimits, host_store: Store | None = None
    ) -> None:
        self.limits = limits
        self._store = store
        self._key = "rate_limit:" + hashlib.sha256(f"{host}\n{client_id}".encode()).hexdigest()[:32]
        self._known = Known(self._key, host_store)
        self._holder = _new_holder()
        self._has_limit = limits.requests is not None or limits.requests_per_day is not None
        self._grace = max(1.0, limits.window_seconds / 12)
        self._is_queued = False
        self._holds_slot = False

    def sibling(self) -> SharedRateLimiter:
        """The rate limiter of the same account for another thread, which has one request in flight like this one."""
        sibling = copy(self)
        sibling._holder = _new_holder()
        sibling._is_queued = sibling._holds_slot = False
        return sibling

    def acquire(self) -> RetryAfter | None:
        """Count one request and return None, or say when to ask again.

        :raises CoordinationError: the store cannot be used.
        """
        if not self._has_limit:
            state, now = self._store.read(self._key, RateLimitState)
            is_limited = any(limit.is_sound(now) for limit in state.limits)
            if not is_limited and not self._known.missing_lock(state.id):
                return _locked(state, now)
        not_now, state, now = self._store.change(self._key, RateLimitState, self._take)
        self._known.note(state.id, seconds_until(state.locked_until, now))
        self._is_queued = not_now is not None
        return not_now

    def release(self) -> None:
        """Report that an acquired request is over, whatever its outcome.

        If the store cannot be used, the request counts for a window longer. Its response is not lost.
        """
        if self._holds_slot:
            self._holds_slot = False
            try:
                self._store.change(self._key, RateLimitState, self._settle)
            except CoordinationError as error:
                log.warning("%s", error)

    def block(self, seconds: float | None) -> float:
        """Pause the account for all tasks; return the seconds taken.

        If the store cannot be used, this client pauses the account as soon as it is back.

        :param seconds: length of the pause, at most a day; None takes the account's ``lock_seconds``.
        """
        length = min(self.limits.lock_seconds if seconds is None else seconds, DAY)

        def lock(state: RateLimitState, now: float) -> str:
            state.id = state.id or _new_id()
            state.locked_until = now + max(length, seconds_until(state.locked_until, now))
            return state.id

        self._known.note_lock(length)
        try:
            self._known.note(self._store.change(self._key, RateLimitState, lock), length)
        except CoordinationError as error:
            log.warning("%s Other tasks do not know of the lock yet.", error)
        return length

    def lock_seconds_left(self) -> float:
        """How long the account is still paused, in seconds; 0 if it is not.

        :raises CoordinationError: the store cannot be used.
        """
        state, now = self._store.read(self._key, RateLimitState)
        return seconds_until(state.locked_until, now)

    def lift_lock(self) -> None:
        """End the pause, for all tasks. The next request may be sent at once, within the limits.

        :raises CoordinationError: the store cannot be used.
        """

        def unlock(state: RateLimitState, _: float) -> None:
            state.locked_until = 0.0

        self._store.change(self._key, RateLimitState, unlock)
        self._known.forget_lock()

    def cancel(self) -> None:
        """Leave the queue, so that nobody waits until the place is lost."""

        def leave(state: RateLimitState, _: float) -> None:
            state.queue = [place for place in state.queue if place.holder != self._holder]

        if self._is_queued:
            self._is_queued = False
            with suppress(CoordinationError):  # the place is lost by itself a little later
                self._store.change(self._key, RateLimitState, leave)

    def _take(self, state: RateLimitState, now: float) -> tuple[RetryAfter | None, RateLimitState, float]:
        state.drop_damaged(now)
        limits = self._limits_in_force(state, now)
        self._recover(state, now)
        state.day = [count for count in state.day if count.until + DAY > now]
        not_now = self._day_used_up(state, now, limits) or self._queue(state, now, limits)
        if not_now is None:
            self._count(state, now, limits)
        return not_now, state, now

    def _recover(self, state: RateLimitState, now: float) -> None:
        """See that a store that has forgotten does not lead to requests that the LMS does not allow."""
        state.id = state.id or _new_id()
        if self._known.id not in ("", state.id) and not 0 < state.lost_at <= now:
            state.lost_at = now
        lock = self._known.missing_lock(state.id)
        if lock > seconds_until(state.locked_until, now):
            state.locked_until = now + lock

    def _limits_in_force(self, state: RateLimitState, now: float) -> list[Limit]:
        """The limits of all connections that have used the account lately, with this client's own first."""
        own = self.limits
        kept = max(LIMIT_SECONDS, own.window_seconds * 2)
        mine = Limit(own.requests, own.window_seconds, own.requests_per_day, now + kept)
        others = [limit for limit in state.limits if limit.is_sound(now) and not limit.is_like(mine)]
        if not self._has_limit:
            state.limits = others
            return others
        state.limits = [mine, *others]
        return state.limits

    def _day_used_up(self, state: RateLimitState, now: float, limits: list[Limit]) -> RetryAfter | None:
        allowed = min((limit.requests_per_day for limit in limits if limit.requests_per_day is not None), default=None)
        used = sum(count.requests for count in state.day)
        if allowed is None or used < allowed:
            return None
        expired = accumulate(count.requests for count in state.day)
        until = next(count.until for count, less in zip(state.day, expired, strict=True) if used - less < allowed)
        return RetryAfter(until + DAY - now, f"{self._whose(limits)} requests_per_day ({allowed}) are used up")

    def _queue(self, state: RateLimitState, now: float, limits: list[Limit]) -> RetryAfter | None:
        """Take the free slot that this client's place in the queue entitles it to; otherwise keep the place."""
        longest = max((limit.span for limit in limits), default=0.0)
        state.slots = [slot for slot in state.slots if slot.counts(longest, now)]
        state.queue = [place for place in state.queue if place.kept_until > now or place.holder == self._holder]
        holders = [place.holder for place in state.queue]
        ahead = holders.index(self._holder) if self._holder in holders else len(holders)
        not_now = _locked(state, now) or _forgotten(state, now, limits) or self._window_full(state, now, ahead, limits)
        state.queue = state.queue[:ahead] + state.queue[ahead + 1 :]
        if not_now is not None:
            state.queue.insert(ahead, Place(self._holder, now + min(not_now.seconds, DAY) + self._grace))
        return not_now

    def _window_full(self, state: RateLimitState, now: float, ahead: int, limits: list[Limit]) -> RetryAfter | None:
        """The longest wait that any limit demands."""
        whose = self._whose(limits)
        waits = [
            RetryAfter(
                seconds, f"{whose} requests_per_window ({limit.requests} in {limit.window_seconds:g} s) are used up"
            )
            for limit in limits
            if (seconds := seconds_until_free(state.slots, limit, now, ahead)) > 0
        ]
        return max(waits, default=None)

    def _whose(self, limits: list[Limit]) -> str:
        return "the connection's" if len(limits) == 1 and self._has_limit else "the account's"

    def _count(self, state: RateLimitState, now: float, limits: list[Limit]) -> None:
        self._holds_slot = any(limit.requests is not None for limit in limits)
        if self._holds_slot:
            state.slots.append(Slot(now, self._holder))
        if any(limit.requests_per_day is not None for limit in limits):
            until = (now // DAY_STEP + 1) * DAY_STEP
            if not state.day or state.day[-1].until < until:
                state.day.append(DayCount(until, 0))
            state.day[-1].requests += 1

    def _settle(self, state: RateLimitState, now: float) -> None:
        slot = next((slot for slot in state.slots if slot.holder == self._holder), None)
        if slot is None:
            slot = Slot(now)
            state.slots.append(slot)
        slot.counted_at, slot.holder = now, ""


def _new_holder() -> str:
    return uuid.uuid4().hex[:16]


def _new_id() -> str:
    return uuid.uuid4().hex


def _forgotten(state: RateLimitState, now: float, limits: list[Limit]) -> RetryAfter | None:
    spans = [limit.span for limit in limits if limit.requests is not None]
    left = seconds_until(state.lost_at + max(spans), now) if state.lost_at > 0 and spans else 0.0
    if not left:
        return None
    return RetryAfter(left, "what tasks share was lost, so nobody knows how many requests were sent lately")


def _locked(state: RateLimitState, now: float) -> RetryAfter | None:
    left = seconds_until(state.locked_until, now)
    if not left:
        return None
    return RetryAfter(left, "the LMS has locked the account, and no task may send requests", locked=True)
