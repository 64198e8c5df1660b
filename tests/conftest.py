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
from hypothesis import settings

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.errors import error_of as ispring_error_of
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.error_codes import error_of as zoho_error_of
from airflow_provider_lms.lms.zoho_people.grant import RefreshToken
from airflow_provider_lms.simulator import Simulator

# No test depends on how fast the machine is. ``LMS_EXAMPLES=100000`` tries so many random examples in place of 100.
settings.register_profile("lms", deadline=None, max_examples=int(os.environ.get("LMS_EXAMPLES", "100")))
settings.load_profile("lms")

pytest_plugins = ["airflow_provider_lms.simulator.fixture"]

RESULTS = "GET /learners/modules/results"
TOKEN = "POST /api/v3/token"
ZOHO_TOKEN = "POST /oauth/v2/token"


def _with_retry(options: dict[str, Any]) -> dict[str, Any]:
    """The options with ``max_wait`` and ``longest_lock`` as a retry policy; by default a client does not wait."""
    limits = {name: options.pop(name) for name in ("max_wait", "longest_lock") if name in options}
    return {"retry": RetryPolicy(**{"max_wait": 0.0, **limits}), **options}


@pytest.fixture
def connect() -> Iterator[Callable[..., ISpringLearnClient]]:
    """A client of a simulator, closed at the end; by default it does not wait."""
    clients = []

    def make(
        lms: Simulator, *, page_size: int | None = None, scheme: str = "Bearer", **options: Any
    ) -> ISpringLearnClient:
        account = lms.ispring
        grant = ClientCredentials(f"{lms.url}/api/v3/token", account.client_id, account.client_secret, scheme)
        store = MemoryStore()
        shared = {
            "tokens": SharedTokens(store, (lms.url,), account.client_id, (account.client_secret,)),
            "rate_limiter": SharedRateLimiter(store, lms.url, account.client_id, RateLimits()),
        }
        options = {"timeout": 5.0, "error_of": ispring_error_of, **shared, **_with_retry(options)}
        clients.append(ISpringLearnClient(Transport(lms.url, grant, **options), page_size=page_size))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def connect_zoho() -> Iterator[Callable[..., ZohoPeopleClient]]:
    """A client of the simulated Zoho People, closed at the end; by default it does not wait."""
    clients = []

    def make(lms: Simulator, **options: Any) -> ZohoPeopleClient:
        account, store = lms.zoho, MemoryStore()
        grant = RefreshToken(
            f"{lms.url}/oauth/v2/token", account.client_id, account.client_secret, account.refresh_token, "eu"
        )
        shared = {
            "tokens": SharedTokens(store, (lms.url,), account.client_id, (account.client_secret,)),
            "rate_limiter": SharedRateLimiter(store, lms.url, account.client_id, RateLimits()),
        }
        options = {"timeout": 5.0, "error_of": zoho_error_of, **shared, **_with_retry(options)}
        clients.append(ZohoPeopleClient(Transport(f"{lms.url}/api/v1", grant, **options)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def zoho(lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]) -> ZohoPeopleClient:
    """A client that no rate limit holds back, of an account without limits."""
    lms.zoho.limits.requests = 100_000
    return connect_zoho(lms)


@pytest.fixture
def client(lms: Simulator, connect: Callable[..., ISpringLearnClient]) -> ISpringLearnClient:
    return connect(lms)
