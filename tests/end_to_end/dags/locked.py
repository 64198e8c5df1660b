"""An operator that meets a long lock, and one that reads on from where the asset's state says."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator

RESULTS = Asset("results")
START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG(dag_id="locked", schedule=None, start_date=START, params={"output": ""}):
    ISpringModuleResultsOperator(
        task_id="results",
        ispring_learn_conn_id="rows_locked",
        page_size=10,
        output_path="{{ params.output }}/rows_locked",
        deferrable=True,
        outlets=[RESULTS],
    )

with DAG(dag_id="reads_on", schedule=None, start_date=START, params={"output": ""}):
    ISpringModuleResultsOperator(
        task_id="results",
        ispring_learn_conn_id="rows_locked",
        completion_date_start=(
            "{{ macros.datetime.fromisoformat(asset_state_store.get('latest_completion_date', '2020-01-01T00:00:00Z'))"
            " - macros.timedelta(days=2) }}"
        ),
        output_path="{{ params.output }}/reads_on",
        outlets=[RESULTS],
    )
