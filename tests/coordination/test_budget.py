"""The request budget and the lock that processes share."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_lms.coordination import MemoryStore, SharedBudget, store
from airflow_provider_lms.lms.budget import Limits

Client = Callable[[], SharedBudget]


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(store, "time", found)
    return found


def account(**limits: float) -> Client:
    """Makes clients of one account."""
    shared = MemoryStore()
    return lambda: SharedBudget(shared, "people.zoho.eu", "client", Limits(**limits))  # type: ignore[arg-type]


def send(budget: SharedBudget) -> float:
    """Acquire and get an answer at once; else the seconds to wait."""
    if (wait := budget.acquire()) is not None:
        return wait.seconds
    budget.answered()
    return 0.0


def test_without_limits_every_request_may_go_out(time: Time) -> None:
    client = account()()
    assert [client.acquire() for _ in range(100)] == [None] * 100


def test_the_window_is_shared_and_moves_with_time(time: Time) -> None:
    make = account(requests=2, window_seconds=60)
    one, other = make(), make()
    assert send(one) == 0
    time.now += 10
    assert send(other) == 0
    assert send(one) == pytest.approx(50.3)
    time.now += 50.31
    assert send(one) == 0
    assert send(one) == pytest.approx(10, abs=0.1)


def test_accounts_do_not_share(time: Time) -> None:
    shared = MemoryStore()
    limits = Limits(requests=1)
    budgets = [SharedBudget(shared, *key, limits) for key in (("a", "x"), ("a", "y"), ("b", "x"))]
    assert [send(budget) for budget in budgets] == [0, 0, 0]
    assert send(SharedBudget(shared, "a", "x", limits)) > 0


def test_a_request_counts_for_a_window_after_its_answer(time: Time) -> None:
    client = account(requests=1, window_seconds=60)()
    assert client.acquire() is None
    time.now += 30
    client.answered()
    time.now += 59
    assert send(client) == pytest.approx(1.3)


def test_a_request_without_an_answer_is_given_another_window(time: Time) -> None:
    make = account(requests=1, window_seconds=60)
    killed, other = make(), make()
    assert killed.acquire() is None
    time.now += 61
    assert 0 < send(other) <= 1
    time.now += 60
    assert send(other) == 0


def test_an_answer_that_comes_after_that_counts_again(time: Time) -> None:
    make = account(requests=1, window_seconds=60)
    slow, other = make(), make()
    assert slow.acquire() is None
    time.now += 130
    slow.answered()
    assert send(other) == pytest.approx(60.3)


def test_those_who_wait_are_served_in_the_order_they_came(time: Time) -> None:
    make = account(requests=2, window_seconds=60)
    clients = [make() for _ in range(7)]
    assert [round(send(client)) for client in clients] == [0, 0, 60, 60, 121, 121, 181]
    time.now += 60.5
    assert send(clients[6]) > 0, "others came before"
    assert [send(client) for client in (clients[3], clients[2])] == [0, 0]
    time.now += 60.5
    assert [send(client) for client in (clients[5], clients[4])] == [0, 0]


def test_a_waiter_that_does_not_come_back_loses_its_place(time: Time) -> None:
    make = account(requests=1, window_seconds=60)
    first, killed, last = make(), make(), make()
    assert [send(client) > 0 for client in (first, killed, last)] == [False, True, True]
    time.now += 61
    assert send(last) > 0
    time.now += 5
    assert send(last) == 0


def test_who_leaves_gives_up_its_place(time: Time) -> None:
    make = account(requests=1, window_seconds=60)
    first, leaver, last = make(), make(), make()
    assert [send(client) > 0 for client in (first, leaver, last)] == [False, True, True]
    leaver.leave()
    time.now += 61
    assert send(last) == 0


def test_a_lock_stops_everybody_until_its_end(time: Time) -> None:
    make = account(lock_seconds=300)
    one, other = make(), make()
    assert one.lock(None) == 300
    assert one.lock(20) == 20
    time.now += 100
    wait = other.acquire()
    assert wait == (200, "the LMS has locked the account, and nobody may send", True)
    time.now += 200
    assert other.acquire() is None


def test_the_day_has_a_limit_too(time: Time) -> None:
    make = account(requests_per_day=3)
    one, other = make(), make()
    assert [send(client) for client in (one, other, one)] == [0, 0, 0]
    wait = other.acquire()
    assert wait is not None
    assert wait.reason == "the connection's requests_per_day (3) are used up"
    assert 86_400 <= wait.seconds <= 86_700
    time.now += wait.seconds + 1
    assert send(other) == 0


def _run(time: Time, requests: int, window: float, clients: int, calls: int, latencies: Iterator[float]) -> list[float]:
    """Clients that call as often as they may; the times at which the LMS counts, anywhere before the answer."""
    make = account(requests=requests, window_seconds=window)
    chance, counted, order = random.Random(7), [], itertools.count()
    waiting = [(time.now, next(order), make(), False) for _ in range(clients)]
    left = calls
    while waiting:
        moment, _, client, sent = heapq.heappop(waiting)
        time.now = max(time.now, moment)
        if sent:
            client.answered()
        if not left:
            continue
        if (wait := client.acquire()) is not None:
            heapq.heappush(waiting, (time.now + wait.seconds, next(order), client, False))
            continue
        left -= 1
        latency = next(latencies)
        counted.append(time.now + latency * chance.random())
        heapq.heappush(waiting, (time.now + latency, next(order), client, True))
    return sorted(counted)


@settings(deadline=None)
@given(
    clients=st.integers(1, 9),
    requests=st.integers(1, 6),
    latencies=st.lists(st.floats(0, 59), min_size=1, max_size=20),
)
def test_no_window_ever_holds_more_than_allowed(clients: int, requests: int, latencies: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        time = Time()
        patch.setattr(store, "time", SimpleNamespace(monotonic=time.monotonic))
        counted = _run(time, requests, 60.0, clients, 40, itertools.cycle(latencies))
    assert len(counted) == 40
    assert all(later - earlier > 60 for earlier, later in zip(counted, counted[requests:], strict=False))


@pytest.mark.parametrize("clients", [1, 4, 20, 70])
def test_what_is_allowed_is_used(time: Time, clients: int) -> None:
    chance = random.Random(3)
    started = time.now
    counted = _run(time, 30, 60.0, clients, 600, (chance.uniform(0.1, 0.6) for _ in itertools.count()))
    assert counted[-1] - started < 1.03 * 19 * 60
