"""Logs how far a long reading has come."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from airflow_provider_lms import clock
from airflow_provider_lms.durations import describe_duration

log = logging.getLogger(__name__)

_SECONDS = 30.0


class ProgressListener(Protocol):
    """Is told how far a reading has come."""

    def __call__(self, pages: int, records: int, done: int, total: int) -> None:
        """Called after each page, with what :meth:`ProgressLog.update` takes."""


_listener: ContextVar[ProgressListener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def progress_told_to(listener: ProgressListener) -> Iterator[None]:
    """Tell somebody how far the datasets of this context are. The command line shows a progress bar."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class ProgressLog:
    """Logs every half minute how far reading has come.

    :param label: what is read, such as ``entity_progress of course 100002000010000001``.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._logged = clock.monotonic()
        # When the first page came, and how much was done by then. What happens before, such as listing a course's
        # learners, is done once and says nothing about how long the other pages will take.
        self._first: tuple[float, int] | None = None

    def update(self, pages: int, records: int, done: int, total: int) -> None:
        """Note one more page.

        :param pages: how many pages were read so far.
        :param records: how many records were read so far.
        :param done: how many steps of the reading are done or in progress.
        :param total: how many there are. 1 if nobody knows how long the reading is.
        """
        if (listener := _listener.get()) is not None:
            listener(pages, records, done, total)
        now = clock.monotonic()
        if self._first is None:
            self._first = now, done
        started, first = self._first
        if now - self._logged < _SECONDS:
            return
        self._logged = now
        elapsed, newly_done, left = now - started, done - first, total - done
        log.info(
            "Reading %s: %s, %s records%s.",
            self._label,
            f"{pages:,} pages" if total == 1 else f"{done:,} of {total:,} steps",
            f"{records:,}",
            f", about {describe_duration(elapsed / newly_done * left)} left" if newly_done and left else "",
        )
