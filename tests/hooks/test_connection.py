"""A connection as plain data, and how a trigger comes by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat import connection as compat
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_lms.hooks.connection import PlainConnection, resolve
from airflow_provider_lms.testing import FakeClock, fake_clock


class DeadlockImminentError(BaseException):
    """What Airflow 3.2 to 3.3.1 raise; only its name identifies it."""


def connection(**fields: Any) -> Any:
    usual = {
        "conn_id": "lms",
        "conn_type": "zoho_people",
        "host": "h",
        "port": 1,
        "login": "me",
        "password": "secret",
        "extra": '{"timeout": 5}',
    }
    return SimpleNamespace(**{**usual, **fields})


class Airflow:
    """Stands in for Airflow's own call; raises the given errors, one per call, before it answers."""

    def __init__(self, found: Any, *errors: BaseException) -> None:
        self.found, self.errors, self.asked = found, list(errors), 0

    async def __call__(self, conn_id: str) -> Any:
        assert conn_id == "lms"
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.found


Answering = Callable[..., Airflow]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    def use(found: Any, *errors: BaseException) -> Airflow:
        airflow = Airflow(found, *errors)
        monkeypatch.setattr(BaseHook, "aget_connection", airflow, raising=False)
        return airflow

    return use


def test_a_connection_is_resolved_on_the_event_loop(answering: Answering) -> None:
    airflow = answering(connection())
    assert asyncio.run(resolve("lms")) == PlainConnection("lms", "h", 1, "me", "secret", {"timeout": 5}, "zoho_people")
    assert airflow.asked == 1


def test_an_extra_that_airflow_masks_itself_is_asked_for(answering: Answering) -> None:
    async def masked() -> dict[str, Any]:
        return {"refresh_token": "r"}

    answering(connection(aextra_dejson=masked))
    assert asyncio.run(resolve("lms")).extra == {"refresh_token": "r"}


@pytest.mark.parametrize("extra", [None, "", "{}", "null"])
def test_an_extra_without_fields_is_empty(answering: Answering, extra: str | None) -> None:
    answering(connection(extra=extra))
    assert asyncio.run(resolve("lms")).extra == {}


@pytest.mark.parametrize("extra", ["[1]", "no json", '"text"', "7", "true", "NaN", '{"a": 1', "[" * 100_000])
def test_an_extra_that_is_no_object_is_refused(answering: Answering, extra: str) -> None:
    answering(connection(extra=extra))
    with pytest.raises(ValueError, match=r"^Connection 'lms', extra: expected a JSON object\.$"):
        asyncio.run(resolve("lms"))
    with pytest.raises(ValueError, match=r"^extra: expected a JSON object\.$"):
        PlainConnection.of(connection(extra=extra))


def test_a_call_that_must_not_stand_beside_another_is_tried_again(answering: Answering, clock: FakeClock) -> None:
    airflow = answering(connection(), *(DeadlockImminentError() for _ in range(7)))
    assert asyncio.run(resolve("lms")).login == "me"
    assert airflow.asked == 8
    assert len(clock.naps) == 7
    assert all(0.01 <= nap <= 0.1 for nap in clock.naps)


def test_it_is_not_tried_forever(answering: Answering, clock: FakeClock) -> None:
    airflow = answering(connection(), *(DeadlockImminentError() for _ in range(1_000)))
    with pytest.raises(DeadlockImminentError):
        asyncio.run(resolve("lms"))
    assert (airflow.asked, len(clock.naps)) == (51, 50)


@pytest.mark.parametrize("error", [KeyError("lms"), ValueError("no such connection")])
def test_any_other_error_is_raised_at_once(answering: Answering, error: Exception) -> None:
    airflow = answering(connection(), error)
    with pytest.raises(type(error)):
        asyncio.run(resolve("lms"))
    assert airflow.asked == 1


def test_cancelling_is_not_held_up(answering: Answering) -> None:
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
    assert found == PlainConnection("lms", None, None, "me", "secret", extra, "zoho_people")
    assert found == PlainConnection.of(BaseHook.get_connection("lms"))


def test_a_connection_shows_no_secret() -> None:
    shown = repr(PlainConnection("lms", "h", 1, "me", "secret-1", {"refresh_token": "secret-2"}))
    assert "secret" not in shown
