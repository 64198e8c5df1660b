"""Triggers that wait for the same course share one poll, which does nothing on the event loop that could block it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_lms import clock
from airflow_provider_lms.coordination import local
from airflow_provider_lms.hooks.connection import PlainConnection, resolve
from airflow_provider_lms.lms.course import evaluation, progress
from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerProgress, StatusMeanings
from airflow_provider_lms.lms.course.reading import CourseReading
from airflow_provider_lms.lms.ispring.course import ISpringCourseQuery
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.testing import fake_clock
from airflow_provider_lms.triggers import completion as triggers
from airflow_provider_lms.triggers.completion import CourseCompletionTrigger
from airflow_provider_lms.triggers.connections import course_query, poll_key, resolve_cached
from airflow_provider_lms.triggers.shared_polls import Subscription, Waiter
from tests.triggers.conftest import Clients

SENSORS = int(os.environ.get("LMS_SENSORS", "200"))
EACH = 10
RESULTS = "GET /learners/results"
STATUSES = {"completed": ["complete", "passed", "accepted"], "unsuccessful": ["failed", "declined"]}


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets an iSpring connection of some id to a simulator, with other fields where given."""

    def set_(lms: Simulator, conn_id: str = "ispring_learn_default", **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**lms.connection(), **fields}))

    return set_


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What blocks fails on the event loop, and what calls Airflow fails off it."""

    def refuse(owner: Any, name: str, *, on_loop: bool) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            assert is_on_loop() is not on_loop, f"{name} is called {'on' if on_loop else 'off'} the event loop"
            return real(*args, **options)

        monkeypatch.setattr(owner, name, call)

    refuse(socket.socket, "connect", on_loop=True)
    refuse(socket, "getaddrinfo", on_loop=True)
    refuse(requests.Session, "__init__", on_loop=True)
    refuse(requests.Session, "request", on_loop=True)
    refuse(sqlite3, "connect", on_loop=True)
    refuse(local.LocalStore, "change", on_loop=True)
    refuse(local.LocalStore, "read", on_loop=True)
    refuse(clock, "sleep", on_loop=True)
    refuse(evaluation, "evaluate", on_loop=True)
    refuse(progress.CourseSnapshot, "learners", on_loop=True)
    if hasattr(BaseHook, "aget_connection"):  # else Airflow itself asks in a thread
        refuse(BaseHook, "get_connection", on_loop=False)
        refuse(BaseHook, "aget_connection", on_loop=False)
        refuse(_secrets_masker(), "add_mask", on_loop=False)


def _secrets_masker() -> Any:
    """The class through which Airflow masks every secret, whoever asks for it."""
    try:
        module = import_module("airflow.sdk._shared.secrets_masker")
    except ImportError:  # before Airflow 3.2
        module = import_module("airflow.sdk.execution_time.secrets_masker")
    return module.SecretsMasker


def is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def waiting(lms: Simulator, **options: Any) -> CourseCompletionTrigger:
    """A trigger that waits for everybody in the first course, unless the options say otherwise."""
    course = {"course_id": lms.ispring.courses[0].id, **options.pop("course", {})}
    criteria = {"statuses": STATUSES, **options.pop("criteria", {})}
    options = {"poke_interval": 0.05, "deadline": time.time() + 60, "conn_id": "ispring_learn_default", **options}
    return CourseCompletionTrigger(conn_type="ispring_learn", course=course, criteria=criteria, **options)


async def event(trigger: CourseCompletionTrigger) -> Any:
    (found,) = [found async for found in trigger.run()]
    return found.payload


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a loop of its own; no task of ours may be left."""

    async def alone() -> Any:
        found = await asyncio.wait_for(main, 120)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        return found

    return asyncio.run(alone())


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It never came to that.")


def complete_all(lms: Simulator) -> None:
    for user in lms.ispring.users:
        lms.ispring.record(user, lms.ispring.courses[0], "passed")


def begin_all(lms: Simulator) -> None:
    for user in lms.ispring.users:
        lms.ispring.record(user, lms.ispring.courses[0], "in_progress")


