"""Makes a report about completions in iSpring Learn: one HTML file that can be sent or published.

The DAG reads four listings every Monday and makes the report from the datasets. It names nobody: managers are numbered,
and groups of fewer than five people are merged. It needs the extra ``report``. The connection ``ispring_learn_default``
points to a real account or to the simulator.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_lms.operators.ispring import (
    ISpringCourseResultsOperator,
    ISpringDepartmentsOperator,
    ISpringEnrollmentsOperator,
    ISpringUsersOperator,
)

with DAG(
    dag_id="ispring_completion_report",
    description="Makes a report about completions in iSpring Learn",
    schedule="0 6 * * 1",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"output": "file:///tmp/lms/report"},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    folder = "{{ params.output }}"
    results = ISpringCourseResultsOperator(task_id="results", output_path=f"{folder}/results")
    # Names and e-mail addresses are not stored.
    users = ISpringUsersOperator(task_id="users", drop_columns=["fields"], output_path=f"{folder}/users")
    departments = ISpringDepartmentsOperator(task_id="departments", output_path=f"{folder}/departments")
    enrollments = ISpringEnrollmentsOperator(task_id="enrollments", output_path=f"{folder}/enrollments")

    # [START completion_report]
    @task
    def report(results: Any, users: Any, departments: Any, enrollments: Any, params: Any = None) -> dict[str, Any]:
        """Make the report, and return where it is and its main figures."""
        from airflow_provider_lms.report import completion_report

        return completion_report(
            f"{params['output']}/completion.html",
            results=results,
            people=users,
            departments=departments,
            enrollments=enrollments,
        )

    report(results.output, users.output, departments.output, enrollments.output)
    # [END completion_report]
