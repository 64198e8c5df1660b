"""Processes on one account, as Airflow's tasks are: no lock, one token, nothing lost, nothing twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.zoho import Limits
from dev.fleet import Fleet, Member, Unit
from tests.rows import present

pytestmark = pytest.mark.processes

TOKEN = "POST /oauth/v2/token"
URL = "AIRFLOW__LMS__COORDINATION_URL"
# Learners (each is read with 8 calls), requests per window, and its seconds: "25,30,6" is 200 calls, ten times as fast.
LEARNERS, REQUESTS, WINDOW = map(float, os.environ.get("LMS_FLEET", "5,10,1").split(","))
LIMITS = Limits(requests=int(REQUESTS), window_seconds=WINDOW, lock_seconds=3 * WINDOW, token_window_seconds=20.0)


@pytest.fixture
def lms() -> Iterator[Simulator]:
    with Simulator(World(users=int(LEARNERS), courses=1), latency=0.02, zoho_limits=LIMITS) as simulator:
        yield simulator


def shares(lms: Simulator, processes: int, kinds: int = 8) -> list[list[Unit]]:
    """Every learner's entities of some types, dealt out in turn; each is one call."""
    course = lms.zoho.courses[0]
    kinds_of_one_page = [kind for kind in range(10) if kind != 3][:kinds]
    units: list[Unit] = [
        (course.id, None, learner.id, kind) for learner in lms.zoho.world.everyone for kind in kinds_of_one_page
    ]
    return [units[index::processes] for index in range(processes)]


def whole(parts: list[list[Unit]]) -> list[Unit]:
    return list(chain.from_iterable(parts))


@contextmanager
def fleet(folder: Path, lms: Simulator, members: list[Member], **extra: Any) -> Iterator[Fleet]:
    connection = lms.connection("zoho_people")
    connection["extra"] |= extra
    with Fleet(folder, connection, members) as running:
        yield running


def check(lms: Simulator, results: list[dict[str, Any]], expected: list[Unit], tokens: int = 1) -> None:
    """Every row once, no lock, as few tokens; the time is printed, since a test is no place to judge it."""
    found = sorted(map(_key, present(row for result in results for row in result["rows"])))
    course = lms.zoho.courses[0]
    known = {learner.id: learner for learner in lms.zoho.world.everyone}
    rows = [
        _key({"learnerId": learner, "entityType": kind, **{name: str(value) for name, value in row.items()}})
        for _, _, learner, kind in expected
        for row in lms.zoho.world.entities(course, known[learner], kind)
    ]
    assert found == sorted(rows)
    assert (lms.zoho.locks, len(lms.zoho.tokens)) == (0, tokens)
    took = max(result["finished"] for result in results) - min(result["started"] for result in results)
    least = (len(lms.zoho.calls) - 1) // LIMITS.requests * LIMITS.window_seconds
    print(f"{len(lms.zoho.calls)} calls took {took:.2f} s, {took / least:.3f} of the least.")


def _key(row: dict[str, Any]) -> tuple[str, int, str]:
    ids = ("testId", "assignmentId", "contentId", "sessionId", "linkId", "feedbackId")
    return row["learnerId"], row["entityType"], next(row[name] for name in ids if name in row)


def hosts(kind: str, request: pytest.FixtureRequest, tmp_path: Path, processes: int) -> list[dict[str, str]]:
    """The environment of each process: of one host, or of two that share nothing but Redis."""
    if kind == "one host":
        return [{"AIRFLOW_HOME": str(tmp_path / "home"), URL: "local"}] * processes
    url = request.getfixturevalue("redis_url")
    return [{"AIRFLOW_HOME": str(tmp_path / f"home-{index % 2}"), URL: url} for index in range(processes)]


# All processes of a host share its monotonic clock; those of two hosts share none.
CLOCKS: dict[str, dict[str, float]] = {"one host": {"time": 60.0}, "two hosts": {"time": 60.0, "monotonic": 60.0}}


