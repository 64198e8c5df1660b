"""Eight tasks that read Zoho People at once."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator, ZohoPeopleEntityProgressOperator

with DAG(
    "zoho_at_once",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"output": ""},
    max_active_tasks=16,
) as dag:
    courses = ZohoPeopleCoursesOperator(task_id="courses", zoho_people_conn_id="zoho")
    ZohoPeopleEntityProgressOperator.partial(
        task_id="entity_progress",
        zoho_people_conn_id="zoho",
        output_path="{{ params.output }}/zoho/{{ task.course_id }}",
    ).expand(course_id=courses.output.map(lambda course: course["courseId"]))
