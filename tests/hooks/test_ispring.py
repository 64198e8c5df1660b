"""Connections of type ispring_learn."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_lms.hooks import base
from airflow_provider_lms.hooks.base import FORM_OPTIONS, NO_RETRIES, ClientOptions
from airflow_provider_lms.hooks.connection import PlainConnection
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsRateLimited
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
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
        ({"login": ""}, r"Connection 'ispring', login \(client ID\) and password \(client secret\) must both be set"),
        ({"password": None}, "must both be set"),
        ({"host": "http://lms.test"}, "Connection 'ispring', host: plain HTTP would send the secret unencrypted"),
        ({"host": "ftp://lms.test"}, "Connection 'ispring', host: expected a host name or a base URL"),
        ({"host": "https://"}, "host: expected a host name or a base URL"),
        ({"host": "lms.test:port"}, "host: expected a host name or a base URL"),
        ({"host": "https://me:secret@lms.test"}, "host: put the credentials into the connection's own fields"),
        ({"extra": {"auth_url": "http://lms.test/token"}}, "auth_url: plain HTTP would send the secret unencrypted"),
        ({"extra": {"page_size": "many"}}, "extra 'page_size': expected a whole number of at least 1, got 'many'"),
        ({"extra": {"page_size": 0}}, "extra 'page_size': expected a whole number of at least 1, got 0"),
        ({"extra": {"timeout": -1}}, "extra 'timeout': expected a number of at least 0.1 and at most 86,400, got -1"),
        ({"extra": {"timeout": 1e10}}, "extra 'timeout': expected a number of at least 0.1 and at most 86,400"),
        ({"extra": {"timeout": math.nan}}, "extra 'timeout': expected a number of .* got nan"),
        ({"extra": {"timeout": "inf"}}, "extra 'timeout': expected a number of .* got 'inf'"),
        ({"extra": {"window_seconds": math.inf}}, "extra 'window_seconds': expected a number of .* got inf"),
        ({"extra": {"lock_seconds": "-inf"}}, "extra 'lock_seconds': expected a number of .* got '-inf'"),
        (
            {"extra": {"lock_seconds": 86_401}},
            "extra 'lock_seconds': expected a number of at least 0 and at most 86,400",
        ),
        ({"extra": {"requests_per_window": 10**400}}, "extra 'requests_per_window': expected a whole number"),
        ({"extra": {"requests_per_day": "nan"}}, "extra 'requests_per_day': expected a whole number"),
        ({"extra": {"max_body_bytes": 0}}, "extra 'max_body_bytes': expected a whole number of at least 1,024, got 0"),
        ({"extra": {"page_size": {"a": [1]}}}, "extra 'page_size': expected a whole number"),
        ({"host": "https://[::1"}, "host: expected a host name or a base URL"),
        ({"host": "[::1"}, "host: expected a host name or a base URL"),
        ({"host": "a" * 64 + ".test"}, "host: expected a host name or a base URL"),
        ({"host": "lms..test"}, "host: expected a host name or a base URL"),
        ({"host": "lms test"}, "host: expected a host name or a base URL"),
        ({"host": "https://lms.test/\u0000"}, "host: expected a host name or a base URL"),
        ({"host": "lms.test:99999"}, "host: expected a host name or a base URL"),
        ({"host": "lms.test", "port": 99_999}, "port: expected a number from 1 to 65535, got 99999"),
        ({"extra": {"auth_scheme": "basic"}}, "extra 'auth_scheme': expected 'Bearer' or 'none', got 'basic'"),
        ({"extra": {"allow_http": "maybe"}}, "extra 'allow_http': expected true or false, got 'maybe'"),
    ],
)
def test_a_field_that_cannot_be_meant_is_named(connection: Connection, fields: dict[str, Any], message: str) -> None:
    hook = connection(**fields)
    with pytest.raises(ValueError, match=message) as raised:
        hook.get_conn()
    # Airflow's form tests a connection under a random id, which would say nothing to anybody.
    assert hook.test_connection() == (False, str(raised.value).removeprefix("Connection 'ispring', "))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": "\ud83d"}, r"Connection 'lms', login \(client ID\): it has a character that cannot be sent"),
        (
            {"password": "a\udfff"},
            r"Connection 'lms', password \(client secret\): it has a character that cannot be se",
        ),
        ({"extra": {"auth_url": "https://a.test/\ud800"}}, "Connection 'lms', extra 'auth_url': expected a text"),
        ({"host": "lms\ud800.test"}, "Connection 'lms', host: expected a host name or a base URL"),
    ],
)
def test_half_a_character_is_named_by_its_field(fields: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"host": None, "port": None, "login": "me", "password": "secret", "extra": {}}
    found = PlainConnection(conn_id="lms", conn_type="ispring_learn", **{**usual, **fields})
    with pytest.raises(ValueError, match=message):
        ISpringLearnHook().client(found)


@pytest.mark.parametrize("extra", ["[1, 2]", "no json", '"text"'])
def test_an_extra_that_is_no_object_is_named_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, lms: Simulator, extra: str
) -> None:
    # Some Airflows refuse such an extra in an environment variable by themselves, but none does in its database.
    found = SimpleNamespace(**{**lms.connection(), "conn_id": "ispring", "port": None, "extra": extra})
    monkeypatch.setattr(ISpringLearnHook, "get_connection", lambda *_: found)
    with pytest.raises(ValueError, match=r"^Connection 'ispring', extra: expected a JSON object\.$"):
        ISpringLearnHook("ispring").get_conn()
    assert ISpringLearnHook("ispring").test_connection() == (False, "extra: expected a JSON object.")
    assert lms.ispring.requests == []


@pytest.mark.parametrize("conn_type", ["postgres", "aws", "http", "zoho_people", "generic", "", None])
def test_a_connection_of_another_type_is_refused_before_anything_is_sent(
    connection: Connection, lms: Simulator, conn_type: str | None
) -> None:
    hook = connection(conn_type=conn_type)
    expected = re.escape(f"type {conn_type or ''!r}: expected 'ispring_learn'. Nothing was sent.")
    for use in (hook.get_conn, hook.lock_seconds_left, hook.lift_lock):
        with pytest.raises(ValueError, match=f"Connection 'ispring', {expected} .* in ispring_learn_conn_id"):
            use()
    ok, said = hook.test_connection()
    assert (ok, said.partition(".")[0]) == (False, f"type {conn_type or ''!r}: expected 'ispring_learn'")
    assert lms.ispring.requests == []


def test_a_connection_without_a_type_is_refused(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> None:
    fields = lms.connection()
    del fields["conn_type"]
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING", json.dumps(fields))
    with pytest.raises(ValueError, match="Connection 'ispring', type '': expected 'ispring_learn'"):
        ISpringLearnHook("ispring").get_conn()


def test_a_lock_is_shown_and_lifted(connection: Connection, lms: Simulator) -> None:
    hook = connection()
    assert hook.lock_seconds_left() == 0
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="3600"))
    hook.options = ClientOptions(retry=NO_RETRIES)
    with pytest.raises(LmsRateLimited):
        list(hook.get_conn().module_results())
    assert 3_500 < hook.lock_seconds_left() <= 3_600
    hook.lift_lock()
    assert hook.lock_seconds_left() == 0
    assert rows(hook.get_conn().module_results())


def test_the_body_of_a_response_is_limited_by_the_connection(connection: Connection, lms: Simulator) -> None:
    hook = connection(extra={"max_body_bytes": 2_048})
    with pytest.raises(LmsBrokenPage, match=r"larger than 'max_body_bytes' \(2,048\)"):
        list(hook.get_conn().module_results())


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
        "POST /elsewhere: HTTP 404 with text/plain instead of a token. Check the connection's host and auth_url" in said
    )


def test_a_base_url_that_ends_with_the_token_paths_prefix_keeps_one_of_them(connection: Connection) -> None:
    client = connection(host="https://lms.test/api/v3").get_conn()
    assert client._transport._access.grant.url == "https://lms.test/api/v3/token"


def test_the_rate_limit_of_the_connection_holds(connection: Connection, lms: Simulator) -> None:
    hook = connection(extra={"requests_per_window": 2, "window_seconds": 3600, "page_size": 10})
    hook.options = ClientOptions(retry=NO_RETRIES)
    with pytest.raises(
        LmsRateLimited, match=r"the connection's requests_per_window \(2 in 3600 s\) are used up for another 36"
    ):
        list(hook.get_conn().module_results())
    assert lms.ispring.count(RESULTS) == 2


def test_test_connection_takes_a_fresh_token_and_reads_one_row(connection: Connection, lms: Simulator) -> None:
    hook = connection()
    said = (
        f"{lms.url}: a new access token was issued, and results can be read. "
        "Tasks share the rate limit and the access token on this host only."
    )
    assert hook.test_connection() == (True, said)
    assert hook.test_connection()[0]
    assert [request.call for request in lms.ispring.requests] == [TOKEN, "GET /learners/results"] * 2
    assert lms.ispring.requests[-1].query == (("pageSize", "1"),)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda lms: {"password": "wrong-secret-1234"}, "Check the connection's login (client ID) and password"),
        (lambda lms: {"host": "http://127.0.0.1:1"}, "no connection to 127.0.0.1"),
        (lambda lms: {"host": "https://api-learn.invalid"}, "no connection to api-learn.invalid"),
        (lambda lms: lms.ispring.fail(TOKEN, faults.html_page()), "Check the connection's host and auth_url"),
        (
            lambda lms: lms.ispring.fail("GET /learners/results", faults.html_page()),
            "Is the connection's host that of the API, with its path?",
        ),
        (
            lambda lms: lms.ispring.forbidden.add("GET /learners/results"),
            "The connection's account may not do this: grant it the right in the LMS.",
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


def _endless(request: Request, reply: Reply) -> Reply:
    """A body that takes 400 s, longer than any test may."""
    return faults.slow(0.2, pieces=2_000)(request, faults.body(b" " * 2_000)(request, reply))


def test_test_connection_does_not_hang(connection: Connection, lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (FORM_OPTIONS.retry, FORM_OPTIONS.max_timeout, FORM_OPTIONS.bypass_token_cache) == (NO_RETRIES, 10, True)
    monkeypatch.setattr(base, "FORM_OPTIONS", replace(FORM_OPTIONS, max_timeout=0.5))
    lms.ispring.fail("GET /learners/results", _endless)
    ok, said = connection(extra={"timeout": 60}).test_connection()
    assert not ok
    assert "no complete response within 0.5 s" in said


def test_a_timeout_below_the_forms_own_is_kept(connection: Connection, lms: Simulator) -> None:
    lms.ispring.fail("GET /learners/results", _endless)
    ok, said = connection(extra={"timeout": 0.5}).test_connection()
    assert not ok
    assert "no complete response within 0.5 s" in said


def test_nothing_is_sent_or_read_when_a_hook_is_made(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ISpringLearnHook, "get_connection", lambda *_: pytest.fail("read too early"))
    ISpringLearnHook("ispring")
    assert lms.ispring.requests == []
