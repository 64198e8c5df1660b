"""An operator that meets a long lock, and one that continues from the watermark in the asset's state."""

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

with DAG(dag_id="continues", schedule=None, start_date=START, params={"output": ""}):
    ISpringModuleResultsOperator(
        task_id="results",
        ispring_learn_conn_id="rows_locked",
        completion_date_start=(
            "{{ macros.datetime.fromisoformat(asset_state_store.get('watermark', '2020-01-01T00:00:00Z'))"
            " - macros.timedelta(days=2) }}"
        ),
        output_path="{{ params.output }}/continues",
        outlets=[RESULTS],
    )
