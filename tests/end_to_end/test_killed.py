"""A worker that is killed while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_records
from tests.rows import delivered, present

pytestmark = pytest.mark.airflow

RESULTS = "GET /learners/modules/results"
EXTRACT = """
import sys
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
ISpringModuleResultsOperator(task_id="t", output_path=sys.argv[1], page_size=20, part_bytes=1).execute({})
"""


def test_a_killed_worker_leaves_the_dataset_before_and_the_retry_is_whole(lms: Simulator, tmp_path: Path) -> None:
    passed = ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path), completion_statuses="passed")
    passed.execute({})
    before = list(read_records(str(tmp_path)))
    sent = lms.ispring.count(RESULTS)
    lms.ispring.fail(RESULTS, faults.slow(1.0), on=4)

    with subprocess.Popen([sys.executable, "-c", EXTRACT, str(tmp_path)], env=os.environ) as worker:
        while lms.ispring.count(RESULTS) < sent + 4:
            assert worker.poll() is None
            time.sleep(0.05)
        worker.send_signal(signal.SIGKILL)

    assert list(read_records(str(tmp_path))) == before
    summary = ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path)).execute({})
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
