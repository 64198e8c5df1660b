"""Helpers for tests of DAGs and of this package."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from airflow_provider_lms import clock
from airflow_provider_lms.clock import Clock


class FakeClock(Clock):
    """Time that passes only when something sleeps, or when a test calls :meth:`advance`.

    :param at: the date and time at which it begins; None is now.

    ``naps`` lists how long was slept each time, in seconds.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self.naps: list[float] = []
        self._started_at = super().utcnow() if at is None else at
        # Whole seconds: 60 s after a moment, the moment 60 s before is that moment again. Other floats may round.
        self._started = float(round(super().monotonic()))
        self._passed = 0.0
        self._mutex = threading.Lock()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._mutex:
            self._passed += seconds

    def jump(self, seconds: float) -> None:
        """Move the date and time alone, as a correction of the system's clock does."""
        self._started_at += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self._started + self._passed

    def utcnow(self) -> datetime:
        return self._started_at + timedelta(seconds=self._passed)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.advance(seconds)

    def wait(self, event: threading.Event, seconds: float) -> None:
        if not event.is_set():
            self.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)

    async def wait_async(self, event: asyncio.Event, seconds: float) -> None:
        if not event.is_set():
            self.advance(seconds)
            await asyncio.sleep(0)


@contextmanager
def fake_clock(at: datetime | None = None) -> Iterator[FakeClock]:
    """Make waiting free, while every limit stays in force: retries, rate limits, locks, timeouts of sensors, lifetimes.

    The simulator goes by the same clock. What a socket waits for still takes real time.

    :param at: the date and time at which it begins; None is now.

    Example::

        def test_a_lock_is_waited_for(lms):
            lms.zoho.use_up()
            with fake_clock() as clock:
                assert operator.execute({})
            assert sum(clock.naps) >= 300
    """
    fake = FakeClock(at)
    before = clock.replace(fake)
    try:
        yield fake
    finally:
        clock.replace(before)
