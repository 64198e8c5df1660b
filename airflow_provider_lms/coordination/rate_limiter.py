"""One rate limit and one lock for all processes that use an account.

Why no library: see docs/operate/coordination.md.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy

from airflow_provider_lms.coordination.holders import holdings
from airflow_provider_lms.coordination.known import Known
from airflow_provider_lms.coordination.queue import UNUSED_SECONDS, Turn, calls_before, is_next, join
from airflow_provider_lms.coordination.rate_limit_state import (
    DAY_STEP,
    LIMIT_SECONDS,
    DayCount,
    Limit,
    Owner,
    Place,
    RateLimitState,
    Slot,
)
from airflow_provider_lms.coordination.store import DAY, Store, seconds_until
from airflow_provider_lms.coordination.waits import LimitsInForce, locked
from airflow_provider_lms.lms.http.rate_limit import (
    CoordinationError,
    Holding,
    RateLimits,
    Reservation,
    RetryAfter,
    Usage,
)

log = logging.getLogger(__name__)

_IN_USE_SECONDS = 90.0
"""How long a reservation is kept after a request of it was sent: that may take a while."""


class SharedRateLimiter:
    """The rate limiter of an account, for one client.

    No window, as the LMS sees it, holds more requests than allowed. The LMS may count a request at any moment between
    sending and response, so a request counts for a whole window after its response. Clients that must wait form a
    queue; a client that does not ask again when its turn comes loses its place.

    A task that gives its worker slot back while it waits reserves requests at the end of the queue: if it came back for
    each of them, it would do little else. Clients that wait go first, but a reservation lets only as many of their
    requests pass as it has itself. It lapses 10 seconds after its time. A task that comes even later goes before all
    that have reserved after it.

    If the account has connections with different limits, all of its clients keep to all of them.

    A store may forget, such as a Redis server that restarts without its data. A client that has used the state before
    notices it. Then the window counts as full, and a lock that the client knows of holds on.

    :param store: what processes share.
    :param host: the API's host. Together with ``client_id`` it identifies the account.
    :param limits: the limits of the client's own connection.
    :param host_store: keeps for later processes of this host what they need to notice that the store has forgotten.
    :param reservation: of a task that comes back after a long wait, whether it has reserved requests yet or not; None
        if the client waits itself.
    :param owner: whose client this is, for :meth:`holders`.
    :param on_usage: told what is used of the limit, each time that a request asks for its share, and when the account
        is locked. None saves finding it out.
    """

    def __init__(
        self,
        store: Store,
        host: str,
        client_id: str,
        limits: RateLimits,
        host_store: Store | None = None,
        reservation: Reservation | None = None,
        owner: Owner | None = None,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> None:
        self.limits = limits
        self._store = store
        self._key = "rate_limit:" + hashlib.sha256(f"{host}\n{client_id}".encode()).hexdigest()[:32]
        self._known = Known(self._key, host_store, reservation.state_id if reservation else "")
        self._holder = _new_holder()
        self._has_limit = limits.requests is not None or limits.requests_per_day is not None
        self._grace = max(1.0, limits.window_seconds / 12)
        self._is_queued = False
        self._holds_slot = False
        self._owner = owner
        self._on_usage = on_usage
        self._turn = Turn(reservation, owner) if reservation else None
        self._owns_turn = True

    def sibling(self) -> SharedRateLimiter:
        """The rate limiter of the same account for another thread, which has one request in flight like this one."""
        sibling = copy(self)
        sibling._holder = _new_holder()
        sibling._is_queued = sibling._holds_slot = sibling._owns_turn = False
        return sibling

    def acquire(self) -> RetryAfter | None:
        """Count one request and return None, or say when to ask again.

        :raises CoordinationError: the store cannot be used.
        """
        if not self._has_limit:
            state, now = self._store.read(self._key, RateLimitState)
            is_limited = any(limit.is_sound(now) for limit in state.limits)
            if not is_limited and not self._known.missing_lock(state.id):
                self._tell(state, now)
                return locked(state, now)
        not_now, state, now = self._store.change(self._key, RateLimitState, self._take)
        self._known.note(state.id, seconds_until(state.locked_until, now))
        self._tell(state, now)
        self._is_queued = not_now is not None
        if self._turn is not None:
            self._turn.is_taken = True
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

        def lock(state: RateLimitState, now: float) -> tuple[RateLimitState, float]:
            state.id = state.id or _new_id()
            state.locked_until = now + max(length, seconds_until(state.locked_until, now))
            return state, now

        self._known.note_lock(length)
        try:
            state, now = self._store.change(self._key, RateLimitState, lock)
            self._known.note(state.id, length)
            self._tell(state, now)
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

        def unlock(state: RateLimitState, now: float) -> tuple[RateLimitState, float]:
            state.locked_until = 0.0
            return state, now

        self._tell(*self._store.change(self._key, RateLimitState, unlock))
        self._known.forget_lock()

    def holders(self) -> Sequence[Holding]:
        """Who has requests in flight, and then who is in the queue, in its order. Nothing is changed.

        An account without limits has nobody to name: its requests are not counted.

        :raises CoordinationError: the store cannot be used.
        """
        return holdings(*self._store.read(self._key, RateLimitState))

    def reserve(self) -> tuple[float, Reservation]:
        """Reserve requests, for a task that gives its worker slot back until then.

        :return: seconds until the first of them may be sent, and what to come back with.
        :raises CoordinationError: the store cannot be used.
        """
        turn = self._turn or Turn(Reservation.new(), self._owner)

        def reserve(state: RateLimitState, now: float) -> tuple[float, Reservation]:
            seconds, reservation = turn.reserve(state, now, self._update(state, now))
            return seconds, reservation._replace(account=self._key, state_id=state.id)

        self.cancel()
        self._owns_turn = False  # the process that comes back does
        return self._store.change(self._key, RateLimitState, reserve)

    def cancel(self) -> None:
        """Leave the queue, so that nobody waits until the place is lost."""
        if self._is_queued:
            self._is_queued = False
            self._leave(self._holder)

    def close(self) -> None:
        """Leave the queue, and give back what is left of a reservation."""
        self.cancel()
        if self._owns_turn and self._turn is not None and self._turn.reservation.made_at > 0:
            self._leave(self._turn.reservation.id)

    def _tell(self, state: RateLimitState, now: float) -> None:
        if self._on_usage is not None:
            limits = LimitsInForce([limit for limit in state.limits if limit.is_sound(now)])
            self._on_usage(limits.usage(state, now))

    def _leave(self, holder: str) -> None:
        def leave(state: RateLimitState, _: float) -> None:
            state.queue = [place for place in state.queue if place.holder != holder]

        with suppress(CoordinationError):  # the place is lost by itself a little later
            self._store.change(self._key, RateLimitState, leave)

    def _take(self, state: RateLimitState, now: float) -> tuple[RetryAfter | None, RateLimitState, float]:
        limits = self._update(state, now)
        not_now = self._queue(state, now, limits)
        if not_now is None:
            self._count(state, now, limits)
        return not_now, state, now

    def _update(self, state: RateLimitState, now: float) -> LimitsInForce:
        """Drop what no longer counts; return the limits in force."""
        state.drop_damaged(now)
        limits = self._limits_in_force(state, now)
        self._recover(state, now)
        state.day = [count for count in state.day if count.until + DAY > now]
        state.slots = [slot for slot in state.slots if slot.counts(limits.longest_span, now)]
        own = (self._holder, self._turn.reservation.id if self._turn is not None else "")
        state.queue = [place for place in state.queue if place.kept_until > now or place.holder in own]
        return limits

    def _recover(self, state: RateLimitState, now: float) -> None:
        """See that a store that has forgotten does not lead to requests that the LMS does not allow."""
        state.id = state.id or _new_id()
        if self._known.id not in ("", state.id) and not 0 < state.lost_at <= now:
            state.lost_at = now
        lock = self._known.missing_lock(state.id)
        if lock > seconds_until(state.locked_until, now):
            state.locked_until = now + lock

    def _limits_in_force(self, state: RateLimitState, now: float) -> LimitsInForce:
        """The limits of all connections that have used the account lately, with this client's own first."""
        own = self.limits
        kept = max(LIMIT_SECONDS, own.window_seconds * 2)
        mine = Limit(own.requests, own.window_seconds, own.requests_per_day, now + kept)
        others = [limit for limit in state.limits if limit.is_sound(now) and not limit.is_like(mine)]
        state.limits = [mine, *others] if self._has_limit else others
        is_own = self._has_limit and not others
        return LimitsInForce(state.limits, "the connection's" if is_own else "the account's")

    def _queue(self, state: RateLimitState, now: float, limits: LimitsInForce) -> RetryAfter | None:
        """Take the free slot that this client's place in the queue entitles it to; otherwise keep the place."""
        reserved = None if self._turn is None else self._turn.take(state, now, limits)
        place = reserved or next((place for place in state.queue if place.holder == self._holder), None)
        if place is None:
            place = Place(self._holder, now, owner=self._owner, joined_at=now)
            join(state, place, waits=self._turn is None)
        ahead = calls_before(state, place)
        not_now = limits.not_now(state, now, ahead)
        if not_now is not None:
            place.kept_until = now + min(not_now.seconds, DAY) + (UNUSED_SECONDS if reserved else self._grace)
            return not_now._replace(is_next=is_next(state, place))
        place.calls -= 1
        place.may_wait += 1
        place.kept_until = now + _IN_USE_SECONDS
        state.queue = [each for each in state.queue if each.calls > 0]
        return None

    def _count(self, state: RateLimitState, now: float, limits: LimitsInForce) -> None:
        self._holds_slot = limits.count_windows
        if self._holds_slot:
            state.slots.append(Slot(now, self._holder, self._owner))
        if limits.count_days:
            until = (now // DAY_STEP + 1) * DAY_STEP
            if not state.day or state.day[-1].until < until:
                state.day.append(DayCount(until, 0))
            state.day[-1].requests += 1

    def _settle(self, state: RateLimitState, now: float) -> None:
        slot = next((slot for slot in state.slots if slot.holder == self._holder), None)
        if slot is None:
            slot = Slot(now)
            state.slots.append(slot)
        slot.counted_at, slot.holder, slot.owner = now, "", None
        place = None if self._turn is None else self._turn.find(state)
        if place is not None:
            place.kept_until = max(place.kept_until, now + UNUSED_SECONDS)


def _new_holder() -> str:
    return uuid.uuid4().hex[:16]


def _new_id() -> str:
    return uuid.uuid4().hex
