"""Writes yesterday's completions in iSpring Learn to object storage, course by course.

The first task reads the list of courses. For each course, a mapped task writes the results to its own folder. The last
task counts the files and records in the manifests. The connection ``ispring_learn_default`` points to a real account or
to the simulator.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_lms.operators.ispring import ISpringCoursesOperator, ISpringModuleResultsOperator

with DAG(
    dag_id="ispring_results",
    description="Yesterday's completions in iSpring Learn into object storage",
    # Since Airflow 3, a run of a bare cron expression has no data interval. This timetable gives one.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "output": Param("file:///tmp/lms", type="string", description="Folder or URL, such as s3://conn_id@bucket/lms")
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # [START ispring_courses]
    courses = ISpringCoursesOperator(task_id="courses")
    # [END ispring_courses]

    # [START ispring_module_results]
    results = ISpringModuleResultsOperator.partial(
        task_id="module_results",
        completion_date_start="{{ data_interval_start }}",
        completion_date_end="{{ data_interval_end }}",
        output_path="{{ params.output }}/{{ data_interval_start | ds }}/course={{ task.course_ids }}",
        map_index_template="{{ params.title }} ({{ task.course_ids }})",
        max_active_tis_per_dagrun=4,
    ).expand_kwargs(
        courses.output.map(lambda course: {"course_ids": course["contentItemId"], "params": {"title": course["title"]}})
    )
    # [END ispring_module_results]

    @task
    def report(summaries: list[dict[str, Any]]) -> dict[str, int]:
        """Count the files and records in the manifests."""
        from airflow_provider_lms.storage import read_manifest

        manifests = [read_manifest(summary["uri"]) for summary in summaries]
        return {
            "datasets": len(manifests),
            "files": sum(len(manifest["files"]) for manifest in manifests),
            "records": sum(manifest["records"] for manifest in manifests),
        }

    report(results.output)
