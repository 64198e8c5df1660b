"""What a task that writes a dataset says in its log while it reads."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.operators.ispring import ISpringEnrollmentsOperator, ISpringModuleResultsOperator
from airflow_provider_lms.operators.subject import describe_subject
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleCourseModulesOperator,
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleEntityProgressOperator,
)
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import progress_log
from tests.tasks import execute

COURSE = "100002000010000001"
UUID = "f0e7400a-ca31-11e9-b6fc-0a580af40a22"


@pytest.mark.parametrize(
    ("operator", "options", "subject"),
    [
        (ISpringModuleResultsOperator, {"page_size": 7}, ""),
        (ISpringModuleResultsOperator, {"course_ids": [f"c{n}" for n in range(12)]}, "12 courses"),
        (ISpringModuleResultsOperator, {"course_ids": UUID, "user_ids": ["a", "b"]}, "2 users, 1 course"),
        (ISpringModuleResultsOperator, {"course_item_ids": json.dumps(["a", "b"])}, "2 course items"),
        (ISpringEnrollmentsOperator, {"learner_ids": json.dumps([f"u{n}" for n in range(10_000)])}, "10,000 learners"),
        (ISpringEnrollmentsOperator, {"learner_ids": "[unreadable"}, ""),
        (ZohoPeopleCourseProgressOperator, {"course_id": COURSE}, f"course {COURSE}"),
        (ZohoPeopleCourseProgressOperator, {"course_id": 7, "batch_id": "8"}, "course 7, batch 8"),
        (ZohoPeopleCourseProgressOperator, {"course_id": "c" * 20 + "d" * 30}, "course cccccccc...dddddddd"),
        (ZohoPeopleCourseProgressOperator, {"learner_id": "9"}, ""),
        (
            ZohoPeopleEntityProgressOperator,
            {"course_id": "7", "learner_ids": ["8", 9], "entity_types": ["links"]},
            "course 7, 2 learners",
        ),
        (ZohoPeopleCourseModulesOperator, {"course_ids": "[1, 2, 3]"}, "3 courses"),
    ],
)
def test_the_log_names_courses_and_batches_and_counts_everything_else(
    operator: Any, options: dict[str, Any], subject: str
) -> None:
    task: LmsExtractOperator[Any] = operator(task_id="t", **options)
    assert describe_subject(task.declaration(), task.query()) == subject


def test_the_log_of_a_task_holds_no_id_of_a_learner(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress_log, "_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    execute(
        ZohoPeopleCourseProgressOperator(
            task_id="t", course_id=course.id, learner_id=learner.id, output_path=str(tmp_path)
        )
    )
    assert f"Reading course_progress of course {course.id}: 1 pages, 1 records." in caplog.messages
    assert learner.id not in caplog.text
