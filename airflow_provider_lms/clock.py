"""The one clock of this package. Tests replace it with :func:`airflow_provider_lms.testing.fake_clock`."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import threading


class Clock:
    """Real time. A subclass may let time pass in another way.

    All waiting and every time limit of this package goes through the clock in use. So with a fake clock a test of a
    five-minute lock ends at once, and the lock still holds.
    """

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        return time.monotonic()

    def utcnow(self) -> datetime:
        """The date and time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Block this thread until the event is set, or for this long."""
        event.wait(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this coroutine."""
        import asyncio  # here, so that parsing a DAG does not import it

        await asyncio.sleep(seconds)

    async def wait_async(self, event: asyncio.Event, seconds: float) -> None:
        """Suspend this coroutine until the event is set, or for this long."""
        import asyncio

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


_clock = Clock()


def monotonic() -> float:
    """Seconds since an arbitrary moment; never goes back."""
    return _clock.monotonic()


def utcnow() -> datetime:
    """The date and time in UTC."""
    return _clock.utcnow()


def timestamp() -> float:
    """Seconds since 1970."""
    return _clock.utcnow().timestamp()


def sleep(seconds: float) -> None:
    """Block this thread."""
    _clock.sleep(seconds)


def wait(event: threading.Event, seconds: float) -> None:
    """Block this thread until the event is set, or for this long."""
    _clock.wait(event, seconds)


async def sleep_async(seconds: float) -> None:
    """Suspend this coroutine."""
    await _clock.sleep_async(seconds)


async def wait_async(event: asyncio.Event, seconds: float) -> None:
    """Suspend this coroutine until the event is set, or for this long."""
    await _clock.wait_async(event, seconds)


def replace(clock: Clock) -> Clock:
    """Use another clock from now on; return the one in use so far."""
    global _clock
    before, _clock = _clock, clock
    return before
