"""Operators for Zoho People, run as a DAG's author would test them: without a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleBatchesOperator,
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleEntityProgressOperator,
)
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_manifest, read_records

OPERATORS = (
    ZohoPeopleEntityProgressOperator,
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleBatchesOperator,
)


def test_records_go_to_xcom_as_plain_dicts_with_text_ids(lms: Simulator) -> None:
    course = lms.zoho.courses[1]
    learners = [each.id for each in lms.zoho.world.everyone[:2]]
    found = ZohoPeopleEntityProgressOperator(
        task_id="t", course_id=course.id, learner_ids=learners, entity_types=["online_tests"]
    ).execute({})
    assert isinstance(found, list)
    assert {row["learnerId"] for row in found} == set(learners)
    assert len(found) == 2 * lms.world.modules
    assert found[0]["testId"] == str(lms.zoho.world.entities(course, lms.zoho.world.everyone[0], 1)[0]["testId"])
    assert json.loads(json.dumps(found)) == found


def test_a_whole_course_goes_to_a_dataset(lms: Simulator, tmp_path: Path) -> None:
    course = lms.zoho.courses[1]
    summary = ZohoPeopleEntityProgressOperator(
        task_id="t", course_id=course.id, entity_types=[0, "sessions"], output_path=str(tmp_path / "out")
    ).execute({})
    assert isinstance(summary, dict)
    expected = lms.zoho.entity_progress(course, 0, 5)
    assert summary["records"] == len(expected)
    assert summary["resource"] == "entity_progress"
    records = list(read_records(summary))
    assert sorted(record["status"] for record in records) == sorted(row["status"] for row in expected)
    assert {record["batchId"] for record in records} == {batch.id for batch in course.batches}
    manifest = read_manifest(summary["uri"])
    assert manifest["query"] == {"course_id": course.id, "entity_types": [0, "sessions"], "on_unknown_learner": "fail"}
    assert lms.zoho.locks == 0


def test_the_others_read_what_they_are_named_after(lms: Simulator) -> None:
    paced, blended = lms.zoho.courses[:2]
    learner = lms.zoho.world.everyone[0]
    assert len(ZohoPeopleCoursesOperator(task_id="t").execute({})) == len(lms.zoho.courses)
    assert len(ZohoPeopleBatchesOperator(task_id="t", course_id=blended.id).execute({})) == 2
    progress = ZohoPeopleCourseProgressOperator(task_id="t", course_id=blended.id).execute({})
    assert len(progress) == lms.world.users
    progress = ZohoPeopleCourseProgressOperator(task_id="t", learner_id=learner.id).execute({})
    assert [row["courseId"] for row in progress] == [course.id for course in lms.zoho.courses]
    progress = ZohoPeopleCourseProgressOperator(task_id="t", course_id=paced.id, learner_id=learner.id).execute({})
    assert [row["learnerId"] for row in progress] == [learner.id]


@pytest.mark.parametrize("given", ['["{0}", "{1}"]', "[{0}, {1}]"])
def test_a_list_may_be_rendered_json(lms: Simulator, given: str) -> None:
    learners = [each.id for each in lms.zoho.world.everyone[:2]]
    found = ZohoPeopleEntityProgressOperator(
        task_id="t",
        course_id=lms.zoho.courses[0].id,
        learner_ids=given.format(*learners),
        entity_types='["links", "2"]',
    ).execute({})
    assert {row["learnerId"] for row in found} == set(learners)
    assert {row["entityType"] for row in found} == {2, 6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"course_id": ""}, "course_id: each id must be a non-empty string"),
        ({"learner_ids": []}, "learner_ids: the list is empty"),
        ({"entity_types": ["exams"]}, "entity_types: 'exams' is not one of Zoho's entity types"),
        ({"on_unknown_learner": "ignore"}, "on_unknown_learner: expected 'fail' or 'skip', got 'ignore'"),
        ({"batch_id": ["1", "2"]}, "batch_id: expected one id"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_before_the_first_request(
    lms: Simulator, options: dict[str, Any], message: str
) -> None:
    operator = ZohoPeopleEntityProgressOperator(task_id="t", **{"course_id": "1", **options})
    with pytest.raises(ValueError, match=message):
        operator.execute({})
    assert lms.zoho.requests == []


def test_a_course_that_is_not_there_leaves_the_folder_as_it_was(lms: Simulator, tmp_path: Path) -> None:
    operator = ZohoPeopleEntityProgressOperator(task_id="t", course_id="7", output_path=str(tmp_path / "out"))
    with pytest.raises(LmsNotFound, match="GET /courses/7/course-progress, page 1: HTTP 404, code 404"):
        operator.execute({})
    assert list(tmp_path.rglob("*.json*")) == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_all_data_parameters_and_the_connection_are_templates(operator: Any) -> None:
    assert {*operator.parameters, "zoho_people_conn_id", "output_path"} <= set(operator.template_fields)
    with DAG("d", schedule=None):
        options = {name: f"{{{{ params.{name} }}}}" for name in operator.parameters}
        task = operator(task_id="t", **options)
    assert {name: getattr(task, name) for name in operator.parameters} == options
