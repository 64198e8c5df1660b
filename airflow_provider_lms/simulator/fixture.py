"""The simulator as a pytest fixture: ``pytest_plugins = ["airflow_provider_lms.simulator.fixture"]``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_lms.simulator.server import Simulator
from airflow_provider_lms.simulator.zoho import Limits


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A running simulator; the connections ``ispring_learn_default`` and ``zoho_people_default`` lead to it.

    Zoho's window and lock are scaled down to fractions of a second. Each test has its own coordination store, so tests
    do not share access tokens or rate limits.

    Example::

        def test_my_dag_reads_every_result(lms):
            rows = ISpringCourseResultsOperator(task_id="results").execute({})
            assert len(rows) == len(lms.ispring.course_results())
    """
    shared = tmp_path_factory.mktemp("lms") / "coordination.sqlite"
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", shared.as_uri())
    limits = Limits(window_seconds=0.1, lock_seconds=0.5)
    with Simulator(zoho_limits=limits) as simulator:
        for conn_type in simulator.vendors:
            name = f"AIRFLOW_CONN_{conn_type.upper()}_DEFAULT"
            monkeypatch.setenv(name, json.dumps(simulator.connection(conn_type)))
        yield simulator
