"""A task that applies a plan gives its worker slot back where it would only wait, and goes on from the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_lms import clock as clock_module
from airflow_provider_lms.hooks.base import ClientOptions
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.lms.http.rate_limit import Reservation
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEnrollmentSyncOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.simulator.zoho_world import Course
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers.turn import TurnTrigger
from tests.sync.runs import Runs


@pytest.fixture
def runs(lms: Simulator, tmp_path: Path) -> Runs:
    """Nobody of the first three people is in a self-paced course."""
    lms.zoho.learner_id_is_erecno = True
    lms.zoho.scopes = {"ZOHOPEOPLE.training.ALL", "ZOHOPEOPLE.forms.READ"}
    for course in self_paced(lms):
        for learner in lms.zoho.world.everyone[:3]:
            lms.zoho.world.unenroll(course, None, learner)
    return Runs(ZohoPeopleEnrollmentSyncOperator, tmp_path, match_by="record_id")


def self_paced(lms: Simulator) -> list[Course]:
    return [course for course in lms.zoho.courses if not course.batches]


def plan_of(lms: Simulator, runs: Runs) -> dict[str, Any]:
    """A plan that enrolls three people in every self-paced course, so it takes a request for each of these."""
    people = [lms.zoho.erecno(each) for each in lms.zoho.world.everyone[:3]]
    return runs.plan([{"record_id": each, "course_id": course.id} for each in people for course in self_paced(lms)])


def enrollments_sent(lms: Simulator) -> int:
    return sum(request.call.endswith("/enroll") for request in lms.zoho.requests)


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="apply", run_id="run", map_index=-1, try_number=1)}


class Applying:
    """A task that applies a plan, sent back by the triggerer each time that it has given its slot back.

    :param on_pause: called while the slot is given back.
    """

    def __init__(
        self,
        runs: Runs,
        plan: dict[str, Any],
        clock: FakeClock,
        on_pause: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        self._task = ZohoPeopleEnrollmentSyncOperator(
            task_id="apply",
            mode="apply",
            plan=plan,
            approved_hash=plan["sha256"],
            output_path=str(runs.reports),
            **{"deferrable": True, **options},
        )
        self._clock = clock
        self._on_pause = on_pause
        self.pauses: list[TaskDeferred] = []

    def run(self) -> dict[str, int]:
        """How often there was each outcome."""
        call: Callable[..., Any] = self._task.execute
        arguments: dict[str, Any] = {}
        while True:
            try:
                outcomes: dict[str, int] = call(context(), **arguments)["outcomes"]
            except TaskDeferred as found:
                self.pauses.append(found)
                self._on_pause()
                trigger = found.trigger
                now = clock_module.timestamp()
                self._clock.advance(trigger.expected_at - now if isinstance(trigger, TurnTrigger) else 400)
                # Airflow keeps as JSON what the task has left.
                call, arguments = getattr(self._task, found.method_name), json.loads(json.dumps(found.kwargs))
            else:
                return outcomes


def test_a_plan_is_applied_over_several_turns(lms: Simulator, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 calls a minute are allowed, and another task has reserved those of the first minute."""
    with fake_clock() as clock:
        plan = plan_of(lms, runs)
        clock.advance(120)  # what the plan took counts no more
        lms.zoho.limits = Limits(requests=10)
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
        other = ZohoPeopleHook(options=ClientOptions(reservation=Reservation("other"))).get_conn()
        other.reserve()
        applying = Applying(runs, plan, clock)
        assert applying.run() == {"done": plan["changes"]["enroll"]}
    assert isinstance(applying.pauses[0].trigger, TurnTrigger)
    assert lms.zoho.locks == 0
    assert enrollments_sent(lms) == len(self_paced(lms))


def test_a_lock_that_comes_again_and_again_is_not_taken_for_an_unknown_outcome(lms: Simulator, runs: Runs) -> None:
    """Zoho accepts none of the first four requests. A change of unknown outcome would be sent three times at most."""
    plan = plan_of(lms, runs)
    call = f"POST /api/v1/courses/{min(each.id for each in self_paced(lms))}/enroll"
    lms.zoho.fail(call, faults.status(429, Retry_After="120"), before=True, times=4)
    with fake_clock() as clock:
        applying = Applying(runs, plan, clock)
        assert applying.run() == {"done": plan["changes"]["enroll"]}
    assert len(applying.pauses) == 4
    assert enrollments_sent(lms) == 4 + len(self_paced(lms))
    for course in self_paced(lms):
        learners = lms.zoho.world.learners(course, None)
        assert [learners.count(each) for each in lms.zoho.world.everyone[:3]] == [1, 1, 1]


def test_the_report_says_what_was_done_before_a_pause(lms: Simulator, runs: Runs) -> None:
    plan = plan_of(lms, runs)
    last = max(each.id for each in self_paced(lms))
    lms.zoho.fail(f"POST /api/v1/courses/{last}/enroll", faults.status(429, Retry_After="120"), before=True)
    reported = []
    with fake_clock() as clock:
        Applying(runs, plan, clock, lambda: reported.append({*runs.outcomes()})).run()
    assert reported == [{"done", "open"}]


def test_without_deferrable_a_lock_fails_the_task(lms: Simulator, runs: Runs) -> None:
    plan = plan_of(lms, runs)
    call = f"POST /api/v1/courses/{self_paced(lms)[0].id}/enroll"
    lms.zoho.fail(call, faults.status(429, Retry_After="120"), before=True)
    with fake_clock() as clock, pytest.raises(LmsRateLimited):
        Applying(runs, plan, clock, deferrable=False, max_wait=0).run()


def test_a_plan_is_made_without_a_break(lms: Simulator, tmp_path: Path) -> None:
    """A reading cannot go on where it stopped: it would be of two moments."""
    lms.zoho.fail("GET /people/api/forms/employee/getRecords", faults.status(429, Retry_After="120"))
    task = ZohoPeopleEnrollmentSyncOperator(
        task_id="plan",
        desired=[{"email": "amara@example.com", "course_id": self_paced(lms)[0].id}],
        output_path=str(tmp_path),
        deferrable=True,
        max_wait=0,
    )
    with fake_clock(), pytest.raises(LmsRateLimited):
        task.execute(context())
