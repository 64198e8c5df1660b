"""A task that applies a plan is killed at every step of it, without a chance to put anything in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.ispring import ISpringPeopleSyncOperator
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.sync import apply as applying
from airflow_provider_lms.sync.ispring.people_target import PeopleTarget
from airflow_provider_lms.sync.journal import Journal
from tests.sync.runs import Runs

CHANGES = int(os.environ.get("LMS_CHANGES", "20"))
"""How many changes the plan has. ``LMS_CHANGES=200`` takes some minutes."""
PLACES = ("read", "noted", "before", "after")
"""Where a task is killed: after reading, after its note in the journal, before a request, after it."""


def _apply(folder: str, plan: dict[str, Any], place: str, number: int) -> None:
    """Apply a plan in this process, and die at one place in the request of this number."""
    applying._READ_AGAIN_AFTER = (0.01,)  # this LMS shows changes at once, and the next attempt begins at once
    left = number

    def dying(method: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if before and left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(*arguments)
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    if place == "read":
        PeopleTarget.states = dying(PeopleTarget.states, before=False)  # type: ignore[method-assign]
    elif place == "noted":
        Journal.intend = dying(Journal.intend, before=False)  # type: ignore[method-assign]
    elif place in ("before", "after"):
        PeopleTarget.send = dying(PeopleTarget.send, before=place == "before")  # type: ignore[method-assign]
    _runs(folder).apply(plan)


def _runs(folder: str) -> Runs:
    columns = {"person": "number", "fields.JOB_TITLE": "title"}
    return Runs(
        ISpringPeopleSyncOperator, Path(folder), match_by="fields.EMPLOYEE_NO", columns=columns, max_changes=CHANGES
    )


@pytest.mark.processes
@pytest.mark.timeout(1_800)
def test_a_task_that_is_killed_at_every_step_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fork server starts a process in a moment, since it has imported everything before.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, applying.__name__])
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with Simulator(World(users=CHANGES, courses=1, modules=1, blocked=0)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", _json(lms.connection("ispring_learn")))
        lms.ispring.state.change_users(
            replace(user, profile=(("EMPLOYEE_NO", str(n)), ("JOB_TITLE", "Cook")))
            for n, user in enumerate(lms.ispring.users)
        )
        plan = _runs(str(tmp_path)).plan([{"number": n, "title": "Chef"} for n in range(CHANGES)])
        assert plan["changes"] == {"update": CHANGES}
        kills: Counter[str] = Counter()
        for place in cycle(PLACES):
            # The second request of an attempt: so each attempt completes one change, and every change meets a kill.
            process = processes.Process(target=_apply, args=(str(tmp_path), plan, place, 2))
            process.start()
            process.join(120)
            if process.exitcode != -signal.SIGKILL:
                assert process.exitcode == 0
                break
            kills[place] += 1
        outcomes = _runs(str(tmp_path)).apply(plan)
        assert outcomes == {"done": CHANGES}
        assert sum(kills.values()) >= CHANGES / 2
        assert min(kills[place] for place in PLACES) >= CHANGES // 10
        assert {dict(user.profile)["JOB_TITLE"] for user in lms.ispring.users} == {"Chef"}
        sent = Counter(each.call for each in lms.ispring.requests if each.call.startswith("POST /user/"))
        assert len(sent) == CHANGES
        assert {*sent.values()} == {1}, "a change was sent twice"


def _json(connection: dict[str, Any]) -> str:
    import json

    return json.dumps({"conn_type": "ispring_learn", **connection})
