"""Waits until the learners of every course in Zoho People have completed it, and counts them.

The first task reads the list of courses. For each course, a mapped sensor waits in the triggerer. Zoho allows 30 calls
a minute, and all sensors share this limit. A poll of one course costs one call for its batches and one call for each 25
learners. The connection ``zoho_people_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor

with DAG(
    dag_id="zoho_people_onboarding",
    description="Wait until the learners of every course in Zoho People have completed it",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"required_share": Param("100%", type="string", description="Share of the learners who must complete it")},
    tags=["lms", "zoho"],
    doc_md=__doc__,
) as dag:
    # [START zoho_people_courses]
    courses = ZohoPeopleCoursesOperator(task_id="courses")
    # [END zoho_people_courses]

    # [START zoho_people_course_completion]
    completed = ZohoPeopleCourseCompletionSensor.partial(
        task_id="completed",
        required_share="{{ params.required_share }}",
        map_index_template="{{ task.course_id }}",
        poke_interval=timedelta(minutes=15),
        timeout=timedelta(days=14),
        deferrable=True,
    ).expand(course_id=courses.output.map(lambda course: course["courseId"]))
    # [END zoho_people_course_completion]

    @task
    def report(results: list[dict[str, Any]]) -> dict[str, int]:
        """Return how many learners have completed each course."""
        return {result["course_id"]: result["completed"] for result in results}

    report(completed.output)
