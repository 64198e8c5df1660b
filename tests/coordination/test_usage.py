"""What is used of an account's rate limit is told with each request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms.http.rate_limit import RateLimits, Reservation, Usage
from airflow_provider_lms.testing import FakeClock, fake_clock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


class Account:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.told: list[Usage] = []

    def client(self, limits: RateLimits, reservation: Reservation | None = None) -> SharedRateLimiter:
        return SharedRateLimiter(
            self.store, "host", "client", limits, reservation=reservation, on_usage=self.told.append
        )


@pytest.fixture
def account() -> Account:
    return Account()


def test_slots_and_the_days_count_are_told(account: Account, clock: FakeClock) -> None:
    for used in (1, 2):
        account.client(RateLimits(5, requests_per_day=100)).acquire()
        assert account.told[-1] == Usage(5, used, 0, 0, 0.0, used)
    clock.advance(200)
    account.client(RateLimits(5, requests_per_day=100)).acquire()
    assert account.told[-1] == Usage(5, 1, 0, 0, 0.0, 3)


def test_the_queue_is_told_by_places_and_by_requests(account: Account, clock: FakeClock) -> None:
    for _ in range(2):
        account.client(RateLimits(2)).acquire()
    account.client(RateLimits(2), Reservation("task")).reserve()
    assert account.client(RateLimits(2)).acquire() is not None
    assert account.told[-1] == Usage(2, 2, 2, 3, 0.0, None)


def test_the_limit_of_which_most_is_used_is_told(account: Account, clock: FakeClock) -> None:
    account.client(RateLimits(2)).acquire()
    account.client(RateLimits(100)).acquire()
    assert (account.told[-1].slots, account.told[-1].slots_used) == (2, 2)


def test_a_lock_is_told_when_it_begins_and_when_it_is_lifted(account: Account, clock: FakeClock) -> None:
    client = account.client(RateLimits(2))
    client.block(120)
    assert account.told[-1].lock_seconds_left == 120
    clock.advance(50)
    assert client.acquire() is not None
    assert account.told[-1].lock_seconds_left == pytest.approx(70)
    client.lift_lock()
    assert account.told[-1].lock_seconds_left == 0


def test_an_account_without_limits_tells_of_its_lock(account: Account, clock: FakeClock) -> None:
    client = account.client(RateLimits())
    client.acquire()
    client.block(30)
    client.acquire()
    assert [each.lock_seconds_left for each in account.told] == [0, 30, 30]
    assert {each.slots for each in account.told} == {None}
