"""The simulator as a pytest fixture: ``pytest_plugins = ["airflow_provider_lms.simulator.fixture"]``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_lms.simulator.server import Simulator


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    """A running simulator; the connection ``ispring_learn_default`` leads to it.

    What tasks share is kept in the test's ``tmp_path``, so that no test meets another's access token or budget.
    """
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "lms_coordination.sqlite").as_uri())
    with Simulator() as simulator:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(simulator.connection()))
        yield simulator