def after(lms: Simulator, answers: int, action: Callable[[], None]) -> None:
    def happen(_: Request, reply: Reply) -> Reply:
        action()
        return reply

    lms.ispring.fail(RESULTS, happen, on=answers)


@asynccontextmanager
async def heart() -> AsyncIterator[list[float]]:
    """The pauses between two turns of a coroutine that asks for one again and again."""
    gaps: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(beat())
    try:
        yield gaps
    finally:
        task.cancel()


@pytest.fixture(scope="module")
def many() -> Iterator[Simulator]:
    with Simulator(World(users=SENSORS * EACH, courses=1, modules=1, blocked=0)) as lms:
        yield lms


@pytest.fixture
def crowd(many: Simulator, lms: Simulator, connections: Callable[..., None]) -> Simulator:
    """A simulator with as many learners as all sensors wait for."""
    connections(many)
    many.ispring.requests.clear()
    done = {"status": "in_progress"}
    many.ispring.state.course_results = [
        row.__class__(**{**row.__dict__, **done}) for row in many.ispring.world.course_results
    ]
    return many


def test_any_number_of_sensors_cost_one_reading_of_the_course_in_an_interval(
    crowd: Simulator, clients: Clients, guarded: None, capsys: pytest.CaptureFixture[str]
) -> None:
    users = [user.id for user in crowd.ispring.users]
    pages = -(-len(users) // 1_000)
    rounds = 3

    def finish() -> None:
        crowd.ispring.state.course_results = [
            row.__class__(**{**row.__dict__, "status": "passed"}) for row in crowd.ispring.results()
        ]

    after(crowd, rounds * pages, finish)

    async def main() -> list[Any]:
        triggers = [
            waiting(crowd, criteria={"named": users[n * EACH : (n + 1) * EACH]}, poke_interval=2.0)
            for n in range(SENSORS)
        ]
        async with heart() as gaps:
            events = await asyncio.gather(*map(event, triggers))
        with capsys.disabled():
            if "LMS_SENSORS" in os.environ:
                print(f"\n{SENSORS} sensors: the event loop's longest pause was {max(gaps) * 1000:.0f} ms.")
        return events

    events = run(main())
    assert [found["status"] for found in events] == ["met"] * SENSORS
    assert [found["result"]["completed"] for found in events] == [EACH] * SENSORS
    # Nobody has completed the course in the first rounds; then it is met, and one more reading confirms it for all. A
    # slow machine may have begun another one meanwhile.
    assert crowd.ispring.count(RESULTS) in ((rounds + 2) * pages, (rounds + 3) * pages)
    assert crowd.ispring.count("POST /api/v3/token") <= 1
    assert len(clients.made) == len(clients.closed) == 1


def test_the_same_account_and_course_share_whatever_the_connection_is_called(
    lms: Simulator, clients: Clients, connections: Callable[..., None]
) -> None:
    connections(lms, "same")
    connections(lms, "other", extra={"page_size": 7})
    begin_all(lms)
    course = lms.ispring.courses[0]
    shop = lms.world.departments[2].id

    async def main() -> None:
        triggers = [
            waiting(lms),
            waiting(lms, conn_id="same", criteria={"named": [lms.ispring.users[0].id]}, poke_interval=0.07),
            waiting(lms, conn_id="other"),
            waiting(lms, course={"course_id": lms.ispring.courses[1].id}, criteria={"count": 1_000, "share": None}),
            waiting(lms, course={"department_ids": [shop]}),
            waiting(lms, course={"department_ids": None, "access_date": ["2020-01-01T00:00:00+00:00", None]}),
        ]
        tasks = [asyncio.create_task(event(trigger)) for trigger in triggers]
        await until(lambda: lms.ispring.count(RESULTS) > 20)
        assert len(clients.made) == 5
        complete_all(lms)
        await asyncio.wait(tasks[:3] + tasks[4:])
        assert [task.result()["status"] for task in tasks[:3] + tasks[4:]] == ["met"] * 5
        assert tasks[1].result()["result"]["course_id"] == course.id
        tasks[3].cancel()

    run(main())
    assert len(clients.closed) == 5


def test_one_who_leaves_does_not_end_the_others(lms: Simulator, clients: Clients) -> None:
    begin_all(lms)

    async def main() -> None:
        tasks = [asyncio.create_task(event(waiting(lms))) for _ in range(3)]
        await until(lambda: lms.ispring.count(RESULTS) >= 4)
        tasks[0].cancel()
        await asyncio.sleep(0.05)
        before = lms.ispring.count(RESULTS)
        await until(lambda: lms.ispring.count(RESULTS) >= before + 4)
        assert tasks[0].cancelled()
        assert clients.closed == []
        complete_all(lms)
        assert [found["status"] for found in await asyncio.gather(*tasks[1:])] == ["met", "met"]
        await until(lambda: clients.closed == clients.made)
        # The poll has ended with its last waiter.
        before = lms.ispring.count(RESULTS)
        await asyncio.sleep(0.3)
        assert lms.ispring.count(RESULTS) == before

    run(main())
    assert len(clients.made) == 1


def test_the_last_one_may_leave_in_the_middle_of_a_page(
    connections: Callable[..., None], clients: Clients, lms: Simulator
) -> None:
    with Simulator(latency=0.2) as slow:
        connections(slow)
        begin_all(slow)

        async def main() -> None:
            tasks = [asyncio.create_task(event(waiting(slow))) for _ in range(2)]
            await until(lambda: slow.ispring.count("POST /api/v3/token") == 1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: len(clients.closed) == 1)
            # Whoever comes next starts a new poll.
            complete_all(slow)
            assert (await event(waiting(slow)))["status"] == "met"

        run(main())
    assert len(clients.made) == len(clients.closed) == 2


def test_one_who_joins_later_is_served_by_the_next_reading(lms: Simulator) -> None:
    begin_all(lms)
    done = lms.ispring.users[0]
    lms.ispring.record(done, lms.ispring.courses[0], "passed")

    async def main() -> None:
        first = asyncio.create_task(event(waiting(lms, poke_interval=0.2)))
        await until(lambda: lms.ispring.count(RESULTS) == 2)
        late = await event(waiting(lms, criteria={"named": [done.id]}, poke_interval=0.2))
        assert late["status"] == "met"
        assert lms.ispring.count(RESULTS) <= 2 + 2 * 2
        assert not first.done()
        first.cancel()

    run(main())


def test_the_shortest_interval_counts_while_its_trigger_waits(lms: Simulator) -> None:
    begin_all(lms)
    early = lms.ispring.users[0]

    async def main() -> None:
        patient = asyncio.create_task(event(waiting(lms, poke_interval=1_000)))
        await asyncio.sleep(0.1)
        assert lms.ispring.count(RESULTS) == 0
        hasty = asyncio.create_task(event(waiting(lms, criteria={"named": [early.id]}, poke_interval=0.03)))
        await until(lambda: lms.ispring.count(RESULTS) >= 6)
        lms.ispring.record(early, lms.ispring.courses[0], "passed")
        await hasty
        before = lms.ispring.count(RESULTS)
        await asyncio.sleep(0.3)
        assert lms.ispring.count(RESULTS) == before
        assert not patient.done()
        complete_all(lms)
        hasty = asyncio.create_task(event(waiting(lms, poke_interval=0.03)))
        assert [found["status"] for found in await asyncio.gather(patient, hasty)] == ["met", "met"]

    run(main())


def test_a_rate_limit_is_waited_for_and_reading_resumes_at_its_page(
    lms: Simulator, connections: Callable[..., None], guarded: None
) -> None:
    connections(lms, extra={"page_size": 10})
    complete_all(lms)
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="40"), on=3)
    with fake_clock() as fake:
        assert run(event(waiting(lms)))["status"] == "met"
    (nap,) = fake.naps
    assert 40 <= nap <= 44.1
    calls = [request for request in lms.ispring.requests if request.call == RESULTS]
    tokens = [request.first("pageToken") for request in calls]
    active, blocked, confirmation = tokens[:5], tokens[5:6], tokens[6:]
    assert blocked == [None]
    assert len(confirmation) == 5
    assert active[0] is None
    assert active[2] == active[3]
    assert len({*active}) == 4


