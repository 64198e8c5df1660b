"""Who holds an account's rate limit can be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from airflow_provider_lms import clock as package_clock
from airflow_provider_lms.coordination import MemoryStore, Owner, SharedRateLimiter, Store
from airflow_provider_lms.coordination.local import LocalStore
from airflow_provider_lms.coordination.rate_limit_state import Place, Slot
from airflow_provider_lms.lms.http.rate_limit import Holding, RateLimits, Reservation
from airflow_provider_lms.testing import FakeClock, fake_clock

ALICE = Owner("task", "grades", "read_zoho", "scheduled__2026-11-29", 3)
BOB = Owner("task", "people", "read_learners", "manual__2026-11-29")


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


Limiter = Callable[..., SharedRateLimiter]


@pytest.fixture(params=["memory", "file"])
def limiter(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Limiter:
    """A client of an account that allows 2 requests a minute."""
    store: Store = MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "store.sqlite")

    def make(owner: Owner | None = None, *, reservation: Reservation | None = None) -> SharedRateLimiter:
        return SharedRateLimiter(store, "people.zoho.eu", "client", RateLimits(2), None, reservation, owner)

    return make


def seconds_from_now(date: str | None) -> float:
    assert date is not None
    return datetime.fromisoformat(date).timestamp() - package_clock.timestamp()


def held(limiter: Limiter) -> list[tuple[str, str, str, int, int]]:
    found = limiter().holders()
    return [(each.state, each.dag_id, each.task_id, each.map_index, each.requests) for each in found]


def test_a_request_without_a_response_names_its_task(limiter: Limiter, clock: FakeClock) -> None:
    sender = limiter(ALICE)
    sender.acquire()
    clock.advance(10)
    (found,) = limiter().holders()
    assert (found.process, found.dag_id, found.task_id, found.run_id, found.map_index) == (
        "task",
        "grades",
        "read_zoho",
        "scheduled__2026-11-29",
        3,
    )
    assert (found.state, found.requests, found.turn_at) == ("in_flight", 1, None)
    assert seconds_from_now(found.since) == pytest.approx(-10, abs=0.1)
    assert seconds_from_now(found.until) == pytest.approx(2 * 60.3 - 10, abs=0.1)


def test_a_request_with_a_response_belongs_to_nobody(limiter: Limiter) -> None:
    sender = limiter(ALICE)
    sender.acquire()
    sender.release()
    assert held(limiter) == []


def test_those_who_wait_and_those_who_come_back_stand_in_the_queues_order(limiter: Limiter, clock: FakeClock) -> None:
    for _ in range(2):
        limiter(ALICE).acquire()
    limiter(BOB, reservation=Reservation("bob")).reserve()
    limiter(ALICE).acquire()
    assert held(limiter) == [
        ("in_flight", "grades", "read_zoho", 3, 1),
        ("in_flight", "grades", "read_zoho", 3, 1),
        ("waiting", "grades", "read_zoho", 3, 1),
        ("reserved", "people", "read_learners", -1, 2),
    ]


def test_names_are_not_kept_once_they_say_nothing() -> None:
    store = MemoryStore()
    sender = SharedRateLimiter(store, "people.zoho.eu", "client", RateLimits(2), None, None, ALICE)
    sender.acquire()
    sender.release()
    (state,) = store._states.values()
    assert b"grades" not in state


def test_an_expected_turn_and_the_end_of_a_place_are_told(limiter: Limiter, clock: FakeClock) -> None:
    for _ in range(2):
        full = limiter()
        full.acquire()
        full.release()
    limiter(ALICE).acquire()
    clock.advance(20)
    (found,) = limiter().holders()
    assert seconds_from_now(found.since) == pytest.approx(-20, abs=0.1)
    assert seconds_from_now(found.turn_at) == pytest.approx(60.3 - 20, abs=0.1)
    assert seconds_from_now(found.until) == pytest.approx(60.3 + 5 - 20, abs=0.1)


def test_a_place_that_is_lost_is_not_shown(limiter: Limiter, clock: FakeClock) -> None:
    for _ in range(2):
        limiter().acquire()
    limiter(ALICE).acquire()
    clock.advance(130)
    assert held(limiter) == []


def test_threads_of_a_task_are_shown_under_its_name(limiter: Limiter) -> None:
    limiter(BOB).sibling().acquire()
    assert held(limiter) == [("in_flight", "people", "read_learners", -1, 1)]


def test_asking_changes_nothing(limiter: Limiter, clock: FakeClock) -> None:
    for _ in range(2):
        limiter(ALICE).acquire()
    waits = limiter(BOB)
    waits.acquire()
    clock.advance(70)
    before = held(limiter)
    assert before == held(limiter)


def test_a_program_without_a_name_is_shown_without_one(limiter: Limiter) -> None:
    limiter().acquire()
    (found,) = limiter().holders()
    assert (found.process, found.dag_id, found.map_index) == ("", "", -1)


def test_json_can_hold_it(limiter: Limiter) -> None:
    limiter(ALICE).acquire()
    (found,) = limiter().holders()
    assert Holding(**json.loads(json.dumps(found.to_json()))) == found


def test_what_an_earlier_version_has_stored_is_read_and_the_other_way_round() -> None:
    class OldSlot(msgspec.Struct, array_like=True):
        counted_at: float
        holder: str = ""

    class OldPlace(msgspec.Struct, array_like=True):
        holder: str
        kept_until: float
        calls: int = 1
        reserved_at: float = 0.0
        may_wait: int = 0

    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode
    assert decode(encode(OldSlot(1.0, "a")), type=Slot) == Slot(1.0, "a", None)
    assert decode(encode(Slot(1.0, "a", ALICE)), type=OldSlot) == OldSlot(1.0, "a")
    assert decode(encode(OldPlace("a", 1.0)), type=Place) == Place("a", 1.0)
    assert decode(encode(Place("a", 1.0, owner=ALICE, joined_at=3.0)), type=OldPlace) == OldPlace("a", 1.0)
