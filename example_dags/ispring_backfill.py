"""Writes a year of completions in iSpring Learn to object storage, month by month.

The first task computes one window of dates per month. For each window, a mapped task writes the results to its own
folder. The last task counts the records of all datasets. To read a month again, clear its mapped task. The connection
``ispring_learn_default`` points to a real account or to the simulator.
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
        "first_month": Param(
            "2026-01",
            type="string",
            pattern=r"^\d{4}-(0[1-9]|1[0-2])$",
            description="The first month whose completions are read, as YYYY-MM, such as 2026-01",
        ),
        "months": Param(
            12,
            type="integer",
            minimum=1,
            description="How many months are read, one task for each",
        ),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:

    @task
    def windows(first_month: str, months: str, output: str) -> list[dict[str, str]]:
        """Return the dates and the output folder of each month."""
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

    # [START ispring_module_results_by_month]
    results = ISpringModuleResultsOperator.partial(
        task_id="module_results",
        map_index_template="{{ task.completion_date_start[:7] }}",
        max_active_tis_per_dagrun=4,
    ).expand_kwargs(windows("{{ params.first_month }}", "{{ params.months }}", "{{ params.output }}"))
    # [END ispring_module_results_by_month]

    @task
    def report(summaries: list[dict[str, Any]]) -> dict[str, int]:
        """Count all records, and the distinct results: two windows may contain the same one."""
        from airflow_provider_lms.storage import read_records

        key = ("userId", "courseId", "moduleId", "enrollmentId")
        return {
            "datasets": len(summaries),
            "records": sum(summary["records"] for summary in summaries),
            "results": len({tuple(record[name] for name in key) for record in read_records(summaries)}),
        }

    report(results.output)
