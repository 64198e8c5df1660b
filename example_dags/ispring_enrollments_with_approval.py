"""Enrolls people in iSpring Learn as a file of HR says, after somebody has approved the plan. Needs Airflow 3.1.

The first task compares the file with the LMS and writes what would change. Somebody reads the summary under *Required
actions* in the UI, and approves or rejects it. The last task applies the plan that was approved, and only that one.

The file has the columns ``email``, ``course_id`` and, if you like, ``due_date``. The connection
``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param

from airflow_provider_lms.operators.approval import SyncApprovalOperator
from airflow_provider_lms.operators.ispring import ISpringEnrollmentSyncOperator

with DAG(
    dag_id="ispring_enrollments_with_approval",
    description="Enrolls people in iSpring Learn after somebody has approved it",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "desired": Param("/tmp/lms/enrollments.csv", type="string", description="CSV file, JSON lines or Parquet"),  # noqa: S108
        "output": Param("file:///tmp/lms/enrollments", type="string", description="Folder for plans and reports"),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # [START ispring_plan]
    plan = ISpringEnrollmentSyncOperator(
        task_id="plan",
        desired="{{ params.desired }}",
        output_path="{{ params.output }}/{{ run_id }}/plan",
    )
    # [END ispring_plan]

    # [START ispring_approve]
    approve = SyncApprovalOperator(task_id="approve", plan=plan.output, response_timeout=timedelta(days=2))
    # [END ispring_approve]

    # [START ispring_apply]
    apply = ISpringEnrollmentSyncOperator(
        task_id="apply",
        mode="apply",
        plan=plan.output,
        approved_hash="{{ ti.xcom_pull('approve', key='approved_hash') }}",
        output_path="{{ params.output }}/{{ run_id }}/report",
        retries=5,
    )
    # [END ispring_apply]

    plan >> approve >> apply
