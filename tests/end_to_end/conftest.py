from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's database, for ``dag.test()``."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, timeout=180)
