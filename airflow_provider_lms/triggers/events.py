"""The trigger of asset watchers: a DAG runs when learners have newly completed a course."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_lms import clock
from airflow_provider_lms.durations import check_seconds
from airflow_provider_lms.vendors import VENDORS

if TYPE_CHECKING:
    from airflow_provider_lms.lms.course.event_cursor import Completion, ReportedCompletions
    from airflow_provider_lms.triggers.completion_feed import Bulletin, CompletionFeed

    _Saves = asyncio.Queue[tuple[Bulletin, ReportedCompletions]]

STATE_KEY = "lms_completions"
"""The key of the asset's state under which reported completions are stored."""

MAX_IDS_PER_EVENT = 100

# How long a trigger that ends waits for Airflow to confirm its last events. Airflow 3.3 does so within a second or two,
# and kills a triggerer 10 s after asking it to stop.
_LAST_SAVES_SECONDS = 5.0

# Airflow's message if there is no single asset whose state this could be.
_SEVERAL_ASSETS = "concrete inlets and outlets"


class CourseCompletionEventTrigger(BaseEventTrigger):
    """Fires when learners complete a course. Completions from before watching began are never reported.

    An event holds ``course_id``, ``learner_ids`` and ``enrollment_ids`` (up to 100, in the same order; more completions
    make more events), ``completed_at`` (the dates, if the LMS tells them), ``checked_at``, and ``id``, which is the
    same for the same completions.

    On Airflow 3.3, reported completions are stored in the asset's state once their events are in Airflow's database. So
    after a restart of the triggerer no completion is lost, and only those of the last second or two may be reported
    again, with the same ``id``. Watchers of the same course, statuses and interval share one poll. On Airflow 3.0 to
    3.2 the state lasts as long as the triggerer runs. The same holds if several assets have a watcher with the same
    parameters.

    In iSpring Learn a completion may be entered up to 24 hours after its date. Zoho People has no readable dates: all
    learners of the course are read in each poll, and up to 5,000 of them may have completed it.

    :param course_id: the course.
    :param ispring_learn_conn_id: the connection, for a course of iSpring Learn.
    :param zoho_people_conn_id: the connection, for a course of Zoho People.
    :param completed_statuses: the LMS's words for a completed course; None takes the usual ones.
    :param poll_interval: seconds between two polls, or a timedelta.
    :param one_per_learner: fire one event per learner instead of one per poll.
    :raises ValueError: none or several connections are given, or the interval is no positive number.

    Example::

        fire_safety = Asset(
            "fire_safety_completions",
            watchers=[
                AssetWatcher(
                    name="fire_safety",
                    trigger=CourseCompletionEventTrigger(
                        course_id="f0e7400a-ca31-11e9-b6fc-0a580af40a22", ispring_learn_conn_id="ispring_learn_default"
                    ),
                )
            ],
        )
    """

    def __init__(
        self,
        *,
        course_id: str | int,
        ispring_learn_conn_id: str | None = None,
        zoho_people_conn_id: str | None = None,
        completed_statuses: Sequence[str] | str | None = None,
        poll_interval: timedelta | float = 300.0,
        one_per_learner: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.course_id = str(course_id)
        self.ispring_learn_conn_id = ispring_learn_conn_id
        self.zoho_people_conn_id = zoho_people_conn_id
        words = [completed_statuses] if isinstance(completed_statuses, str) else completed_statuses
        self.completed_statuses = None if words is None else list(words)
        seconds = poll_interval.total_seconds() if isinstance(poll_interval, timedelta) else poll_interval
        self.poll_interval = check_seconds("poll_interval", seconds)
        self.one_per_learner = one_per_learner
        conn_ids: dict[str, str | None] = {
            row.conn_type: getattr(self, row.conn_id_parameter) for row in VENDORS.values()
        }
        given = {conn_type: conn_id for conn_type, conn_id in conn_ids.items() if conn_id is not None}
        if len(given) != 1:
            names = " or ".join(row.conn_id_parameter for row in VENDORS.values())
            raise ValueError(f"Give exactly one connection: {names}.")
        ((self._conn_type, self._conn_id),) = given.items()
        self._saved: ReportedCompletions | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "course_id": self.course_id,
            "completed_statuses": self.completed_statuses,
            "poll_interval": self.poll_interval,
            "one_per_learner": self.one_per_learner,
            VENDORS[self._conn_type].conn_id_parameter: self._conn_id,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Before Airflow 3.3 there are no shared streams, so every watcher reads for itself."""
        async for event in self.filter_shared_stream(_persisted_when_resumed(self._bulletins())):
            yield event

    def shared_stream_key(self) -> Hashable:
        """The same for all who watch the same course with the same connection, statuses and interval."""
        words = None if self.completed_statuses is None else tuple(self.completed_statuses)
        return ("airflow_provider_lms", self._conn_type, self._conn_id, self.course_id, words, self.poll_interval)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """Airflow 3.3 calls this once for all who share the stream."""
        from airflow_provider_lms.triggers.streams import FeedStream

        return FeedStream(cls(**kwargs)._bulletins())

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Bulletin]) -> AsyncIterator[TriggerEvent]:
        """Events of the completions that this watcher has not reported yet."""
        from airflow_provider_lms.triggers.threads import in_thread

        started = clock.utcnow()
        feed = await self._feed()
        from airflow_provider_lms.lms.course.event_cursor import LATE_ARRIVAL_WINDOW, ReportedCompletions

        reported = self._saved = await self._load()
        since = (reported and reported.since) or started - LATE_ARRIVAL_WINDOW
        with feed.watch(since) as watcher:
            async with self._saver() as saves:
                async for bulletin in shared_stream:
                    if bulletin.dated and bulletin.since > watcher.since:
                        continue  # its reading began before this watcher listened, and does not go back far enough
                    before = reported or ReportedCompletions.at_start(
                        started, bulletin.completions, dated=bulletin.dated
                    )
                    fresh, after = await in_thread(before.unreported, bulletin.completions, bulletin.read_at)
                    saves.put_nowait((bulletin, after))
                    for event in self._events(fresh, bulletin):
                        yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                    reported, watcher.since = after, after.since or watcher.since

    async def _feed(self) -> CompletionFeed:
        from airflow_provider_lms.triggers.threads import import_modules_of

        await import_modules_of(self._conn_type)
        from airflow_provider_lms.triggers.completion_feed import shared_feed

        return shared_feed(self.shared_stream_key())

    async def _bulletins(self) -> AsyncIterator[Bulletin]:
        feed = await self._feed()
        from airflow_provider_lms.lms.course.readers import CompletionsQuery

        words = None if self.completed_statuses is None else tuple(self.completed_statuses)
        query = CompletionsQuery(course_id=self.course_id, completed_statuses=words)
        async for bulletin in feed.bulletins(self._conn_type, self._conn_id, query, self.poll_interval):
            yield bulletin

    def _events(self, fresh: list[Completion], bulletin: Bulletin) -> Iterator[dict[str, Any]]:
        size = 1 if self.one_per_learner else MAX_IDS_PER_EVENT
        for first in range(0, len(fresh), size):
            part = fresh[first : first + size]
            yield {
                "id": hashlib.sha256("".join(sorted(each.digest for each in part)).encode()).hexdigest()[:16],
                "course_id": self.course_id,
                "learner_ids": [each.learner_id for each in part],
                "enrollment_ids": [each.enrollment_id for each in part],
                "completed_at": [each.completed_at and each.completed_at.isoformat() for each in part],
                "checked_at": bulletin.read_at.isoformat(),
            }

    @property
    def _store(self) -> Any:
        """The asset's state, which Airflow 3.3 gives to a trigger; otherwise None."""
        return getattr(self, "asset_state_store", None)

    async def _load(self) -> ReportedCompletions | None:
        import msgspec

        from airflow_provider_lms.lms.course.event_cursor import ReportedCompletions

        try:
            stored = None if self._store is None else await self._store.aget(STATE_KEY)
        except ValueError as error:
            if _SEVERAL_ASSETS not in str(error):
                raise
            self.log.warning(
                "Several assets watch course %s with the same parameters, so no asset can store what was reported. "
                "After a restart of the triggerer, watching starts again from the beginning.",
                self.course_id,
            )
            self.asset_state_store = None
            stored = None
        return None if stored is None else msgspec.convert(stored, ReportedCompletions)

    @asynccontextmanager
    async def _saver(self) -> AsyncIterator[_Saves]:
        """A queue of what to store once the events of its bulletin are in Airflow's database."""
        saves: _Saves = asyncio.Queue()
        task = asyncio.create_task(self._save_persisted(saves))
        try:
            yield saves
        finally:
            try:
                # Airflow still stores the last events of a trigger that ends. If the state did not follow, they would
                # be reported again at the next start.
                if self._store is not None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LAST_SAVES_SECONDS):
                            await saves.join()
            finally:
                task.cancel()

    async def _save_persisted(self, saves: _Saves) -> None:
        while True:
            bulletin, reported = await saves.get()
            try:
                # Shielded: if this watcher leaves meanwhile, the others still wait for the same future.
                if reported != self._saved and await asyncio.shield(bulletin.persisted):
                    await self._save(reported)
            except Exception as error:  # noqa: BLE001  # the next bulletin's state includes this one
                self.log.warning("Reported completions could not be stored (%s).", type(error).__name__)
            finally:
                saves.task_done()

    async def _save(self, reported: ReportedCompletions) -> None:
        import msgspec

        if self._store is not None:
            await self._store.aset(STATE_KEY, msgspec.to_builtins(reported))
        self._saved = reported


async def _persisted_when_resumed(bulletins: AsyncIterator[Bulletin]) -> AsyncIterator[Bulletin]:
    """Take the events of a bulletin as persisted when the next bulletin is asked for."""
    async for bulletin in bulletins:
        yield bulletin
        bulletin.persisted.set_result(True)
