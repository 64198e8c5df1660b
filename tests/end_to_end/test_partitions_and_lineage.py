"""A late completion, and what OpenLineage hears, in a real Airflow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.world import DONE
from dev.standalone import Airflow

pytest.importorskip("airflow.providers.openlineage")

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "ispring_completions_by_day.py"
PRODUCER, CONSUMER = "ispring_completions_by_day", "ispring_completions_of_a_day"


class Stage:
    """A running Airflow with the example DAG, and what OpenLineage was told."""

    def __init__(self, airflow: Airflow, lms: Simulator, folder: Path, events: Path) -> None:
        self.airflow = airflow
        self.lms = lms
        self.folder = folder
        self._events = events

    def read_results(self, **conf: object) -> dict[str, Any]:
        run: dict[str, Any] = self.airflow.run(PRODUCER, {"output": f"file://{self.folder}", **conf})
        return run

    def days_run(self, count: int) -> list[str]:
        """The days that the downstream DAG has run for, once there are so many runs."""
        path = f"/api/v2/dags/{CONSUMER}/dagRuns"

        def done() -> bool:
            runs = self.airflow.call("GET", path)["dag_runs"]
            return len(runs) >= count and all(run["state"] == "success" for run in runs)

        self.airflow.wait_until(f"{count} days were counted", done, 240)
        return sorted(run["partition_key"] for run in self.airflow.call("GET", path)["dag_runs"])

    def counted(self) -> dict[str, int]:
        """What the downstream DAG has counted for each day."""
        path = f"/api/v2/dags/{CONSUMER}/dagRuns/~/taskInstances/count/xcomEntries/return_value"
        runs = self.airflow.call("GET", f"/api/v2/dags/{CONSUMER}/dagRuns")["dag_runs"]
        values = [self.airflow.call("GET", path.replace("~", quote(run["dag_run_id"])))["value"] for run in runs]
        found = [json.loads(value) if isinstance(value, str) else value for value in values]
        return {each["day"]: each["completions"] for each in found}

    def events(self, task: str) -> list[dict[str, Any]]:
        """What was sent to OpenLineage when a task was complete."""
        found = [json.loads(line) for line in self._events.read_text().splitlines()]
        return [each for each in found if each["job"]["name"].endswith(task) and each["eventType"] == "COMPLETE"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home, dags, folder = (tmp_path_factory.mktemp(name) for name in ("airflow", "dags", "results"))
    # Only the downstream DAG runs by its own schedule.
    (dags / EXAMPLE.name).write_text(EXAMPLE.read_text().replace('schedule="@daily"', "schedule=None"))
    events = home / "events.jsonl"
    settings = {
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(events), "append": True}),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "training",
    }
    with Simulator(World(users=6, courses=1, modules=1, blocked=0, seed=4)) as lms:
        connection = {**lms.connection(), "extra": {"account": "acme"}}
        with Airflow(home, dags, {"ispring_learn_default": connection}, settings) as airflow:
            yield Stage(airflow, lms, folder, events)


def test_a_late_completion_runs_the_downstream_dag_for_its_own_day_alone(stage: Stage) -> None:
    dated = [row for row in stage.lms.ispring.course_results() if row.get("completionDate")]
    days = sorted({row["completionDate"][:10] for row in dated})
    # A failed attempt has a date, and so a day, but is no completion.
    completed = Counter(row["completionDate"][:10] for row in dated if row["completionStatus"] in DONE)
    assert 0 < completed.total() < len(dated)
    assert stage.read_results()["state"] == "success"
    assert stage.days_run(len(days)) == days

    user, course = stage.lms.ispring.users[0], stage.lms.ispring.courses[0]
    stage.lms.ispring.enroll(user, course)
    stage.lms.ispring.record(user, course, "complete", completion=datetime(2020, 2, 29, 23, 59, tzinfo=UTC))
    assert stage.read_results()["state"] == "success"
    assert stage.days_run(len(days) + 1) == ["2020-02-29", *days]

    assert stage.read_results()["state"] == "success"
    assert stage.counted() == {**dict.fromkeys(days, 0), **completed, "2020-02-29": 1}


def test_the_days_of_a_task_that_has_failed_are_run_by_the_next(stage: Stage) -> None:
    days = stage.days_run(1)
    user, course = stage.lms.ispring.users[1], stage.lms.ispring.courses[0]
    stage.lms.ispring.enroll(user, course)
    stage.lms.ispring.record(user, course, "complete", completion=datetime(2020, 3, 1, tzinfo=UTC))
    run = stage.read_results()
    assert stage.days_run(len(days) + 1) == sorted([*days, "2020-03-01"])

    task = f"/api/v2/dags/{PRODUCER}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/read_results"
    stage.airflow.call("PATCH", task, {"new_state": "failed"})
    assert stage.read_results()["state"] == "success"
    assert stage.days_run(len(days) + 2) == sorted([*days, "2020-03-01", "2020-03-01"])


def test_openlineage_hears_what_was_read_and_written(stage: Stage) -> None:
    events = stage.events("read_results")
    assert len(events) == 5
    (read,), (*written,) = events[0]["inputs"], events[0]["outputs"]
    assert (read["namespace"], read["name"]) == ("ispring-learn://acme", "course_results")
    assert [(each["namespace"], each["name"]) for each in written] == [
        ("file", str(stage.folder)),
        ("ispring-learn://acme", "course_results"),
    ]
    rows = len(stage.lms.ispring.course_results()) - 2  # two were added after the first run
    assert read["inputFacets"]["dataQualityMetrics"]["rowCount"] == rows
    assert written[0]["outputFacets"]["outputStatistics"]["rowCount"] == rows


def test_openlineage_hears_of_no_learner_and_no_secret(stage: Stage) -> None:
    text = json.dumps(stage.events("read_results"))
    account = stage.lms.ispring
    for private in (account.client_id, account.client_secret, *(user.id for user in account.users)):
        assert private not in text
