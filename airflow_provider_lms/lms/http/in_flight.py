"""How many requests a task has in flight: as many as the LMS serves well."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnavailable

_STEP = 1.4
_WORTH = 1.12
"""A step up is kept if the LMS then serves this much more. A single request more could not be told from chance."""
_REMEMBERED_ROUNDS = 48
"""After so many rounds, a step that was not worth it is tried again: the LMS may have more room by then. Each time that
it is not worth it again, the next try comes after twice as many rounds."""
_MOST_DOUBLINGS = 6
_NEARLY_FULL = 1.2


class Stopped(Exception):  # no error: somebody else met one
    """The reading was stopped, so nothing more is sent."""


class InFlight:
    """Limits how many requests are in flight, and adapts the limit to the LMS. All threads of a reading share it.

    The first request is alone, since that shows whether two at a time are worth it. Then the limit goes up in steps: 2,
    3, 5, 7, 10 and so on. A round is as many responses as requests are allowed. How many responses per second the LMS
    gives under a limit follows from their mean latency. After each round the limit takes a step up, if the step before
    was worth it; otherwise a step back. A rate-limit response, an outage or a timeout halves the limit; those of
    requests that were in flight at that moment do not halve it again.

    :param most: the limit is never higher.
    """

    def __init__(self, most: int) -> None:
        self._steps = _steps_up_to(most)
        self._at = 0
        self.highest = self.limit
        self._in_flight = 0
        self._free = threading.Condition()
        self._stopped = False
        self._rates: dict[int, tuple[float, int]] = {}
        self._steps_back: Counter[int] = Counter()
        self._rounds = self._changes = 0
        self._latencies: list[float] = []

    @property
    def limit(self) -> int:
        """How many requests may be in flight at the moment."""
        return self._steps[self._at]

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request, from before it is sent until its response has come. Waits for its turn.

        :raises Stopped: see :meth:`stop`.
        """
        with self._free:
            self._free.wait_for(lambda: self._stopped or self._in_flight < self.limit)
            if self._stopped:
                raise Stopped
            self._in_flight += 1
            sent_after, sent_at = self._changes, clock.monotonic()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._free:
                if sent_after == self._changes:  # what was sent under another limit says nothing about this one
                    self._learn(error, clock.monotonic() - sent_at)
                self._in_flight -= 1
                self._free.notify_all()

    def stop(self) -> None:
        """Let no further request be sent."""
        with self._free:
            self._stopped = True
            self._free.notify_all()

    def _learn(self, error: BaseException | None, latency: float) -> None:
        if isinstance(error, LmsError) and _is_overload(error):
            self._rates.clear()
            half = max(1, self.limit // 2)
            self._move(max(index for index, limit in enumerate(self._steps) if limit <= half))
        # With fewer requests in flight than allowed, for example at the account's rate limit, latencies are those of a
        # smaller load.
        elif error is None and self._in_flight * _NEARLY_FULL >= self.limit:
            self._latencies.append(latency)
            self._end_round()

    def _end_round(self) -> None:
        if len(self._latencies) < self.limit:
            return
        mean, known = fmean(self._latencies), self._rate(self._at)
        self._latencies = []
        if mean > 0:
            rate = self.limit / mean
            self._rounds += 1
            self._rates[self._at] = (rate if known is None else (rate + known) / 2, self._rounds)
            self._move(self._next_step())

    def _next_step(self) -> int:
        at, rate = self._at, self._rate(self._at) or 0.0
        fewer, more = self._rate(at - 1), self._rate(at + 1)
        if fewer is not None and rate <= fewer * _WORTH:
            self._steps_back[at] += 1
            return at - 1
        if at + 1 < len(self._steps) and (more is None or more > rate * _WORTH):
            return at + 1
        if at > 0 and fewer is None and more is not None:
            return at - 1  # more is no better, so fewer may be as good
        return at

    def _move(self, at: int) -> None:
        if at != self._at:
            self._at = at
            self.highest = max(self.highest, self.limit)
            self._changes += 1
            self._latencies = []

    def _rate(self, at: int) -> float | None:
        """Responses per second after a step, if that was tried lately."""
        if at not in self._rates:
            return None
        rate, measured = self._rates[at]
        remembered = _REMEMBERED_ROUNDS << min(self._steps_back[at], _MOST_DOUBLINGS)
        return rate if self._rounds - measured < remembered else None


def _steps_up_to(most: int) -> list[int]:
    steps = [1]
    while steps[-1] < most:
        following = max(steps[-1] + 1, math.ceil(steps[-1] * _STEP))
        steps.append(most if following * _NEARLY_FULL > most else following)
    return steps


def _is_overload(error: LmsError) -> bool:
    """Whether the LMS has too much to do. That this side holds a request back says nothing about it."""
    return isinstance(error, LmsUnavailable) or (isinstance(error, LmsRateLimited) and error.status is not None)
