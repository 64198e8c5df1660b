"""The queue of those who wait for an account's rate limit, and of tasks that come back for their requests."""

from __future__ import annotations

from airflow_provider_lms.coordination.rate_limit_state import Limit, Owner, Place, RateLimitState
from airflow_provider_lms.coordination.store import DAY, Store
from airflow_provider_lms.coordination.waits import LimitsInForce
from airflow_provider_lms.lms.http.rate_limit import Reservation

UNUSED_SECONDS = 10.0
"""How long a reservation is kept if nobody comes for it."""

_LONGEST_TURN = 300.0


def join(state: RateLimitState, place: Place, *, waits: bool) -> None:
    """Add a place to the queue.

    :param waits: whether its holder waits for it. Then it goes before reservations that may wait.
    """
    at = len(state.queue)
    while waits and at and state.queue[at - 1].may_wait > 0:
        at -= 1
        state.queue[at].may_wait -= place.calls
    state.queue.insert(at, place)


def calls_before(state: RateLimitState, place: Place) -> int:
    """How many requests come first."""
    return sum(each.calls for each in state.queue[: state.queue.index(place)])


def is_next(state: RateLimitState, place: Place) -> bool:
    """Whether it is the turn of a place, although its holder may have to wait for the next window.

    A reservation is not the next one while another one comes first. Its task may have come back too late or too early,
    and need not hold its worker slot until then. Requests of those who wait do not end a turn.
    """
    before = state.queue[: state.queue.index(place)]
    return not any(each.reserved_at > 0 for each in before) if place.reserved_at > 0 else not before


def renew(store: Store, reservation: Reservation) -> float | None:
    """Keep a reservation, for a task whose turn has not come.

    :return: seconds until then; None if there is no such reservation.
    :raises CoordinationError: the store cannot be used.
    """

    def step(state: RateLimitState, now: float) -> float | None:
        state.drop_damaged(now)
        state.queue = [each for each in state.queue if each.kept_until > now or each.holder == reservation.id]
        place = _find(state, reservation)
        limits = LimitsInForce([limit for limit in state.limits if limit.is_sound(now)])
        return None if place is None else keep(state, now, limits, place)

    return store.change(reservation.account, RateLimitState, step)


def keep(state: RateLimitState, now: float, limits: LimitsInForce, place: Place) -> float:
    """Keep a place until its turn has come; return the seconds until then."""
    seconds = limits.seconds_left(state, now, calls_before(state, place))
    place.kept_until = now + min(seconds, DAY) + UNUSED_SECONDS
    return seconds


class Turn:
    """What a task that comes back has reserved. All threads of its process share it.

    No method changes anything but the state, since a step that changes a state may be called again.

    :param reservation: what the task has come back with.
    :param owner: whose it is.
    """

    def __init__(self, reservation: Reservation, owner: Owner | None = None) -> None:
        self.reservation = reservation
        self._owner = owner
        self.is_taken = False
        """Whether this process has asked for it."""

    def find(self, state: RateLimitState) -> Place | None:
        """The place of the reservation; None if it has lapsed, or all of it is used."""
        return _find(state, self.reservation)

    def reserve(self, state: RateLimitState, now: float, limits: LimitsInForce) -> tuple[float, Reservation]:
        """Reserve requests at the end of the queue. What is left of an earlier reservation keeps its place.

        Each reservation is twice as long as the one before, up to five minutes: short tasks need not wait for all of
        the long ones, and these need not come back often.

        :return: seconds until the first of them may be sent, and what to come back with.
        """
        place, reservation = self.find(state), self.reservation
        if place is None:
            calls = _calls(limits, reservation.number)
            place = Place(reservation.id, now, calls, reserved_at=now, may_wait=calls, owner=self._owner)
            join(state, place, waits=False)
            reservation = reservation._replace(made_at=now, number=reservation.number + 1)
        return keep(state, now, limits, place), reservation

    def take(self, state: RateLimitState, now: float, limits: LimitsInForce) -> Place | None:
        """The place of the reservation, for a task that has come back; None if there is nothing left of it.

        A reservation that has lapsed meanwhile becomes the first of those made after it.
        """
        place, made_at = self.find(state), self.reservation.made_at
        if place is None and made_at > 0 and not self.is_taken:
            calls = _calls(limits, self.reservation.number - 1)
            place = Place(self.reservation.id, now, calls, reserved_at=made_at, may_wait=calls, owner=self._owner)
            later = (at for at, other in enumerate(state.queue) if other.reserved_at >= made_at)
            state.queue.insert(next(later, len(state.queue)), place)
        return place


def _find(state: RateLimitState, reservation: Reservation) -> Place | None:
    return next((place for place in state.queue if place.holder == reservation.id), None)


def _calls(limits: LimitsInForce, before: int) -> int:
    """How many requests are reserved by a task that has made so many reservations before."""
    return min((_calls_of(limit, before) for limit in limits.limits if limit.requests is not None), default=1)


def _calls_of(limit: Limit, before: int) -> int:
    windows = min(1 << min(before, 16), int(_LONGEST_TURN / limit.window_seconds))
    return (limit.requests or 1) * max(windows, 1)
