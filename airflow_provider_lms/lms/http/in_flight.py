"""How many requests a task has in flight: as many as the LMS serves well."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnavailable

_FIRST = 2
_WORTH = 1.03
"""A step up is kept if responses then come faster by more than this. One more request among thirty would be 1.033."""
_REMEMBERED_ROUNDS = 12
"""After so many rounds, a step that was not worth it is tried again: the LMS may have more room by then. Each time that
it is not worth it again, the next try comes after twice as many rounds."""
_MOST_DOUBLINGS = 6


class Stopped(Exception):  # no error: somebody else met one
    """The reading was stopped, so nothing more is sent."""


class InFlight:
    """Limits how many requests are in flight, and adapts the limit to the LMS. All threads of a reading share it.

    A round is as many responses as requests are allowed. After each round the limit rises by one, if responses then
    come faster; otherwise it goes back to what was as fast with fewer requests. A rate-limit response, an outage or a
    timeout halves the limit, once per round. A round in which the account's own rate limit held a request back tells
    nothing about the LMS, and changes nothing.

    :param most: the limit is never higher.
    """

    def __init__(self, most: int) -> None:
        self.limit = min(_FIRST, most)
        self.highest = self.limit
        self._most = most
        self._in_flight = 0
        self._free = threading.Condition()
        self._stopped = False
        self._rates: dict[int, tuple[float, int]] = {}
        self._steps_back: Counter[int] = Counter()
        self._rounds = 0
        self._was_full = self._halved = self._was_held_back = False
        self._start_round()

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
            self._was_full = self._was_full or self._in_flight == self.limit
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._free:
                self._in_flight -= 1
                self._learn(error)
                self._free.notify_all()

    def stop(self) -> None:
        """Let no further request be sent."""
        with self._free:
            self._stopped = True
            self._free.notify_all()

    def _learn(self, error: BaseException | None) -> None:
        if isinstance(error, LmsError) and _is_overload(error):
            if not self._halved:
                self.limit = max(1, self.limit // 2)
                self._rates.clear()
                self._start_round()
                self._halved = True
        elif isinstance(error, LmsRateLimited):
            self._was_held_back = True
        elif error is None:
            self._responses += 1
            if self._responses >= self.limit:
                self._end_round()

    def _end_round(self) -> None:
        seconds = clock.monotonic() - self._started
        # Where fewer requests were sent than allowed, or the account's rate limit held some back, their rate says
        # nothing about the LMS.
        if self._was_full and not self._was_held_back and seconds > 0:
            self._rounds += 1
            self._rates[self.limit] = (self._responses / seconds, self._rounds)
            self.limit = self._next_limit()
            self.highest = max(self.highest, self.limit)
        self._start_round()

    def _next_limit(self) -> int:
        limit, rate = self.limit, self._rate(self.limit) or 0.0
        fewer, more = self._rate(limit - 1), self._rate(limit + 1)
        if fewer is not None and rate <= fewer * _WORTH:
            self._steps_back[limit] += 1
            return limit - 1
        if limit < self._most and (more is None or more > rate * _WORTH):
            return limit + 1
        if limit > 1 and fewer is None and more is not None:
            return limit - 1  # more is no better, so fewer may be as good
        return limit

    def _rate(self, limit: int) -> float | None:
        """Responses per second under a limit, if that was tried lately."""
        if limit not in self._rates:
            return None
        rate, measured = self._rates[limit]
        remembered = _REMEMBERED_ROUNDS << min(self._steps_back[limit], _MOST_DOUBLINGS)
        return rate if self._rounds - measured < remembered else None

    def _start_round(self) -> None:
        self._started = clock.monotonic()
        self._responses = 0
        self._was_full = self._in_flight >= self.limit
        self._halved = self._was_held_back = False


def _is_overload(error: LmsError) -> bool:
    """Whether the LMS has too much to do. That this side holds a request back says nothing about it."""
    return isinstance(error, LmsUnavailable) or (isinstance(error, LmsRateLimited) and error.status is not None)
