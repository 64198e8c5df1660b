"""Connections of type ispring_learn."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_lms.hooks.base import Use
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.simulator import Simulator, faults
from tests.conftest import RESULTS, TOKEN
from tests.rows import rows

Connection = Callable[..., ISpringLearnHook]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> Connection:
    """A hook on a connection to the simulator, with other fields where given."""

    def make(**fields: Any) -> ISpringLearnHook:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING", json.dumps(lms.connection() | fields))
        return ISpringLearnHook("ispring")

    return make


def test_the_default_connection_leads_to_a_client(lms: Simulator) -> None:
    assert len(rows(ISpringLearnHook().get_conn().course_results())) == len(lms.ispring.course_results())


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": None}, "https://api-learn.ispringlearn.com"),
        ({"host": ""}, "https://api-learn.ispringlearn.com"),
        ({"host": "api-learn.ispring.eu/"}, "https://api-learn.ispring.eu"),
        ({"host": "https://me.ispring.com/api/v2/"}, "https://me.ispring.com/api/v2"),
        ({"host": "localhost", "port": 8765}, "http://localhost:8765"),
        ({"host": "127.0.0.1:8765"}, "http://127.0.0.1:8765"),
        ({"host": "lms.test", "port": 8443}, "https://lms.test:8443"),
        ({"host": "http://lms.test", "extra": {"allow_http": "true"}}, "http://lms.test"),
    ],
)
def test_the_base_url(connection: Connection, fields: dict[str, Any], base_url: str) -> None:
    assert connection(**fields).get_conn().base_url == base_url


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": ""}, r"Connection 'ispring': login \(client id\) and password \(client secret\) must both be set"),
        ({"password": None}, "must both be set"),
        ({"host": "http://lms.test"}, "Connection 'ispring', host: plain HTTP would send the secret unencrypted"),
        ({"host": "ftp://lms.test"}, "Connection 'ispring', host: expected a host name or a base URL"),
        ({"host": "https://"}, "host: expected a host name or a base URL"),
        ({"host": "lms.test:port"}, "host: expected a host name or a base URL"),
        ({"host": "https://me:secret@lms.test"}, "host: put the credentials into the connection's own fields"),
        ({"extra": {"auth_url": "http://lms.test/token"}}, "auth_url: plain HTTP would send the secret unencrypted"),
        ({"extra": {"page_size": "many"}}, "extra 'page_size': expected a whole number of at least 1, got 'many'"),
        ({"extra": {"page_size": 0}}, "extra 'page_size': expected a whole number of at least 1, got 0"),
        ({"extra": {"timeout": -1}}, "extra 'timeout': expected a number of at least 0.1, got -1"),
        ({"extra": {"auth_scheme": "basic"}}, "extra 'auth_scheme': expected 'Bearer' or 'none', got 'basic'"),
        ({"extra": {"allow_http": "maybe"}}, "extra 'allow_http': expected true or false, got 'maybe'"),
    ],
)
def test_a_field_that_cannot_be_meant_is_named(connection: Connection, fields: dict[str, Any], message: str) -> None:
    hook = connection(**fields)
    with pytest.raises(ValueError, match=message):
        hook.get_conn()
    ok, said = hook.test_connection()
    assert not ok
    assert "Connection 'ispring'" in said


def test_numbers_and_booleans_may_be_text_and_unknown_extras_are_ignored(
    connection: Connection, lms: Simulator
) -> None:
    extra = {"page_size": "7", "timeout": "30", "allow_http": "False", "headers": {"X-Evil": "1"}, "page_token": "x"}
    found = rows(connection(extra=extra).get_conn().course_results())
    assert len(found) == len(lms.ispring.course_results())
    request = lms.ispring.requests[-1]
    assert request.first("pageSize") == "7"
    assert "x-evil" not in request.headers


def test_a_connection_as_a_uri(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> None:
    login, secret = lms.ispring.client_id, quote(lms.ispring.client_secret, safe="")
    address = lms.url.removeprefix("http://")
    monkeypatch.setenv(
        "AIRFLOW_CONN_ISPRING", f"ispring-learn://{login}:{secret}@{address}/?page_size=9&response_format=xml"
    )
    assert len(rows(ISpringLearnHook("ispring").get_conn().course_results())) == len(lms.ispring.course_results())
    assert lms.ispring.requests[-1].first("pageSize") == "9"
    assert lms.ispring.requests[-1].headers["accept"] == "application/xml"


def test_tokens_come_from_auth_url_where_it_is_set(connection: Connection, lms: Simulator) -> None:
    ok, _ = connection(extra={"auth_url": f"{lms.url}/api/v3/token"}).test_connection()
    assert ok
    ok, said = connection(extra={"auth_url": f"{lms.url}/elsewhere"}).test_connection()
    assert not ok
    assert (
        "POST /elsewhere: HTTP 404 with text/plain in place of a token. Check the connection's host and auth_url"
        in said
    )


def test_a_base_url_that_ends_with_the_token_paths_prefix_keeps_one_of_them(connection: Connection) -> None:
    client = connection(host="https://lms.test/api/v3").get_conn()
    assert client._transport._grant.url == "https://lms.test/api/v3/token"


def test_the_budget_of_the_connection_holds(connection: Connection, lms: Simulator) -> None:
    hook = connection(extra={"requests_per_window": 2, "window_seconds": 3600, "page_size": 10})
    hook._use = Use(max_wait=0)
    with pytest.raises(
        LmsRateLimited, match=r"the connection's requests_per_window \(2 in 3600 s\) are used up for another 36"
    ):
        list(hook.get_conn().module_results())
    assert lms.ispring.count(RESULTS) == 2


def test_test_connection_takes_a_fresh_token_and_reads_one_row(connection: Connection, lms: Simulator) -> None:
    hook = connection()
    said = (
        f"{lms.url}: a new access token was given, and results can be read. "
        "Tasks share request budget and access token on this host only."
    )
    assert hook.test_connection() == (True, said)
    assert hook.test_connection()[0]
    assert [request.call for request in lms.ispring.requests] == [TOKEN, "GET /learners/results"] * 2
    assert lms.ispring.requests[-1].query == (("pageSize", "1"),)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda lms: {"password": "wrong-secret-1234"}, "Check the connection's login (client id) and password"),
        (lambda lms: {"host": "http://127.0.0.1:1"}, "no connection to 127.0.0.1"),
        (lambda lms: {"host": "https://api-learn.invalid"}, "no connection to api-learn.invalid"),
        (lambda lms: lms.ispring.fail(TOKEN, faults.html_page()), "Check the connection's host and auth_url"),
        (
            lambda lms: lms.ispring.fail("GET /learners/results", faults.html_page()),
            "Is the connection's host that of the API, with its path?",
        ),
        (
            lambda lms: lms.ispring.forbidden.add("GET /learners/results"),
            "The API key's role may not read this: give it the right in the LMS.",
        ),
        (lambda lms: setattr(lms.ispring, "schemes", ("",)), "Check the connection's auth_scheme and host."),
        (lambda lms: lms.ispring.fail(TOKEN, faults.status(503)), "The LMS cannot answer at the moment."),
    ],
)
def test_test_connection_says_what_to_fix(
    connection: Connection, lms: Simulator, prepare: Callable[[Simulator], Any], message: str
) -> None:
    ok, said = connection(**(prepare(lms) or {})).test_connection()
    assert not ok
    assert message in said
    assert "secret-1234" not in said
    assert lms.ispring.client_secret not in said


def test_test_connection_of_a_missing_connection_does_not_raise() -> None:
    ok, said = ISpringLearnHook("nowhere").test_connection()
    assert not ok
    assert "nowhere" in said


def test_test_connection_does_not_hang(connection: Connection, lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_lms.hooks.base._IN_A_FORM", Use(max_wait=0, timeout=0.5, fresh=True))
    lms.ispring.fail("GET /learners/results", faults.slow(0.2, pieces=200))
    started = time.monotonic()
    ok, said = connection().test_connection()
    assert not ok
    assert "no whole answer within 0.5 s" in said
    assert time.monotonic() - started < 5


def test_nothing_is_sent_or_read_when_a_hook_is_made(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ISpringLearnHook, "get_connection", lambda *_: pytest.fail("read too early"))
    ISpringLearnHook("ispring")
    assert lms.ispring.requests == []
