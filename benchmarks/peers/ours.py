"""The operator, as in a DAG."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from airflow_provider_lms.simulator.exchange import JSON
from benchmarks.peers import CREDENTIALS, Task


def read(task: Task) -> None:
    from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
    from airflow_provider_lms.operators.options import OutputFormat

    connection = {
        "conn_type": "ispring_learn",
        "host": task.url,
        "login": CREDENTIALS["client_id"],
        "password": CREDENTIALS["client_secret"],
        "extra": {"response_format": "json" if task.media_type == JSON else "xml", "parallel_requests": task.parallel},
    }
    os.environ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT"] = json.dumps(connection)
    # A second run is a retry of the same task instance.
    instance: Any = SimpleNamespace(dag_id="benchmark", task_id="read", run_id="once", map_index=-1, try_number=1)
    operator = ISpringModuleResultsOperator(
        task_id="read",
        course_ids=task.courses or None,
        output_path=str(task.output / "dataset"),
        output_format=cast(OutputFormat, task.format),
        parallel_requests=task.parallel,
    )
    operator.execute({"ti": instance})


def files(folder: Path) -> Sequence[Path]:
    from airflow_provider_lms.storage.manifest import read_manifest

    try:
        manifest = read_manifest(str(folder / "dataset"))
    except FileNotFoundError:
        return []
    return [folder / "dataset" / file["name"] for file in manifest["files"]]
