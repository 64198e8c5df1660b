"""Reading what is new, and putting it together: the patterns of docs/incremental.md."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from jinja2 import Template

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from tests.conftest import RESULTS
from tests.rows import delivered, present

DOCS = Path(__file__).parents[2] / "docs" / "incremental.md"
KEY = ("userId", "courseId", "moduleId", "enrollmentId")


def read(folder: Path, **options: Any) -> None:
    ISpringModuleResultsOperator(task_id="t", output_path=str(folder), **options).execute({})


def test_windows_with_an_overlap_and_the_key_give_each_row_once_and_the_last_reading_wins(
    lms: Simulator, tmp_path: Path
) -> None:
    duckdb = pytest.importorskip("duckdb")
    midnight = datetime.combine(lms.world.as_of, time(), UTC)
    read(tmp_path / "lms" / "snapshot" / "day=2026-01-01", completion_date_end=midnight - timedelta(days=5))
    later = {row["enrollmentId"]: 7 for row in lms.ispring.module_results()}

    def changed(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "results": [{**row, "viewsCount": later[row["enrollmentId"]]} for row in content["results"]]}

    lms.ispring.fail(RESULTS, faults.content(changed), times=99)
    for day in range(5, 0, -1):
        start, end = midnight - timedelta(days=day + 2), midnight - timedelta(days=day - 1)
        folder = tmp_path / "lms" / "completions" / f"day={end:%Y-%m-%d}"
        read(folder, completion_date_start=start, completion_date_end=end)

    (query,) = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    found = duckdb.sql(query.replace("'lms/", f"'{tmp_path}/lms/")).fetchall()
    everything = [row for row in lms.ispring.module_results() if "completionDate" in row]
    names = [column[0] for column in duckdb.sql(query.replace("'lms/", f"'{tmp_path}/lms/")).description]
    rows = [dict(zip(names, row, strict=True)) for row in found]
    assert sorted(tuple(str(row[name]) for name in KEY) for row in rows) == sorted(
        tuple(row[name] for name in KEY) for row in everything
    )
    begun = midnight - timedelta(days=7)
    reread = {
        tuple(row[name] for name in KEY) for row in everything if datetime.fromisoformat(row["completionDate"]) >= begun
    }
    assert len(reread) > 0
    assert all(row["viewsCount"] == 7 for row in rows if tuple(str(row[name]) for name in KEY) in reread)


def test_the_window_of_the_docs_is_rendered_into_dates_that_the_operator_takes(lms: Simulator, tmp_path: Path) -> None:
    interval = {
        "data_interval_start": pendulum.datetime(2026, 1, 3),
        "data_interval_end": pendulum.datetime(2026, 1, 4),
    }
    window = {
        name: Template(template).render(interval)
        for name, template in re.findall(r'(completion_date_\w+)="(.*?)"', DOCS.read_text())
    }
    read(tmp_path, **window)
    asked = dict(lms.ispring.requests[-1].query)
    assert asked["completionDate[startDate]"] == "2026-01-01T00:00:00Z"
    assert asked["completionDate[endDate]"] == "2026-01-04T00:00:00Z"


def test_the_manifest_holds_the_greatest_completion_date(lms: Simulator, tmp_path: Path) -> None:
    read(tmp_path, page_size=50, part_bytes=20_000)
    manifest = read_manifest(str(tmp_path))
    completions = [row["completionDate"] for row in delivered(lms.ispring.module_results()) if "completionDate" in row]
    assert manifest["latest_completion_date"] == max(completions)
    assert len(manifest["files"]) > 1
    assert max(file["latest_completion_date"] for file in manifest["files"]) == max(completions)
    assert len(present(read_records(str(tmp_path)))) == manifest["records"]


def test_without_completions_there_is_no_such_date(lms: Simulator, tmp_path: Path) -> None:
    read(tmp_path, completion_statuses="not_started")
    manifest = read_manifest(str(tmp_path))
    assert (manifest["latest_completion_date"], manifest["records"] > 0) == (None, True)
