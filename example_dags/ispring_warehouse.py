"""Loads users, courses, enrollments and results of iSpring Learn into a small warehouse, once a day.

Four tasks write the tables as Parquet. The last task loads them into DuckDB, a database in one file, as a star schema
with the views ``current_results``, ``overdue`` and ``certificates_expiring``. Everything is loaded in one transaction,
so a reader sees the tables of yesterday or those of today. The SQL is in ``sql/``; other databases that read Parquet
need only small changes to it. It needs ``pip install 'airflow-provider-lms[parquet]' duckdb``. The connection
``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_lms.operators.ispring import (
    ISpringCourseResultsOperator,
    ISpringCoursesOperator,
    ISpringEnrollmentsOperator,
    ISpringUsersOperator,
)

SQL = Path(__file__).parent / "sql"

with DAG(
    dag_id="ispring_warehouse",
    description="Users, courses, enrollments and results of iSpring Learn in DuckDB",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"output_format": "parquet"},
    params={
        "output": Param("file:///tmp/lms/warehouse", type="string", description="Folder of the Parquet files"),
        "database": Param("/tmp/lms/warehouse.duckdb", type="string", description="The database file"),  # noqa: S108
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # [START ispring_users]
    users = ISpringUsersOperator(task_id="users", output_path="{{ params.output }}/users")
    # [END ispring_users]
    courses = ISpringCoursesOperator(task_id="courses", output_path="{{ params.output }}/courses")
    # [START ispring_enrollments]
    enrollments = ISpringEnrollmentsOperator(task_id="enrollments", output_path="{{ params.output }}/enrollments")
    # [END ispring_enrollments]
    results = ISpringCourseResultsOperator(
        task_id="results",
        user_statuses=[1, 3, 5],  # without this filter, those who have left would be missing
        output_path="{{ params.output }}/results",
    )

    @task
    def load(tables: dict[str, Any], database: str) -> dict[str, int]:
        """Load the tables, and return the number of rows in each view."""
        import duckdb

        Path(database).parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(database) as warehouse:
            for name, summary in tables.items():
                # The files that the summary names are one whole dataset. A file pattern may find older ones as well.
                files = [file["uri"].removeprefix("file://") for file in summary["files"]]
                warehouse.read_parquet(files).create_view(name)
            warehouse.execute("BEGIN")
            warehouse.execute((SQL / "warehouse_tables.sql").read_text())
            warehouse.execute((SQL / "warehouse_views.sql").read_text())
            for name in tables:
                warehouse.execute(f"DROP VIEW {name}")
            warehouse.execute("COMMIT")
            views = ("current_results", "overdue", "certificates_expiring")
            return {view: len(warehouse.table(view)) for view in views}

    load(
        {
            "users": users.output,
            "courses": courses.output,
            "enrollments": enrollments.output,
            "results": results.output,
        },
        "{{ params.database }}",
    )
