from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before anything imports Airflow: a home of its own, so that no test meets the developer's.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-provider-lms-tests-")
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent.parent / "example_dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedBudget, SharedTokens
from airflow_provider_lms.lms.auth import ClientCredentials
from airflow_provider_lms.lms.budget import Limits
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.transport import Transport
from airflow_provider_lms.simulator import Simulator

pytest_plugins = ["airflow_provider_lms.simulator.fixture"]

RESULTS = "GET /learners/modules/results"
TOKEN = "POST /api/v3/token"


@pytest.fixture
def connect() -> Iterator[Callable[..., ISpringLearnClient]]:
    """A client of a simulator, closed at the end; waits for nothing unless told to."""
    clients = []

    def make(lms: Simulator, *, page_size: int | None = None, scheme: str = "Bearer", **options: Any) -> Any:
        account = lms.ispring
        grant = ClientCredentials(f"{lms.url}/api/v3/token", account.client_id, account.client_secret, scheme)
        store = MemoryStore()
        shared = {
            "tokens": SharedTokens(store, (lms.url,), account.client_id, (account.client_secret,)),
            "budget": SharedBudget(store, lms.url, account.client_id, Limits()),
        }
        options = {"max_wait": 0.0, "timeout": 5.0, **shared, **options}
        clients.append(ISpringLearnClient(Transport(lms.url, grant, **options), page_size=page_size))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(lms: Simulator, connect: Callable[..., ISpringLearnClient]) -> ISpringLearnClient:
    return connect(lms)
