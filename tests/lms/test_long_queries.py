"""Ids that do not fit into one URL are sent as the body of a POST, where the LMS takes them so."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pytest

from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.people import ENROLLMENTS, Enrollment
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import JSON, XML
from airflow_provider_lms.simulator.world import Result
from airflow_provider_lms.testing import fake_clock

Connect = Callable[..., ISpringLearnClient]

GET, POST = "GET /enrollments", "POST /enrollments"
NOBODY = [str(uuid.UUID(int=number)) for number in range(1, 5_000)]


@pytest.fixture(scope="module")
def many() -> Iterator[Simulator]:
    """An account with 600 enrollments of 300 learners."""
    with Simulator(World(users=300, courses=2, modules=1, blocked=0)) as simulator:
        yield simulator


@pytest.fixture
def account(many: Simulator) -> Iterator[Simulator]:
    """The same, without what other tests have sent and changed."""
    account = many.ispring
    account.requests.clear()
    yield many
    account.media_types, account.ignored_filters = (JSON, XML), set()


def half(lms: Simulator) -> list[str]:
    """1,000 ids, of which 150 are learners."""
    ids = [user.id for user in lms.ispring.users[::2]]
    return ids + NOBODY[: 1_000 - len(ids)]


def expected(lms: Simulator, learners: list[str]) -> list[tuple[str, str, str]]:
    """The enrollments of learners, in the order of the account."""
    asked = set(learners)
    return [_ids(each) for each in lms.world.course_results if each.user.id in asked]


def found(pages: Iterator[Page[Enrollment]]) -> list[tuple[str, str, str]]:
    return [(each.enrollment_id, each.course_id, each.learner_id) for page in pages for each in page.records]


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize("prefetch", [False, True])
def test_a_thousand_ids_are_one_request_per_page(
    account: Simulator, connect: Connect, media: str, prefetch: bool
) -> None:
    account.ispring.media_types = (media,)
    client, learners = connect(account), half(account)
    client.prefetch = prefetch
    read = found(client.enrollments(learner_ids=learners, page_size=100))
    assert read == expected(account, learners)
    assert len(read) == 300
    assert (account.ispring.count(POST), account.ispring.count(GET)) == (3, 0)


def test_the_rows_are_those_of_the_urls(account: Simulator, connect: Connect) -> None:
    """Read by GET, the same ids take 16 requests at least."""
    client, learners = connect(account), half(account)
    by_post = [record for page in client.enrollments(learner_ids=learners) for record in page.records]
    assert (account.ispring.count(POST), account.ispring.count(GET)) == (1, 0)
    only_get = replace(ENROLLMENTS, long_by_post=False)
    by_get = [record for page in client.read(only_get, learner_ids=learners) for record in page.records]
    assert (account.ispring.count(POST), account.ispring.count(GET)) == (1, 16)
    assert sorted(by_post, key=_by_id) == sorted(by_get, key=_by_id)


def test_the_page_size_and_the_page_token_are_in_the_body(account: Simulator, connect: Connect) -> None:
    learners = half(account)[:999]
    pages = connect(account).enrollments(learner_ids=learners, course_ids=account.ispring.courses[0].id, page_size=100)
    assert len(list(pages)) == 2
    first, second = (msgspec.json.decode(each.body) for each in account.ispring.requests if each.call == POST)
    course = account.ispring.courses[0].id
    assert first == {"pageSize": 100, "courseIds": [course], "learnerIds": learners}
    assert isinstance(second.pop("pageToken"), str)
    assert second == first
    assert all(request.query == () for request in account.ispring.requests)


def test_pages_of_one_row(account: Simulator, connect: Connect) -> None:
    learners = [account.ispring.users[3].id, *NOBODY[:100]]
    assert found(connect(account).enrollments(learner_ids=learners, page_size=1)) == expected(account, learners)
    assert account.ispring.count(POST) == 2


def test_what_fits_into_one_url_is_asked_for_by_get(account: Simulator, connect: Connect) -> None:
    client = connect(account)
    longest = 59
    while not account.ispring.count(POST):
        longest += 1
        learners = [account.ispring.users[0].id, *NOBODY[: longest - 1]]
        assert found(client.enrollments(learner_ids=learners)) == expected(account, learners)
    assert longest == 65
    assert (account.ispring.count(GET), account.ispring.count(POST)) == (5, 1)


@pytest.mark.parametrize(("ids", "requests"), [(1_000, 1), (1_001, 2), (4_000, 4)])
def test_a_body_has_a_thousand_ids_at_most(account: Simulator, connect: Connect, ids: int, requests: int) -> None:
    users = [user.id for user in account.ispring.users]
    learners = [*users, *NOBODY[: ids - len(users)]]
    assert sorted(found(connect(account).enrollments(learner_ids=learners))) == sorted(expected(account, users))
    sizes = [len(msgspec.json.decode(each.body)["learnerIds"]) for each in account.ispring.requests[-requests:]]
    assert (account.ispring.count(POST), sum(sizes), max(sizes)) == (requests, ids, 1_000)


def test_a_body_has_a_thousand_ids_of_all_filters_together(account: Simulator, connect: Connect) -> None:
    users, courses = ([each.id for each in some] for some in (account.ispring.users, account.ispring.courses))
    given: dict[str, list[str]] = {"learner_ids": users + NOBODY[:300], "course_ids": courses + NOBODY[:598]}
    assert sorted(found(connect(account).enrollments(**given))) == sorted(  # type: ignore[arg-type]
        expected(account, users)
    )
    bodies = [msgspec.json.decode(each.body) for each in account.ispring.requests if each.call == POST]
    assert len(bodies) == 4
    assert max(len(each["learnerIds"]) + len(each["courseIds"]) for each in bodies) <= 1_000


@pytest.mark.parametrize("prefetch", [False, True])
@pytest.mark.parametrize("ids", [1_000, 1_400])
def test_reading_resumes_after_any_page(account: Simulator, connect: Connect, prefetch: bool, ids: int) -> None:
    learners = [*half(account), *NOBODY[1_000:ids]]
    client = connect(account, page_size=90)
    client.prefetch = prefetch
    pages = list(client.enrollments(learner_ids=learners))
    assert pages[-1].next is None
    for number, page in enumerate(pages[:-1], start=1):
        later = connect(account, page_size=90)
        assert found(later.enrollments(learner_ids=learners, start=page.next)) == found(iter(pages[number:]))


def test_a_continuation_of_a_url_is_not_taken_for_one_of_a_body(account: Simulator, connect: Connect) -> None:
    client, learners = connect(account, page_size=9), half(account)
    only_get = replace(ENROLLMENTS, long_by_post=False)
    by_get = next(iter(client.read(only_get, learner_ids=learners))).next
    by_post = next(iter(client.enrollments(learner_ids=learners))).next
    for listing, start in ((ENROLLMENTS, by_get), (only_get, by_post)):
        with pytest.raises(ValueError, match="names a part of the listing that is no longer there"):
            client.read(listing, learner_ids=learners, start=start)


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(429, Retry_After="7"),
        faults.status(500),
        faults.truncated(),
        faults.connection_reset(),
        faults.html_page(),
        faults.body(b""),
    ],
)
@pytest.mark.parametrize("prefetch", [False, True])
def test_a_page_that_is_lost_is_asked_for_again(
    account: Simulator, connect: Connect, fault: faults.Fault, prefetch: bool
) -> None:
    learners = half(account)
    with fake_clock():
        client = connect(account, page_size=100, max_wait=120)
        client.prefetch = prefetch
        account.ispring.fail(POST, fault, on=2)
        assert found(client.enrollments(learner_ids=learners)) == expected(account, learners)
    assert (account.ispring.count(POST), account.ispring.count(GET)) == (4, 0)
    assert len({each.body for each in account.ispring.requests if each.call == POST}) == 3


@pytest.mark.parametrize("prefetch", [False, True])
def test_a_token_that_is_revoked_between_pages_is_renewed(account: Simulator, connect: Connect, prefetch: bool) -> None:
    client, learners = connect(account, page_size=100), half(account)
    client.prefetch = prefetch
    account.ispring.revoke_tokens(after_pages=1)
    assert found(client.enrollments(learner_ids=learners)) == expected(account, learners)
    assert account.ispring.count("POST /api/v3/token") == 2


def test_the_next_page_is_asked_for_before_the_caller_does(account: Simulator, connect: Connect) -> None:
    client, learners = connect(account, page_size=100), half(account)
    client.prefetch = True
    pages = client.enrollments(learner_ids=learners)
    first = next(pages)
    for _ in range(500):
        if account.ispring.count(POST) == 2:
            break
        threading.Event().wait(0.005)
    assert account.ispring.count(POST) == 2
    assert found(iter([first])) + found(pages) == expected(account, learners)
    assert account.ispring.count(POST) == 3


def test_two_long_queries_in_turn_do_not_take_each_others_pages(account: Simulator, connect: Connect) -> None:
    client = connect(account, page_size=40)
    client.prefetch = True
    users = [user.id for user in account.ispring.users]
    one, other = users[:100], users[100:200]
    first, second = client.enrollments(learner_ids=one), client.enrollments(learner_ids=other)
    pages = [page for both in zip(first, second, strict=True) for page in both]
    assert found(iter(pages[::2])) == expected(account, one)
    assert found(iter(pages[1::2])) == expected(account, other)


@pytest.mark.parametrize("name", ["learnerIds[]", "courseIds[]"])
def test_ids_that_the_lms_ignores_are_noticed(account: Simulator, connect: Connect, name: str) -> None:
    account.ispring.ignored_filters = {name}
    pages = connect(account).enrollments(learner_ids=half(account), course_ids=account.ispring.courses[0].id)
    with pytest.raises(errors.LmsBrokenPage, match=r"^POST /enrollments, page 1: .* so the LMS ignored the filter"):
        list(pages)


def test_a_listing_that_never_ends_is_noticed(account: Simulator, connect: Connect) -> None:
    pages = connect(account, page_size=100).enrollments(learner_ids=half(account))
    next(pages)
    next(pages)
    used = msgspec.json.decode(account.ispring.requests[-1].body)["pageToken"]
    account.ispring.fail(POST, faults.content(lambda page: {**page, "nextPageToken": used}))
    with pytest.raises(errors.LmsBrokenPage, match=r"^POST /enrollments, page 3: it names a page token"):
        next(pages)


@pytest.mark.parametrize(
    ("status", "error"), [(400, errors.LmsInvalidValue), (403, errors.LmsPermissionError), (404, errors.LmsNotFound)]
)
def test_a_post_that_the_lms_rejects_is_named(
    account: Simulator, connect: Connect, status: int, error: type[errors.LmsError]
) -> None:
    account.ispring.fail(POST, faults.status(status))
    with pytest.raises(error, match=r"^POST /enrollments, page 1: HTTP"):
        list(connect(account).enrollments(learner_ids=half(account)))
    assert account.ispring.count(POST) == 1


def _ids(result: Result) -> tuple[str, str, str]:
    return result.enrollment_id, result.course.id, result.user.id


def _by_id(record: Enrollment) -> str:
    return record.enrollment_id
