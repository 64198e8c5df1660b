"""The access token that processes share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedTokens
from airflow_provider_lms.coordination.local import LocalStore
from airflow_provider_lms.coordination.tokens import TokenState
from airflow_provider_lms.lms.http.rate_limit import RetryAfter, WaitReason
from airflow_provider_lms.testing import FakeClock, fake_clock

Client = Callable[..., SharedTokens]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def client(clock: FakeClock) -> Client:
    shared = MemoryStore()

    def make(*, secret: str = "hidden-word", **options: Any) -> SharedTokens:
        return SharedTokens(shared, ("accounts.zoho.eu", "people.zoho.eu"), "client", (secret,), **options)

    return make


def test_one_asks_and_all_get_it(client: Client) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    assert other.take(None, 60) == RetryAfter(
        0.25, "another task is requesting an access token", waits_for=WaitReason.TOKEN
    )
    one.put("access-1", 3_600)
    assert [each.take(None, 60) for each in (one, other, client())] == ["access-1"] * 3


def test_it_is_renewed_ahead_of_its_end(client: Client, clock: FakeClock) -> None:
    client().put("access-1", 3_600)
    clock.advance(3_539)
    assert client().take(None, 60) == "access-1"
    clock.advance(1)
    assert client().take(None, 60) is None


def test_a_short_life_is_used_by_half(client: Client, clock: FakeClock) -> None:
    client().put("access-1", 100)
    clock.advance(49)
    assert client().take(None, 60) == "access-1"
    clock.advance(1)
    assert client().take(None, 60) is None


def test_a_rejected_token_is_not_returned_again_but_a_newer_one_is(client: Client) -> None:
    one, other = client(), client()
    one.put("access-1", 3_600)
    assert one.take("access-1", 60) is None
    one.put("access-2", 3_600)
    assert other.take("access-1", 60) == "access-2"


def test_who_dies_while_asking_loses_the_turn(client: Client, clock: FakeClock) -> None:
    killed, other = client(), client()
    assert killed.take(None, 30) is None
    clock.advance(29.9)
    assert other.take(None, 30) is not None
    clock.advance(0.2)
    assert other.take(None, 30) is None


def test_who_gives_up_lets_the_next_ask(client: Client) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    one.give_up(0)
    assert other.take(None, 60) is None


def test_a_pause_is_everybodys(client: Client, clock: FakeClock) -> None:
    one, other = client(), client()
    assert one.take(None, 60) is None
    one.give_up(600)
    clock.advance(1)
    assert other.take(None, 60) == RetryAfter(
        599, "too many access tokens were requested, and none are issued", locked=True, waits_for=WaitReason.TOKEN
    )
    clock.advance(599)
    assert other.take(None, 60) is None


def test_a_valid_token_serves_during_a_pause(client: Client) -> None:
    client().put("access-1", 3_600)
    client().give_up(600)
    assert client().take(None, 60) == "access-1"


def test_a_fresh_one_is_asked_for_whatever_is_shared(client: Client) -> None:
    client().put("access-1", 3_600)
    fresh = client(bypass_cache=True)
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


@pytest.mark.parametrize("encrypted", [b"\xff\xfe", b"gAAAAA", b"gAAAAABm" + b"x" * 200])
def test_a_damaged_token_is_replaced_by_a_new_one(client: Client, encrypted: bytes) -> None:
    one = client()
    one.put("access-1", 3_600)
    one._store.change(one._key, TokenState, lambda state, _: setattr(state, "encrypted", encrypted))
    other = client()
    assert other.take(None, 60) is None
    other.put("access-2", 3_600)
    assert client().take(None, 60) == "access-2"


@pytest.mark.parametrize("left", [86_401, 1e300, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("field", ["paused_until", "turn_ends_at", "renew_at"])
def test_a_stored_time_that_makes_no_sense_stops_nobody(
    client: Client, clock: FakeClock, field: str, left: float
) -> None:
    one = client()
    one._store.change(one._key, TokenState, lambda state, now: setattr(state, field, now + left))
    one._store.change(one._key, TokenState, lambda state, _: setattr(state, "requester", "someone"))
    assert client().take(None, 60) is None


def test_a_pause_can_be_inspected_and_lifted_and_is_no_longer_than_a_day(client: Client, clock: FakeClock) -> None:
    one, other = client(), client()
    one.give_up(1e300)
    assert other.lock_seconds_left() == pytest.approx(86_400)
    clock.advance(86_000)
    assert other.lock_seconds_left() == pytest.approx(400)
    other.lift_lock()
    assert (one.lock_seconds_left(), one.take(None, 60)) == (0, None)
