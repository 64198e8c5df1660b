"""The DAGs of ``make cluster``. What there is to read, and so how many tasks are mapped, the simulators say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_lms.operators.ispring import ISpringCoursesOperator, ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator, ZohoPeopleEntityProgressOperator
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from dev.cluster.plan import ENTITY_TYPES, ISPRING, OUTPUT, POKE_SECONDS, REQUIRED, SENSORS, ZOHO

COMMON: dict[str, Any] = {
    "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
    "params": {"output": ""},
    "default_args": {"retries": 5, "retry_delay": timedelta(seconds=5)},
}

with DAG(ISPRING, schedule=None, **COMMON):
    courses = ISpringCoursesOperator(task_id="courses", ispring_learn_conn_id=ISPRING)
    ISpringModuleResultsOperator.partial(
        task_id="read",
        ispring_learn_conn_id=ISPRING,
        output_path=OUTPUT.format(course="{{ task.course_ids }}"),
        output_format="parquet",
    ).expand(course_ids=courses.output.map(lambda course: course["contentItemId"]))

for name, deferrable in ZOHO.items():
    with DAG(name, schedule=None, **COMMON):
        zoho_courses = ZohoPeopleCoursesOperator(task_id="courses", zoho_people_conn_id=name)
        ZohoPeopleEntityProgressOperator.partial(
            task_id="read",
            zoho_people_conn_id=name,
            entity_types=ENTITY_TYPES,
            output_path=OUTPUT.format(course="{{ task.course_id }}"),
            output_format="parquet",
            deferrable=deferrable,
        ).expand(course_id=zoho_courses.output.map(lambda course: course["courseId"]))

with DAG(SENSORS, schedule=None, **COMMON):
    watched = ISpringCoursesOperator(task_id="courses", ispring_learn_conn_id=SENSORS)
    ISpringCourseCompletionSensor.partial(
        task_id="wait",
        ispring_learn_conn_id=SENSORS,
        poke_interval=POKE_SECONDS,
        timeout=3_600,
        deferrable=True,
    ).expand(course_id=watched.output.map(lambda course: course["contentItemId"]), required_count=REQUIRED)
