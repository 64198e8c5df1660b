"""Whoever watches an account is told of each request: how it ended, where it went, and what was waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.errors import LmsError, WaitReason
from airflow_provider_lms.lms.http.observer import OUTCOMES, outcome_of, reason_of
from airflow_provider_lms.lms.http.rate_limit import CoordinationError, RateLimits
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.parallel import read_parallel
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.conftest import RESULTS, TOKEN
from tests.observers import Recorder

Connect = Callable[..., ISpringLearnClient]


@pytest.fixture(autouse=True)
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


def read(client: ISpringLearnClient) -> None:
    for _ in client.module_results():
        pass


def test_each_request_is_told_of_once_with_its_page(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    read(connect(lms, page_size=200, observer=seen))
    pages = lms.ispring.count(RESULTS)
    assert pages > 1
    assert [each.call.page for each in seen.requests] == [*range(1, pages + 1)]
    assert {(each.call.method, each.call.endpoint, each.status) for each in seen.requests} == {
        ("GET", "/learners/modules/results", 200)
    }
    assert [(each.call.endpoint, each.outcome, each.status) for each in seen.tokens] == [("/api/v3/token", "ok", 200)]


FAULTS: dict[str, tuple[Fault, str, int | None]] = {
    "a refused token": (faults.status(401), "auth", 401),
    "no permission": (faults.status(403), "permission", 403),
    "not found": (faults.status(404), "not_found", 404),
    "a bad request": (faults.status(400), "bad_request", 400),
    "too many requests": (faults.status(429), "rate_limited", 429),
    "an outage": (faults.status(503), "unavailable", 503),
    "a reset": (faults.connection_reset(), "broken", 200),
    "a web page": (faults.html_page(), "ok", 200),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_outcome_of_a_request(lms: Simulator, connect: Connect, seen: Recorder, name: str) -> None:
    fault, outcome, status = FAULTS[name]
    lms.ispring.fail(RESULTS, fault, times=9)
    with pytest.raises(LmsError):
        read(connect(lms, observer=seen))
    assert (seen.requests[0].outcome, seen.requests[0].status) == (outcome, status)


def test_every_error_has_an_outcome_that_the_docs_name() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, LmsError)]
    assert len(kinds) > 10
    assert {outcome_of(kind("")) for kind in kinds} <= {*OUTCOMES}
    assert outcome_of(KeyboardInterrupt()) == "other"


def test_a_request_that_is_held_back_is_none(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(2))
    with pytest.raises(errors.LmsRateLimited):
        read(connect(lms, page_size=20, rate_limiter=limiter, observer=seen))
    assert seen.outcomes == ["ok", "ok"]


def test_waits_have_a_reason_and_a_length(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(3))
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="30"), on=2)
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After="10"), on=4)
    read(connect(lms, page_size=50, rate_limiter=limiter, observer=seen, max_wait=900))
    reasons = [reason for reason, _, _ in seen.waits]
    assert reasons[0] == WaitReason.LOCK
    assert set(reasons) == {WaitReason.LOCK, WaitReason.RATE_LIMIT, WaitReason.OUTAGE}
    lengths = {reason: seconds for reason, seconds, _ in seen.waits}
    assert 30 <= lengths[WaitReason.LOCK] <= 34
    assert 10 <= lengths[WaitReason.OUTAGE] <= 12
    assert {where for _, _, where in seen.waits} == {"worker"}


def test_the_day_is_another_reason_than_the_window(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests_per_day=1))
    read(connect(lms, page_size=200, rate_limiter=limiter, observer=seen, max_wait=1e7))
    assert {reason for reason, _, _ in seen.waits} == {WaitReason.DAY_LIMIT}


def test_a_store_that_cannot_be_used_is_a_reason_of_its_own() -> None:
    assert reason_of(CoordinationError()) == WaitReason.STORE
    assert reason_of(errors.LmsUnavailable("")) == WaitReason.OUTAGE


def test_a_damaged_page_is_read_again_and_counted(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    lms.ispring.fail(RESULTS, faults.truncated(), on=2)
    lms.ispring.fail(RESULTS, faults.html_page(), on=3)
    lms.ispring.fail(RESULTS, faults.status(503), on=5)
    read(connect(lms, page_size=200, observer=seen, max_wait=900))
    assert seen.reread == [("damaged", 1), ("damaged", 1)]


def test_a_request_that_is_sent_again_has_a_higher_number(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    lms.ispring.fail(RESULTS, faults.status(503), on=2, times=2)
    read(connect(lms, page_size=200, observer=seen, max_wait=900))
    assert [(each.call.page, each.attempt) for each in seen.requests][:5] == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1)]


def test_a_token_that_is_refused_is_told_of(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    lms.ispring.fail(TOKEN, faults.status(401), times=9)
    with pytest.raises(errors.LmsAuthError):
        read(connect(lms, observer=seen))
    assert ([each.outcome for each in seen.tokens], seen.requests) == (["auth"], [])


def test_a_prefetched_page_is_told_of_like_any_other(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    client = connect(lms, page_size=200, observer=seen)
    client.prefetch = True
    read(client)
    assert seen.outcomes == ["ok"] * lms.ispring.count(RESULTS)
    assert [each.call.page for each in seen.requests] == [*range(1, len(seen.requests) + 1)]


def test_a_prefetched_page_that_nobody_uses_is_told_of_as_such(
    lms: Simulator, connect: Connect, seen: Recorder
) -> None:
    client = connect(lms, page_size=200, observer=seen)
    client.prefetch = True
    next(client.module_results())
    client.close()
    assert seen.outcomes == ["ok", "unused"]
    assert {each.call.page for each in seen.requests} == {1, 2}


def test_how_long_a_request_takes_is_measured_in_the_thread_that_sends_it(
    lms: Simulator, connect: Connect, seen: Recorder, clock: FakeClock
) -> None:
    def late(_: Request, reply: Reply) -> Reply:
        clock.advance(7)
        return reply

    lms.ispring.fail(RESULTS, late, on=2)
    client = connect(lms, page_size=200, observer=seen)
    client.prefetch = True
    pages = client.module_results()
    next(pages)
    threading.Event().wait(0.3)
    clock.advance(100)  # the caller is busy
    next(pages)
    assert [round(each.seconds) for each in seen.requests] == [0, 7]


def test_no_id_is_in_an_endpoint(lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient], seen: Recorder) -> None:
    course = lms.zoho.courses[0]
    zoho = connect_zoho(lms, observer=seen, max_wait=9_000)
    for _ in zoho.course_progress(course.id):
        pass
    for _ in zoho.batches(course.id):
        pass
    assert all(course.id not in each.call.endpoint for each in seen.requests)
    assert "{course_id}" in seen.requests[0].call.endpoint
    assert course.id in seen.requests[0].call.text


def test_all_threads_of_a_reading_tell_the_same_observer(lms: Simulator, connect: Connect, seen: Recorder) -> None:
    client: Any = connect(lms, page_size=50, observer=seen)
    ids = [each.id for each in lms.ispring.courses]
    for _ in read_parallel(client, client.module_results(course_ids=ids), 3):
        pass
    assert len(seen.requests) == lms.ispring.count(RESULTS)
