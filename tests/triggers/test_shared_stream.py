"""Event triggers of Airflow 3.3, which share one poll and learn when their events are safe."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.triggers.events import STATE, CourseCompletionEventTrigger
from tests.triggers.watchers import INTERVAL, RESULTS, Store, Told, polls, until, watcher

shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="since Airflow 3.3")


class Triggerer:
    """The part of Airflow's triggerer that shares streams, with a database that may be slow or fail."""

    def __init__(self) -> None:
        import structlog

        self.manager = shared_stream.SharedStreamManager(
            log=structlog.get_logger(), max_subscriber_queue=100, ack_timeout=60.0, cohort_grace_period=0.0
        )
        self.persists = True
        self._sequence = iter(range(1, 10_000))

    async def run(self, number: int, trigger: CourseCompletionEventTrigger, told: Told) -> None:
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                seq = self.manager.bind_pending_event(trigger_id=number, key=key)
                told.events.append(json.loads(json.dumps(event.payload)))
                if self.persists and seq is not None:
                    self.manager.confirm_persisted([seq])
        finally:
            await self.manager.unsubscribe(number, key)


def shared(
    scenario: Callable[..., Coroutine[Any, Any, None]], *triggers: CourseCompletionEventTrigger, persists: bool = True
) -> list[Told]:
    async def run() -> list[Told]:
        triggerer, told = Triggerer(), [Told() for _ in triggers]
        triggerer.persists = persists
        tasks = [
            asyncio.create_task(triggerer.run(number, trigger, each))
            for number, (trigger, each) in enumerate(zip(triggers, told, strict=True), start=1)
        ]
        await scenario(*told)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return told

    return asyncio.run(run())


def test_siblings_share_one_poll_and_each_keeps_its_own_state(lms: Simulator) -> None:
    course, users, stores = lms.ispring.courses[0], lms.ispring.users, [Store(), Store()]

    async def scenario(one: Told, other: Told) -> None:
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


def test_what_airflow_has_not_kept_is_told_again_after_a_restart(lms: Simulator) -> None:
    course, user, store = lms.ispring.courses[0], lms.ispring.users[0], Store()

    async def told_once(told: Told) -> None:
        await polls(lms)
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(told.events))
        await polls(lms)

    async def told_again(told: Told) -> None:
        await until(lambda: bool(told.events))
        await polls(lms)

    async def told_no_more(_: Told) -> None:
        await polls(lms, 3)

    (first,) = shared(told_once, watcher(lms, store), persists=False)
    (second,) = shared(told_again, watcher(lms, store))
    (third,) = shared(told_no_more, watcher(lms, store))
    assert first.events[0]["id"] == second.events[0]["id"]
    assert (len(first.events), len(second.events), third.events) == (1, 1, [])


def test_a_watcher_that_comes_back_after_days_reads_from_where_it_was(lms: Simulator) -> None:
    course, user, store = lms.ispring.courses[0], lms.ispring.users[0], Store()
    now = datetime.now(UTC)
    store.kept[STATE] = json.dumps({"since": (now - timedelta(days=5)).isoformat(), "digests": ""})
    for each in lms.ispring.users:
        lms.ispring.record(each, course, "in_progress")
    lms.ispring.record(user, course, "complete", completion=now - timedelta(days=3))

    async def scenario(fresh: Told, back: Told) -> None:
        await until(lambda: bool(back.events))
        await polls(lms)
        assert fresh.events == []

    _, back = shared(scenario, watcher(lms, Store()), watcher(lms, store))
    assert back.learners == Counter([user.id])
