"""Writes the progress of all learners in all courses of Zoho People to object storage.

The first task reads the list of courses. For each course, a mapped task writes the learners' progress in the course's
entities, such as tests and sessions, to its own folder. The last task counts the records of all datasets.

Zoho allows 30 calls a minute, and one call returns one learner and one entity type. So after the first run, a task
reads only the learners whose progress in the course has changed since the last run, and a seventh of the others each
day. It carries over the other rows; their ``readAt`` tells how old they are. The log tells how many calls that saves.
Set only the ``entity_types`` that you need. The connection ``zoho_people_default`` points to a real account or to the
simulator.
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
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # Each run replaces the datasets of the one before.
    max_active_runs=1,
    params={
        "output": Param("file:///tmp/lms", type="string", description="Folder or URL, such as s3://conn_id@bucket/lms"),
        "entity_types": Param(
            ENTITY_TYPES,
            type="array",
            items={"type": "string", "enum": ENTITY_TYPES},
            description="Entity types",
        ),
    },
    tags=["lms", "zoho"],
    doc_md=__doc__,
) as dag:
    courses = ZohoPeopleCoursesOperator(task_id="courses")

    # [START zoho_people_entity_progress]
    progress = ZohoPeopleEntityProgressOperator.partial(
        task_id="entity_progress",
        entity_types="{{ params.entity_types | tojson }}",
        output_path="{{ params.output }}/{{ dag.dag_id }}/course={{ task.course_id }}",
        previous="{{ params.output }}/{{ dag.dag_id }}/course={{ task.course_id }}",
        full_crawl_every="7d",
        map_index_template="{{ params.title }} ({{ task.course_id }})",
        # All tasks share one rate limit: more of them at once would be no faster.
        max_active_tis_per_dagrun=2,
    ).expand_kwargs(
        courses.output.map(lambda course: {"course_id": course["courseId"], "params": {"title": course["courseName"]}})
    )
    # [END zoho_people_entity_progress]

    @task
    def report(summaries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
        """Count the entities, and the completed ones, by entity type."""
        from airflow_provider_lms.storage import read_records

        found: dict[str, dict[str, int]] = {}
        for record in read_records(summaries):
            counts = found.setdefault(record["entityTypeName"], {"entities": 0, "completed": 0})
            counts["entities"] += 1
            counts["completed"] += record["status"] == "completed"
        return found

    report(progress.output)
