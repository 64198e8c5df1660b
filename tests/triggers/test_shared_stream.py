"""Event triggers of Airflow 3.3, which share one poll and learn when their events are in the database."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.triggers.events import STATE_KEY, CourseCompletionEventTrigger
from tests.triggers.watchers import INTERVAL, RESULTS, Reported, Store, polls, until, watcher

shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="since Airflow 3.3")


class Triggerer:
    """The part of Airflow's triggerer that shares streams, with a database that may be slow or fail."""

    def __init__(self) -> None:
        import structlog

        self.manager = shared_stream.SharedStreamManager(
            log=structlog.get_logger(), max_subscriber_queue=100, ack_timeout=60.0, cohort_grace_period=0.0
        )
        self.persists = True
        self._pending: list[int] = []

    async def run(self, number: int, trigger: CourseCompletionEventTrigger, reported: Reported) -> None:
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                seq = self.manager.bind_pending_event(trigger_id=number, key=key)
                reported.events.append(json.loads(json.dumps(event.payload)))
                if seq is not None:
                    self._pending.append(seq)
                if self.persists:
                    self.persist()
        finally:
            await self.manager.unsubscribe(number, key)

    def persist(self) -> None:
        """Store all events in the database, from now on at once."""
        self.persists = True
        self.manager.confirm_persisted(self._pending)
        self._pending.clear()


def shared(
    scenario: Callable[..., Coroutine[Any, Any, None]], *triggers: CourseCompletionEventTrigger, persists: bool = True
) -> list[Reported]:
    async def run() -> list[Reported]:
        triggerer, reported = Triggerer(), [Reported() for _ in triggers]
        triggerer.persists = persists
        tasks = [
            asyncio.create_task(triggerer.run(number, trigger, each))
            for number, (trigger, each) in enumerate(zip(triggers, reported, strict=True), start=1)
        ]
        await scenario(*reported)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return reported

    return asyncio.run(run())


def test_siblings_share_one_poll_and_each_keeps_its_own_state(lms: Simulator) -> None:
    course, users, stores = lms.ispring.courses[0], lms.ispring.users, [Store(), Store()]

    async def scenario(one: Reported, other: Reported) -> None:
        await polls(lms)
        before, started = lms.ispring.count(RESULTS), asyncio.get_running_loop().time()
        await asyncio.sleep(6 * INTERVAL)
        passed = (asyncio.get_running_loop().time() - started) / INTERVAL
        assert lms.ispring.count(RESULTS) - before <= passed / 0.9 + 1
        for user in users[:3]:
            lms.ispring.record(user, course, "complete")
        await until(lambda: bool(one.events) and sum(other.learners.values()) == 3)
        await polls(lms)

    one, other = shared(scenario, watcher(lms, stores[0]), watcher(lms, stores[1], one_per_learner=True))
    assert one.learners == other.learners == Counter(user.id for user in users[:3])
    assert (len(one.events), len(other.events)) == (1, 3)
    assert stores[0].kept == stores[1].kept


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger that ends does not wait long for Airflow to store its last events."""
    monkeypatch.setattr("airflow_provider_lms.triggers.events._LAST_SAVES_SECONDS", 0.1)


@pytest.mark.usefixtures("short_wait")
def test_a_watcher_that_leaves_before_its_events_are_stored_does_not_disturb_the_others(lms: Simulator) -> None:
    course, users, stores = lms.ispring.courses[0], lms.ispring.users, [Store(), Store()]

    async def scenario() -> Reported:
        triggerer, staying, leaving = Triggerer(), Reported(), Reported()
        triggerer.persists = False
        tasks = [
            asyncio.create_task(triggerer.run(number, watcher(lms, store), reported))
            for number, store, reported in zip((1, 2), stores, (staying, leaving), strict=True)
        ]
        await polls(lms)
        lms.ispring.record(users[0], course, "complete")
        await until(lambda: bool(staying.events and leaving.events))
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        triggerer.persist()
        lms.ispring.record(users[1], course, "complete")
        await until(lambda: len(staying.events) == 2)
        await polls(lms)
        assert not tasks[0].done()
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        return staying

    staying = asyncio.run(scenario())
    assert staying.learners == Counter(user.id for user in users[:2])
    (again,) = shared(lambda _: polls(lms, 3), watcher(lms, stores[0]))
    assert again.events == []


def test_events_that_airflow_stores_while_their_watcher_leaves_are_not_reported_again(lms: Simulator) -> None:
    course, user, store = lms.ispring.courses[0], lms.ispring.users[0], Store()

    async def leave() -> Reported:
        triggerer, reported = Triggerer(), Reported()
        triggerer.persists = False
        task = asyncio.create_task(triggerer.run(1, watcher(lms, store), reported))
        await polls(lms)
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(reported.events))
        await polls(lms)
        task.cancel()
        await asyncio.sleep(0.1)
        triggerer.persist()
        await asyncio.gather(task, return_exceptions=True)
        return reported

    left = asyncio.run(leave())
    (back,) = shared(lambda _: polls(lms, 3), watcher(lms, store))
    assert left.learners == Counter([user.id])
    assert back.events == []


@pytest.mark.usefixtures("short_wait")
def test_what_airflow_has_not_stored_is_reported_again_after_a_restart(lms: Simulator) -> None:
    course, user, store = lms.ispring.courses[0], lms.ispring.users[0], Store()

    async def reported_once(reported: Reported) -> None:
        await polls(lms)
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(reported.events))
        await polls(lms)

    async def reported_again(reported: Reported) -> None:
        await until(lambda: bool(reported.events))
        await polls(lms)

    async def reported_no_more(_: Reported) -> None:
        await polls(lms, 3)

    (first,) = shared(reported_once, watcher(lms, store), persists=False)
    (second,) = shared(reported_again, watcher(lms, store))
    (third,) = shared(reported_no_more, watcher(lms, store))
    assert first.events[0]["id"] == second.events[0]["id"]
    assert (len(first.events), len(second.events), third.events) == (1, 1, [])


def test_a_watcher_that_comes_back_after_days_reads_from_where_it_was(lms: Simulator) -> None:
    course, user, store = lms.ispring.courses[0], lms.ispring.users[0], Store()
    now = datetime.now(UTC)
    store.kept[STATE_KEY] = json.dumps({"since": (now - timedelta(days=5)).isoformat(), "digests": ""})
    for each in lms.ispring.users:
        lms.ispring.record(each, course, "in_progress")
    lms.ispring.record(user, course, "complete", completion=now - timedelta(days=3))

    async def scenario(fresh: Reported, back: Reported) -> None:
        await until(lambda: bool(back.events))
        await polls(lms)
        assert fresh.events == []

    _, back = shared(scenario, watcher(lms, Store()), watcher(lms, store))
    assert back.learners == Counter([user.id])
