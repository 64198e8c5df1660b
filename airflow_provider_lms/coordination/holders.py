"""Who holds what of an account's rate limit, for people who look for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.coordination.queue import calls_before
from airflow_provider_lms.coordination.rate_limit_state import Owner, Place, RateLimitState
from airflow_provider_lms.coordination.waits import LimitsInForce
from airflow_provider_lms.lms.http.rate_limit import Holding


def holdings(state: RateLimitState, now: float) -> list[Holding]:
    """Who has requests in flight, and then who is in the queue, in its order.

    :param now: the store's time.
    """
    state.drop_damaged(now)
    limits = LimitsInForce([limit for limit in state.limits if limit.is_sound(now)])
    state.queue = [place for place in state.queue if place.kept_until > now]
    dates = _Dates(now)
    return [*_in_flight(state, limits, dates), *(_queued(state, limits, dates, place) for place in state.queue)]


class _Dates:
    """Dates of moments on the store's clock."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._ahead = clock.timestamp() - now

    def of(self, moment: float) -> str:
        """A date in UTC, as RFC 3339 has it."""
        return datetime.fromtimestamp(moment + self._ahead, UTC).isoformat(timespec="milliseconds")


def _in_flight(state: RateLimitState, limits: LimitsInForce, dates: _Dates) -> Iterator[Holding]:
    for slot in state.slots:
        if slot.holder and slot.counts(limits.longest_span, dates.now):
            # Without a response, a request counts for a second window: see Slot.counts().
            until = slot.counted_at + 2 * limits.longest_span
            yield _holding("in_flight", 1, slot.owner, dates.of(slot.counted_at), None, dates.of(until))


def _queued(state: RateLimitState, limits: LimitsInForce, dates: _Dates, place: Place) -> Holding:
    turn_at = dates.now + limits.seconds_left(state, dates.now, calls_before(state, place))
    return _holding(
        "reserved" if place.reserved_at else "waiting",
        place.calls,
        place.owner,
        dates.of(place.reserved_at or place.joined_at or dates.now),
        dates.of(turn_at),
        dates.of(place.kept_until),
    )


def _holding(
    state: Literal["in_flight", "waiting", "reserved"],
    requests: int,
    owner: Owner | None,
    since: str,
    turn_at: str | None,
    until: str,
) -> Holding:
    named: dict[str, Any] = {} if owner is None else msgspec.structs.asdict(owner)
    return Holding(state, requests, since, turn_at, until, **named)
