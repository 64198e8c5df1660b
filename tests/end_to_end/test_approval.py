"""Somebody approves or rejects a plan, in a real Airflow: by its API, and in a browser."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator, World, faults
from dev.standalone import Airflow
from tests.end_to_end.test_connection_form import CHROMIUM, FLAGS

pytest.importorskip("airflow.providers.standard.operators.hitl", reason="people approve since Airflow 3.1")

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "ispring_enrollments_with_approval.py"
DAG = EXAMPLE.stem
IMPATIENT, CARELESS, DEFERRABLE = "impatient", "careless", "deferrable"
CARELESS_ORDER = """
    from airflow.providers.standard.operators.empty import EmptyOperator

    apply.trigger_rule = "all_done"
    plan >> approve >> EmptyOperator(task_id="between") >> apply
"""


class Stage:
    """A running Airflow with the example DAG, and an LMS in whose only course nobody is."""

    def __init__(self, airflow: Airflow, lms: Simulator, folder: Path) -> None:
        self.airflow = airflow
        self.lms = lms
        self._folder = folder
        self._files = 0
        (self._course,) = lms.ispring.courses
        self._people = iter([user for user in lms.ispring.users if user.status == 1])

    def hr_asks_for_two(self) -> tuple[list[str], dict[str, str]]:
        """Write a file that enrolls two people who are not in the course.

        :return: their ids, and the parameters of a run.
        """
        return self.hr_asks_for([next(self._people), next(self._people)])

    def hr_asks_for(self, people: list[Any]) -> tuple[list[str], dict[str, str]]:
        self._files += 1
        path = self._folder / f"{self._files}.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerows([["email", "course_id"], *([each.email, self._course.id] for each in people)])
        return [each.id for each in people], {"desired": str(path), "output": f"file://{self._folder}/{self._files}"}

    def enrolled(self) -> set[str]:
        return {row["userId"] for row in self.lms.ispring.course_results()}

    def wait_for(self, run: str, **states: str) -> None:
        """Wait until tasks are over, in these states."""

        def over() -> bool:
            return {self.states(run)[name] for name in states} <= {"success", "failed", "skipped"}

        self.airflow.wait_until(f"{', '.join(states)} are over", over, 120)
        found = self.states(run)
        assert {name: found[name] for name in states} == states

    def states(self, run: str) -> dict[str, str | None]:
        return {each["task_id"]: each["state"] for each in self.airflow.tasks(run)}

    def ask(self, conf: Mapping[str, str], dag: str = DAG) -> tuple[str, dict[str, Any]]:
        """Begin a run.

        :return: the run, and the required action once there is one.
        """
        run = self.airflow.trigger(dag, conf)
        return run, self.action(run)

    def action(self, run: str) -> dict[str, Any]:
        """What somebody is asked, once the task waits. Before Airflow 3.3 it waits in the triggerer."""
        waits = ("awaiting_input", "deferred")
        self.airflow.wait_until("the task waits", lambda: self.states(run)["approve"] in waits, 120)
        # Airflow 3.3.2 fails a task that is answered before the scheduler has heard that its process is over, which may
        # take some seconds. People are slower than that.
        heard = f"task_id='approve', run_id='{run.rpartition('/')[2]}'"
        log = self.airflow.home / "standalone.log"

        def is_heard() -> bool:
            lines = log.read_text(errors="replace").splitlines()
            return any("Received executor event" in line and heard in line for line in lines)

        self.airflow.wait_until("the scheduler knows that it waits", is_heard, 60)
        found: dict[str, Any] = self.airflow.call("GET", f"{run}/taskInstances/approve/-1/hitlDetails")
        return found

    def answer(self, run: str, option: str, approved_hash: str | None) -> None:
        body = {"chosen_options": [option], "params_input": {"approved_hash": approved_hash}}
        self.airflow.call("PATCH", f"{run}/taskInstances/approve/-1/hitlDetails", body)

    def clear(self, run: str, task: str) -> None:
        """Let one task run again, and none of those after it."""
        dag, run_id = run.removeprefix("/api/v2/dags/").split("/dagRuns/")
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task], "only_failed": False}
        self.airflow.call("POST", f"/api/v2/dags/{dag}/clearTaskInstances", body)

    def result(self, run: str, task: str) -> Any:
        return self.airflow.call("GET", f"{run}/taskInstances/{task}/xcomEntries/return_value")["value"]

    def log(self, run: str, task: str, attempt: int) -> str:
        return str(self.airflow.call("GET", f"{run}/taskInstances/{task}/logs/{attempt}"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home, dags, folder = (tmp_path_factory.mktemp(name) for name in ("airflow", "dags", "plans"))
    example = EXAMPLE.read_text().replace('schedule="@daily"', "schedule=None")
    (dags / EXAMPLE.name).write_text(example)
    changed = {
        # Nobody has the time to answer.
        IMPATIENT: ("timedelta(days=2)", "timedelta(seconds=2)"),
        # A rejection skips the next task, but the one after it runs all the same.
        CARELESS: ("plan >> approve >> apply", CARELESS_ORDER),
        DEFERRABLE: ("retries=5,", "retries=0, deferrable=True,"),
    }
    for name, (old, new) in changed.items():
        assert old in example
        (dags / f"{name}.py").write_text(example.replace(old, new).replace(f'"{DAG}"', f'"{name}"'))
    with Simulator(World(users=30, courses=1, modules=1, blocked=0)) as lms:
        for user in lms.ispring.users:
            lms.ispring.unenroll(user, lms.ispring.courses[0])
        connections = {"ispring_learn_default": lms.connection()}
        with Airflow(home, dags, connections) as airflow:
            yield Stage(airflow, lms, folder)


def test_nobody_is_enrolled_before_somebody_approves_the_plan_that_is_shown(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf)
    plan = stage.result(run, "plan")
    assert plan["changes"] == {"enroll": 2}
    assert not stage.enrolled() & {*people}
    assert action["body"] == plan["summary"]
    assert "| enroll | 2 |" in action["body"]
    assert action["params"].keys() == {"approved_hash"}
    assert action["params"]["approved_hash"]["value"] == plan["sha256"]
    assert action["defaults"] is None

    stage.answer(run, "Approve", plan["sha256"])
    stage.wait_for(run, approve="success", apply="success")
    assert stage.enrolled() >= {*people}
    assert stage.result(run, "apply")["outcomes"] == {"done": 2}


def test_a_lock_is_waited_for_without_a_worker_slot(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf, DEFERRABLE)
    stage.lms.ispring.fail("POST /enrollment", faults.status(429, Retry_After="35"), before=True)
    stage.answer(run, "Approve", action["params"]["approved_hash"]["value"])
    stage.airflow.wait_until("the slot is given back", lambda: stage.states(run)["apply"] == "deferred", 120)
    assert not stage.enrolled() & {*people}
    stage.wait_for(run, approve="success", apply="success")
    assert stage.enrolled() >= {*people}
    assert stage.result(run, "apply")["outcomes"] == {"done": 2}


def test_after_a_rejection_nothing_is_applied_even_if_somebody_clears_the_task(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf)
    stage.answer(run, "Reject", action["params"]["approved_hash"]["value"])
    stage.wait_for(run, approve="success", apply="skipped")
    stage.clear(run, "apply")
    stage.airflow.wait_until("the run is over", lambda: stage.airflow.call("GET", run)["state"] == "success", 60)
    assert stage.states(run)["apply"] == "skipped"
    assert not stage.enrolled() & {*people}


def test_a_rejected_plan_is_refused_by_a_task_that_runs_all_the_same(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf, CARELESS)
    stage.answer(run, "Reject", action["params"]["approved_hash"]["value"])
    stage.wait_for(run, approve="success", between="skipped", apply="failed")
    assert "this is not the plan that was approved" in stage.log(run, "apply", 1)
    assert not stage.enrolled() & {*people}


def test_an_approval_does_not_hold_for_a_plan_that_was_made_anew(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf)
    old = stage.result(run, "plan")["sha256"]
    stage.clear(run, "plan")
    stage.airflow.wait_until("there is a new plan", lambda: stage.result(run, "plan")["sha256"] != old, 60)
    stage.answer(run, "Approve", action["params"]["approved_hash"]["value"])
    stage.wait_for(run, approve="success", apply="failed")
    assert "this is not the plan that was approved" in stage.log(run, "apply", 1)
    assert not stage.enrolled() & {*people}


def test_without_an_answer_the_task_fails(stage: Stage) -> None:
    people, conf = stage.hr_asks_for_two()
    run = stage.airflow.trigger(IMPATIENT, conf)
    stage.airflow.wait_until("the run is over", lambda: stage.states(run)["apply"] == "upstream_failed", 120)
    assert stage.states(run) == {"plan": "success", "approve": "failed", "apply": "upstream_failed"}
    assert not stage.enrolled() & {*people}


def test_a_plan_without_changes_asks_nobody(stage: Stage) -> None:
    _, conf = stage.hr_asks_for([user for user in stage.lms.ispring.users if user.id in stage.enrolled()])
    run = stage.airflow.trigger(DAG, conf)
    stage.wait_for(run, plan="success", approve="skipped", apply="skipped")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here: apt-get install chromium")
def test_somebody_reads_the_plan_and_approves_it_in_the_browser(stage: Stage) -> None:
    from playwright.sync_api import expect, sync_playwright

    people, conf = stage.hr_asks_for_two()
    run, action = stage.ask(conf)
    approved_hash = action["params"]["approved_hash"]["value"]
    path = run.removeprefix("/api/v2").replace("/dagRuns/", "/runs/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(20_000)
        page.goto(f"{stage.airflow.url}{path}/tasks/approve/required_actions")
        expect(page.get_by_role("row").filter(has_text="enroll")).to_contain_text("2")
        expect(page.get_by_text(approved_hash)).to_be_visible()
        expect(page.get_by_role("textbox").first).to_have_value(approved_hash)
        page.get_by_role("button", name="Approve").click()
        stage.wait_for(run, approve="success", apply="success")
        browser.close()
    assert stage.enrolled() >= {*people}
