"""Whoever reads the output may have enough of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("command", ["schema courses --lms ispring_learn", "listings --lms ispring_learn"])
def test_a_reader_that_stops_early_sees_no_traceback(command: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_lms", *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.wait(60)
    assert "Traceback" not in said
    assert "BrokenPipeError" not in said
