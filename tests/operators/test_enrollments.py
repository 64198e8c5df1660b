"""Enrollments of iSpring Learn, with their certificates."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.operators.ispring import ISpringEnrollmentsOperator
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.exchange import JSON, XML
from airflow_provider_lms.simulator.world import DONE
from airflow_provider_lms.storage import read_manifest, read_records
from tests.tasks import execute

CALL = "GET /enrollments"
NEEDS_PYARROW = pytest.mark.skipif(find_spec("pyarrow") is None, reason="Parquet needs pyarrow")
PARQUET = pytest.param("parquet", marks=NEEDS_PYARROW)


def expected(lms: Simulator) -> dict[str, dict[str, Any]]:
    """The world's enrollments by id."""
    return {
        each.enrollment_id: {
            "courseId": each.course.id,
            "learnerId": each.user.id,
            "accessDate": each.access.date().isoformat(),
            "dueDate": each.due and each.due.date().isoformat(),
            "expirationDate": each.expiration and each.expiration.date().isoformat(),
            "shouldLockAfterDueDate": each.expiration is not None,
            "issued": each.completion.date().isoformat() if each.completion and each.status in DONE else None,
            "expires": (each.completion + timedelta(days=365)).date().isoformat()
            if each.completion and each.status in DONE
            else None,
        }
        for each in lms.world.course_results
    }


def found(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was read, in the same shape."""
    return {
        row["enrollmentId"]: {
            "courseId": row["courseId"],
            "learnerId": row["learnerId"],
            "accessDate": row["accessDate"],
            "dueDate": row["dueDate"],
            "expirationDate": row["expirationDate"],
            "shouldLockAfterDueDate": row["shouldLockAfterDueDate"],
            "issued": row["certificate"] and row["certificate"]["issueDate"],
            "expires": row["certificate"] and row["certificate"]["expiryDate"],
        }
        for row in records
    }


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize("output_format", ["jsonl", "csv", PARQUET])
def test_every_enrollment_is_read_with_its_certificate(
    lms: Simulator, tmp_path: Path, media: str, output_format: Any
) -> None:
    lms.ispring.media_types = (media,)
    summary = execute(
        ISpringEnrollmentsOperator(task_id="t", page_size=25, output_path=str(tmp_path), output_format=output_format)
    )
    assert isinstance(summary, dict)
    assert found(list(read_records(summary))) == expected(lms)
    manifest = read_manifest(str(tmp_path))
    assert (manifest["resource"], manifest["primary_key"]) == ("enrollments", ["enrollmentId"])
    assert (manifest["watermark_field"], manifest["watermark"]) == (None, None)
    assert any(row["issued"] for row in expected(lms).values())


def test_filters_narrow_the_listing_together(lms: Simulator) -> None:
    course, users = lms.ispring.courses[1], [user.id for user in lms.ispring.users[:3]]
    operator = ISpringEnrollmentsOperator(task_id="t", course_ids=course.id, learner_ids=users)
    records = execute(operator)
    assert {(row["courseId"], row["learnerId"]) for row in records} == {(course.id, user) for user in users}
    one = next(iter(expected(lms)))
    (record,) = execute(ISpringEnrollmentsOperator(task_id="t", enrollment_ids=[one]))
    assert record["enrollmentId"] == one


@pytest.mark.parametrize(("parameter", "filter_name"), [("course_ids", "courseIds[]"), ("learner_ids", "learnerIds[]")])
def test_a_filter_that_the_lms_ignores_breaks_the_page(lms: Simulator, parameter: str, filter_name: str) -> None:
    lms.ispring.ignored_filters = {filter_name}
    given: Any = {parameter: lms.ispring.courses[0].id if parameter == "course_ids" else lms.ispring.users[0].id}
    with pytest.raises(LmsBrokenPage, match=f"that {parameter} did not ask for"):
        execute(ISpringEnrollmentsOperator(task_id="t", **given))


def test_many_learners_are_asked_for_in_a_body(lms: Simulator) -> None:
    users = [user.id for user in lms.ispring.users] * 2 + [str(each.id) for each in lms.ispring.users]
    learners = [*users, *(f"00000000-0000-0000-0000-{number:012d}" for number in range(200))]
    records = execute(ISpringEnrollmentsOperator(task_id="t", learner_ids=learners, max_xcom_records=10_000))
    assert len(records) == len(expected(lms))
    assert (lms.ispring.count("POST /enrollments"), lms.ispring.count(CALL)) == (1, 0)


def test_an_empty_list_is_refused_before_the_first_request(lms: Simulator) -> None:
    with pytest.raises(ValueError, match="enrollment_ids: the list is empty"):
        execute(ISpringEnrollmentsOperator(task_id="t", enrollment_ids=[]))
    assert not lms.ispring.requests
