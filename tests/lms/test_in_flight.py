"""How many requests are in flight: against models of an LMS that serve many requests well, or badly."""

from __future__ import annotations

import heapq
import random
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsError, LmsNotFound, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.in_flight import InFlight, Stopped
from airflow_provider_lms.testing import FakeClock, fake_clock

Latency = Callable[[int], float]

OVERLOADS: list[LmsError] = [LmsUnavailable("503", 503), LmsUnavailable("timeout"), LmsRateLimited("429", status=429)]


def seconds(latency: Latency, most: int, pages: int = 400) -> tuple[float, InFlight]:
    """How long it takes to read so many pages.

    :param latency: seconds that a response takes, by the number of requests in flight.
    """
    with fake_clock() as clock:
        in_flight = InFlight(most)
        began = clock.monotonic()
        served = _serve(clock, in_flight, latency)
        for _ in range(pages):
            next(served)
        return clock.monotonic() - began, in_flight


def _serve(clock: FakeClock, in_flight: InFlight, latency: Latency) -> Iterator[None]:
    order = count()
    open_requests: list[tuple[float, int, Any]] = []
    while True:
        while len(open_requests) < in_flight.limit:
            request = in_flight.request()
            request.__enter__()
            ends_at = clock.monotonic() + latency(len(open_requests) + 1)
            heapq.heappush(open_requests, (ends_at, next(order), request))
        ends_at, _, request = heapq.heappop(open_requests)
        clock.advance(max(0.0, ends_at - clock.monotonic()))
        request.__exit__(None, None, None)
        yield


@pytest.mark.parametrize("most", [1, 2, 3, 5, 10, 20])
def test_where_latency_does_not_grow_it_uses_all_that_it_may(most: int) -> None:
    serial, _ = seconds(lambda _: 1.0, 1)
    parallel, in_flight = seconds(lambda _: 1.0, most)
    assert in_flight.highest == most
    assert serial / parallel > min(most, 10) * 0.85


@pytest.mark.parametrize("seed", range(20))
def test_latencies_that_vary_cost_little(seed: int) -> None:
    rng = random.Random(seed)
    serial, _ = seconds(lambda _: rng.uniform(0.7, 1.3), 1)
    parallel, _ = seconds(lambda _: rng.uniform(0.7, 1.3), 10)
    assert serial / parallel > 8


def test_latencies_that_vary_a_lot_cost_more() -> None:
    gains = []
    for seed in range(20):
        rng = random.Random(seed)
        serial, parallel = (seconds(lambda _: rng.expovariate(1), most)[0] for most in (1, 10))  # noqa: B023
        gains.append(serial / parallel)
    assert statistics.median(gains) > 6.3


def test_fewer_requests_than_allowed_say_nothing_about_the_lms() -> None:
    with fake_clock() as clock:
        in_flight = InFlight(10)
        for _ in range(20):
            with in_flight.request():
                clock.advance(1)
    assert in_flight.limit == 2


@pytest.mark.parametrize(
    "latency",
    [
        lambda load: 0.5 * load,  # one request after the other
        lambda load: 0.5 * load**1.5,
        lambda load: 0.5 * load**2,
        lambda load: 0.5 * max(1.0, load / 3),  # three at a time
        lambda load: 0.5 * max(1.0, (load / 3) ** 3),
    ],
    ids=["serial", "worse than serial", "much worse", "three", "three, then much worse"],
)
def test_against_an_lms_that_slows_down_it_is_not_slower_than_serial(latency: Latency) -> None:
    serial, _ = seconds(latency, 1)
    parallel, in_flight = seconds(latency, 10)
    assert parallel < serial * 1.03
    assert in_flight.highest <= 10


def test_it_finds_what_an_lms_serves_best() -> None:
    serial, _ = seconds(lambda load: max(1.0, load / 4), 1)
    parallel, in_flight = seconds(lambda load: max(1.0, load / 4), 10)
    assert serial / parallel > 3
    assert in_flight.limit <= 6


def test_it_begins_with_one() -> None:
    assert InFlight(10).limit == 1
    assert seconds(lambda _: 1.0, 10, pages=1)[1].limit == 2


@pytest.mark.parametrize("error", OVERLOADS, ids=["outage", "timeout", "rate limit"])
def test_an_overload_halves_the_limit_once_for_all_that_was_in_flight(error: LmsError) -> None:
    _, in_flight = seconds(lambda _: 1.0, 8)
    assert in_flight.limit == 8
    requests = [in_flight.request() for _ in range(8)]
    for request in requests:
        request.__enter__()
    for request in requests:
        assert not request.__exit__(type(error), error, None)
    assert in_flight.limit == 3  # the step below the half
    _send(in_flight, error)
    assert in_flight.limit == 1


@pytest.mark.parametrize(
    "error", [LmsRateLimited("own limit", retry_after=3.0), LmsNotFound("404", 404), KeyError("x")]
)
def test_any_other_error_changes_nothing(error: Exception) -> None:
    _, in_flight = seconds(lambda _: 1.0, 8)
    for _ in range(20):
        _send(in_flight, error)
    assert in_flight.limit == 8


def test_the_limit_is_never_below_one() -> None:
    in_flight = InFlight(4)
    for _ in range(10):
        _send(in_flight, OVERLOADS[0])
        _send(in_flight)
    assert in_flight.limit >= 1


def _send(in_flight: InFlight, error: Exception | None = None) -> None:
    with suppress(LmsError, KeyError), in_flight.request():
        if error is not None:
            raise error


def test_a_request_waits_until_another_is_over() -> None:
    _, in_flight = seconds(lambda _: 1.0, 2)
    assert in_flight.limit == 2
    entered, leave = threading.Semaphore(0), threading.Event()

    def send() -> None:
        with in_flight.request():
            entered.release()
            leave.wait(30)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=30)
    assert entered.acquire(timeout=30)
    assert not entered.acquire(timeout=0.05)
    leave.set()
    assert entered.acquire(timeout=30)
    for thread in threads:
        thread.join(30)


def test_who_waits_is_told_when_the_reading_is_stopped() -> None:
    in_flight, told = InFlight(1), threading.Event()

    def send() -> None:
        with suppress(Stopped), in_flight.request():
            return
        told.set()

    with in_flight.request():
        thread = threading.Thread(target=send)
        thread.start()
        in_flight.stop()
        assert told.wait(30)
    thread.join(30)
    with pytest.raises(Stopped), in_flight.request():
        pass
