"""A year of completions in iSpring Learn into object storage, month by month.

One task makes the windows, each is a mapped task with a folder of its own, and one task downstream goes by the
datasets. To read a month again, clear its mapped task. Only the connection ``ispring_learn_default`` decides whether a
real account is read or the simulator.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator

with DAG(
    dag_id="ispring_backfill",
    description="Completions of past months in iSpring Learn into object storage",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "output": Param("file:///tmp/lms", type="string", description="Folder or URL, such as s3://conn_id@bucket/lms"),
        "first_month": Param("2026-01", type="string", pattern=r"^\d{4}-(0[1-9]|1[0-2])$"),
        "months": Param(12, type="integer", minimum=1),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:

    @task
    def windows(first_month: str, months: str, output: str) -> list[dict[str, str]]:
        """One window for each month, with its folder."""
        starts = [pendulum.parse(first_month, tz="UTC").add(months=number) for number in range(int(months) + 1)]
        # Windows touch: whether the ends of a range belong to it is not documented, so a gap could lose a completion.
        return [
            {
                "completion_date_start": start.isoformat(),
                "completion_date_end": end.isoformat(),
                "output_path": f"{output}/month={start:%Y-%m}",
            }
            for start, end in pairwise(starts)
        ]

    results = ISpringModuleResultsOperator.partial(
        task_id="module_results",
        map_index_template="{{ task.completion_date_start[:7] }}",
        max_active_tis_per_dagrun=4,
    ).expand_kwargs(windows("{{ params.first_month }}", "{{ params.months }}", "{{ params.output }}"))

    @task
    def report(summaries: list[dict[str, Any]]) -> dict[str, int]:
        """Count what was read, and what is left of it when a row that two windows gave counts once."""
        from airflow_provider_lms.storage import read_records

        key = ("userId", "courseId", "moduleId", "enrollmentId")
        return {
            "datasets": len(summaries),
            "records": sum(summary["records"] for summary in summaries),
            "results": len({tuple(record[name] for name in key) for record in read_records(summaries)}),
        }

    report(results.output)
