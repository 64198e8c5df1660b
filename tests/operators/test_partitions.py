"""Which days or months of a dataset have changed, and what downstream DAGs hear of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator, ISpringCoursesOperator
from airflow_provider_lms.operators.outlets import update_outlets
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.manifest import load_manifest
from airflow_provider_lms.storage.partitions import (
    Partition,
    PartitionDigests,
    PartitionedBy,
    find_changed,
    merge,
)
from tests.tasks import execute


def operator(path: Path, **options: Any) -> ISpringCourseResultsOperator:
    options = {"partition_by": "day", "max_partitions": 1_000, **options}
    return ISpringCourseResultsOperator(task_id="t", output_path=str(path), **options)


def context(run: str, attempt: int = 1) -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="task", run_id=run, map_index=-1, try_number=attempt)}


def days(lms: Simulator) -> list[str]:
    """The days on which somebody has completed a course."""
    rows = lms.ispring.course_results()
    return sorted({row["completionDate"][:10] for row in rows if row.get("completionDate")})


def complete(lms: Simulator, at: str) -> None:
    """Let one more learner complete a course."""
    user, course = lms.ispring.users[0], lms.ispring.courses[0]
    lms.ispring.enroll(user, course)
    lms.ispring.record(user, course, "complete", completion=datetime.fromisoformat(at))


@pytest.fixture
def written(lms: Simulator, tmp_path: Path) -> Path:
    """A folder with a dataset."""
    execute(operator(tmp_path))
    return tmp_path


def test_every_day_is_new_in_the_first_dataset(lms: Simulator, tmp_path: Path) -> None:
    assert execute(operator(tmp_path))["changed_partitions"] == days(lms)


def test_an_unchanged_dataset_has_no_changed_day(written: Path) -> None:
    assert execute(operator(written))["changed_partitions"] == []


def test_a_late_completion_changes_its_own_day_alone(lms: Simulator, written: Path) -> None:
    complete(lms, "2020-02-29T23:59:59+00:00")
    assert execute(operator(written))["changed_partitions"] == ["2020-02-29"]


def test_a_month_can_be_a_partition(lms: Simulator, tmp_path: Path) -> None:
    execute(operator(tmp_path, partition_by="month"))
    complete(lms, "2020-02-29T23:59:59+00:00")
    assert execute(operator(tmp_path, partition_by="month"))["changed_partitions"] == ["2020-02"]


def test_a_row_that_moves_to_another_day_changes_both(lms: Simulator, tmp_path: Path) -> None:
    complete(lms, "2020-02-28T12:00:00+00:00")
    execute(operator(tmp_path))
    lms.ispring.record(
        lms.ispring.users[0], lms.ispring.courses[0], "complete", completion=datetime(2020, 3, 1, tzinfo=UTC)
    )
    assert execute(operator(tmp_path))["changed_partitions"] == ["2020-02-28", "2020-03-01"]


def test_a_day_whose_only_row_has_gone_has_changed(lms: Simulator, tmp_path: Path) -> None:
    complete(lms, "2020-02-28T12:00:00+00:00")
    execute(operator(tmp_path))
    lms.ispring.record(lms.ispring.users[0], lms.ispring.courses[0], "in_progress")
    assert execute(operator(tmp_path))["changed_partitions"] == ["2020-02-28"]


def test_a_day_that_was_not_asked_for_has_not_changed(lms: Simulator, tmp_path: Path) -> None:
    complete(lms, "2020-02-28T12:00:00+00:00")
    execute(operator(tmp_path))
    later = operator(tmp_path, completion_date_start="2020-03-01", completion_date_end="2100-01-01")
    assert execute(later)["changed_partitions"] == []


def test_a_row_whose_values_change_counts(lms: Simulator, written: Path) -> None:
    row = next(each for each in lms.ispring.results() if each.completion and each.status == "complete" and each.views)
    lms.ispring.record(row.user, row.course, "accepted", completion=row.completion)
    assert execute(operator(written))["changed_partitions"] == [f"{row.completion:%Y-%m-%d}"]


def test_neither_the_format_nor_the_cut_into_parts_nor_the_order_counts(lms: Simulator, written: Path) -> None:
    lms.ispring.results().reverse()
    other = operator(written, output_format="csv", part_bytes=1_000, page_size=10)
    assert execute(other)["changed_partitions"] == []
    assert len(read_manifest(str(written))["files"]) > 1


def test_another_folder_can_be_compared_with(lms: Simulator, written: Path, tmp_path: Path) -> None:
    complete(lms, "2020-02-29T12:00:00+00:00")
    today = operator(tmp_path / "today", compare_to=str(written))
    assert execute(today)["changed_partitions"] == ["2020-02-29"]


def test_other_columns_make_every_day_new(lms: Simulator, written: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert execute(operator(written, drop_columns=["viewsCount"]))["changed_partitions"] == days(lms)
    assert "the earlier dataset differs in columns, so every partition counts as changed" in caplog.text


def test_too_many_changed_days_fail_the_task_with_advice(lms: Simulator, written: Path) -> None:
    for day in (27, 28, 29):
        complete(lms, f"2020-02-{day}T12:00:00+00:00")
    before = [*read_records(str(written))]
    with pytest.raises(AirflowFailException) as failed:  # a retry would find as many
        execute(operator(written, max_partitions="2"))
    assert str(failed.value) == (
        "max_partitions: the rows of 3 days of completionDate differ from those before (2020-02-27, 2020-02-28, "
        "2020-02-29), and at most 2 may. Downstream DAGs would run once for each. The dataset before is kept. To run "
        "them all, raise max_partitions for this run. Otherwise set partition_by='month', or read a shorter period."
    )
    assert [*read_records(str(written))] == before
    assert len(execute(operator(written, max_partitions=3))["changed_partitions"]) == 3


def test_31_days_may_change_unless_the_author_says_otherwise() -> None:
    assert ISpringCourseResultsOperator(task_id="t").max_partitions == 31


def test_a_retry_after_the_commit_reports_the_same_days(lms: Simulator, written: Path) -> None:
    complete(lms, "2020-02-29T12:00:00+00:00")
    for attempt in (1, 2):
        summary = execute(operator(written), context("run 1", attempt))
        assert summary["changed_partitions"] == ["2020-02-29"]
    assert execute(operator(written), context("run 2"))["changed_partitions"] == []


def test_a_retry_reports_them_also_if_it_compares_with_its_own_folder(lms: Simulator, written: Path) -> None:
    complete(lms, "2020-02-29T12:00:00+00:00")
    for attempt in (1, 2):
        summary = execute(operator(written, compare_to=str(written)), context("run 1", attempt))
        assert summary["changed_partitions"] == ["2020-02-29"]


@pytest.mark.parametrize(("state", "days"), [("failed", ["2020-02-29"]), ("success", []), (None, ["2020-02-29"])])
def test_the_days_of_a_run_that_has_failed_are_reported_by_the_next(
    lms: Simulator, written: Path, state: str | None, days: list[str]
) -> None:
    complete(lms, "2020-02-29T12:00:00+00:00")
    execute(operator(written), context("run 1"))
    asked: list[dict[str, Any]] = []

    def get_task_states(**given: Any) -> dict[str, dict[str, str]]:
        asked.append(given)
        return {} if state is None else {"run 1": {"task": state}}

    following = context("run 2")
    following["ti"].get_task_states = get_task_states
    assert execute(operator(written), following)["changed_partitions"] == days
    assert asked == [{"dag_id": "dag", "map_index": -1, "task_ids": ["task"], "run_ids": ["run 1"]}]


def test_those_that_were_not_reported_count_towards_the_limit(lms: Simulator, written: Path) -> None:
    complete(lms, "2020-02-28T12:00:00+00:00")
    execute(operator(written), context("run"))
    complete(lms, "2020-02-29T12:00:00+00:00")
    with pytest.raises(AirflowFailException, match="the rows of 2 days of completionDate differ"):
        execute(operator(written, max_partitions=1), context("run", 2))


def test_a_resumed_dataset_counts_every_row(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail("GET /learners/results", faults.content(lambda _: {"x": 1}), on=3)
    options: dict[str, Any] = {"page_size": 10, "part_bytes": 1_000}
    with pytest.raises(LmsBrokenPage):
        execute(operator(tmp_path / "resumed", **options), context("run"))
    execute(operator(tmp_path / "resumed", **options), context("run", 2))
    execute(operator(tmp_path / "whole"))
    again = operator(tmp_path / "resumed", compare_to=str(tmp_path / "whole"))
    assert execute(again, context("another run"))["changed_partitions"] == []


def test_rows_that_were_read_again_unchanged_have_not_changed(lms: Simulator, tmp_path: Path) -> None:
    course = lms.zoho.courses[0].id

    def task() -> ZohoPeopleEntityProgressOperator:
        return ZohoPeopleEntityProgressOperator(
            task_id="t",
            course_id=course,
            output_path=str(tmp_path),
            partition_by="month",
            partition_column="readAt",
            max_partitions=10,
        )

    lms.zoho.limits.requests = 100_000
    assert len(execute(task())["changed_partitions"]) == 1
    assert execute(task())["changed_partitions"] == []


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_rows_that_were_carried_over_have_not_changed(lms: Simulator, tmp_path: Path, file_format: str) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow")
    course = lms.zoho.courses[0].id
    lms.zoho.limits.requests = 100_000

    def task() -> ZohoPeopleEntityProgressOperator:
        return ZohoPeopleEntityProgressOperator(
            task_id="t",
            course_id=course,
            output_path=str(tmp_path),
            output_format=file_format,  # type: ignore[arg-type]
            previous=str(tmp_path),
            partition_by="month",
            partition_column="readAt",
            max_partitions=10,
        )

    assert execute(task())["carried"] == 0
    again = execute(task())
    assert again["carried"] > 0
    assert again["changed_partitions"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition_by": "week"}, r"^partition_by: expected 'day' or 'month', got 'week'"),
        ({"partition_by": None, "partition_column": "accessDate"}, "^partition_column: give partition_by as well"),
        ({"partition_by": None, "compare_to": "/elsewhere"}, "^compare_to: give partition_by as well"),
        ({"output_path": None}, "^partition_by: give an output_path as well"),
        ({"max_pages": 1}, "^partition_by: leave out max_pages"),
        ({"max_partitions": 0}, "^max_partitions: "),
        ({"partition_column": "progress"}, r"^partition_column: expected 'accessDate' or .*, got 'progress'"),
        (
            {"drop_columns": ["completionDate"]},
            "^partition_by: the dataset of course_results has no date that tells new records",
        ),
    ],
)
def test_what_means_nothing_is_refused_before_the_first_request(
    lms: Simulator, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"partition_by": "day", "output_path": str(tmp_path), **options}
    with pytest.raises(ValueError, match=message):
        execute(ISpringCourseResultsOperator(task_id="t", **given))
    assert lms.ispring.count("GET /learners/results") == 0


def test_a_listing_without_a_date_needs_a_column(lms: Simulator, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^partition_by: the dataset of courses has no"):
        execute(ISpringCoursesOperator(task_id="t", output_path=str(tmp_path), partition_by="day"))


class Event:
    """An asset's event of Airflow 3.3."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.partitions: list[str] = []

    def add_partitions(self, keys: list[str]) -> None:
        self.partitions += keys


