"""Everybody's progress in Zoho People, course by course and by type of entity, into object storage.

The list of courses is read, each course is a mapped task with a folder of its own, and one task downstream goes by the
datasets. Zoho allows 30 calls a minute, and a call tells of one learner and one type: each task's log says how long it
takes. Name the types that you need in ``entity_types``. Only the connection ``zoho_people_default`` decides whether a
real account is read or the simulator.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator, ZohoPeopleEntityProgressOperator

ENTITY_TYPES = [
    "offline_tests",
    "online_tests",
    "assignments",
    "files",
    "contents",
    "sessions",
    "links",
    "pre_learning_tests",
    "post_learning_tests",
    "feedbacks",
]

with DAG(
    dag_id="zoho_people_progress",
    description="Learners' progress in Zoho People by course and entity type into object storage",
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # Zoho has no filter by date, so every run reads everything; two runs at once would just take turns.
    max_active_runs=1,
    params={
        "output": Param("file:///tmp/lms", type="string", description="Folder or URL, such as s3://conn_id@bucket/lms"),
        "entity_types": Param(
            ENTITY_TYPES, type="array", items={"type": "string", "enum": ENTITY_TYPES}, description="What to read"
        ),
    },
    tags=["lms", "zoho"],
    doc_md=__doc__,
) as dag:
    courses = ZohoPeopleCoursesOperator(task_id="courses")

    progress = ZohoPeopleEntityProgressOperator.partial(
        task_id="entity_progress",
        entity_types="{{ params.entity_types | tojson }}",
        output_path="{{ params.output }}/{{ run_id }}/course={{ task.course_id }}",
        map_index_template="{{ task.course_id }}",
        # All tasks share one budget: more of them at once would be no faster.
        max_active_tis_per_dagrun=2,
    ).expand(course_id=courses.output.map(lambda course: course["courseId"]))

    @task
    def report(summaries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
        """Count entities and completions by type."""
        from airflow_provider_lms.storage import read_records

        found: dict[str, dict[str, int]] = {}
        for record in read_records(summaries):
            counts = found.setdefault(record["entityTypeName"], {"entities": 0, "completed": 0})
            counts["entities"] += 1
            counts["completed"] += record["status"] == "completed"
        return found

    report(progress.output)
