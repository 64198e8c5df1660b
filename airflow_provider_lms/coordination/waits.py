"""Why an account allows no request now, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from airflow_provider_lms.coordination.rate_limit_state import DayCount, Limit, RateLimitState, seconds_until_free
from airflow_provider_lms.coordination.store import DAY, seconds_until
from airflow_provider_lms.lms.http.rate_limit import RetryAfter, Usage, WaitReason


class LimitsInForce:
    """The limits that all who use an account keep to.

    :param limits: those of all connections that have used it lately.
    :param whose: whose they are, for messages.
    """

    def __init__(self, limits: Sequence[Limit], whose: str = "the account's") -> None:
        self.limits = limits
        self._whose = whose

    @property
    def longest_span(self) -> float:
        """Seconds after which no request counts any more."""
        return max((limit.span for limit in self.limits), default=0.0)

    @property
    def count_windows(self) -> bool:
        """Whether requests are limited per window."""
        return any(limit.requests is not None for limit in self.limits)

    @property
    def count_days(self) -> bool:
        """Whether requests are limited per day."""
        return any(limit.requests_per_day is not None for limit in self.limits)

    def not_now(self, state: RateLimitState, now: float, ahead: int) -> RetryAfter | None:
        """What stands in the way of a request; None if it may be sent.

        :param ahead: how many requests come first.
        """
        return self._blocked(state, now) or self._window_full(state, now, ahead)

    def seconds_left(self, state: RateLimitState, now: float, ahead: int) -> float:
        """Seconds until nothing stands in the way of a request."""
        waits = (self._day_used_up(state, now), locked(state, now), self._forgotten(state, now))
        blocked = max((wait.seconds for wait in waits if wait is not None), default=0.0)
        full = self._window_full(state, now + blocked, ahead)
        return blocked + (0.0 if full is None else full.seconds)

    def _blocked(self, state: RateLimitState, now: float) -> RetryAfter | None:
        return self._day_used_up(state, now) or locked(state, now) or self._forgotten(state, now)

    def _day_used_up(self, state: RateLimitState, now: float) -> RetryAfter | None:
        """The wait for the limit of the day."""
        allowed = min((most for limit in self.limits if (most := limit.requests_per_day) is not None), default=None)
        days = _last_day(state, now)
        used = sum(count.requests for count in days)
        if allowed is None or used < allowed:
            return None
        expired = accumulate(count.requests for count in days)
        until = next(count.until for count, less in zip(days, expired, strict=True) if used - less < allowed)
        reason = f"{self._whose} requests_per_day ({allowed}) are used up"
        return RetryAfter(until + DAY - now, reason, waits_for=WaitReason.DAY_LIMIT)

    def usage(self, state: RateLimitState, now: float) -> Usage:
        """What is used of them."""
        windows = [
            (sum(slot.counts(limit.span, now) for slot in state.slots), limit.requests)
            for limit in self.limits
            if limit.requests is not None
        ]
        used, slots = max(windows, key=lambda each: each[0] / each[1], default=(0, None))
        return Usage(
            slots=slots,
            slots_used=used,
            queue_length=len(state.queue),
            queued_calls=sum(place.calls for place in state.queue),
            lock_seconds_left=seconds_until(state.locked_until, now),
            day_calls=sum(count.requests for count in _last_day(state, now)) if self.count_days else None,
        )

    def _forgotten(self, state: RateLimitState, now: float) -> RetryAfter | None:
        spans = [limit.span for limit in self.limits if limit.requests is not None]
        left = seconds_until(state.lost_at + max(spans), now) if state.lost_at > 0 and spans else 0.0
        if not left:
            return None
        reason = "what tasks share was lost, so nobody knows how many requests were sent lately"
        return RetryAfter(left, reason, waits_for=WaitReason.FORGOTTEN)

    def _window_full(self, state: RateLimitState, now: float, ahead: int) -> RetryAfter | None:
        """The longest wait that any limit demands."""
        waits = [
            RetryAfter(
                seconds,
                f"{self._whose} requests_per_window ({limit.requests} in {limit.window_seconds:g} s) are used up",
            )
            for limit in self.limits
            if (seconds := seconds_until_free(state.slots, limit, now, ahead)) > 0
        ]
        return max(waits, default=None)


def locked(state: RateLimitState, now: float) -> RetryAfter | None:
    """The wait for the end of the account's lock."""
    left = seconds_until(state.locked_until, now)
    if not left:
        return None
    reason = "the LMS has locked the account, and no task may send requests"
    return RetryAfter(left, reason, locked=True, waits_for=WaitReason.LOCK)


def _last_day(state: RateLimitState, now: float) -> list[DayCount]:
    return [count for count in state.day if count.until + DAY > now]