@pytest.mark.parametrize("clocks", ["alike", "a minute apart"])
@pytest.mark.parametrize("kind", ["one host", "two hosts"])
def test_four_processes_share_a_rate_limit_and_a_token(
    lms: Simulator, tmp_path: Path, request: pytest.FixtureRequest, kind: str, clocks: str
) -> None:
    envs = hosts(kind, request, tmp_path, 4)
    ahead = [CLOCKS[kind] if index % 2 and clocks != "alike" else {} for index in range(4)]
    parts = shares(lms, 4)
    members = [Member(*each) for each in zip(parts, envs, ahead, strict=True)]
    with fleet(tmp_path / "fleet", lms, members) as running:
        running.go()
        check(lms, running.finish(), whole(parts))


@pytest.mark.parametrize("kind", ["one host", "two hosts"])
def test_one_of_them_is_killed_while_it_reads_and_tried_again(
    lms: Simulator, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    envs = hosts(kind, request, tmp_path, 5)
    parts = shares(lms, 4)
    again = parts[0]
    with fleet(tmp_path / "fleet", lms, [Member(*each) for each in zip([*parts, again], envs, strict=True)]) as running:
        running.go(0, 1, 2, 3)
        _until(lambda: len(lms.zoho.calls) >= 1.5 * REQUESTS)
        running.kill(0)
        running.go(4)
        check(lms, running.finish(), whole(parts))


@pytest.mark.parametrize("kind", ["one host", "two hosts"])
def test_one_of_them_is_killed_while_it_asks_for_the_token(
    lms: Simulator, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    envs = hosts(kind, request, tmp_path, 4)
    parts = shares(lms, 3, kinds=3)
    lms.zoho.fail(TOKEN, faults.slow(1.0))
    members = [Member(*each) for each in zip([[], *parts], envs, strict=True)]
    members[0] = Member(parts[0][:1], envs[0])
    with fleet(tmp_path / "fleet", lms, members, timeout=2.0) as running:
        running.go(0)
        _until(lambda: lms.zoho.count(TOKEN) == 1)
        running.go(1, 2, 3)
        time.sleep(0.3)
        running.kill(0)
        check(lms, running.finish(), whole(parts), tokens=2)


def test_twenty_processes_that_start_together_spend_one_token(lms: Simulator, tmp_path: Path) -> None:
    env = {"AIRFLOW_HOME": str(tmp_path / "home")}
    parts = shares(lms, 20, kinds=5)
    with fleet(tmp_path / "fleet", lms, [Member(part, env) for part in parts]) as running:
        running.go()
        check(lms, running.finish(), whole(parts))


def test_a_lock_from_outside_stops_all_of_them_until_its_end(lms: Simulator, tmp_path: Path) -> None:
    env = {"AIRFLOW_HOME": str(tmp_path / "home")}
    parts = shares(lms, 4)
    with fleet(tmp_path / "fleet", lms, [Member(part, env) for part in parts]) as running:
        running.go()
        _until(lambda: len(lms.zoho.calls) >= 1.5 * REQUESTS)
        lms.zoho.use_up()
        results = running.finish()
    # Those that were on their way when the first one heard of the lock; then nobody.
    assert 1 <= lms.zoho.sent_in_lock <= 4
    assert lms.zoho.locks == 1
    lms.zoho.locks = 0
    check(lms, results, whole(parts))


def test_too_many_tokens_pause_all_of_them(lms: Simulator, tmp_path: Path) -> None:
    lms.zoho.limits.token_window_seconds = 600
    lms.zoho.fail(TOKEN, faults.body(b'{"error":"Access Denied","status":"failure"}'), times=99)
    env = {"AIRFLOW_HOME": str(tmp_path / "home")}
    parts = shares(lms, 4)
    with fleet(tmp_path / "fleet", lms, [Member(part, env, max_wait=60) for part in parts]) as running:
        running.go()
        with pytest.raises(AssertionError) as raised:
            running.finish(60)
    assert str(raised.value).count("LmsRateLimited") == 4
    assert lms.zoho.count(TOKEN) == 1


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It took too long."
        time.sleep(0.005)
