"""Accounts do not disturb each other in the triggerer, and an LMS that fails is left in peace."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_lms.hooks.connection import resolve
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound, LmsUnavailable
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers import flow_runner
from airflow_provider_lms.triggers.accounts import Account, shared_account
from airflow_provider_lms.triggers.completion import CourseCompletionTrigger
from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger
from tests.lms.raw_server import RawServer, Talk
from tests.triggers.test_shared_polls import begin_all, complete_all, connections, event, run, until, waiting
from tests.triggers.watchers import Reported, watcher

__all__ = ["connections"]

RESULTS = "GET /learners/results"
Connections = Callable[..., None]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


TOKEN = b'{"access_token": "abc", "expires_in": 1800}'


class Hanging(RawServer):
    """An LMS that issues a token, and then does not answer for a long time."""

    def __init__(self) -> None:
        self.held = 0
        self.answered = threading.Event()
        super().__init__(self._hold)

    def _hold(self, talk: Talk) -> None:
        if talk.head.startswith(b"POST"):
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(TOKEN), TOKEN))
            return
        self.held += 1
        talk.hold()
        self.answered.set()


@pytest.mark.parametrize("kind", ["sensors", "watchers", "both"])
def test_an_lms_that_hangs_does_not_hold_up_another_account(
    lms: Simulator, connections: Connections, kind: str
) -> None:
    complete_all(lms)
    hanging = Hanging()
    with hanging:
        connections(lms, "hanging", host=hanging.url, port=None)

        async def main() -> str:
            stuck: list[asyncio.Task[Any]] = []
            for number in range(8):
                course = f"course-{number}"
                if kind != "watchers":
                    stuck.append(
                        asyncio.create_task(event(waiting(lms, conn_id="hanging", course={"course_id": course})))
                    )
                if kind != "sensors":
                    watching = watcher(lms, course_id=course, ispring_learn_conn_id="hanging")
                    stuck.append(asyncio.create_task(Reported().listen(watching.run())))
            await until(lambda: hanging.held >= 4)
            found = await event(waiting(lms))
            assert not hanging.answered.is_set()
            assert not any(task.done() for task in stuck)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
            hanging.__exit__()
            return str(found["status"])

        assert run(main()) == "met"


def test_an_lms_that_fails_is_not_asked_for_every_course(
    lms: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(flow_runner, "_RETRY", RetryPolicy(max_wait=math.inf, outage_seconds=0.0))
    lms.ispring.fail(RESULTS, faults.status(503), times=10_000)
    caplog.set_level(logging.WARNING)
    said: list[str] = []

    def warnings() -> int:
        said.append(capsys.readouterr().out)  # where Airflow 3 logs
        return (caplog.text + "".join(said)).count("It is not known yet")

    async def main() -> None:
        tasks = [asyncio.create_task(event(waiting(lms, course={"course_id": f"c-{number}"}))) for number in range(40)]
        await until(lambda: warnings() >= 120)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
    assert 5 <= lms.ispring.count(RESULTS) < 40
    assert re.search(r"No request was sent: the LMS has failed \d times in a row\.", caplog.text + "".join(said))


class Lms:
    """Work that fails until it is told to succeed."""

    def __init__(self, clock: FakeClock) -> None:
        self.error: Exception | None = LmsUnavailable("away", 503)
        self.asked_at: list[float] = []
        self._clock, self._began = clock, clock.monotonic()

    def __call__(self) -> str:
        self.asked_at.append(round(self._clock.monotonic() - self._began))
        if self.error is not None:
            raise self.error
        return "a page"


def test_pauses_grow_to_a_minute_while_an_lms_fails_and_end_when_it_does_not(clock: FakeClock) -> None:
    lms = Lms(clock)

    async def main() -> None:
        account = Account()
        for _ in range(300):
            for _ in range(50):
                with suppress(LmsUnavailable):
                    await account.run(lms)
            clock.advance(1)
        lms.error = None
        clock.advance(60)
        assert [await account.run(lms) for _ in range(50)] == ["a page"] * 50

    asyncio.run(main())
    assert lms.asked_at[:12] == [0, 0, 0, 0, 0, 5, 15, 35, 75, 135, 195, 255]
    assert len(lms.asked_at) == 12 + 50


def test_an_lms_that_says_when_to_come_back_is_not_asked_before(clock: FakeClock) -> None:
    lms = Lms(clock)
    lms.error = LmsUnavailable("away", 503, 200.0)

    async def main() -> None:
        account = Account()
        for _ in range(250):
            with suppress(LmsUnavailable):
                await account.run(lms)
            clock.advance(1)

    asyncio.run(main())
    assert lms.asked_at == [0, 200]


@pytest.mark.parametrize("error", [LmsNotFound("nowhere", 404), LmsBadRequest("wrong", 400), None])
def test_one_course_that_fails_does_not_hold_up_the_others(clock: FakeClock, error: Exception | None) -> None:
    lms, other = Lms(clock), Lms(clock)
    other.error = error

    async def main() -> None:
        account = Account()
        for _ in range(20):
            with suppress(LmsUnavailable):
                await account.run(lms)
            with suppress(LmsNotFound, LmsBadRequest):
                await account.run(other)

    asyncio.run(main())
    assert len(other.asked_at) == 20


def test_only_one_request_finds_out_whether_the_lms_is_back(clock: FakeClock) -> None:
    began, go_on = threading.Event(), threading.Event()
    lms = Lms(clock)

    def probe() -> str:
        began.set()
        go_on.wait(20)
        return "a page"

    async def main() -> None:
        account = Account()
        for _ in range(5):
            with suppress(LmsUnavailable):
                await account.run(lms)
        clock.advance(6)
        probing = asyncio.create_task(account.run(probe))
        await until(began.is_set)
        with pytest.raises(LmsUnavailable, match="It is tried again at the moment"):
            await account.run(probe)
        go_on.set()
        assert await probing == "a page"
        assert await account.run(probe) == "a page"

    asyncio.run(main())


def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(clock: FakeClock) -> None:
    began, go_on = threading.Event(), threading.Event()
    lms = Lms(clock)

    def probe() -> str:
        began.set()
        go_on.wait(20)
        return "a page"

    async def main() -> str:
        account = Account()
        for _ in range(5):
            with suppress(LmsUnavailable):
                await account.run(lms)
        clock.advance(6)
        probing = asyncio.create_task(account.run(probe))
        await until(began.is_set)
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        go_on.set()
        return await account.run(probe)

    assert asyncio.run(main()) == "a page"


def test_an_account_is_shared_on_a_loop_as_long_as_somebody_holds_it() -> None:
    async def main() -> None:
        one = shared_account("a")
        assert shared_account("a") is one
        assert shared_account("b") is not one

    asyncio.run(main())


# A secret that is changed while a trigger waits


@pytest.mark.parametrize("change", ["a new secret", "a new client", "a new host"])
def test_a_connection_that_is_changed_while_a_trigger_waits_is_used(
    lms: Simulator, connections: Connections, change: str
) -> None:
    begin_all(lms)
    with Simulator(lms.world) as moved:

        async def main() -> Any:
            task = asyncio.create_task(event(waiting(lms)))
            await until(lambda: lms.ispring.count(RESULTS) >= 2)
            await asyncio.sleep(0.6)
            if change == "a new secret":
                lms.ispring.client_secret = "changed"
                connections(lms)
                lms.ispring.revoke_tokens(after_pages=0)
            elif change == "a new client":
                lms.ispring.client_id = "another"
                connections(lms)
                lms.ispring.revoke_tokens(after_pages=0)
            else:
                connections(moved)
                lms.ispring.fail(RESULTS, faults.status(404), times=100)
            asked = lms.ispring.count(RESULTS) + moved.ispring.count(RESULTS)
            await until(lambda: lms.ispring.count(RESULTS) + moved.ispring.count(RESULTS) >= asked + 3)
            assert not task.done()
            complete_all(lms)
            complete_all(moved)
            return await task

        assert run(main())["status"] == "met"


def test_a_secret_that_is_rejected_and_was_not_changed_ends_the_wait(lms: Simulator, connections: Connections) -> None:
    begin_all(lms)

    async def main() -> Any:
        task = asyncio.create_task(event(waiting(lms)))
        await until(lambda: lms.ispring.count(RESULTS) >= 2)
        lms.ispring.client_secret = "changed"
        lms.ispring.revoke_tokens(after_pages=0)
        return await task

    found = run(main())
    assert found["status"] == "refused"
    assert "POST /api/v3/token: HTTP 401" in found["message"]


def test_many_triggers_that_fail_together_resolve_their_connection_once_more(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[str] = []

    async def counted(conn_id: str) -> Any:
        resolved.append(conn_id)
        await asyncio.sleep(0.05)
        return await resolve(conn_id)

    monkeypatch.setattr("airflow_provider_lms.triggers.connections.resolve", counted)
    begin_all(lms)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(event(waiting(lms))) for _ in range(100)]
        await until(lambda: lms.ispring.count(RESULTS) >= 2)
        await asyncio.sleep(0.6)
        lms.ispring.fail(RESULTS, faults.status(403), times=1_000)
        return await asyncio.gather(*tasks)

    assert [found["status"] for found in run(main())] == ["refused"] * 100
    assert len(resolved) == 2


# Options that make no sense


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 0, -1, "300", True, None])
def test_an_interval_that_makes_no_sense_is_named(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"^poll_interval: expected more than 0 seconds, got "):
        CourseCompletionEventTrigger(course_id="c", ispring_learn_conn_id="lms", poll_interval=seconds)
    options: dict[str, Any] = {"conn_type": "ispring_learn", "conn_id": "lms", "course": {}, "criteria": {}}
    with pytest.raises(ValueError, match=r"^poke_interval: expected more than 0 seconds, got "):
        CourseCompletionTrigger(**options, poke_interval=seconds, deadline=time.time())


@pytest.mark.parametrize("deadline", [math.nan, math.inf, -math.inf])
def test_a_deadline_that_makes_no_sense_is_named(deadline: float) -> None:
    with pytest.raises(ValueError, match=r"^deadline: expected seconds since 1970, got "):
        CourseCompletionTrigger(
            conn_type="ispring_learn", conn_id="lms", course={}, criteria={}, poke_interval=1, deadline=deadline
        )
