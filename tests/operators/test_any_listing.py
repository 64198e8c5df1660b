"""The operators that read any listing by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.any_listing import AnyListing
from airflow_provider_lms.operators.ispring import (
    ISpringCertificatesOperator,
    ISpringCourseModulesOperator,
    ISpringCoursesOperator,
    ISpringDepartmentsOperator,
    ISpringEnrollmentsOperator,
    ISpringListingOperator,
    ISpringUsersOperator,
)
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleCourseModulesOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleEmployeesOperator,
    ZohoPeopleLearningPlanProgressOperator,
    ZohoPeopleListingOperator,
)
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_manifest, read_records
from tests.tasks import execute


def test_it_reads_what_the_named_operator_reads(lms: Simulator, tmp_path: Path) -> None:
    named: Any = execute(ISpringEnrollmentsOperator(task_id="t"))
    filters: Any = {"course_ids": [named[0]["courseId"]]}
    found = execute(ISpringListingOperator(task_id="t", listing="enrollments", filters=filters))
    assert found == execute(ISpringEnrollmentsOperator(task_id="t", **filters))
    assert 0 < len(found) < len(named)
    summary: Any = execute(
        ISpringListingOperator(
            task_id="t", listing="enrollments", filters=filters, page_size=7, output_path=str(tmp_path)
        )
    )
    assert sorted(map(str, read_records(summary))) == sorted(map(str, found))
    manifest = read_manifest(summary["uri"])
    assert (manifest["resource"], manifest["query"]) == ("enrollments", {**filters, "page_size": 7})


def test_it_reads_the_children_of_all_parents_and_of_some(lms: Simulator) -> None:
    lms.zoho.limits.requests = 100_000
    everything: Any = execute(ZohoPeopleListingOperator(task_id="t", listing="course_modules"))
    assert everything == execute(ZohoPeopleCourseModulesOperator(task_id="t"))
    course = everything[0]["courseId"]
    some = execute(ZohoPeopleListingOperator(task_id="t", listing="course_modules", filters={"course_ids": [course]}))
    assert some == [row for row in everything if row["courseId"] == course]


NAMED: list[Any] = [
    ISpringCertificatesOperator,
    ISpringCourseModulesOperator,
    ISpringCoursesOperator,
    ISpringDepartmentsOperator,
    ISpringUsersOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleEmployeesOperator,
    ZohoPeopleLearningPlanProgressOperator,
]


@pytest.mark.parametrize("kind", NAMED)
def test_a_named_operator_reads_the_same(lms: Simulator, kind: Any) -> None:
    lms.zoho.limits.requests = 100_000
    task = kind(task_id="t", max_xcom_records=100_000)
    any_listing: Any = ISpringListingOperator if kind.__name__.startswith("ISpring") else ZohoPeopleListingOperator
    found = execute(task)
    assert found
    assert found == execute(any_listing(task_id="t", listing=task.declaration().name, max_xcom_records=100_000))


def test_named_operators_narrow_their_listing(lms: Simulator) -> None:
    users: Any = execute(ISpringUsersOperator(task_id="t"))
    email = users[3]["fields"]["EMAIL"]
    assert execute(ISpringUsersOperator(task_id="t", emails=[email])) == [users[3]]
    modules: Any = execute(ISpringCourseModulesOperator(task_id="t"))
    course = modules[0]["courseId"]
    some = execute(ISpringCourseModulesOperator(task_id="t", course_ids=course))
    assert some == [row for row in modules if row["courseId"] == course] != modules
    lms.zoho.limits.requests = 100_000
    progress: Any = execute(ZohoPeopleLearningPlanProgressOperator(task_id="t"))
    learner = progress[0]["learnerId"]
    some = execute(ZohoPeopleLearningPlanProgressOperator(task_id="t", learner_id=learner))
    assert some == [row for row in progress if row["learnerId"] == learner] != progress
    with pytest.raises(ValueError, match="learner_id: give either plan_ids or learner_id"):
        execute(ZohoPeopleLearningPlanProgressOperator(task_id="t", learner_id=learner, plan_ids="1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"listing": "people"}, "listing: expected .*'users'.*, got 'people'"),
        ({"listing": "users", "filters": {"color": "red"}}, "filters: users has no filter color"),
        ({"listing": "enrollments", "filters": {"course_ids": []}}, "course_ids: the list is empty"),
        ({"listing": "users", "filters": ["color"]}, "filters: expected the filters of the listing by name"),
        ({"listing": "course_results", "filters": {"due_date": ["soon", None]}}, "due_date"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_first_request(
    lms: Simulator, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        execute(ISpringListingOperator(task_id="t", **options))
    assert lms.ispring.requests == []


def test_listing_and_filters_are_templated(lms: Simulator) -> None:
    task: AnyListing = ISpringListingOperator(task_id="t", listing="{{ params.what }}")
    task.filters = {"course_ids": "{{ params.courses }}", "due_date": ["{{ params.start }}", None]}
    task.render_template_fields({"params": {"what": "course_results", "courses": '["a", "b"]', "start": "2026-01-01"}})
    assert task.declaration().name == "course_results"
    assert task.query()["course_ids"] == '["a", "b"]'
    assert task.query()["due_date"] == ["2026-01-01", None]
