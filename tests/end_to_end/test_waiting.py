"""Sensors that wait in a real triggerer, and a DAG that completions start; over the triggerer's death."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.zoho import Limits
from dev.standalone import Airflow

pytest.importorskip("airflow.sdk", reason="assets have watchers since Airflow 3")

from tests.end_to_end.dags.waiting import SEVERAL, WORLD

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600), pytest.mark.xdist_group("waiting")]

WATCHED_SECONDS = 12.0
INTERVAL = 3
SETTINGS = {
    # A full garbage collection of Airflow's own objects alone takes 0.2 to 0.3 s.
    "AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD": "0.6",
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
        before = self._polls()
        time.sleep(WATCHED_SECONDS)
        self.polls = self._polls() - before

        airflow.wait_until("the watchers have begun", self._watchers_have_begun, timeout=60)
        self._complete(self.people[:3])
        lms.zoho.finish(lms.zoho.world.everyone[0], lms.zoho.courses[2])
        airflow.wait_until("the first are told", lambda: len(self.told()) == 4, timeout=60)
        time.sleep(2 * INTERVAL)  # what was told is confirmed by then

        airflow.kill("triggerer")
        self._complete(self.people[3:5])
        for learner in self.people:
            lms.ispring.record(learner, self.courses[0], "complete")
            lms.ispring.record(learner, self.courses[1], "passed")
        for learner in lms.zoho.world.everyone:
            lms.zoho.finish(learner, lms.zoho.courses[0])
        lms.zoho.finish(lms.zoho.world.everyone[1], lms.zoho.courses[2])
        airflow.start("triggerer")
        airflow.wait_until("all have waited", lambda: self._all(self.waits, self.many, state="success"), timeout=180)
        airflow.wait_until("the others are told", lambda: len(self.told()) >= 7, timeout=90)
        self._complete(self.people[5:6])
        airflow.wait_until("the last one is told", lambda: len(self.told()) >= 8, timeout=60)
        time.sleep(3 * INTERVAL)  # whatever is told twice has had its time

    def told(self) -> Counter[str]:
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

    def _complete(self, learners: Any) -> None:
        for learner in learners:
            self.lms.ispring.record(learner, self.courses[2], "complete")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("airflow")
    with ExitStack() as stack:
        lms = stack.enter_context(Simulator(WORLD, zoho_limits=Limits(requests=1_000, window_seconds=1)))
        connections = {"waits": lms.connection(), "waits_zoho": lms.connection("zoho_people")}
        dags = Path(__file__).parent / "dags"
        airflow = stack.enter_context(Airflow(home, dags, connections, SETTINGS))
        yield Stage(airflow, lms)


def test_waiting_sensors_hold_no_slot(stage: Stage) -> None:
    assert stage.slots["deferred_slots"] == SEVERAL + 2
    assert stage.slots["running_slots"] == stage.slots["queued_slots"] == 0


def test_sensors_for_one_course_cost_the_pages_of_one_reading(stage: Stage) -> None:
    pages = 1  # all of them are active, so that nobody is looked for among the blocked
    intervals = WATCHED_SECONDS / INTERVAL
    print(f"{SEVERAL} sensors: {stage.polls} requests in {intervals:g} intervals")
    assert pages * (intervals - 1) <= stage.polls <= pages * (intervals / 0.9 + 1)


def test_a_triggerers_death_loses_nothing(stage: Stage) -> None:
    result = stage.result("ispring")
    assert {name: result[name] for name in ("course_id", "cohort", "required", "completed", "pending")} == {
        "course_id": stage.courses[0].id, "cohort": 20, "required": 16, "completed": 20, "pending": 0
    }  # fmt: skip
    assert sorted(result["completed_ids"]) == sorted(user.id for user in stage.people)
    assert result["pending_ids"] == result["unsuccessful_ids"] == result["missing_ids"] == []
    assert stage.result("zoho")["completed"] == 20


def test_each_completion_is_told_just_once(stage: Stage) -> None:
    expected = [user.id for user in stage.people[:6]] + [each.id for each in stage.lms.zoho.world.everyone[:2]]
    assert stage.told() == Counter(expected)


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
    logs = [path.read_text(errors="replace") for path in stage.airflow.home.glob("*.log")]
    assert any("trigger" in log for log in logs)
    assert not [line for log in logs for line in log.splitlines() if "async thread was blocked" in line]
