"""The example DAGs, run by ``dag.test()``: on every supported Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.ispring_rows import result_row
from airflow_provider_lms.simulator.world import Result
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_manifest, read_records
from tests.rows import delivered, ordered, present

pytestmark = pytest.mark.airflow

EXAMPLES = Path(__file__).parents[2] / "example_dags"
RUN = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
dag = importlib.import_module(sys.argv[2]).dag
run = dag.test(run_conf=json.loads(sys.argv[3]))
print("STATE", str(getattr(run.state, "value", run.state)))
"""
KEY = ("userId", "courseId", "moduleId", "enrollmentId")


class YearOfCompletions(World):
    """Completions are spread over 2025 and the weeks around it, and some are at a month's first midnight."""

    @cached_property
    def module_results(self) -> tuple[Result, ...]:
        new_year = datetime(2025, 1, 1, 12, 30, tzinfo=UTC)
        days = [new_year + timedelta(days=day) for day in range(-20, 390, 5)]
        midnights = [datetime(2025 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(13)]
        moments = cycle(chain(midnights, days))
        return tuple(
            replace(result, completion=next(moments)) if result.completion else result
            for result in super().module_results
        )


def _examples() -> list[Any]:
    lacks_sdk = find_spec("airflow.sdk") is None
    lacks_partitions = lacks_sdk or not hasattr(import_module("airflow.sdk"), "PartitionedAssetTimetable")
    needs = {
        "AssetWatcher": pytest.mark.skipif(lacks_sdk, reason="assets have watchers since Airflow 3"),
        "PartitionedAssetTimetable": pytest.mark.skipif(lacks_partitions, reason="DAGs have partitions since 3.3"),
    }
    return [
        pytest.param(path, marks=[mark for name, mark in needs.items() if name in path.read_text()], id=path.stem)
        for path in sorted(EXAMPLES.glob("*.py"))
    ]


@pytest.mark.parametrize("path", _examples())
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
        folders = sorted(tmp_path.glob("**/course=*"))
        found = present(read_records([str(folder) for folder in folders]))

    assert {folder.name for folder in folders} == {f"course={course.id}" for course in lms.ispring.courses}
    assert len(yesterday) > 0
    assert ordered(found) == ordered(yesterday)


@pytest.mark.usefixtures("database")
def test_the_warehouse_example_loads_what_the_lms_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    database = tmp_path / "warehouse.duckdb"
    with Simulator(World(users=30)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        for _ in range(2):  # the second run replaces what the first has loaded
            _run("ispring_warehouse", tmp_path, database=str(database))
        everybody = [result_row(each) for each in lms.world.course_results]
        results = {(row["userId"], row["courseId"]): row for row in delivered(everybody)}
        emails = {user.id: user.email for user in lms.ispring.users}
        assert len(results) == len(everybody), "in this world each learner is enrolled once"
        assert len(everybody) > len(lms.ispring.course_results()), "some have left"
        titles = {course.id: course.title for course in lms.ispring.courses}

    def rows(query: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(database), read_only=True) as warehouse:
            warehouse.execute("SET TimeZone = 'UTC'")
            found = warehouse.execute(query)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def moment(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    current = rows("SELECT * FROM current_results")
    assert {(row["user_id"], row["course_id"]) for row in current} == results.keys()
    assert len(current) == len(results)
    for row in current:
        result = results[row["user_id"], row["course_id"]]
        assert (row["status"], row["progress"], row["score"], row["is_overdue"], row["seconds_spent"]) == (
            result["completionStatus"],
            result.get("progress"),
            result.get("awardedScore"),
            result["isOverdue"],
            result.get("timeSpent"),
        )
        assert (row["completed_at"], row["due_at"], row["access_at"]) == tuple(
            moment(result.get(name)) for name in ("completionDate", "dueDate", "accessDate")
        )
        assert row["course_title"] == titles[row["course_id"]]
        assert row["email"] == emails[row["user_id"]]
    late = [key for key, row in results.items() if row["isOverdue"] and "completionDate" not in row]
    assert sorted((row["user_id"], row["course_id"]) for row in rows("SELECT * FROM overdue")) == sorted(late)
    assert late

    today = datetime.now(UTC).date()
    done = {"complete", "passed", "accepted"}
    expiries = {
        key: (datetime.fromisoformat(row["completionDate"]) + timedelta(days=365)).date()
        for key, row in results.items()
        if row["completionStatus"] in done
    }
    soon = {key: day for key, day in expiries.items() if today <= day <= today + timedelta(days=60)}
    expiring = rows("SELECT user_id, course_id, certificate_expires FROM certificates_expiring")
    assert {(row["user_id"], row["course_id"]): row["certificate_expires"] for row in expiring} == soon
    issued = rows(
        "SELECT user_id, course_id, certificate_expires FROM fact_enrollment WHERE certificate_id IS NOT NULL"
    )
    assert {(row["user_id"], row["course_id"]): row["certificate_expires"] for row in issued} == expiries


@pytest.mark.usefixtures("database")
def test_the_backfill_example_writes_a_year_month_by_month_and_the_key_leaves_each_completion_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(YearOfCompletions(users=30, as_of=date(2026, 3, 1))) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        _run("ispring_backfill", tmp_path, first_month="2025-01", months=12)
        year = [
            row for row in delivered(lms.ispring.module_results()) if row.get("completionDate", "").startswith("2025-")
        ]
        folders = sorted(tmp_path.iterdir())
        found = present(read_records([str(folder) for folder in folders]))

    assert [folder.name for folder in folders] == [f"month=2025-{month:02}" for month in range(1, 13)]
    assert {row["completionDate"][:7] for row in year} == {f"2025-{month:02}" for month in range(1, 13)}
    assert len(found) > len(year), "the simulator counts both ends of a window in, and some completions are at midnight"
    once = {tuple(row[name] for name in KEY): row for row in found}
    assert ordered(row for row in once.values() if row["completionDate"] < "2026") == ordered(year)


@pytest.mark.usefixtures("database")
def test_the_zoho_example_writes_everybodys_progress_course_by_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(window_seconds=0.2, lock_seconds=1)
    with Simulator(World(users=3, courses=2, modules=2), zoho_limits=limits) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
        _run("zoho_people_progress", tmp_path)
        folders = {folder.name: folder for folder in tmp_path.glob("**/course=*")}
        assert set(folders) == {f"course={course.id}" for course in lms.zoho.courses}
        for course in lms.zoho.courses:
            found = present(read_records(str(folders[f"course={course.id}"])))
            expected = lms.zoho.entity_progress(course)
            assert sorted(row["status"] for row in found) == sorted(row["status"] for row in expected)
        lms.zoho.finish(lms.zoho.world.everyone[0], lms.zoho.courses[0])
        _run("zoho_people_progress", tmp_path)
        for course in lms.zoho.courses:
            folder = str(folders[f"course={course.id}"])
            expected = lms.zoho.entity_progress(course)
            assert sorted(row["status"] for row in read_records(folder)) == sorted(row["status"] for row in expected)
            assert read_manifest(folder)["carried"] > 0
    assert (lms.zoho.locks, len(lms.zoho.tokens)) == (0, 1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("completed", [True, False])
def test_the_deadline_example_extracts_once_enough_have_completed_and_else_skips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, completed: bool
) -> None:
    with Simulator(World(users=20, courses=1)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        (course,) = lms.ispring.courses
        for user in lms.ispring.users:
            lms.ispring.unenroll(user, course)
            lms.ispring.enroll(user, course, access=_month_before(), due=_month_before() + timedelta(days=3))
            if completed:
                lms.ispring.record(user, course, "complete")
        _run("ispring_course_deadline", tmp_path, course_id=course.id)
        written = list(tmp_path.glob(f"**/course={course.id}/_manifest.json"))
        assert len(written) == completed
        if completed:
            active = [user.id for user in lms.ispring.users if user.status == 1]
            assert {row["userId"] for row in read_records(str(written[0].parent))} == set(active)


@pytest.mark.usefixtures("database")
def test_the_onboarding_example_waits_for_every_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(World(users=6, courses=3, modules=1), zoho_limits=Limits(window_seconds=0.2)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
        for learner in lms.zoho.world.everyone:
            for course in lms.zoho.courses:
                lms.zoho.finish(learner, course)
        _run("zoho_people_onboarding", tmp_path)


def _run(dag: str, output: Path, **params: Any) -> None:
    conf = json.dumps({"output": f"file://{output}", **params})
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(EXAMPLES), dag, conf],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "STATE success" in done.stdout, done.stdout[-5_000:] + done.stderr[-5_000:]


def _without_connections() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}


def _month_before() -> datetime:
    """Noon of a day in the last whole month, which is the interval of a run that is triggered now."""
    return (datetime.now(UTC).replace(day=1, hour=12) - timedelta(days=10)).replace(microsecond=0)


def _day_before(world: World) -> date:
    return world.as_of - timedelta(days=1)


@pytest.mark.usefixtures("database")
def test_the_report_example_makes_a_report_that_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    with Simulator(World(users=30)) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        _run("ispring_completion_report", tmp_path)
        page = (tmp_path / "completion.html").read_text()
        assert "By department" in page
        assert not any(user.id in page or user.email in page for user in lms.ispring.users)
