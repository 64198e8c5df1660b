"""An LMS that takes seconds to answer: its rate limit is used up all the same, and never exceeded."""

from __future__ import annotations

import heapq
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.lms.http.in_flight import InFlight
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.parallel import read_parallel
from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl
from airflow_provider_lms.simulator import World
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.testing import FakeClock, fake_clock
from dev.timed_simulator import MOMENTS, TimedSimulator

ALLOWED, WINDOW = 30, 60.0


class _Account:
    """Tasks that call as often as they may, on a fake clock. Each of them has siblings, as threads of a reading have.

    :param latency: seconds that the LMS takes.
    """

    def __init__(self, clock: FakeClock, latency: float) -> None:
        self.sent: list[float] = []
        self._clock = clock
        self._latency = latency
        self._limiter = SharedRateLimiter(MemoryStore(), "people.zoho.eu", "client", RateLimits(ALLOWED, WINDOW))
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def add_task(self, parallel_requests: int) -> None:
        task = _Task(parallel_requests)
        for _ in range(parallel_requests):
            limiter = self._limiter.sibling()
            self._after(0.0, lambda limiter=limiter: self._send(task, limiter))  # type: ignore[misc]

    def run(self, calls: int) -> None:
        while len(self.sent) < calls:
            moment, _, event = heapq.heappop(self._events)
            self._clock.advance(max(0.0, moment - self._clock.monotonic()))
            event()

    def share_of_limit(self) -> float:
        """From the end of the first window's calls, for which nothing counted yet, to the end of the last."""
        windows = len(self.sent) // ALLOWED
        seconds = self.sent[windows * ALLOWED - 1] - self.sent[ALLOWED - 1]
        return (windows - 1) * WINDOW / seconds

    def _send(self, task: _Task, limiter: SharedRateLimiter) -> None:
        if task.requests == task.in_flight.limit:
            task.blocked.append(lambda: self._send(task, limiter))
            return
        request = task.in_flight.request()
        request.__enter__()
        task.requests += 1
        if (wait := limiter.acquire()) is not None:
            request.__exit__(LmsRateLimited, LmsRateLimited("held back", retry_after=wait.seconds), None)
            self._wake(task)
            self._after(wait.seconds + 1e-6, lambda: self._send(task, limiter))
            return
        self.sent.append(self._clock.monotonic())

        def answer() -> None:
            limiter.release()
            request.__exit__(None, None, None)
            self._wake(task)
            self._send(task, limiter)

        self._after(self._latency, answer)

    def _wake(self, task: _Task) -> None:
        task.requests -= 1
        blocked, task.blocked = task.blocked, []
        for send in blocked:
            self._after(0.0, send)

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._clock.monotonic() + seconds, next(self._order), event))


class _Task:
    def __init__(self, parallel_requests: int) -> None:
        self.in_flight = InFlight(parallel_requests)
        self.requests = 0
        self.blocked: list[Callable[[], None]] = []


@pytest.mark.parametrize("latency", [0.5, 4.0, 6.0])
@pytest.mark.parametrize(("tasks", "parallel_requests"), [(1, 4), (1, 10), (4, 4)])
def test_several_requests_in_flight_use_up_what_is_allowed(latency: float, tasks: int, parallel_requests: int) -> None:
    with fake_clock() as clock:
        account = _Account(clock, latency)
        for _ in range(tasks):
            account.add_task(parallel_requests)
        account.run(600)
    # A call counts from sending until a window after its answer, so this is the most that keeps to the limit.
    assert account.share_of_limit() > 0.99 / (1.005 + latency / WINDOW)


def test_one_request_after_the_other_uses_half_of_what_is_allowed() -> None:
    with fake_clock() as clock:
        account = _Account(clock, latency=4.0)
        account.add_task(1)
        account.run(600)
    assert account.share_of_limit() == pytest.approx(0.5, abs=0.01)


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TimedSimulator]:
    """Zoho's limits, a hundred times as fast, with answers that take 4 s of 60 s."""
    limits = Limits(window_seconds=0.6, lock_seconds=3.0)
    with TimedSimulator(World(users=12, courses=1), latency=0.04, zoho_limits=limits) as found:
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(found.connection("zoho_people")))
        monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
        yield found


@pytest.mark.parametrize("clients", [1, 3])
def test_whenever_the_lms_counts_a_call_no_window_holds_too_many(lms: TimedSimulator, clients: int) -> None:
    from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

    learners = [each.id for each in lms.zoho.world.everyone]
    found: list[int] = []

    def read(some: list[str]) -> None:
        client = ZohoPeopleHook().get_conn()
        reading = EntityProgressCrawl(client, lms.zoho.courses[0].id, learner_ids=some).reading()
        found.append(sum(len(page.records) for page in read_parallel(client, reading, 4)))
        client.close()

    threads = [threading.Thread(target=read, args=(learners[number::clients],)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(found) == len(lms.zoho.entity_progress(lms.zoho.courses[0]))
    assert lms.zoho.locks == 0
    assert lms.most_in_flight > 1
    assert len(lms.served) > 3 * ALLOWED
    for moment in MOMENTS:
        assert lms.most_in_a_window(0.6, moment) <= ALLOWED


def test_each_sibling_has_a_slot_and_a_place_in_the_queue_of_its_own() -> None:
    with fake_clock() as clock:
        first = SharedRateLimiter(MemoryStore(), "people.zoho.eu", "client", RateLimits(2, WINDOW))
        siblings = [first.sibling() for _ in range(4)]
        waits = [limiter.acquire() for limiter in siblings]
        assert waits[:2] == [None, None]
        assert [round(wait.seconds, 1) for wait in waits if wait] == [60.3, 60.3]
        siblings[0].release()
        clock.advance(60.4)
        # One slot is free. The other sibling has no answer yet, so its slot counts for another window.
        assert siblings[3].acquire() is not None
        assert siblings[2].acquire() is None