class Events:
    """The events of one asset. Assets of Airflow 3.0 cannot be the keys of a dict."""

    def __init__(self, event: object) -> None:
        self._event = event

    def __getitem__(self, asset: Asset) -> object:
        assert asset.uri == "ispring-learn://acme/course_results"
        return self._event


def test_the_events_of_outlets_get_the_changed_days(lms: Simulator, written: Path) -> None:
    complete(lms, "2020-02-29T12:00:00+00:00")
    asset, event = Asset(uri="ispring-learn://acme/course_results"), Event()
    summary = execute(operator(written, outlets=[asset]), {"outlet_events": Events(event)})
    assert event.partitions == ["2020-02-29"]
    assert event.extra == {
        "uri": summary["uri"],
        "records": summary["records"],
        "schema_version": 1,
        "watermark": summary["watermark"],
        "new_fields": [],
        "changed_partitions": ["2020-02-29"],
    }


def test_an_older_airflow_gets_them_in_the_extra_alone() -> None:
    asset, event = Asset(uri="ispring-learn://acme/course_results"), SimpleNamespace(extra={})
    names = ("uri", "records", "schema_version", "watermark", "new_fields")
    summary = {**dict.fromkeys(names), "changed_partitions": ["2020-02-29"], "complete": True}
    update_outlets([asset], {"outlet_events": Events(event)}, summary)
    assert event.extra["changed_partitions"] == ["2020-02-29"]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["7", "8"]),
        st.sampled_from([None, "2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-02T12:00:00.5Z"]),
    ),
    max_size=8,
)


