"""A clock that is ahead of another one."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_lms.clock import Clock


class ShiftedClock(Clock):
    """Shows a later time than another clock. Time passes as it does there.

    :param base: the other clock.
    :param seconds: how far it is ahead.
    """

    def __init__(self, base: Clock, seconds: float) -> None:
        self._base = base
        self._seconds = seconds

    def monotonic(self) -> float:
        return self._base.monotonic() + self._seconds

    def utcnow(self) -> datetime:
        return self._base.utcnow() + timedelta(seconds=self._seconds)

    def sleep(self, seconds: float) -> None:
        self._base.sleep(seconds)
