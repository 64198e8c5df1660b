"""Keeps people in iSpring Learn in step with HR, with an approval that works on every version of Airflow.

The first DAG makes a plan and logs its summary. Somebody reads it, and triggers the second DAG with the folder and the
hash of the plan. The second DAG applies that plan, and no other.

The file has the columns ``number``, ``email``, ``login``, ``department`` and ``active``. People are found by their
number, which is in the profile field ``EMPLOYEE_NO``. The connection ``ispring_learn_default`` points to a real account
or to the simulator.
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_lms.operators.ispring import ISpringPeopleSyncOperator

with DAG(
    dag_id="ispring_people_plan",
    description="Compares people in iSpring Learn with HR",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "desired": Param("/tmp/lms/people.csv", type="string", description="CSV file, JSON lines or Parquet"),  # noqa: S108
        "output": Param("file:///tmp/lms/people", type="string", description="Folder for plans"),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
):
    # [START ispring_plan_people]
    ISpringPeopleSyncOperator(
        task_id="plan",
        desired="{{ params.desired }}",
        match_by="fields.EMPLOYEE_NO",
        columns={"person": "number"},
        output_path="{{ params.output }}/{{ run_id }}",
    )
    # [END ispring_plan_people]

with DAG(
    dag_id="ispring_people_apply",
    description="Applies a plan for people in iSpring Learn that somebody has approved",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,
    params={
        "plan": Param("", type="string", description="Folder of the plan: `plan` in the XCom of the task `plan`"),
        "approved_hash": Param("", type="string", description="Hash of the plan: `sha256` in the same XCom"),
        "output": Param("file:///tmp/lms/people_reports", type="string", description="Folder for reports"),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
):
    # [START ispring_apply_people]
    ISpringPeopleSyncOperator(
        task_id="apply",
        mode="apply",
        plan="{{ params.plan }}",
        approved_hash="{{ params.approved_hash }}",
        output_path="{{ params.output }}/{{ run_id }}",
        retries=5,
    )
    # [END ispring_apply_people]