def partitions(rows: list[tuple[str, str | None]]) -> dict[str, Partition]:
    digests = PartitionDigests(PartitionedBy(column="completionDate", grain="day"), CourseResult)
    digests.add(
        CourseResult(
            user_id=user,
            course_id="1",
            completion_status="complete",
            completion_date=None if date is None else datetime.fromisoformat(date),
        )
        for user, date in rows
    )
    return digests.partitions()


@pytest.mark.hypothesis
@given(ROWS, ROWS, st.integers(0, 8), st.randoms())
def test_a_day_is_the_same_exactly_if_its_rows_are(
    rows: list[tuple[str, str | None]], others: list[tuple[str, str | None]], cut: int, random: Any
) -> None:
    shuffled = random.sample(rows, len(rows))
    merged = merge([partitions(shuffled[:cut]), partitions(shuffled[cut:])])
    assert merged == partitions(rows)
    found = partitions(others)
    for day in ("2026-01-31", "2026-02-01", "2026-02-02"):
        own, other = ([each for each in side if each[1] and each[1].startswith(day)] for side in (rows, others))
        assert (merged.get(day) == found.get(day)) == (sorted(own) == sorted(other))


def test_the_order_of_fields_that_are_not_declared_does_not_count(lms: Simulator, tmp_path: Path) -> None:
    def changed(new: dict[str, Any]) -> list[str]:
        def with_new(body: Any) -> Any:
            return {**body, "results": [{**row, **new} for row in body["results"]]}

        lms.ispring.fail("GET /learners/results", faults.content(with_new), on=1)
        found: list[str] = execute(operator(tmp_path))["changed_partitions"]
        return found

    assert changed({"a": {"x": 1, "y": 2}, "b": 3}) == days(lms)
    assert changed({"b": 3, "a": {"y": 2, "x": 1}}) == []
    assert changed({"a": {"x": 1, "y": 3}, "b": 3}) == days(lms)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("resource", "other_results", "listing"),
        ("host", "https://other.test", "account"),
        ("schema_version", 2, "schema version"),
        ("hash_key_id", "1" * 16, "secret for hashes"),
        ("partitioned_by", PartitionedBy(column="accessDate", grain="day"), "partitions"),
    ],
)
def test_with_a_dataset_of_another_kind_every_day_is_new(
    lms: Simulator, written: Path, caplog: pytest.LogCaptureFixture, field: str, value: object, said: str
) -> None:
    now = load_manifest(str(written))
    other = msgspec.structs.replace(now, **{field: value})
    assert find_changed(now, other, 1_000) == days(lms)
    assert f"the earlier dataset differs in {said}, so" in caplog.text


def test_an_attempt_with_other_partitions_begins_anew(lms: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"page_size": 10, "part_bytes": 1_000}
    lms.ispring.fail("GET /learners/results", faults.content(lambda _: {"x": 1}), on=3)
    with pytest.raises(LmsBrokenPage):
        execute(operator(tmp_path, **options), context("run"))
    summary = execute(operator(tmp_path, partition_by="month", **options), context("run", 2))
    assert summary["changed_partitions"] == sorted({day[:7] for day in days(lms)})
