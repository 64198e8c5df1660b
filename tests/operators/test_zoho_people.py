"""Operators for Zoho People, run as a DAG's author would test them: without a database."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleBatchesOperator,
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleEntityProgressOperator,
)
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_manifest, read_records
from tests.tasks import execute


def test_records_go_to_xcom_as_plain_dicts_with_text_ids(lms: Simulator) -> None:
    course = lms.zoho.courses[1]
    learners = [each.id for each in lms.zoho.world.everyone[:2]]
    found = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t", course_id=course.id, learner_ids=learners, entity_types=["online_tests"]
        )
    )
    assert isinstance(found, list)
    assert {row["learnerId"] for row in found} == set(learners)
    assert len(found) == 2 * lms.world.modules
    assert found[0]["testId"] == str(lms.zoho.world.entities(course, lms.zoho.world.everyone[0], 1)[0]["testId"])
    assert json.loads(json.dumps(found)) == found


def test_a_whole_course_goes_to_a_dataset(lms: Simulator, tmp_path: Path) -> None:
    course = lms.zoho.courses[1]
    summary = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t", course_id=course.id, entity_types=[0, "sessions"], output_path=str(tmp_path / "out")
        )
    )
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


def test_a_dataset_of_entities_without_a_documented_id_has_no_primary_key(lms: Simulator, tmp_path: Path) -> None:
    summary = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t", course_id=lms.zoho.courses[0].id, entity_types=["sessions"], output_path=str(tmp_path)
        )
    )
    assert {row["testId"] for row in read_records(summary)} == {None}
    assert read_manifest(summary["uri"])["primary_key"] == []


def test_the_others_read_what_they_are_named_after(lms: Simulator) -> None:
    paced, blended = lms.zoho.courses[:2]
    learner = lms.zoho.world.everyone[0]
    assert len(execute(ZohoPeopleCoursesOperator(task_id="t"))) == len(lms.zoho.courses)
    assert len(execute(ZohoPeopleBatchesOperator(task_id="t", course_id=blended.id))) == 2
    progress = execute(ZohoPeopleCourseProgressOperator(task_id="t", course_id=blended.id))
    assert len(progress) == lms.world.users
    progress = execute(ZohoPeopleCourseProgressOperator(task_id="t", learner_id=learner.id))
    assert [row["courseId"] for row in progress] == [course.id for course in lms.zoho.courses]
    progress = execute(ZohoPeopleCourseProgressOperator(task_id="t", course_id=paced.id, learner_id=learner.id))
    assert [row["learnerId"] for row in progress] == [learner.id]


@pytest.mark.parametrize("given", ['["{0}", "{1}"]', "[{0}, {1}]"])
def test_a_list_may_be_rendered_json(lms: Simulator, given: str) -> None:
    learners = [each.id for each in lms.zoho.world.everyone[:2]]
    found = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t",
            course_id=lms.zoho.courses[0].id,
            learner_ids=given.format(*learners),
            entity_types='["links", "2"]',
        )
    )
    assert {row["learnerId"] for row in found} == set(learners)
    assert {row["entityType"] for row in found} == {2, 6}


def test_a_list_may_be_an_iterator(lms: Simulator, tmp_path: Path) -> None:
    learners = [each.id for each in lms.zoho.world.everyone[:2]]
    given: dict[str, Any] = {"learner_ids": iter(learners), "entity_types": (each for each in ("links", 2))}
    summary = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t", course_id=lms.zoho.courses[0].id, output_path=str(tmp_path), **given
        )
    )
    records = list(read_records(summary))
    assert {row["learnerId"] for row in records} == set(learners)
    assert {row["entityType"] for row in records} == {2, 6}
    query = read_manifest(summary["uri"])["query"]
    assert (query["learner_ids"], query["entity_types"]) == (learners, ["links", 2])


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
        execute(operator)
    assert lms.zoho.requests == []


def test_a_course_that_is_not_there_leaves_the_folder_as_it_was(lms: Simulator, tmp_path: Path) -> None:
    operator = ZohoPeopleEntityProgressOperator(task_id="t", course_id="7", output_path=str(tmp_path / "out"))
    with pytest.raises(LmsNotFound, match="GET /courses/7/course-progress, page 1: HTTP 404, code 404"):
        execute(operator)
    assert list(tmp_path.rglob("*.json*")) == []


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_learner_in_one_of_three_batches_makes_a_complete_dataset(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    first, course, *_ = lms.zoho.courses
    third = dataclasses.replace(course.batches[0], id="9900000000000000003")
    course = dataclasses.replace(course, batches=(*course.batches, third))
    monkeypatch.setattr(lms.zoho.world, "courses", (first, course))
    [learner, *_] = lms.zoho.world.learners(course, course.batches[position])
    summary = execute(
        ZohoPeopleCourseProgressOperator(
            task_id="t", course_id=course.id, learner_id=learner.id, output_path=str(tmp_path)
        )
    )
    assert [record["learnerId"] for record in read_records(summary)] == [learner.id]
    manifest = read_manifest(summary["uri"])
    assert (manifest["complete"], manifest["records"]) == (True, 1)
    assert not list(tmp_path.rglob("*checkpoint*"))


def test_a_batch_narrows_course_progress(lms: Simulator, tmp_path: Path) -> None:
    course = lms.zoho.courses[1]
    batch = course.batches[1]
    options: dict[str, Any] = {"task_id": "t", "course_id": course.id, "batch_id": batch.id}
    summary = execute(ZohoPeopleCourseProgressOperator(**options, output_path=str(tmp_path)))
    for records in (execute(ZohoPeopleCourseProgressOperator(**options)), list(read_records(summary))):
        assert {row["learnerId"] for row in records} == {each.id for each in lms.zoho.world.learners(course, batch)}
        assert {row["batchId"] for row in records} == {batch.id}
    assert read_manifest(summary["uri"])["query"] == {"course_id": course.id, "batch_id": batch.id}
