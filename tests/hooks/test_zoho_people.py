"""Connections of type zoho_people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_lms.connections.zoho_people import DOMAINS
from airflow_provider_lms.coordination import Owner, SharedRateLimiter, SharedTokens
from airflow_provider_lms.hooks.base import NO_RETRIES, TRIGGER_OPTIONS, ClientOptions
from airflow_provider_lms.hooks.owner import current_owner
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply
from airflow_provider_lms.testing import fake_clock
from tests.conftest import ZOHO_TOKEN
from tests.rows import rows
from tests.tasks import running_task

Connection = Callable[..., ZohoPeopleHook]
COURSES = "GET /api/v1/courses"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> Connection:
    """A hook on a connection to the simulator, with other fields and extras where given."""

    def make(extra: dict[str, Any] | None = None, **fields: Any) -> ZohoPeopleHook:
        found = lms.connection("zoho_people")
        found = {**found, **fields, "extra": {**found["extra"], **(extra or {})}}
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO", json.dumps(found))
        return ZohoPeopleHook("zoho")

    return make


def addresses(hook: ZohoPeopleHook) -> tuple[str, str]:
    client = hook.get_conn()
    return client._transport._access.grant.url, client.base_url


def test_the_default_connection_leads_to_a_client(lms: Simulator) -> None:
    assert len(rows(ZohoPeopleHook().get_conn().courses())) == len(lms.zoho.courses)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_data_center_has_its_pair_of_hosts(connection: Connection, name: str) -> None:
    own = {"ca": "zohocloud.ca", "us": "zoho.com", "au": "zoho.com.au", "cn": "zoho.com.cn"}.get(name, f"zoho.{name}")
    hook = connection({"data_center": name, "accounts_url": "", "people_url": None})
    assert addresses(hook) == (f"https://accounts.{own}/oauth/v2/token", f"https://people.{own}/api/v1")


def test_both_hosts_may_be_set(connection: Connection) -> None:
    hook = connection({"accounts_url": "https://a.test/oauth/v2/token", "people_url": "https://p.test/x/"})
    assert addresses(hook) == ("https://a.test/oauth/v2/token", "https://p.test/x/api/v1")
    hook = connection({"accounts_url": "https://a.test/", "people_url": "https://p.test/api/v1"})
    assert addresses(hook) == ("https://a.test/oauth/v2/token", "https://p.test/api/v1")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": ""}, r"login \(client ID\) and password \(client secret\) must both be set"),
        ({"extra": {"refresh_token": ""}}, "extra 'refresh_token': it must be set"),
        ({"extra": {"data_center": "mars"}}, "extra 'data_center': expected 'us' or 'eu' or .*, got 'mars'"),
        ({"extra": {"people_url": "http://p.test"}}, "people_url: plain HTTP would send the secret unencrypted"),
        ({"extra": {"accounts_url": "ftp://p.test"}}, "accounts_url: expected a host name or a base URL"),
        ({"extra": {"requests_per_window": 0}}, "extra 'requests_per_window': expected a whole number of at least 1"),
        ({"extra": {"refresh_token": ["hidden-word"]}}, "extra 'refresh_token': expected a text, got another value"),
        ({"extra": {"people_url": "https://[bad"}}, "people_url: expected a host name or a base URL"),
    ],
)
def test_a_field_that_cannot_be_meant_is_named(connection: Connection, fields: dict[str, Any], message: str) -> None:
    hook = connection(**fields)
    with pytest.raises(ValueError, match=f"Connection 'zoho'.*{message}") as raised:
        hook.get_conn()
    assert "hidden-word" not in str(raised.value)
    assert hook.test_connection() == (False, str(raised.value).removeprefix("Connection 'zoho', "))


def test_by_default_the_rate_limit_is_zohos(connection: Connection) -> None:
    nothing = dict.fromkeys(("requests_per_window", "window_seconds", "lock_seconds"))
    limits = connection(nothing).get_conn().limits
    assert (limits.requests, limits.window_seconds, limits.lock_seconds, limits.requests_per_day) == (30, 60, 300, None)


def test_a_connection_as_a_uri(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> None:
    found = lms.connection("zoho_people")
    extra = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in found["extra"].items())
    login, secret = quote(found["login"], safe=""), quote(found["password"], safe="")
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO", f"zoho-people://{login}:{secret}@/?{extra}&headers=x")
    assert len(rows(ZohoPeopleHook("zoho").get_conn().courses())) == len(lms.zoho.courses)


def test_two_connections_to_one_account_share_token_and_rate_limit(
    connection: Connection, lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"requests_per_window": 2, "window_seconds": 60}
    connection(limits).get_conn().check()
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(lms.connection("zoho_people")))
    ZohoPeopleHook("other").get_conn().check()
    hook = connection(limits)
    hook.options = ClientOptions(retry=NO_RETRIES)
    with pytest.raises(LmsRateLimited, match=r"requests_per_window \(2 in 60 s\) are used up"):
        hook.get_conn().check()
    assert (len(lms.zoho.calls), len(lms.zoho.tokens)) == (2, 1)


def test_an_account_is_the_same_in_every_spelling_of_its_host(connection: Connection) -> None:
    spellings = ("https://People.Zoho.eu", "https://people.zoho.eu:443/", "https://people.zoho.eu/api/v1")
    clients = [connection({"people_url": url, "accounts_url": None}).get_conn() for url in spellings]
    assert len({_shared_keys(client) for client in clients}) == 1


def _shared_keys(client: ZohoPeopleClient) -> tuple[str, str]:
    """Under which names its rate limit and its token are shared."""
    rate_limiter, tokens = client._transport.rate_limiter, client._transport._access.tokens
    assert isinstance(rate_limiter, SharedRateLimiter)
    assert isinstance(tokens, SharedTokens)
    return rate_limiter._key, tokens._key


def test_a_hook_tells_which_task_waits_for_the_account(connection: Connection) -> None:
    hook = connection({"requests_per_window": 1})
    rows(hook.get_conn().courses())
    with running_task("grades", "read_zoho", map_index=3):
        client = hook.get_conn()
    assert client._transport.rate_limiter.acquire() is not None
    (found,) = hook.holders()
    named = {"process": "task", "dag_id": "grades", "task_id": "read_zoho", "run_id": "run 1", "map_index": 3}
    assert found == {**found, **named, "state": "waiting", "requests": 1}
    assert json.loads(json.dumps(found)) == found


def test_a_hook_outside_a_task_has_no_name() -> None:
    assert current_owner() is None


def test_the_polls_of_a_triggerer_are_named_as_such() -> None:
    assert TRIGGER_OPTIONS.owner == Owner("triggerer")


def test_test_connection_takes_a_fresh_token_and_reads_courses(connection: Connection, lms: Simulator) -> None:
    said = (
        f"{lms.url}/api/v1: a new access token was issued, and results can be read. "
        "Tasks share the rate limit and the access token on this host only."
    )
    for _ in range(2):
        assert connection().test_connection() == (True, said)
    assert [request.call for request in lms.zoho.requests] == [ZOHO_TOKEN, COURSES] * 2


def _locked_before(lms: Simulator) -> None:
    lms.zoho.fail(COURSES, lambda _, __: Reply(status=200, content={"code": 7209}))
    ZohoPeopleHook().test_connection()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda lms: {"login": "1000.OTHER"}, "Zoho does not know the client ID (invalid_client)"),
        (lambda lms: {"password": "wrong-word"}, "Zoho rejected the client secret (invalid_client_secret)"),
        (lambda lms: {"extra": {"refresh_token": "wrong-word"}}, "Zoho rejected the refresh token (invalid_code)"),
        (lambda lms: setattr(lms.zoho, "revoked", True), "It was revoked, or it belongs to another client or to anoth"),
        (lambda lms: lms.zoho.limits.__setattr__("live_tokens", 0), "Check that the connection's data_center"),
        (lambda lms: setattr(lms.zoho, "scopes", {"ZOHOPEOPLE.forms.READ"}), "with ZOHOPEOPLE.training.READ"),
        (lambda lms: setattr(lms.zoho.limits, "tokens", 0), "too many access tokens were requested"),
        (lambda lms: lms.zoho.use_up(), "code 7209: Zoho has locked the account"),
        (_locked_before, "the LMS has locked the account, and no task may send requests for another 1 s."),
        (lambda lms: {"extra": {"people_url": "http://127.0.0.1:1"}}, "no connection to 127.0.0.1"),
        (lambda lms: lms.zoho.fail(ZOHO_TOKEN, faults.html_page()), "no access token in it"),
    ],
)
def test_test_connection_tells_apart_what_to_fix(
    connection: Connection, lms: Simulator, prepare: Callable[[Simulator], Any], message: str
) -> None:
    with fake_clock():  # or a slow machine would let the lock end
        ok, said = connection(**(prepare(lms) or {})).test_connection()
    assert not ok
    assert message in said
    assert not [word for word in ("wrong-word", lms.zoho.client_secret, lms.zoho.refresh_token) if word in said]
    assert len(lms.zoho.calls) <= 2
