"""The simulator as a pytest fixture: ``pytest_plugins = ["airflow_provider_lms.simulator.fixture"]``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_lms.simulator.server import Simulator


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running simulator; the connection ``ispring_learn_default`` leads to it."""
    with Simulator() as simulator:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(simulator.connection()))
        yield simulator
