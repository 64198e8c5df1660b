"""Reading what is new, and putting it together: the patterns of docs/extract/incremental.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task
from jinja2 import Template

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import ACTIVE, Result
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS
from tests.rows import delivered, present
from tests.tasks import execute

DOCS = Path(__file__).parents[2] / "docs" / "extract" / "incremental.md"
KEY = ("userId", "courseId", "moduleId", "enrollmentId")
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


class LaterWorld(World):
    """The same people later: a result is gone, and another one was completed, with a date before all windows."""

    @cached_property
    def module_results(self) -> tuple[Result, ...]:
        results = [result for result in super().module_results if result.user.status == ACTIVE]
        done = next(result for result in results if _is_recent(result.completion))
        open_one = next(result for result in results if result.completion is None)
        results.remove(done)
        results[results.index(open_one)] = replace(open_one, status="passed", completion=MIDNIGHT - timedelta(days=60))
        return tuple(results)


pytestmark = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed here")


@pytest.fixture
def account(lms: Simulator) -> ISpring:
    lms.ispring.world = World(as_of=MIDNIGHT.date())
    return lms.ispring


def read(folder: Path, *, at: datetime | None = None, **options: Any) -> None:
    """Run the operator, as if at a time."""
    with fake_clock(at):
        execute(ISpringModuleResultsOperator(task_id="t", **{"output_path": str(folder), **options}))


def window(lake: Path, day: datetime, *, at: datetime | None = None) -> None:
    """Read what was completed in the three days before, as the docs' daily run does."""
    options = {"completion_date_start": day - timedelta(days=3), "completion_date_end": day}
    read(lake / "completions" / f"{day:%Y-%m-%d}", at=at or day, output_format="parquet", **options)


def snapshot(lake: Path, day: datetime, **options: Any) -> None:
    read(lake / "snapshot" / f"{day:%Y-%m-%d}", at=day, output_format="parquet", **options)


def together(lake: Path) -> list[dict[str, Any]]:
    """The table after snapshots have replaced it and the docs' statements have added windows, as they were read."""
    duckdb = pytest.importorskip("duckdb")
    (statements,) = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    datasets = [(read_manifest(folder), folder) for folder in map(str, lake.glob("*/*"))]
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for manifest, folder in sorted(datasets, key=lambda dataset: dataset[0]["started_at"]):
            files = [f"{folder}/{file['name']}" for file in manifest["files"]]
            database.read_parquet(files).create_view("new_results")
            is_snapshot = Path(folder).parent.name == "snapshot"
            database.execute(
                "CREATE OR REPLACE TABLE module_results AS FROM new_results" if is_snapshot else statements
            )
        found = database.table("module_results")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def keys(rows: Iterable[dict[str, Any]]) -> list[tuple[str | None, ...]]:
    return sorted(tuple(str(row.get(name)) for name in KEY) for row in rows)


def answer(account: ISpring, **changed: Any) -> None:
    """Let every row come with other values from now on."""

    def change(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "results": [{**row, **changed} for row in content["results"]]}

    account.fail(RESULTS, faults.content(change), times=99)


def test_windows_with_an_overlap_and_the_key_give_each_row_once(account: ISpring, tmp_path: Path) -> None:
    snapshot(tmp_path, MIDNIGHT - timedelta(days=5), completion_date_end=MIDNIGHT - timedelta(days=5))
    for days in range(4, -1, -1):
        window(tmp_path, MIDNIGHT - timedelta(days=days))
    everything = [row for row in account.module_results() if "completionDate" in row]
    assert keys(together(tmp_path)) == keys(everything)


def test_a_key_with_a_null_is_a_key(account: ISpring, tmp_path: Path) -> None:
    answer(account, enrollmentId=None)
    snapshot(tmp_path, MIDNIGHT - timedelta(days=1))
    window(tmp_path, MIDNIGHT)
    found = together(tmp_path)
    assert {row["enrollmentId"] for row in found} == {None}
    assert len(found) == len(account.module_results())


def test_of_several_rows_for_a_key_the_one_that_was_read_last_counts(account: ISpring, tmp_path: Path) -> None:
    snapshot(tmp_path, MIDNIGHT - timedelta(days=2))
    window(tmp_path, MIDNIGHT)
    answer(account, viewsCount=77)
    window(tmp_path, MIDNIGHT - timedelta(days=1), at=MIDNIGHT + timedelta(hours=5))
    start, end = MIDNIGHT - timedelta(days=4), MIDNIGHT - timedelta(days=1)
    for row in together(tmp_path):
        reread = row["completionDate"] is not None and start <= row["completionDate"] <= end
        assert (row["viewsCount"] == 77) is reread


def test_a_snapshot_shows_what_no_window_does(account: ISpring, tmp_path: Path) -> None:
    snapshot(tmp_path, MIDNIGHT - timedelta(days=2))
    account.world = LaterWorld(as_of=MIDNIGHT.date())
    window(tmp_path, MIDNIGHT - timedelta(days=1))
    assert _completions(together(tmp_path)) != _completions(_typed(account.module_results()))
    snapshot(tmp_path, MIDNIGHT)
    window(tmp_path, MIDNIGHT + timedelta(days=1))
    assert _completions(together(tmp_path)) == _completions(_typed(account.module_results()))


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


def test_the_backfill_of_the_docs_maps_over_months_that_touch() -> None:
    (code,) = re.findall(r"```python\n(@task\n.*?)```", DOCS.read_text(), re.DOTALL)
    given: dict[str, Any] = {"task": task, "pendulum": pendulum, "pairwise": pairwise}
    given["ISpringModuleResultsOperator"] = ISpringModuleResultsOperator
    with DAG("backfill", schedule=None) as dag:
        exec(code, given)
    assert set(dag.task_dict) == {"windows", "module_results"}
    assert given["windows"].function("2025-12", "2", "s3://lake") == [
        {
            "completion_date_start": "2025-12-01T00:00:00+00:00",
            "completion_date_end": "2026-01-01T00:00:00+00:00",
            "output_path": "s3://lake/month=2025-12",
        },
        {
            "completion_date_start": "2026-01-01T00:00:00+00:00",
            "completion_date_end": "2026-02-01T00:00:00+00:00",
            "output_path": "s3://lake/month=2026-01",
        },
    ]


def test_the_manifest_holds_the_greatest_completion_date(lms: Simulator, tmp_path: Path) -> None:
    read(tmp_path, page_size=50, part_bytes=20_000)
    manifest = read_manifest(str(tmp_path))
    completions = [row["completionDate"] for row in delivered(lms.ispring.module_results()) if "completionDate" in row]
    assert manifest["watermark"] == max(completions)
    assert len(manifest["files"]) > 1
    assert max(file["watermark"] for file in manifest["files"]) == max(completions)
    assert len(present(read_records(str(tmp_path)))) == manifest["records"]


def test_without_completions_there_is_no_such_date(lms: Simulator, tmp_path: Path) -> None:
    read(tmp_path, completion_statuses="not_started")
    manifest = read_manifest(str(tmp_path))
    assert (manifest["watermark"], manifest["records"] > 0) == (None, True)


def _is_recent(moment: datetime | None) -> bool:
    return moment is not None and moment > MIDNIGHT - timedelta(days=2)


def _typed(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        date = row.get("completionDate")
        yield {**row, "completionDate": None if date is None else datetime.fromisoformat(date)}


def _completions(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, ...], datetime | None]:
    return {tuple(str(row[name]) for name in KEY): row["completionDate"] for row in rows}