@pytest.mark.parametrize("failures", [3, 4])
def test_an_outage_is_tried_again_a_few_times_at_its_page(
    lms: Simulator, connections: Callable[..., None], failures: int
) -> None:
    connections(lms, extra={"page_size": 10})
    complete_all(lms)
    lms.ispring.fail(RESULTS, faults.truncated(), on=2, times=failures)
    with fake_clock() as fake:
        assert run(event(waiting(lms, deadline=time.time() + 10_000)))["status"] == "met"
    # Each pause has up to a second more. A fourth one of 8 s would be beyond the 15 s of an outage.
    assert all(least <= nap <= least + 1 for nap, least in zip(fake.naps, (1, 2, 4), strict=True))
    whole = 4 + 1
    assert lms.ispring.count(RESULTS) == failures + 2 * whole + (1 if failures == 4 else 0)


def test_an_error_reaches_everyone_who_waits(lms: Simulator) -> None:
    lms.ispring.fail(RESULTS, faults.status(403), on=3, times=1_000)
    begin_all(lms)

    async def main() -> list[Any]:
        return await asyncio.gather(*(event(waiting(lms)) for _ in range(3)))

    events = run(main())
    assert [found["status"] for found in events] == ["refused"] * 3
    assert all("HTTP 403" in found["message"] for found in events)


