"""Modules of Zoho People's courses: a child listing, read for one course after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsNotFound, LmsPermissionError
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCourseModulesOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.zoho_world import Course
from airflow_provider_lms.storage import read_manifest, read_records
from tests.tasks import execute

TASK: Any = {"ti": SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, try_number=1)}


@pytest.fixture(autouse=True)
def _no_limit(lms: Simulator) -> None:
    lms.zoho.limits.requests = 100_000


def identity(course: Course, lms: Simulator) -> set[tuple[str, str | None, str]]:
    """Course, batch and module of each row that a course should give."""
    return {
        (course.id, None if batch is None else batch.id, str(row["moduleId"]))
        for batch in course.batches or (None,)
        for row in lms.zoho.world.modules(course)
    }


def found(records: Any) -> list[tuple[str, str | None, str]]:
    return [(row["courseId"], row["batchId"], row["moduleId"]) for row in records]


def module_calls(lms: Simulator) -> Iterator[str]:
    """The courses whose modules were asked for, in order."""
    for request in lms.zoho.calls:
        if request.call.endswith("/modules"):
            yield request.call.split("/")[4]


def test_every_course_is_read_batch_by_batch_in_one_task(lms: Simulator) -> None:
    lms.zoho.page_size = 3
    records = found(execute(ZohoPeopleCourseModulesOperator(task_id="t")))
    assert len(records) == len(set(records))
    assert set(records) == set().union(*(identity(course, lms) for course in lms.zoho.courses))


def test_given_courses_and_a_batch_are_read_alone(lms: Simulator) -> None:
    self_paced, blended, _ = lms.zoho.courses
    records = found(execute(ZohoPeopleCourseModulesOperator(task_id="t", course_ids=[int(self_paced.id)])))
    assert set(records) == identity(self_paced, lms)
    batch = blended.batches[1].id
    records = found(execute(ZohoPeopleCourseModulesOperator(task_id="t", course_ids=blended.id, batch_id=batch)))
    assert set(records) == {each for each in identity(blended, lms) if each[1] == batch}
    assert "GET /api/v1/courses" not in [request.call for request in lms.zoho.calls]


def test_a_batch_needs_one_course(lms: Simulator) -> None:
    for courses in (None, [each.id for each in lms.zoho.courses[:2]]):
        with pytest.raises(ValueError, match="batch_id: give exactly one course in course_ids as well"):
            execute(ZohoPeopleCourseModulesOperator(task_id="t", course_ids=courses, batch_id="1"))
    assert not lms.zoho.calls


def test_an_unknown_course_fails_the_task(lms: Simulator) -> None:
    with pytest.raises(LmsNotFound, match=r"GET /courses/404/modules"):
        execute(ZohoPeopleCourseModulesOperator(task_id="t", course_ids=["404"]))


def test_a_retry_resumes_at_the_course_where_the_last_attempt_stopped(lms: Simulator, tmp_path: Path) -> None:
    first, _, last = lms.zoho.courses
    lms.zoho.fail(f"GET /api/v1/courses/{last.id}/modules", faults.status(403))
    operator = ZohoPeopleCourseModulesOperator(task_id="t", output_path=str(tmp_path), part_bytes=1)
    with pytest.raises(LmsPermissionError):
        execute(operator, TASK)
    assert list(module_calls(lms)).count(first.id) == 1
    # By then Zoho lists the courses in another order, but reading resumes by id.
    lms.zoho.world.__dict__["courses"] = (lms.zoho.courses[2], *lms.zoho.courses[:2])
    lms.zoho.requests.clear()
    summary = execute(operator, TASK)
    assert set(module_calls(lms)) == {last.id}
    records = found(read_records(summary))
    assert len(records) == len(set(records))
    assert set(records) == set().union(*(identity(course, lms) for course in lms.zoho.courses))
    assert read_manifest(str(tmp_path))["primary_key"] == ["courseId", "batchId", "moduleId"]


def test_a_course_that_is_gone_at_the_retry_makes_it_start_over(lms: Simulator, tmp_path: Path) -> None:
    _, _, last = lms.zoho.courses
    lms.zoho.fail(f"GET /api/v1/courses/{last.id}/modules", faults.status(403))
    operator = ZohoPeopleCourseModulesOperator(task_id="t", output_path=str(tmp_path), part_bytes=1)
    with pytest.raises(LmsPermissionError):
        execute(operator, TASK)
    lms.zoho.world.__dict__["courses"] = lms.zoho.courses[:2]
    records = found(read_records(execute(operator, TASK)))
    assert len(records) == len(set(records))
    assert set(records) == set().union(*(identity(course, lms) for course in lms.zoho.courses))
