"""Listings of every size, each from a simulator of its own; and what must stay out of logs."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator, ISpringUsersOperator

SIZES = (0, 1, 999, 1_000, 1_001, 25_000)

with DAG(
    dag_id="every_size", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), params={"output": ""}
) as dag:
    ISpringModuleResultsOperator.partial(
        task_id="whole_pages",
        output_path="{{ params.output }}/{{ task.ispring_learn_conn_id }}",
        map_index_template="{{ task.ispring_learn_conn_id }}",
    ).expand(ispring_learn_conn_id=[f"rows_{size}" for size in SIZES])

    ISpringModuleResultsOperator(
        task_id="one_row_pages",
        ispring_learn_conn_id="rows_one_by_one",
        page_size=1,
        output_path="{{ params.output }}/rows_one_by_one",
    )
    ISpringModuleResultsOperator(
        task_id="in_parallel",
        ispring_learn_conn_id="rows_999",
        page_size=20,
        parallel_requests=5,
        split_by="user_ids",
        output_path="{{ params.output }}/in_parallel",
    )
    ISpringUsersOperator(task_id="to_xcom", ispring_learn_conn_id="rows_one_by_one")

with DAG(dag_id="failing", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), params={"output": ""}):
    ISpringModuleResultsOperator(
        task_id="broken_page",
        ispring_learn_conn_id="rows_broken",
        page_size=10,
        output_path="{{ params.output }}/rows_broken",
    )
    ISpringUsersOperator(
        task_id="refused", ispring_learn_conn_id="rows_refused", output_path="{{ params.output }}/refused"
    )

with DAG(dag_id="retried", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), params={"output": ""}):
    ISpringModuleResultsOperator(
        task_id="broken_once",
        ispring_learn_conn_id="rows_broken_once",
        page_size=10,
        output_path="{{ params.output }}/rows_broken_once",
        output_format="csv",
        compression="gzip",
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
