"""When a failed call is tried again. Workers and the triggerer follow the same rules."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import tenacity

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

log = logging.getLogger(__name__)

T = TypeVar("T")
Failure: TypeAlias = LmsError | CoordinationError
OnWait: TypeAlias = Callable[[Failure, float], None]
_KINDS = (LmsError, CoordinationError)

LONG_WAIT = 10.0
"""From so many seconds on, a wait is worth telling of."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to go on trying, in seconds.

    Timeouts, resets, truncated bodies, HTTP 408 and 5xx are outages, and so is a store that tasks share and that cannot
    be used. Rate limits, locks and the wait for a token are
    limits, and so is an outage whose response says in ``Retry-After`` when to come back. Every other error is final.

    :param max_wait: how long one call may wait for a limit. 0 never tries again.
    :param outage_seconds: how long an outage may last, from its first error on; never more than ``max_wait``. What the
        call waited for a limit before does not count.
    :param longest_lock: a pause that the LMS demands is not waited for if it is this long or longer; None is no bound.
    :param longest_queue: the same for the wait for the connection's own limits while others come first.
    :param sleep: how a worker waits before another attempt, given seconds.
    """

    max_wait: float = 900.0
    outage_seconds: float = 120.0
    longest_lock: float | None = None
    longest_queue: float | None = None
    sleep: Callable[[float], None] = clock.sleep

    def run(self, attempt: Callable[[], T], on_wait: OnWait = lambda _, __: None) -> T:
        """Call ``attempt`` until it succeeds, on a worker.

        :param on_wait: called with the error and the seconds before each wait.
        :raises LmsError: the last error, when this policy gives up.
        :raises CoordinationError: likewise.
        """
        return tenacity.Retrying(sleep=self.sleep, **self._strategy(on_wait))(attempt)

    async def run_async(self, attempt: Callable[[], Awaitable[T]], on_wait: OnWait = lambda _, __: None) -> T:
        """Await ``attempt`` until it succeeds, on an event loop.

        :param on_wait: called with the error and the seconds before each wait.
        :raises LmsError: the last error, when this policy gives up.
        :raises CoordinationError: likewise.
        """
        retrying = tenacity.AsyncRetrying(sleep=clock.sleep_async, **self._strategy(on_wait))
        result: T = await retrying(attempt)
        return result

    def _strategy(self, on_wait: OnWait) -> dict[str, Any]:
        started = clock.monotonic()
        outage = _Outage()

        def delay(state: tenacity.RetryCallState) -> float:
            error = _error(state)
            if _wait_asked_for(error):
                outage.end()
                return _limit_delay(error, state)
            return outage.delay()

        def gives_up(state: tenacity.RetryCallState) -> bool:
            # tenacity's own stop conditions count by the system's clock.
            error, now = _error(state), clock.monotonic()
            if _wait_asked_for(error):
                return self._limit_is_too_long(error, now - started + state.upcoming_sleep)
            return now - outage.started + state.upcoming_sleep > min(self.max_wait, self.outage_seconds)

        def announce(state: tenacity.RetryCallState) -> None:
            error = _error(state)
            _log_wait(error, state.upcoming_sleep)
            on_wait(error, state.upcoming_sleep)

        return {
            "retry": tenacity.retry_if_exception(lambda error: isinstance(error, _KINDS) and error.transient),
            "wait": delay,
            "stop": gives_up,
            "before_sleep": announce,
            "reraise": True,
        }

    def _limit_is_too_long(self, error: Failure, waited: float) -> bool:
        bound = self.longest_lock
        asked = error.retry_after if isinstance(error, LmsRateLimited | LmsUnavailable) else None
        if isinstance(error, LmsRateLimited) and not error.locked:
            bound = None if error.is_next else self.longest_queue
        return waited > self.max_wait or (asked or 0.0) >= (math.inf if bound is None else bound)


class _Outage:
    """Errors in a row that are no limits."""

    def __init__(self) -> None:
        self.started = 0.0
        self._errors = 0

    def end(self) -> None:
        self._errors = 0

    def delay(self) -> float:
        """Count one more error; return the seconds to wait."""
        if not self._errors:
            self.started = clock.monotonic()
        self._errors += 1
        return _growing_delay(self._errors)


def _wait_asked_for(error: Failure) -> bool:
    """Whether this is a limit, or an outage for which the LMS says when to come back."""
    return isinstance(error, LmsRateLimited) or (isinstance(error, LmsUnavailable) and error.retry_after is not None)


def _limit_delay(error: Failure, state: tenacity.RetryCallState) -> float:
    asked = error.retry_after if isinstance(error, LmsRateLimited | LmsUnavailable) else None
    if asked is None:
        return _growing_delay(state.attempt_number)
    if _is_own_limit(error):
        return asked
    # Everybody who met the lock would come back at the same moment.
    return asked + random.uniform(0, min(5.0, 0.1 + asked / 10))  # noqa: S311


def _growing_delay(errors: int) -> float:
    return float(min(2 ** (errors - 1), 30)) + random.uniform(0, 1)  # noqa: S311


def _log_wait(error: Failure, seconds: float) -> None:
    if _is_own_limit(error):
        level = logging.INFO if seconds >= LONG_WAIT else logging.DEBUG
    else:
        level = logging.WARNING if seconds >= 1 else logging.INFO
    log.log(level, "%s Trying again in %.1f s.", error, seconds)


def _is_own_limit(error: Failure) -> bool:
    """Whether this side holds the request back. Then the time to wait is exact, and no cause for alarm."""
    return isinstance(error, LmsRateLimited) and error.status is None


def _error(state: tenacity.RetryCallState) -> Failure:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, _KINDS):
        raise TypeError("Only an LmsError or a CoordinationError is tried again.")
    return error
