"""The feed of a course's completions, for all event triggers on one event loop that watch it."""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_lms import clock
from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.course.event_cursor import Completion
from airflow_provider_lms.lms.course.readers import CompletionsQuery, CompletionsReader
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.connections import account_of, completions_reader, resolve_cached
from airflow_provider_lms.triggers.flow_runner import run_flow_async
from airflow_provider_lms.triggers.poll_reports import Poll
from airflow_provider_lms.triggers.threads import in_thread

log = logging.getLogger(__name__)

_FIRST_SECONDS = 2.0


@dataclass(frozen=True)
class Bulletin:
    """What one reading of a course has found.

    :param since: completions from this date on; an LMS without dates tells all of them.
    :param read_at: when the reading began.
    :param dated: whether completions have dates.
    :param persisted: whether the events made from this bulletin are in Airflow's database. Set once that is known.
    """

    since: datetime
    read_at: datetime
    completions: Sequence[Completion]
    dated: bool
    persisted: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), compare=False
    )


@dataclass
class Watcher:
    """One trigger that listens to a feed.

    :param since: completions from this date on must be read for it.
    """

    since: datetime


class CompletionFeed:
    """Reads the completions of a course once per interval, as far back as any watcher needs them."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    @contextmanager
    def watch(self, since: datetime) -> Iterator[Watcher]:
        """Listen to the feed.

        :param since: completions from this date on are needed.
        """
        watcher = Watcher(since)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            # By identity: two watchers of the same date are equal.
            self._watchers = [each for each in self._watchers if each is not watcher]

    async def bulletins(
        self, conn_type: str, conn_id: str, query: CompletionsQuery, interval: float
    ) -> AsyncIterator[Bulletin]:
        """One bulletin per interval. An error is logged, and an interval later reading is tried again.

        :param query: what to read.
        :param interval: seconds between two readings.
        """
        reader: CompletionsReader | None = None
        account: Account | None = None
        poll: Poll | None = None
        reports = ExitStack()
        pause = min(_FIRST_SECONDS, interval)
        try:
            while True:
                await clock.sleep_async(pause * random.uniform(0.9, 1.0))  # noqa: S311
                since = min((watcher.since for watcher in self._watchers), default=None)
                if since is None:
                    continue
                pause, now = interval, clock.utcnow()
                try:
                    if reader is None or account is None:
                        connection = await resolve_cached(conn_id)
                        account = account_of(conn_type, connection)
                        if poll is None:
                            poll = reports.enter_context(account.poll_reports.reported(lambda: len(self._watchers)))
                        reader = await in_thread(completions_reader, conn_type, connection, query)
                    completions = await run_flow_async(reader.read_flow(since), account)
                    if poll is not None:
                        poll.succeeded()
                except Exception as error:  # noqa: BLE001  # Airflow would restart this trigger at once, and again
                    _log_error(error, query.course_id, conn_id, interval)
                    await _close(reader)
                    reader = None  # by the next time, someone may have corrected the connection
                    continue
                yield Bulletin(since, now, completions, reader.dated)
        finally:
            reports.close()
            await _close(reader)


_FEEDS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Hashable, CompletionFeed]] = (
    weakref.WeakKeyDictionary()
)


def shared_feed(key: Hashable) -> CompletionFeed:
    """The feed with this key on this event loop. It lasts as long as anybody holds it."""
    feeds = _FEEDS.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    feed = feeds.get(key)
    if feed is None:
        feed = feeds[key] = CompletionFeed()
    return feed


def _log_error(error: Exception, course_id: str, conn_id: str, interval: float) -> None:
    is_expected = isinstance(error, LmsError | CoordinationError | ValueError)
    is_transient = isinstance(error, LmsError | CoordinationError) and error.transient
    log.log(
        logging.WARNING if is_transient else logging.ERROR,
        "Course %s, connection %s: %s Trying again in %s.",
        course_id,
        conn_id,
        error if is_expected else f"{type(error).__name__}.",
        describe_duration(interval),
    )


async def _close(reader: CompletionsReader | None) -> None:
    if reader is not None:
        await asyncio.shield(in_thread(reader.close))
