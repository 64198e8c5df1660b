"""The rate limit and the lock that processes share."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.coordination.rate_limit_state import DayCount, Limit, Place, RateLimitState, Slot
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.testing import FakeClock, fake_clock

Client = Callable[[], SharedRateLimiter]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def account(
    *,
    requests: int | None = None,
    window_seconds: float = 60.0,
    lock_seconds: float = 300.0,
    requests_per_day: int | None = None,
) -> Client:
    """Makes clients of one account."""
    shared, limits = MemoryStore(), RateLimits(requests, window_seconds, lock_seconds, requests_per_day)
    return lambda: SharedRateLimiter(shared, "people.zoho.eu", "client", limits)


def send(limiter: SharedRateLimiter) -> float:
    """Acquire and get a response at once; else the seconds to wait."""
    if (wait := limiter.acquire()) is not None:
        return wait.seconds
    limiter.release()
    return 0.0


def test_without_limits_every_request_may_go_out(clock: FakeClock) -> None:
    client = account()()
    assert [client.acquire() for _ in range(100)] == [None] * 100


def test_the_window_is_shared_and_moves_with_time(clock: FakeClock) -> None:
    make = account(requests=2, window_seconds=60)
    one, other = make(), make()
    assert send(one) == 0
    clock.advance(10)
    assert send(other) == 0
    assert send(one) == pytest.approx(50.3)
    clock.advance(50.31)
    assert send(one) == 0
    assert send(one) == pytest.approx(10, abs=0.1)


def test_accounts_do_not_share(clock: FakeClock) -> None:
    shared = MemoryStore()
    limits = RateLimits(requests=1)
    limiters = [SharedRateLimiter(shared, *key, limits) for key in (("a", "x"), ("a", "y"), ("b", "x"))]
    assert [send(limiter) for limiter in limiters] == [0, 0, 0]
    assert send(SharedRateLimiter(shared, "a", "x", limits)) > 0


def test_a_request_counts_for_a_window_after_its_answer(clock: FakeClock) -> None:
    client = account(requests=1, window_seconds=60)()
    assert client.acquire() is None
    clock.advance(30)
    client.release()
    clock.advance(59)
    assert send(client) == pytest.approx(1.3)


def test_a_request_without_an_answer_is_given_another_window(clock: FakeClock) -> None:
    make = account(requests=1, window_seconds=60)
    killed, other = make(), make()
    assert killed.acquire() is None
    clock.advance(61)
    assert 0 < send(other) <= 1
    clock.advance(60)
    assert send(other) == 0


def test_an_answer_that_comes_after_that_counts_again(clock: FakeClock) -> None:
    make = account(requests=1, window_seconds=60)
    slow, other = make(), make()
    assert slow.acquire() is None
    clock.advance(130)
    slow.release()
    assert send(other) == pytest.approx(60.3)


def test_those_who_wait_are_served_in_the_order_they_came(clock: FakeClock) -> None:
    make = account(requests=2, window_seconds=60)
    clients = [make() for _ in range(7)]
    assert [round(send(client)) for client in clients] == [0, 0, 60, 60, 121, 121, 181]
    clock.advance(60.5)
    assert send(clients[6]) > 0, "others came before"
    assert [send(client) for client in (clients[3], clients[2])] == [0, 0]
    clock.advance(60.5)
    assert [send(client) for client in (clients[5], clients[4])] == [0, 0]


def test_a_waiter_that_does_not_come_back_loses_its_place(clock: FakeClock) -> None:
    make = account(requests=1, window_seconds=60)
    first, killed, last = make(), make(), make()
    assert [send(client) > 0 for client in (first, killed, last)] == [False, True, True]
    clock.advance(61)
    assert send(last) > 0
    clock.advance(5)
    assert send(last) == 0


def test_who_leaves_gives_up_its_place(clock: FakeClock) -> None:
    make = account(requests=1, window_seconds=60)
    first, leaver, last = make(), make(), make()
    assert [send(client) > 0 for client in (first, leaver, last)] == [False, True, True]
    leaver.cancel()
    clock.advance(61)
    assert send(last) == 0


def test_a_lock_stops_everybody_until_its_end(clock: FakeClock) -> None:
    make = account(lock_seconds=300)
    one, other = make(), make()
    assert one.block(None) == 300
    assert one.block(20) == 20
    clock.advance(100)
    wait = other.acquire()
    assert wait is not None
    assert (wait.seconds, wait.locked) == (200, True)
    assert wait.reason == "the LMS has locked the account, and no task may send requests"
    clock.advance(200)
    assert other.acquire() is None


def test_the_day_has_a_limit_too(clock: FakeClock) -> None:
    make = account(requests_per_day=3)
    one, other = make(), make()
    assert [send(client) for client in (one, other, one)] == [0, 0, 0]
    wait = other.acquire()
    assert wait is not None
    assert wait.reason == "the connection's requests_per_day (3) are used up"
    assert 86_400 <= wait.seconds <= 86_700
    clock.advance(wait.seconds + 1)
    assert send(other) == 0


def _run(
    clock: FakeClock, requests: int, window: float, clients: int, calls: int, latencies: Iterator[float]
) -> list[float]:
    """Clients that call as often as they may; the times at which the LMS counts, anywhere before the answer."""
    make = account(requests=requests, window_seconds=window)
    chance, counted, order = random.Random(7), [], itertools.count()
    waiting = [(clock.monotonic(), next(order), make(), False) for _ in range(clients)]
    left = calls
    while waiting:
        moment, _, client, sent = heapq.heappop(waiting)
        clock.advance(max(moment - clock.monotonic(), 0.0))
        if sent:
            client.release()
        if not left:
            continue
        if (wait := client.acquire()) is not None:
            heapq.heappush(waiting, (clock.monotonic() + wait.seconds, next(order), client, False))
            continue
        left -= 1
        latency = next(latencies)
        counted.append(clock.monotonic() + latency * chance.random())
        heapq.heappush(waiting, (clock.monotonic() + latency, next(order), client, True))
    return sorted(counted)


@settings(deadline=None)
@given(
    clients=st.integers(1, 9),
    requests=st.integers(1, 6),
    latencies=st.lists(st.floats(0, 59), min_size=1, max_size=20),
)
def test_no_window_ever_holds_more_than_allowed(clients: int, requests: int, latencies: list[float]) -> None:
    with fake_clock() as clock:
        counted = _run(clock, requests, 60.0, clients, 40, itertools.cycle(latencies))
    assert len(counted) == 40
    assert all(later - earlier > 60 for earlier, later in zip(counted, counted[requests:], strict=False))


@pytest.mark.parametrize("clients", [1, 4, 20, 70])
def test_what_is_allowed_is_used(clock: FakeClock, clients: int) -> None:
    chance = random.Random(3)
    started = clock.monotonic()
    counted = _run(clock, 30, 60.0, clients, 600, (chance.uniform(0.1, 0.6) for _ in itertools.count()))
    assert counted[-1] - started < 1.03 * 19 * 60


def stored(state: RateLimitState) -> tuple[MemoryStore, SharedRateLimiter]:
    """A client that meets this state."""
    store = MemoryStore()
    limiter = SharedRateLimiter(store, "people.zoho.eu", "client", RateLimits(requests=2, requests_per_day=100))
    store.change(limiter._key, RateLimitState, lambda kept, _: _copy(state, kept))
    return store, limiter


def _copy(source: RateLimitState, target: RateLimitState) -> None:
    for name in RateLimitState.__struct_fields__:
        setattr(target, name, getattr(source, name))


@pytest.mark.parametrize("left", [86_401, 1e9, 1e300, math.inf, -math.inf, math.nan])
def test_a_stored_lock_of_more_than_a_day_is_not_obeyed(clock: FakeClock, left: float) -> None:
    _, limiter = stored(RateLimitState(locked_until=clock.monotonic() + left))
    assert limiter.lock_seconds_left() == 0
    assert limiter.acquire() is None
    assert limiter.block(20) == 20
    assert limiter.lock_seconds_left() == pytest.approx(20)


def test_no_pause_is_longer_than_a_day(clock: FakeClock) -> None:
    limiter = account(lock_seconds=1e9)()
    assert limiter.block(None) == 86_400
    assert limiter.block(1e300) == 86_400
    assert limiter.lock_seconds_left() == pytest.approx(86_400)


def test_a_lock_can_be_lifted_for_everybody(clock: FakeClock) -> None:
    make = account(lock_seconds=300)
    one, other = make(), make()
    one.block(None)
    clock.advance(100)
    assert other.lock_seconds_left() == pytest.approx(200)
    other.lift_lock()
    assert (one.lock_seconds_left(), one.acquire()) == (0, None)


ODD = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 86_400.0]))
COUNTS = st.one_of(st.none(), st.integers(-5, 2**63 - 1))
STATES = st.builds(
    RateLimitState,
    slots=st.lists(st.builds(Slot, ODD, st.sampled_from(["", "a", "b"])), max_size=5),
    queue=st.lists(st.builds(Place, st.sampled_from(["a", "b"]), ODD), max_size=3),
    day=st.lists(st.builds(DayCount, ODD, st.integers(-(2**63), 2**63 - 1)), max_size=3),
    locked_until=ODD,
    limits=st.lists(st.builds(Limit, COUNTS, ODD, COUNTS, ODD), max_size=3),
)


@given(state=STATES)
def test_a_damaged_state_never_stops_an_account_for_more_than_a_few_days(state: RateLimitState) -> None:
    with fake_clock():
        _, limiter = stored(state)
        not_now = limiter.acquire()
        assert not_now is None or 0 < not_now.seconds <= 8 * 86_400
        limiter.release()
        limiter.cancel()


@pytest.mark.parametrize("tight_first", [True, False])
def test_clients_with_different_limits_keep_to_the_tighter_one(clock: FakeClock, tight_first: bool) -> None:
    store = MemoryStore()
    tight = SharedRateLimiter(store, "host", "client", RateLimits(requests=2))
    loose = SharedRateLimiter(store, "host", "client", RateLimits(requests=10))
    if tight_first:
        assert [send(client) for client in (tight, loose)] == [0, 0]
    else:
        assert [send(client) for client in (loose, tight)] == [0, 0]
    assert send(loose) == pytest.approx(60.3)
    not_now = loose.acquire()
    assert not_now is not None
    assert not_now.reason == "the account's requests_per_window (2 in 60 s) are used up"


def test_a_client_without_a_limit_keeps_to_the_limit_of_another(clock: FakeClock) -> None:
    store = MemoryStore()
    limited = SharedRateLimiter(store, "host", "client", RateLimits(requests=2))
    free = SharedRateLimiter(store, "host", "client", RateLimits())
    assert [send(client) for client in (limited, free)] == [0, 0]
    assert send(free) > 0
    assert send(limited) > 0


def test_windows_of_different_lengths_are_all_kept_to(clock: FakeClock) -> None:
    store = MemoryStore()
    a_minute = SharedRateLimiter(store, "host", "client", RateLimits(requests=3, window_seconds=60))
    an_hour = SharedRateLimiter(store, "host", "client", RateLimits(requests=5, window_seconds=3_600))
    assert [send(client) for client in (a_minute, an_hour, a_minute)] == [0, 0, 0]
    assert send(an_hour) == pytest.approx(60.3)
    clock.advance(61)
    assert [send(client) for client in (an_hour, a_minute)] == [0, 0]
    assert send(a_minute) == pytest.approx(3_618 - 61)


def test_limits_per_day_are_shared_too(clock: FakeClock) -> None:
    store = MemoryStore()
    tight = SharedRateLimiter(store, "host", "client", RateLimits(requests_per_day=3))
    loose = SharedRateLimiter(store, "host", "client", RateLimits(requests_per_day=10))
    assert [send(client) for client in (tight, loose, loose)] == [0, 0, 0]
    not_now = loose.acquire()
    assert not_now is not None
    assert not_now.reason == "the account's requests_per_day (3) are used up"


def test_a_limit_that_nobody_has_any_more_is_forgotten_after_an_hour(clock: FakeClock) -> None:
    store = MemoryStore()
    assert send(SharedRateLimiter(store, "host", "client", RateLimits(requests=1))) == 0
    raised = SharedRateLimiter(store, "host", "client", RateLimits(requests=5))
    clock.advance(3_599)
    assert send(raised) == 0
    assert send(raised) > 0
    clock.advance(2)
    raised.cancel()
    assert [send(raised) for _ in range(4)] == [0] * 4