def test_a_fault_of_ours_is_an_error_for_everyone_and_never_met(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch, clients: Clients
) -> None:
    from airflow_provider_lms.lms.ispring.course import ISpringCourseReader

    complete_all(lms)

    def fail(*_: Any, **__: Any) -> Iterator[Any]:
        raise RuntimeError("Ada")
        yield

    monkeypatch.setattr(ISpringCourseReader, "read_flow", fail)

    async def main() -> list[Any]:
        return await asyncio.gather(*(event(waiting(lms)) for _ in range(3)))

    error = {"status": "error", "message": "RuntimeError; see the triggerer's log."}
    assert run(main()) == [error] * 3
    assert len(clients.closed) == 1


def test_open_criteria_are_a_timeout_that_repeats_the_count_of_a_last_reading(lms: Simulator) -> None:
    begin_all(lms)
    found = run(event(waiting(lms, deadline=time.time() - 1)))
    assert found["status"] == "timeout"
    assert found["message"].startswith("Last count: 0 of 40 completed, 40 required")
    assert lms.ispring.count(RESULTS) == 2
    complete_all(lms)
    assert run(event(waiting(lms, deadline=time.time() - 1)))["status"] == "met"


def test_a_poll_logs_the_count_the_next_check_and_the_time_left(
    lms: Simulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    begin_all(lms)
    caplog.set_level(logging.INFO)
    after(lms, 2, lambda: complete_all(lms))
    assert run(event(waiting(lms, deadline=time.time() + 3 * 86_400)))["status"] == "met"
    output = caplog.text + capsys.readouterr().out
    assert re.search(r"\b0 of 40 completed, 40 required(; \d+ overdue)?; next check in 0 s, timeout in 3 d\.", output)
    assert "40 of 40 completed, 40 required." in output


def test_a_lock_beyond_the_deadline_is_a_timeout(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "LAST_READING_SECONDS", 0.1)
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="300"))
    found = run(event(waiting(lms, deadline=time.time() + 0.3)))
    assert found == {"status": "timeout", "message": "The course could not be read."}


