"""The trigger behind asset watchers: a DAG runs when learners have newly completed a course."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_lms.connections import CONNECTION_TYPES

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_lms.lms.news import Completion, Seen
    from airflow_provider_lms.triggers.feed import Bulletin

STATE = "lms_completions"
"""The key of the asset's state that holds what has been told."""

_IN_ONE_EVENT = 100
# What Airflow says where it has no single asset whose state this could be.
_SEVERAL_ASSETS = "concrete inlets and outlets"

_floors: dict[Hashable, dict[int, datetime]] = {}


class CourseCompletionEventTrigger(BaseEventTrigger):
    """Fires when learners newly complete a course: on the change, and never on who had completed it before.

    An event holds ``course_id``, ``learner_ids`` and ``enrollment_ids`` (at most 100, in the same order; more
    completions make more events), ``completed_at`` (the dates, where the LMS tells them), ``checked_at``, and ``id``,
    which is the same for the same completions.

    On Airflow 3.3 what has been told is kept in the asset's state once its events are safe, so that a restart of the
    triggerer loses nothing, and repeats at most what it had told within a second or two before. Watchers of the same
    course, statuses and interval share one poll. On Airflow 3.0 to 3.2 it is known for as long as the
    triggerer lives, and so it is where several assets have a watcher with the same parameters.

    In iSpring Learn a completion may be entered up to 24 hours after its date. Zoho People tells no dates that can be
    read: all learners of the course are read at each poll, and 5,000 of them may have completed it.

    :param course_id: the course.
    :param ispring_learn_conn_id: the connection, for a course of iSpring Learn.
    :param zoho_people_conn_id: the connection, for a course of Zoho People.
    :param completed_statuses: the LMS's words for a completed course; None takes the usual ones.
    :param poll_interval: seconds between two polls.
    :param one_per_learner: an event for each learner, in place of one for each poll.
    :raises ValueError: not just one connection is given, or no interval.
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
        self.poll_interval = poll_interval.total_seconds() if isinstance(poll_interval, timedelta) else poll_interval
        if not self.poll_interval > 0:
            raise ValueError(f"poll_interval: expected more than 0 seconds, got {poll_interval!r}.")
        self.one_per_learner = one_per_learner
        given = [name for name in CONNECTION_TYPES if getattr(self, f"{name}_conn_id") is not None]
        if len(given) != 1:
            names = " or ".join(f"{name}_conn_id" for name in CONNECTION_TYPES)
            raise ValueError(f"Give just one connection: {names}.")
        self._conn_type = given[0]
        self._saved: Seen | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("course_id", "completed_statuses", "poll_interval", "one_per_learner", f"{self._conn_type}_conn_id")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Where there are no shared streams: before Airflow 3.3."""
        async for event in self.filter_shared_stream(_confirmed(self._bulletins())):
            yield event

    def shared_stream_key(self) -> Hashable:
        """The same for all who watch the same course by the same connection, statuses and interval."""
        words = None if self.completed_statuses is None else tuple(self.completed_statuses)
        return ("airflow_provider_lms", self._conn_type, self._conn_id, self.course_id, words, self.poll_interval)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """Airflow 3.3 calls this once for all who share the stream."""
        from airflow_provider_lms.triggers.streams import Feed

        return Feed(cls(**kwargs)._bulletins())

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Bulletin]) -> AsyncIterator[TriggerEvent]:
        """Events of what this watcher has not told yet."""
        from datetime import UTC, datetime

        from airflow_provider_lms.triggers.threads import imported, in_thread

        started = datetime.now(UTC)
        await imported(self._conn_type)
        from airflow_provider_lms.lms.news import OVERLAP, Seen

        seen = self._saved = await self._load()
        floors = _floors.setdefault(self.shared_stream_key(), {})
        floors[id(self)] = (seen and seen.since) or started - OVERLAP
        try:
            async for bulletin in shared_stream:
                if bulletin.dated and bulletin.since > floors[id(self)]:
                    continue  # it was begun before this watcher listened, and does not go back far enough
                before = seen or Seen.before(started, bulletin.completions, dated=bulletin.dated)
                fresh, after = await in_thread(before.news, bulletin.completions, bulletin.read_at)
                if after != self._saved:
                    bulletin.confirmed.append(partial(self._save, after))
                for event in self._events(fresh, bulletin):
                    yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                seen = after
                floors[id(self)] = after.since or floors[id(self)]
        finally:
            floors.pop(id(self), None)

    @property
    def _conn_id(self) -> str:
        return str(getattr(self, f"{self._conn_type}_conn_id"))

    async def _bulletins(self) -> AsyncIterator[Bulletin]:
        from airflow_provider_lms.triggers.threads import imported

        await imported(self._conn_type)
        from airflow_provider_lms.triggers.feed import bulletins

        key = self.shared_stream_key()
        course = {"course_id": self.course_id, "completed_statuses": self.completed_statuses}
        feed = bulletins(
            self._conn_type,
            self._conn_id,
            course,
            self.poll_interval,
            lambda: min(_floors.get(key, {}).values(), default=None),
        )
        async for bulletin in feed:
            yield bulletin

    def _events(self, fresh: list[Completion], bulletin: Bulletin) -> Iterator[dict[str, Any]]:
        size = 1 if self.one_per_learner else _IN_ONE_EVENT
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

    async def _load(self) -> Seen | None:
        import msgspec

        from airflow_provider_lms.lms.news import Seen

        store = getattr(self, "asset_state_store", None)
        try:
            kept = None if store is None else await store.aget(STATE)
        except ValueError as error:
            if _SEVERAL_ASSETS not in str(error):
                raise
            self.log.warning(
                "Several assets watch course %s with the same parameters, so that none of them can keep what has been "
                "told: a restart of the triggerer begins anew.",
                self.course_id,
            )
            self.asset_state_store = None
            kept = None
        return None if kept is None else msgspec.convert(kept, Seen)

    async def _save(self, seen: Seen) -> None:
        import msgspec

        store = getattr(self, "asset_state_store", None)
        if store is not None:
            await store.aset(STATE, msgspec.to_builtins(seen))
        self._saved = seen


async def _confirmed(source: AsyncIterator[Bulletin]) -> AsyncIterator[Bulletin]:
    """Each bulletin, which counts as told when the next one is asked for."""
    async for bulletin in source:
        yield bulletin
        await bulletin.confirm()
