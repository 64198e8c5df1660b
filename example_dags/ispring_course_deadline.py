"""Writes the results of a course in iSpring Learn to object storage, once 80 % of the learners have completed it.

The sensor counts only learners who were enrolled in the month before the run. It waits in the triggerer, so it holds no
worker slot. If the share is not reached before the timeout, or cannot be reached any more, the sensor and the
extraction are skipped.

Set the course in the environment variable ``LMS_COURSE_ID`` of the DAG processor. Without it the DAG has no schedule,
and is triggered with a course. The connection ``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor

COURSE = os.environ.get("LMS_COURSE_ID")
# The last whole month, also of a run that is triggered, whose data interval is empty.
MONTH_START = "{{ data_interval_end.subtract(months=1).start_of('month') | ds }}"
MONTH_END = "{{ data_interval_end.start_of('month') | ds }}"

with DAG(
    dag_id="ispring_course_deadline",
    description="Extract a course's results once enough of the month's learners have completed it",
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone="UTC") if COURSE else None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "course_id": Param(
            COURSE, type="string", minLength=1, description="The course to wait for: its id, not its title"
        ),
        "required_share": Param("80%", type="string", description="How many of the learners must have completed it"),
        "output": Param("file:///tmp/lms", type="string", description="Folder or URL, such as s3://conn_id@bucket/lms"),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # [START ispring_course_completion]
    completed = ISpringCourseCompletionSensor(
        task_id="completed",
        course_id="{{ params.course_id }}",
        access_date_start=MONTH_START,
        access_date_end=MONTH_END,
        required_share="{{ params.required_share }}",
        on_unsuccessful="wait",
        on_blocked="ignore",
        # Learners who are past their due date will not complete it any more.
        on_overdue="fail",
        timeout=timedelta(days=30),
        soft_fail=True,
        deferrable=True,
    )
    # [END ispring_course_completion]

    # [START ispring_course_results]
    results = ISpringCourseResultsOperator(
        task_id="results",
        course_ids="{{ params.course_id }}",
        access_date_start=MONTH_START,
        access_date_end=MONTH_END,
        output_path=f"{{{{ params.output }}}}/{MONTH_START}/course={{{{ params.course_id }}}}",
    )
    # [END ispring_course_results]

    completed >> results
