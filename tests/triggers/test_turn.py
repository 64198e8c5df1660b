"""The trigger of operators that wait for their turn at the rate limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.triggers.base import TriggerEvent

from airflow_provider_lms import clock as clock_module
from airflow_provider_lms.coordination import SharedRateLimiter
from airflow_provider_lms.hooks.coordination import shared_store
from airflow_provider_lms.lms.http.rate_limit import RateLimits, Reservation
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers.turn import TurnTrigger

SPAN = 60.3


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def client(reservation: Reservation | None = None) -> SharedRateLimiter:
    return SharedRateLimiter(shared_store(), "host", "client", RateLimits(requests=10), reservation=reservation)


def fill() -> None:
    limiter = client()
    while limiter.acquire() is None:
        limiter.release()
    limiter.close()


def reserve(name: str) -> tuple[TurnTrigger, Reservation]:
    seconds, reservation = client(Reservation(name)).reserve()
    return TurnTrigger(reservation=reservation, expected_at=clock_module.timestamp() + seconds), reservation


def wait(trigger: TurnTrigger) -> TriggerEvent:
    """Let it run to its event, as the triggerer does: from what Airflow has stored."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_lms.triggers.turn.TurnTrigger"

    async def first() -> TriggerEvent:
        return await anext(aiter(TurnTrigger(**kwargs).run()))

    return asyncio.run(first())


def test_it_comes_back_a_little_before_its_turn_and_keeps_it_until_then(clock: FakeClock) -> None:
    fill()
    trigger, reservation = reserve("one")
    began = clock.monotonic()
    assert wait(trigger).payload == {"status": "turn"}
    assert clock.monotonic() - began == pytest.approx(SPAN - 5, abs=0.1)
    clock.advance(14)
    assert client(reservation).acquire() is None


def test_it_comes_back_earlier_if_others_give_up(clock: FakeClock) -> None:
    fill()
    _, first = reserve("one")
    trigger, _ = reserve("two")
    client(first).close()
    began = clock.monotonic()
    wait(trigger)
    assert clock.monotonic() - began == pytest.approx(SPAN - 5, abs=10)


def test_it_does_not_wait_for_a_task_that_was_killed(clock: FakeClock) -> None:
    fill()
    reserve("killed")
    trigger, _ = reserve("two")
    began = clock.monotonic()
    wait(trigger)
    assert SPAN + 10 < clock.monotonic() - began < SPAN + 21


def test_it_waits_on_if_others_went_first(clock: FakeClock) -> None:
    fill()
    trigger, reservation = reserve("one")
    for _ in range(10):
        assert client().acquire() is not None
    began = clock.monotonic()
    wait(trigger)
    assert SPAN < clock.monotonic() - began < 2 * SPAN + 1
    assert client(reservation).acquire() is None


def test_without_the_reservation_it_comes_back_at_the_expected_time(clock: FakeClock) -> None:
    fill()
    trigger, reservation = reserve("one")
    client(reservation).close()
    began = clock.monotonic()
    wait(trigger)
    assert clock.monotonic() - began == pytest.approx(SPAN - 5, abs=0.1)


def test_without_the_store_too(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    trigger, _ = reserve("one")
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", "redis://127.0.0.1:1/0")
    began = clock.monotonic()
    wait(trigger)
    assert clock.monotonic() - began == pytest.approx(SPAN - 5, abs=0.1)


def test_it_looks_more_often_the_nearer_its_turn_is(clock: FakeClock) -> None:
    _, reservation = reserve("one")
    client(reservation).close()
    wait(TurnTrigger(reservation=reservation, expected_at=clock_module.timestamp() + 1_000))
    assert clock.naps[0] == 30
    assert clock.naps == sorted(clock.naps, reverse=True)
    assert sum(nap < 3 for nap in clock.naps) <= 2, "what is left at the end, in floating point"
    assert len(clock.naps) < 65
