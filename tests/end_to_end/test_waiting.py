"""Sensors that wait in a real triggerer, and a DAG that completions start; over the triggerer's death."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.world import User
from airflow_provider_lms.simulator.zoho import Limits
from dev.standalone import Airflow

pytest.importorskip("airflow.sdk", reason="assets have watchers since Airflow 3")

from tests.end_to_end.dags.waiting import SEVERAL, WORLD

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

BLOCKING_CALLS = "blocking_calls.txt"
INTERVAL = 3
WATCHED_POLLS = 4
SETTINGS = {
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


class Stage:
    """A running Airflow; learners who complete courses before, while and after its triggerer is dead."""

    def __init__(self, airflow: Airflow, lms: Simulator) -> None:
        self.airflow, self.lms = airflow, lms
        self.courses, self.people = lms.ispring.courses, lms.ispring.users
        for learner in self.people:
            for course in self.courses[:3]:
                lms.ispring.record(learner, course, "in_progress")
        self.waits = airflow.trigger("waits")
        self.many = airflow.trigger("waits_for_many")
        airflow.wait_until("all are deferred", lambda: self._all(self.waits, self.many, state="deferred"), timeout=120)
        self.slots = airflow.call("GET", "/api/v2/pools/default_pool")
        before, started = self._polls(), time.monotonic()
        airflow.wait_until("some polls are over", lambda: self._polls() >= before + WATCHED_POLLS, timeout=60)
        self.polls, self.intervals = self._polls() - before, (time.monotonic() - started) / INTERVAL

        airflow.wait_until("the watchers have begun", self._watchers_have_begun, timeout=60)
        self._complete(self.people[:3])
        lms.zoho.finish(lms.zoho.world.everyone[0], lms.zoho.courses[2])
        airflow.wait_until("the first are reported", lambda: len(self.reported()) == 4, timeout=60)
        time.sleep(2 * INTERVAL)  # what was reported is stored by then

        airflow.kill("triggerer")
        self._complete(self.people[3:5])
        for learner in self.people:
            lms.ispring.record(learner, self.courses[0], "complete")
            lms.ispring.record(learner, self.courses[1], "passed")
        for one in lms.zoho.world.everyone:
            lms.zoho.finish(one, lms.zoho.courses[0])
        lms.zoho.finish(lms.zoho.world.everyone[1], lms.zoho.courses[2])
        airflow.start("triggerer")
        airflow.wait_until("all have waited", lambda: self._all(self.waits, self.many, state="success"), timeout=180)
        airflow.wait_until("the others are reported", lambda: len(self.reported()) >= 7, timeout=90)
        self._complete(self.people[5:6])
        airflow.wait_until("the last one is reported", lambda: len(self.reported()) >= 8, timeout=60)
        time.sleep(3 * INTERVAL)  # whatever is reported twice has had its time

    def reported(self) -> Counter[str]:
        """The learners in all asset events."""
        events = self.airflow.call("GET", "/api/v2/assets/events?limit=1000")["asset_events"]
        return Counter(learner for event in events for learner in event["extra"]["payload"]["learner_ids"])

    def result(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.airflow.call(
            "GET", f"{self.waits}/taskInstances/{task}/xcomEntries/return_value?deserialize=true"
        )["value"]
        return found

    def _all(self, *runs: str, state: str) -> bool:
        return all({task["state"] for task in self.airflow.tasks(run)} == {state} for run in runs)

    def _polls(self) -> int:
        return sum(("courseIds[]", self.courses[1].id) in request.query for request in list(self.lms.ispring.requests))

    def _watchers_have_begun(self) -> bool:
        requests = list(self.lms.ispring.requests)
        zoho = self.lms.zoho
        return (
            any(("courseIds[]", self.courses[2].id) in request.query for request in requests)
            and zoho.count(f"GET /api/v1/courses/{zoho.courses[2].id}/course-progress") > 0
        )

    def _complete(self, learners: Iterable[User]) -> None:
        for learner in learners:
            self.lms.ispring.record(learner, self.courses[2], "complete")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("airflow")
    with ExitStack() as stack:
        lms = stack.enter_context(Simulator(WORLD, zoho_limits=Limits(requests=1_000, window_seconds=1)))
        connections = {"waits": lms.connection(), "waits_zoho": lms.connection("zoho_people")}
        here = Path(__file__).parent
        audit = {"PYTHONPATH": str(here / "audit"), "LMS_BLOCKING_CALLS": str(home / BLOCKING_CALLS)}
        airflow = stack.enter_context(Airflow(home, here / "dags", connections, {**SETTINGS, **audit}))
        yield Stage(airflow, lms)


def test_waiting_sensors_hold_no_slot(stage: Stage) -> None:
    assert stage.slots["deferred_slots"] == SEVERAL + 2
    assert stage.slots["running_slots"] == stage.slots["queued_slots"] == 0


def test_sensors_for_one_course_cost_the_pages_of_one_reading(stage: Stage) -> None:
    pages = 1  # all of them are active, so that nobody is looked for among the blocked
    print(f"{SEVERAL} sensors: {stage.polls} requests in {stage.intervals:.1f} intervals")
    assert stage.polls <= pages * (stage.intervals / 0.9 + 1)


def test_a_triggerers_death_loses_nothing(stage: Stage) -> None:
    result = stage.result("ispring")
    assert {name: result[name] for name in ("course_id", "cohort", "required", "completed", "pending")} == {
        "course_id": stage.courses[0].id, "cohort": 20, "required": 16, "completed": 20, "pending": 0
    }  # fmt: skip
    assert sorted(result["completed_ids"]) == sorted(user.id for user in stage.people)
    assert result["pending_ids"] == result["unsuccessful_ids"] == result["missing_ids"] == []
    assert stage.result("zoho")["completed"] == 20


def test_each_completion_is_reported_just_once(stage: Stage) -> None:
    expected = [user.id for user in stage.people[:6]] + [each.id for each in stage.lms.zoho.world.everyone[:2]]
    assert stage.reported() == Counter(expected)


def test_completions_start_a_dag(stage: Stage) -> None:
    runs = stage.airflow.call("GET", "/api/v2/dags/on_completion/dagRuns")["dag_runs"]
    assert {run["run_type"] for run in runs} == {"asset_triggered"}
    assert 3 <= len(runs) <= 5


def test_the_ui_leads_to_the_course(stage: Stage) -> None:
    links = stage.airflow.call("GET", f"{stage.waits}/taskInstances/ispring/links")["extra_links"]
    assert links == {"Course": f"https://example.ispringlearn.com/view/{stage.courses[0].id}"}


def test_no_secret_is_anywhere_in_airflow(stage: Stage) -> None:
    ispring, zoho = stage.lms.ispring, stage.lms.zoho
    secrets = [ispring.client_secret, zoho.client_secret, zoho.refresh_token, *ispring.tokens, *zoho.tokens]
    private = [*secrets, *(user.email for user in stage.people)]
    kept = {path: path.read_bytes() for path in stage.airflow.home.rglob("*") if path.is_file()}
    assert [(path, each) for path, content in kept.items() for each in private if each.encode() in content] == []


def test_the_triggerers_loop_was_never_blocked(stage: Stage) -> None:
    """However fast the machine is: whatever blocks was called in this package's threads, in both triggerers."""
    calls = [line.split(maxsplit=1) for line in (stage.airflow.home / BLOCKING_CALLS).read_text().splitlines()]
    assert {event for event, _ in calls} >= {"import", "socket.connect"}
    assert [(event, thread) for event, thread in calls if not thread.startswith(("lms-trigger_", "lms-account_"))] == []
