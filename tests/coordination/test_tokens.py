"""The access token that processes share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedTokens, store
from airflow_provider_lms.coordination.local import LocalStore

Client = Callable[..., SharedTokens]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


@pytest.fixture
def client(clock: SimpleNamespace) -> Client:
    shared = MemoryStore()

    def make(*, secret: str = "hidden-word", **options: Any) -> SharedTokens:
        return SharedTokens(shared, ("accounts.zoho.eu", "people.zoho.eu"), "client", (secret,), **options)

    return make


def test_one_asks_and_all_get_it(client: Client) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    assert other.take(None, 60) == (0.25, "another task is asking for an access token", False)
    one.put("access-1", 3_600)
    assert [each.take(None, 60) for each in (one, other, client())] == ["access-1"] * 3


def test_it_is_renewed_ahead_of_its_end(client: Client, clock: SimpleNamespace) -> None:
    client().put("access-1", 3_600)
    clock.now += 3_539
    assert client().take(None, 60) == "access-1"
    clock.now += 1
    assert client().take(None, 60) is None


def test_a_short_life_is_used_by_half(client: Client, clock: SimpleNamespace) -> None:
    client().put("access-1", 100)
    clock.now += 49
    assert client().take(None, 60) == "access-1"
    clock.now += 1
    assert client().take(None, 60) is None


def test_a_refused_token_is_not_given_again_but_a_newer_one_is(client: Client) -> None:
    one, other = client(), client()
    one.put("access-1", 3_600)
    assert one.take("access-1", 60) is None
    one.put("access-2", 3_600)
    assert other.take("access-1", 60) == "access-2"


def test_who_dies_while_asking_loses_the_turn(client: Client, clock: SimpleNamespace) -> None:
    killed, other = client(), client()
    assert killed.take(None, 30) is None
    clock.now += 29.9
    assert other.take(None, 30) is not None
    clock.now += 0.2
    assert other.take(None, 30) is None


def test_who_gives_up_lets_the_next_ask(client: Client) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    one.give_up(0)
    assert other.take(None, 60) is None


def test_a_pause_is_everybodys(client: Client, clock: SimpleNamespace) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    one.give_up(600)
    clock.now += 1
    assert other.take(None, 60) == (599, "too many access tokens were asked for, and none are given", True)
    clock.now += 599
    assert other.take(None, 60) is None


def test_a_valid_token_serves_during_a_pause(client: Client) -> None:
    client().put("access-1", 3_600)
    client().give_up(600)
    assert client().take(None, 60) == "access-1"


def test_a_fresh_one_is_asked_for_whatever_is_shared(client: Client) -> None:
    client().put("access-1", 3_600)
    fresh = client(fresh=True)
    assert fresh.take(None, 60) is None
    fresh.put("access-2", 3_600)
    assert fresh.take(None, 60) == "access-2"
    assert client().take(None, 60) == "access-2"


def test_another_secret_is_another_account(client: Client) -> None:
    client().put("access-1", 3_600)
    assert client(secret="other").take(None, 60) is None


def test_the_store_reveals_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    tokens = SharedTokens(LocalStore(path), ("accounts.zoho.eu",), "client-id-1", ("hidden-word", "refresh-1"))
    tokens.put("access-1", 3_600)
    assert tokens.take(None, 60) == "access-1"
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not [word for word in (b"access-1", b"hidden-word", b"refresh-1", b"client-id-1", b"zoho") if word in stored]
