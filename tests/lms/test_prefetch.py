"""The next page is on its way while the page before is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS, TOKEN
from tests.rows import delivered, rows

Connect = Callable[..., ISpringLearnClient]
MEDIA_TYPES = ("application/json", "application/xml")


@pytest.fixture
def prefetching(lms: Simulator, connect: Connect) -> Connect:
    """A client that prefetches."""

    def make(**options: Any) -> ISpringLearnClient:
        client = connect(lms, page_size=50, **options)
        client.prefetch = True
        return client

    return make


def _sent(lms: Simulator, count: int) -> bool:
    """Whether so many pages were asked for, be it a little later."""
    for _ in range(500):
        if lms.ispring.count(RESULTS) >= count:
            return lms.ispring.count(RESULTS) == count
        threading.Event().wait(0.005)
    return False


@pytest.mark.parametrize("accept", MEDIA_TYPES)
def test_the_next_page_is_asked_for_before_the_caller_does(lms: Simulator, prefetching: Connect, accept: str) -> None:
    pages = prefetching(accept=accept).module_results()
    found = rows([next(pages)])
    assert _sent(lms, 2)
    assert found + rows(pages) == delivered(lms.ispring.module_results())
    asked = [request.query for request in lms.ispring.requests if request.call == RESULTS]
    assert len(asked) == len(set(asked)) == -(-len(lms.ispring.module_results()) // 50)
    assert lms.connections == 1


def test_by_default_nothing_is_prefetched(lms: Simulator, connect: Connect) -> None:
    next(connect(lms, page_size=50).module_results())
    assert lms.ispring.count(RESULTS) == 1


def test_a_prefetched_page_that_fails_is_an_error_in_its_place(lms: Simulator, prefetching: Connect) -> None:
    lms.ispring.fail(RESULTS, faults.status(403), on=2)
    pages = prefetching().module_results()
    assert len(next(pages).records) == 50
    with pytest.raises(errors.LmsPermissionError, match="page 2"):
        next(pages)
    assert lms.ispring.count(RESULTS) == 2


@pytest.mark.parametrize("fault", [faults.truncated(), faults.connection_reset(), faults.status(503)])
def test_a_prefetched_page_that_is_lost_is_requested_again(
    lms: Simulator, prefetching: Connect, fault: faults.Fault
) -> None:
    lms.ispring.fail(RESULTS, fault, on=2)
    with fake_clock():
        assert rows(prefetching(max_wait=60).module_results()) == delivered(lms.ispring.module_results())


def test_a_token_revoked_meanwhile_is_renewed_and_all_of_it_in_the_callers_thread(
    lms: Simulator, prefetching: Connect
) -> None:
    reported: list[tuple[str, threading.Thread]] = []
    client = prefetching(on_token=lambda token: reported.append((token, threading.current_thread())))
    lms.ispring.revoke_tokens(after_pages=3)
    assert rows(client.module_results()) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(TOKEN) == 2
    assert [token for token, _ in reported] == lms.ispring.tokens
    assert {thread for _, thread in reported} == {threading.current_thread()}


def test_nothing_is_prefetched_if_the_rate_limit_would_make_it_wait(lms: Simulator, prefetching: Connect) -> None:
    rate_limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests=1, window_seconds=60))
    with fake_clock() as clock:
        pages = prefetching(rate_limiter=rate_limiter, max_wait=900).module_results()
        next(pages)
        assert (lms.ispring.count(RESULTS), clock.naps) == (1, [])
        next(pages)
        assert lms.ispring.count(RESULTS) == 2
        assert 60 <= sum(clock.naps) <= 61


def test_a_client_that_is_closed_early_leaves_no_request_uncounted(lms: Simulator, prefetching: Connect) -> None:
    limits = RateLimits(requests=3, window_seconds=3600)
    store = MemoryStore()
    client = prefetching(rate_limiter=SharedRateLimiter(store, "host", "client", limits))
    next(client.module_results())
    client.close()
    assert lms.ispring.count(RESULTS) == 2
    other = SharedRateLimiter(store, "host", "client", limits)
    assert other.acquire() is None
    assert other.acquire() is not None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lms-prefetch")]


def test_two_listings_in_turn_do_not_take_each_others_pages(lms: Simulator, prefetching: Connect) -> None:
    client = prefetching()
    one, other = client.module_results(), client.course_results(page_size=20)
    found: tuple[list[Any], list[Any]] = ([], [])
    for first, second in zip(one, other, strict=False):
        found[0].append(first)
        found[1].append(second)
    expected = delivered(lms.ispring.module_results())
    assert rows(found[0]) == expected[: len(rows(found[0]))]
    assert rows(found[1]) == delivered(lms.ispring.course_results())[: len(rows(found[1]))]


@pytest.mark.parametrize("accept", MEDIA_TYPES)
def test_a_field_that_looks_like_a_continuation_misleads_nobody(
    lms: Simulator, prefetching: Connect, accept: str
) -> None:
    title = '"nextPageToken": "x" <nextPageToken>x</nextPageToken>'

    def retitled(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "results": [{**row, "moduleTitle": title} for row in content["results"]]}

    lms.ispring.fail(RESULTS, faults.content(retitled), times=99)
    found = rows(prefetching(accept=accept).module_results())
    assert [row["moduleId"] for row in found] == [row["moduleId"] for row in lms.ispring.module_results()]
