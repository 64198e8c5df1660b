"""Recomputes a day when its completions in iSpring Learn have changed, and only that day. Needs Airflow 3.3.

Learners' results come late: a course that was completed on Monday may be graded on Friday. The first DAG reads all
results every day, and tells the asset which days differ from the dataset before. The second DAG runs once for each of
these days.

The very first run finds only new days. Let it run with a greater ``max_partitions``, since more than 31 would fail.
The connection ``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.retry_policy import LmsRetryPolicy
from airflow_provider_lms.storage import read_records

# The asset is the listing of the account that the connection names "acme" in its field "Account".
results = Asset("ispring_results", uri="ispring-learn://acme/course_results")

with DAG(
    dag_id="ispring_completions_by_day",
    description="Reads results in iSpring Learn, and finds the days that have changed",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"output": "file:///tmp/lms/completions", "max_partitions": 31},
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # [START ispring_partitions]
    read_results = ISpringCourseResultsOperator(
        task_id="read_results",
        output_path="{{ params.output }}",
        partition_by="day",
        max_partitions="{{ params.max_partitions }}",
        outlets=[results],
        retries=5,
        retry_policy=LmsRetryPolicy(),  # waits as the LMS asks, and does not repeat what it has refused
    )
    # [END ispring_partitions]

with DAG(
    dag_id="ispring_completions_of_a_day",
    description="Counts the completions of one day in iSpring Learn",
    schedule=PartitionedAssetTimetable(assets=results),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["lms", "ispring"],
    doc_md=__doc__,
):

    @task
    def count(dag_run: Any = None, triggering_asset_events: Any = None) -> dict[str, Any]:
        """Return the day and how many learners completed a course on it."""
        events = [event for found in triggering_asset_events.values() for event in found]
        rows = read_records(events[-1].extra["uri"])
        # A failed attempt may have a completion date as well.
        dates = [row["completionDate"] for row in rows if row["completionStatus"] in ("complete", "passed", "accepted")]
        day = dag_run.partition_key
        return {"day": day, "completions": sum(str(date).startswith(day) for date in dates)}

    count()
