"""The example DAGs, run by ``dag.test()``: on every supported Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_records
from tests.rows import delivered, ordered, present

EXAMPLES = Path(__file__).parents[2] / "example_dags"
RUN = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
dag = importlib.import_module(sys.argv[2]).dag
run = dag.test(run_conf={"output": sys.argv[3]})
print("STATE", str(getattr(run.state, "value", run.state)))
"""


@pytest.fixture(scope="session")
def database() -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, timeout=180)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_makes_no_request_and_reads_no_connection_when_it_is_parsed(path: Path, lms: Simulator) -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=120, env=_without_connections())
    assert lms.ispring.requests == []


@pytest.mark.usefixtures("database")
def test_the_results_example_writes_yesterdays_completions_course_by_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(World(users=30)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        _run("ispring_results", tmp_path)
        yesterday = [
            row
            for row in delivered(lms.ispring.module_results())
            if row.get("completionDate", "")[:10] == _day_before(lms.world).isoformat()
        ]
        folders = sorted(tmp_path.glob("*/course=*"))
        found = present(read_records([str(folder) for folder in folders]))

    assert {folder.name for folder in folders} == {f"course={course.id}" for course in lms.ispring.courses}
    assert len(yesterday) > 0
    assert ordered(found) == ordered(yesterday)


@pytest.mark.usefixtures("database")
def test_the_zoho_example_writes_everybodys_progress_course_by_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(window_seconds=0.2, lock_seconds=1)
    with Simulator(World(users=3, courses=2, modules=2), zoho_limits=limits) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
        _run("zoho_people_progress", tmp_path)
        folders = {folder.name: folder for folder in tmp_path.glob("*/course=*")}
        assert set(folders) == {f"course={course.id}" for course in lms.zoho.courses}
        for course in lms.zoho.courses:
            found = present(read_records(str(folders[f"course={course.id}"])))
            expected = lms.zoho.entity_progress(course)
            assert sorted(row["status"] for row in found) == sorted(row["status"] for row in expected)
    assert (lms.zoho.locks, len(lms.zoho.tokens)) == (0, 1)


def _run(dag: str, output: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(EXAMPLES), dag, f"file://{output}"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "STATE success" in done.stdout, done.stdout[-5_000:] + done.stderr[-5_000:]


def _without_connections() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}


def _day_before(world: World) -> date:
    return world.as_of - timedelta(days=1)
