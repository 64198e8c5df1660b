"""What ``make cluster`` checks: a row that is missing, doubled or changed, a lock, a call too many, a sensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator
from dev.cluster import checks
from dev.cluster.plan import ENTITY_TYPES

ROWS: list[dict[str, Any]] = [{"id": "1", "status": "complete"}, {"id": "2", "status": "failed"}]


def test_equal_rows_are_counted_in_any_order() -> None:
    assert checks.compare(reversed(ROWS), ROWS) == (2, [])


def test_a_missing_row_is_found() -> None:
    assert checks.compare(ROWS[:1], ROWS) == (1, ["1 rows are missing"])


def test_a_doubled_row_is_found() -> None:
    assert checks.compare([*ROWS, ROWS[1]], ROWS) == (2, ["1 rows are there more than once"])


def test_a_changed_row_is_found() -> None:
    changed = [ROWS[0], {**ROWS[1], "status": "complete"}]
    assert checks.compare(changed, ROWS) == (1, ["1 rows are missing", "1 rows are not in the LMS"])


def test_rows_that_the_lms_has_twice_must_be_there_twice() -> None:
    assert checks.compare(ROWS, [*ROWS, ROWS[0]]) == (2, ["1 rows are missing"])


@pytest.fixture
def datasets(lms: Simulator, tmp_path: Path) -> str:
    """What the cluster's tasks write: a dataset for each course of both LMSs."""
    lms.zoho.limits.requests = 100_000
    for course in lms.ispring.courses:
        output = tmp_path / "ispring" / course.id
        ISpringModuleResultsOperator(task_id="t", course_ids=course.id, output_path=str(output)).execute({})
    for blended_or_not in lms.zoho.courses[:2]:
        ZohoPeopleEntityProgressOperator(
            task_id="t",
            course_id=blended_or_not.id,
            entity_types=ENTITY_TYPES,
            output_path=str(tmp_path / "zoho" / blended_or_not.id),
        ).execute({})
    return str(tmp_path)


def zoho_rows(lms: Simulator) -> dict[str, list[dict[str, Any]]]:
    return {course.id: checks.zoho_rows(lms)[course.id] for course in lms.zoho.courses[:2]}


@pytest.mark.parametrize(("vendor", "rows_of"), [("ispring", checks.ispring_rows), ("zoho", zoho_rows)])
def test_datasets_of_the_operators_are_equal_to_the_lms(
    lms: Simulator, datasets: str, vendor: str, rows_of: Callable[[Simulator], dict[str, list[dict[str, Any]]]]
) -> None:
    expected = rows_of(lms)
    assert checks.check_datasets(f"{datasets}/{vendor}", expected) == (sum(map(len, expected.values())), [])
    assert all(expected.values())


def test_a_dataset_that_lost_a_row_is_named(lms: Simulator, datasets: str) -> None:
    course = lms.ispring.courses[0].id
    (part,) = Path(f"{datasets}/ispring/{course}").glob("*.jsonl")
    part.write_text("".join(part.read_text().splitlines(keepends=True)[1:]))
    rows = len(checks.ispring_rows(lms)[course])
    found = checks.check_datasets(f"{datasets}/ispring", {course: checks.ispring_rows(lms)[course]})
    uri = f"{datasets}/ispring/{course}"
    assert found.rows == rows - 1
    assert found.problems == [
        f"{uri}: 1 rows are missing.",
        f"{uri}: the manifest counts {rows} records, the files have {rows - 1}.",
    ]


def test_a_row_that_changed_in_zoho_is_found(lms: Simulator, datasets: str) -> None:
    course = lms.zoho.courses[1].id
    (part,) = Path(f"{datasets}/zoho/{course}").glob("*.jsonl")
    first, *others = part.read_text().splitlines(keepends=True)
    part.write_text(json.dumps({**json.loads(first), "status": "lost"}) + "\n" + "".join(others))
    found = checks.check_datasets(f"{datasets}/zoho", {course: checks.zoho_rows(lms)[course]})
    uri = f"{datasets}/zoho/{course}"
    assert found.problems == [f"{uri}: 1 rows are missing.", f"{uri}: 1 rows are not in the LMS."]


def test_a_dataset_that_was_not_committed_is_named(tmp_path: Path) -> None:
    found = checks.check_datasets(str(tmp_path), {"course": []})
    assert found.rows == 0
    assert "no dataset was committed" in found.problems[0]


def test_a_lock_is_a_problem(lms: Simulator) -> None:
    assert checks.check_account(lms.zoho, "zoho") == []
    lms.zoho.use_up()
    assert checks.check_account(lms.zoho, "zoho") == ["zoho: the account was locked 1 times."]


def test_calls_for_what_was_read_already_are_counted(lms: Simulator, datasets: str) -> None:
    assert checks.repeated_calls(lms.zoho) == 0
    ZohoPeopleEntityProgressOperator(task_id="t", course_id=lms.zoho.courses[0].id, entity_types=[0]).execute({})
    # The batches, two pages of learners, and each learner's entities of one type.
    assert checks.repeated_calls(lms.zoho) == 1 + 2 + len(lms.zoho.world.everyone)


def test_a_sensor_that_ends_too_early_is_a_problem() -> None:
    results = [{"cohort": 6, "completed": 2}, {"cohort": 6, "completed": 2}, {"cohort": 5, "completed": 3}]
    assert checks.check_sensors(results, lambda index: index + 1, cohort=6) == [
        "Sensor 2 ended with 3 of 5 learners, not with 3 or more of 6."
    ]
    assert checks.check_sensors(results[:2], lambda index: index + 2, cohort=6) == [
        "Sensor 1 ended with 2 of 6 learners, not with 3 or more of 6."
    ]
