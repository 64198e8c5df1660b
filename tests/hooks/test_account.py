"""A connection as plain data, and how a trigger comes by it."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat import connection as compat
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_lms.hooks import account
from airflow_provider_lms.hooks.account import Account, resolve


class DeadlockImminentError(BaseException):
    """What Airflow 3.2 to 3.3.1 raise; by its name alone it can be told."""


def connection(**fields: Any) -> Any:
    usual = {"conn_id": "lms", "host": "h", "port": 1, "login": "me", "password": "secret", "extra": '{"timeout": 5}'}
    return SimpleNamespace(**{**usual, **fields})


class Airflow:
    """Stands in for Airflow's own call; raises what it is told to before it answers."""

    def __init__(self, found: Any, *errors: BaseException) -> None:
        self.found, self.errors, self.asked = found, list(errors), 0

    async def __call__(self, conn_id: str) -> Any:
        assert conn_id == "lms"
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr(account.asyncio, "sleep", lambda _: sleep(0))  # type: ignore[attr-defined]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(found: Any, *errors: BaseException) -> Airflow:
        airflow = Airflow(found, *errors)
        monkeypatch.setattr(BaseHook, "aget_connection", airflow, raising=False)
        return airflow

    return use


def test_a_connection_is_resolved_on_the_event_loop(answering: Any) -> None:
    airflow = answering(connection())
    assert asyncio.run(resolve("lms")) == Account("lms", "h", 1, "me", "secret", {"timeout": 5})
    assert airflow.asked == 1


def test_an_extra_that_airflow_masks_itself_is_asked_for(answering: Any) -> None:
    async def masked() -> dict[str, Any]:
        return {"refresh_token": "r"}

    answering(connection(aextra_dejson=masked))
    assert asyncio.run(resolve("lms")).extra == {"refresh_token": "r"}


@pytest.mark.parametrize("extra", [None, "", "{}", "[1]", "no json", "null"])
def test_an_extra_that_is_no_object_is_empty(answering: Any, extra: str | None) -> None:
    answering(connection(extra=extra))
    assert asyncio.run(resolve("lms")).extra == {}


def test_a_call_that_must_not_stand_beside_another_is_tried_again(answering: Any, at_once: None) -> None:
    airflow = answering(connection(), *(DeadlockImminentError() for _ in range(7)))
    assert asyncio.run(resolve("lms")).login == "me"
    assert airflow.asked == 8


def test_it_is_not_tried_for_ever(answering: Any, at_once: None) -> None:
    airflow = answering(connection(), *(DeadlockImminentError() for _ in range(1_000)))
    with pytest.raises(DeadlockImminentError):
        asyncio.run(resolve("lms"))
    assert airflow.asked == 51


@pytest.mark.parametrize("error", [KeyError("lms"), ValueError("no such connection")])
def test_any_other_error_is_raised_at_once(answering: Any, error: Exception) -> None:
    airflow = answering(connection(), error)
    with pytest.raises(type(error)):
        asyncio.run(resolve("lms"))
    assert airflow.asked == 1


def test_cancelling_is_not_held_up(answering: Any) -> None:
    answering(connection(), asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(resolve("lms"))


def test_an_airflow_without_that_call_is_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(BaseHook, "aget_connection", raising=False)
    airflow = Airflow(connection())
    monkeypatch.setattr(compat, "get_async_connection", airflow)
    assert asyncio.run(resolve("lms")).extra == {"timeout": 5}
    assert airflow.asked == 1


def test_a_connection_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"refresh_token": "r", "timeout": 5}
    fields = {"conn_type": "zoho_people", "login": "me", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LMS", json.dumps(fields))
    found = asyncio.run(resolve("lms"))
    assert found == Account("lms", None, None, "me", "secret", extra)
    assert found == Account.of(BaseHook.get_connection("lms"))


def test_an_account_shows_no_secret() -> None:
    shown = repr(Account("lms", "h", 1, "me", "secret-1", {"refresh_token": "secret-2"}))
    assert "secret" not in shown
