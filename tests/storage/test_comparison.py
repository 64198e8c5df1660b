"""What has changed between two datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.datasets import CompareDatasetsOperator
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator, ISpringUsersOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import compare_datasets, read_manifest, read_records
from tests.storage.formats import need
from tests.tasks import execute

USERS = "GET /users/v2"
Summary = dict[str, Any]


def users(
    lms: Simulator, path: Path, change: Callable[[list[Any]], list[Any]] | None = None, **options: Any
) -> Summary:
    """A dataset of users, some of which have changed."""
    if change is not None:
        lms.ispring.fail(USERS, faults.content(lambda page: {**page, "userProfiles": change(page["userProfiles"])}))
    summary: Summary = execute(ISpringUsersOperator(task_id="t", output_path=str(path), **options))
    return summary


def one_left_one_moved_one_joined(rows: list[Any]) -> list[Any]:
    first, second, *rest = rows
    return [{**second, "departmentId": "moved"}, *rest, {**first, "userId": "joined"}]


@pytest.mark.parametrize("output_format", ["jsonl", "csv", "parquet"])
def test_it_finds_who_joined_moved_and_left(lms: Simulator, tmp_path: Path, output_format: Any) -> None:
    need(output_format, None)
    previous = users(lms, tmp_path / "1", output_format=output_format)
    current = users(lms, tmp_path / "2", one_left_one_moved_one_joined)
    first, second, *rest = read_records(previous)
    result = CompareDatasetsOperator(
        task_id="t",
        previous=previous,
        current=current["uri"],
        output_path=str(tmp_path / "changes"),
        output_format=output_format,
    ).execute({})
    assert result["counts"] == {"inserted": 1, "updated": 1, "deleted": 1, "unchanged": len(rest), "not_read": 0}
    assert list(read_records(result["deleted"])) == [first]
    assert list(read_records(result["inserted"])) == [{**first, "userId": "joined"}]
    assert list(read_records(result["updated"])) == [{**second, "departmentId": "moved"}]
    manifest = read_manifest(result["deleted"]["uri"])
    assert (manifest["resource"], manifest["primary_key"]) == ("users", ["userId"])
    assert manifest["schema"] == read_manifest(previous["uri"])["schema"]


def test_the_same_dataset_has_not_changed_whatever_its_format_and_order(lms: Simulator, tmp_path: Path) -> None:
    need("parquet", None)
    previous = users(lms, tmp_path / "1", output_format="parquet")
    current = users(lms, tmp_path / "2", lambda rows: rows[::-1])
    assert compare_datasets(previous, current).counts == {
        "inserted": 0,
        "updated": 0,
        "deleted": 0,
        "unchanged": previous["records"],
        "not_read": 0,
    }


def test_without_an_earlier_dataset_everything_is_new(lms: Simulator, tmp_path: Path) -> None:
    current = users(lms, tmp_path)
    result = CompareDatasetsOperator(task_id="t", current=current).execute({})
    assert result == {
        "counts": {"inserted": current["records"], "updated": 0, "deleted": 0, "unchanged": 0, "not_read": 0}
    }
    assert list(compare_datasets(None, current).rows("inserted")) == list(read_records(current))
    assert list(compare_datasets(None, current).rows("deleted")) == []


def test_undeclared_fields_and_misfits_are_compared_and_kept(lms: Simulator, tmp_path: Path) -> None:
    def odd(rows: list[Any]) -> list[Any]:
        return [{**rows[0], "badge": "gold", "status": "many"}, *rows[1:]]

    previous, current = users(lms, tmp_path / "1"), users(lms, tmp_path / "2", odd)
    result = CompareDatasetsOperator(
        task_id="t", previous=previous, current=current, output_path=str(tmp_path / "changes")
    ).execute({})
    (updated,) = read_records(result["updated"])
    assert updated["_extra"] == {"badge": "gold", "status": "many"}


def test_datasets_that_cannot_be_compared_are_refused(lms: Simulator, tmp_path: Path) -> None:
    everyone = users(lms, tmp_path / "everyone")
    short = users(lms, tmp_path / "short", max_pages=1, page_size=5)
    fewer_columns = users(lms, tmp_path / "fewer", drop_columns="fields")
    results = execute(ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path / "results")))
    cases: list[tuple[Any, Any, Any, str]] = [
        (short, everyone, None, "previous: max_pages cut this dataset short. Read it again"),
        (everyone, short, None, "current: max_pages cut this dataset short"),
        (results, everyone, None, "previous, current: they have different listings"),
        (fewer_columns, everyone, None, "previous, current: they have different columns"),
        (everyone, everyone, "name", "key: the dataset has no column 'name'"),
        (everyone, everyone, "departmentId", "key: several rows of previous have the same departmentId"),
    ]
    for previous, current, key, message in cases:
        with pytest.raises(ValueError, match=message):
            compare_datasets(previous, current, key)
    some = users(lms, tmp_path / "other filter", page_size=7)
    with pytest.raises(ValueError, match="previous, current: they have different filters"):
        compare_datasets(some, everyone)
    with pytest.raises(FileNotFoundError):
        compare_datasets(str(tmp_path / "nowhere"), everyone)


def test_a_dataset_that_may_lack_records_shows_no_deletions(lms: Simulator, tmp_path: Path) -> None:
    everyone = users(lms, tmp_path / "1")
    manifest = tmp_path / "1" / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"consistent": true', '"consistent": false'))
    with pytest.raises(ValueError, match="current: records came or went while it was read"):
        compare_datasets(None, everyone)


def test_a_listing_without_a_primary_key_needs_one(lms: Simulator, tmp_path: Path) -> None:
    course = lms.zoho.courses[0]
    options: dict[str, Any] = {"task_id": "t", "course_id": course.id, "entity_types": "online_tests"}
    summary = execute(ZohoPeopleEntityProgressOperator(**options, output_path=str(tmp_path)))
    with pytest.raises(ValueError, match=r"key: entity_progress has no primary key. Name the columns"):
        compare_datasets(None, summary)
    assert compare_datasets(None, summary, ["learnerId", "testId"]).counts["inserted"] == summary["records"]


def test_rows_that_were_read_again_are_told_from_those_that_were_not(lms: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"task_id": "t", "course_id": lms.zoho.courses[0].id, "entity_types": "online_tests"}
    key = ["learnerId", "testId"]
    first, second = (
        execute(ZohoPeopleEntityProgressOperator(**options, output_path=str(tmp_path / name)))
        for name in ("first", "second")
    )
    same, total = {"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 0, "not_read": 0}, first["records"]
    assert compare_datasets(first, second, key).counts == {**same, "unchanged": total}
    assert compare_datasets(first, first, key).counts == {**same, "not_read": total}
    assert len(list(compare_datasets(first, first, key).rows("not_read"))) == total