def test_a_connection_is_resolved_once_for_all_who_begin_together(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[str] = []

    async def counted(conn_id: str) -> PlainConnection:
        resolved.append(conn_id)
        await asyncio.sleep(0.05)
        return await resolve(conn_id)

    monkeypatch.setattr("airflow_provider_lms.triggers.connections.resolve", counted)
    complete_all(lms)

    async def main() -> list[Any]:
        return await asyncio.gather(*(event(waiting(lms)) for _ in range(50)))

    assert [found["status"] for found in run(main())] == ["met"] * 50
    assert resolved == ["ispring_learn_default"]


def test_a_connection_that_cannot_be_resolved_is_asked_for_again_by_the_next(
    lms: Simulator, connections: Callable[..., None]
) -> None:
    complete_all(lms)

    async def main() -> list[Any]:
        first = await event(waiting(lms, conn_id="late"))
        connections(lms, "late")
        return [first, await event(waiting(lms, conn_id="late"))]

    assert [found["status"] for found in run(main())] == ["error", "met"]


def test_a_changed_connection_is_seen_after_a_minute(lms: Simulator, connections: Callable[..., None]) -> None:
    async def main() -> list[str | None]:
        connections(lms, "changing", password="old")
        found = [(await resolve_cached("changing")).password]
        connections(lms, "changing", password="new")
        found.append((await resolve_cached("changing")).password)
        fake.advance(59)
        found.append((await resolve_cached("changing")).password)
        fake.advance(2)
        found.append((await resolve_cached("changing")).password)
        return found

    with fake_clock() as fake:
        assert run(main()) == ["old", "old", "old", "new"]


@pytest.mark.parametrize("field", ["host", "port", "login", "password", "extra"])
def test_whoever_differs_in_one_field_of_the_account_does_not_share_a_poll(field: str) -> None:
    fields: dict[str, Any] = {"host": "h", "port": 1, "login": "l", "password": "p", "extra": {"a": 1}}
    other = {"host": "i", "port": 2, "login": "m", "password": "q", "extra": {"a": 2}}
    one = PlainConnection(conn_id="one", **fields)
    same = PlainConnection(conn_id="same", **fields)
    different = PlainConnection(conn_id="one", **{**fields, field: other[field]})
    query, other_course = ISpringCourseQuery(course_id="c"), ISpringCourseQuery(course_id="d")
    assert poll_key("ispring_learn", one, query) == poll_key("ispring_learn", same, query)
    assert poll_key("ispring_learn", one, query) != poll_key("ispring_learn", different, query)
    assert poll_key("ispring_learn", one, query) != poll_key("zoho_people", one, query)
    assert poll_key("ispring_learn", one, query) != poll_key("ispring_learn", one, other_course)


def test_a_field_that_is_null_is_the_same_as_one_left_out() -> None:
    connection = PlainConnection("lms", "h", 1, "l", "p", {})
    keys = {
        poll_key("ispring_learn", connection, course_query("ispring_learn", course))
        for course in ({"course_id": "c"}, {"course_id": "c", "department_ids": None, "access_date": None})
    }
    assert len(keys) == 1


def test_a_reader_that_cannot_be_built_closes_its_client(lms: Simulator, clients: Clients) -> None:
    found = run(event(waiting(lms, course={"course_id": ""})))
    assert found["message"].startswith("course_id: each id must be a non-empty string")
    assert len(clients.made) == len(clients.closed) == 1


def test_a_trigger_is_the_same_after_it_was_stored(lms: Simulator) -> None:
    from airflow.providers.common.compat.module_loading import import_string

    made = waiting(lms, course={"department_ids": ["d"], "access_date": [None, "2026-01-01T00:00:00+00:00"]})
    path, kwargs = json.loads(json.dumps(made.serialize()))
    again = import_string(path)(**kwargs)
    assert type(again) is CourseCompletionTrigger
    assert again.serialize() == made.serialize()


def test_a_missing_learner_is_confirmed_only_by_a_reading_that_asks_again() -> None:
    """A reading that had begun before may be published first."""
    criteria = Criteria(statuses=StatusMeanings(completed=("passed",)), named=("a", "b"), share="0.5")

    def reading(again: bool, *learners: str) -> CourseReading:
        progress = [LearnerProgress(name, status="passed") for name in learners]
        return CourseReading(CourseSnapshot(progress), one_page=True, consistent=True, again=again)

    async def main() -> CourseReading:
        asked: list[bool] = []
        poll: Any = SimpleNamespace(read_at_once=lambda: asked.append(True))
        subscription = Subscription(poll, Waiter(criteria, 60.0, math.inf, lambda _: None))
        task = asyncio.create_task(subscription.confirm(reading(False, "a")))
        await asyncio.sleep(0)
        subscription.publish(reading(False, "a"))
        subscription.publish(reading(True, "a", "b"))
        both = await task
        assert asked == [True]
        return both

    assert asyncio.run(main()).evaluate(criteria).missing == []
