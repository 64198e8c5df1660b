"""Reports the polls of a triggerer: how many there are, who waits for them, and how old what they have read is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_lms import clock
from airflow_provider_lms.lms.http.observer import Observer

REPORT_SECONDS = 30.0


class Poll:
    """A poll, as it is reported.

    :param waiting: how many triggers wait for it at the moment.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.waiting = waiting
        self._succeeded_at = clock.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was last read, or since it began if it was not read yet."""
        return clock.monotonic() - self._succeeded_at

    def succeeded(self) -> None:
        """It was read."""
        self._succeeded_at = clock.monotonic()


class PollReports:
    """Reports the polls of one account again and again, as long as there are any.

    Not only when a poll is read: what hangs is not read, and its age is what one wants to see.

    :param observer: of the account.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._polls: set[Poll] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def reported(self, waiting: Callable[[], int]) -> Iterator[Poll]:
        """Report a poll while it lasts. To be used on an event loop.

        :param waiting: how many triggers wait for it at the moment.
        """
        poll = Poll(waiting)
        self._add(poll)
        try:
            yield poll
        finally:
            self._remove(poll)

    def _add(self, poll: Poll) -> None:
        self._polls.add(poll)
        if self._task is None and self._observer.is_on:
            self._task = asyncio.create_task(self._run(), name="lms-poll-reports")

    def _remove(self, poll: Poll) -> None:
        self._polls.discard(poll)
        if not self._polls and self._task is not None:
            self._task.cancel()
            self._task = None
            self._report()

    async def _run(self) -> None:
        while True:
            self._report()
            # Not by the package's clock: a test's clock would let time pass here, and nothing would wait for it.
            await asyncio.sleep(REPORT_SECONDS)

    def _report(self) -> None:
        waiting = sum(poll.waiting() for poll in self._polls)
        self._observer.polls(len(self._polls), waiting, max((poll.age for poll in self._polls), default=0.0))
