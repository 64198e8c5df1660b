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
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.answers import refused
from airflow_provider_lms.lms.zoho_people.auth import RefreshToken
from airflow_provider_lms.simulator import Simulator

pytest_plugins = ["airflow_provider_lms.simulator.fixture"]

RESULTS = "GET /learners/modules/results"
TOKEN = "POST /api/v3/token"
ZOHO_TOKEN = "POST /oauth/v2/token"


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
def connect_zoho() -> Iterator[Callable[..., ZohoPeopleClient]]:
    """A client of the simulated Zoho People, closed at the end; waits for nothing unless told to."""
    clients = []

    def make(lms: Simulator, **options: Any) -> ZohoPeopleClient:
        account, store = lms.zoho, MemoryStore()
        grant = RefreshToken(
            f"{lms.url}/oauth/v2/token", account.client_id, account.client_secret, account.refresh_token, "eu"
        )
        shared = {
            "tokens": SharedTokens(store, (lms.url,), account.client_id, (account.client_secret,)),
            "budget": SharedBudget(store, lms.url, account.client_id, Limits()),
        }
        options = {"max_wait": 0.0, "timeout": 5.0, **shared, **options}
        clients.append(ZohoPeopleClient(Transport(f"{lms.url}/api/v1", grant, refused=refused, **options)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def zoho(lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]) -> ZohoPeopleClient:
    """A client that no budget holds back, of an account without limits."""
    lms.zoho.limits.requests = 100_000
    return connect_zoho(lms)


@pytest.fixture
def client(lms: Simulator, connect: Callable[..., ISpringLearnClient]) -> ISpringLearnClient:
    return connect(lms)
