"""A triggerer reports its polls: how many there are, who waits for them, and how old what they have read is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from itertools import pairwise

import pytest

from airflow_provider_lms.lms.errors import WaitReason
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers import connections, poll_reports
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.completion import CourseCompletionTrigger
from airflow_provider_lms.triggers.poll_reports import PollReports
from tests.observers import Recorder
from tests.triggers.watchers import Reported, polls, until, watcher


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What is told of all accounts of this process. A report comes after each moment."""
    found = Recorder()
    monkeypatch.setattr(connections, "triggerer_observer", lambda *_: found)
    monkeypatch.setattr(poll_reports, "REPORT_SECONDS", 0.01)
    return found


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def test_polls_and_those_who_wait_are_counted_until_none_is_left(seen: Recorder, clock: FakeClock) -> None:
    async def scenario() -> None:
        reports = PollReports(seen)
        with reports.reported(lambda: 3):
            with reports.reported(lambda: 4):
                await asyncio.sleep(0.05)
                assert seen.polled[-1] == (2, 7, 0.0)
            await asyncio.sleep(0.05)
            assert seen.polled[-1] == (1, 3, 0.0)
        assert seen.polled[-1] == (0, 0, 0.0)
        reported = len(seen.polled)
        await asyncio.sleep(0.05)
        assert len(seen.polled) == reported

    asyncio.run(scenario())


def test_the_age_is_that_of_the_poll_that_succeeded_least_lately(seen: Recorder, clock: FakeClock) -> None:
    async def scenario() -> None:
        reports = PollReports(seen)
        with reports.reported(lambda: 1) as first, reports.reported(lambda: 1) as second:
            clock.advance(60)
            first.succeeded()
            clock.advance(10)
            await asyncio.sleep(0.05)
            assert seen.polled[-1] == (2, 2, 70.0)
            second.succeeded()
            await asyncio.sleep(0.05)
            assert seen.polled[-1] == (2, 2, 10.0)

    asyncio.run(scenario())


def test_where_nobody_listens_nothing_runs() -> None:
    async def scenario() -> None:
        with PollReports(Observer()).reported(lambda: 1):
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_an_account_that_nobody_holds_is_forgotten_with_its_reports() -> None:
    account = Account(Recorder())
    gone = weakref.ref(account)
    del account
    gc.collect()
    assert gone() is None


def sensor_trigger(lms: Simulator) -> CourseCompletionTrigger:
    return CourseCompletionTrigger(
        conn_type="ispring_learn",
        conn_id="ispring_learn_default",
        course={"course_id": lms.ispring.courses[0].id},
        criteria={"statuses": {"completed": ["passed"]}},
        poke_interval=0.2,
        deadline=9_999_999_999,
    )


async def stopped(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_deferred_sensors_share_a_poll_that_is_reported(lms: Simulator, seen: Recorder) -> None:
    async def scenario() -> None:
        tasks = [asyncio.create_task(Reported().listen(sensor_trigger(lms).run())) for _ in range(3)]
        await until(lambda: (1, 3) in {each[:2] for each in seen.polled})
        await until(lambda: any(after < before for (*_, before), (*_, after) in pairwise(seen.polled)))
        await stopped(*tasks)
        await until(lambda: seen.polled[-1] == (0, 0, 0.0))

    asyncio.run(scenario())


def test_a_poll_that_fails_grows_old(lms: Simulator, seen: Recorder) -> None:
    lms.ispring.fail("GET /learners/results", faults.status(503), times=100_000)

    async def scenario() -> None:
        task = asyncio.create_task(Reported().listen(sensor_trigger(lms).run()))
        await until(lambda: any(age > 0.6 for _, _, age in seen.polled))
        await stopped(task)

    asyncio.run(scenario())
    assert {(reason, where) for reason, _, where in seen.waits} == {(WaitReason.OUTAGE, "triggerer")}


def test_a_watcher_is_a_poll_too(lms: Simulator, seen: Recorder) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(Reported().listen(watcher(lms).run()))
        await polls(lms, 3)
        await until(lambda: (1, 1) in {each[:2] for each in seen.polled})
        # It grows until the poll was read again.
        await until(lambda: any(after < before for (*_, before), (*_, after) in pairwise(seen.polled)))
        await stopped(task)

    asyncio.run(scenario())
