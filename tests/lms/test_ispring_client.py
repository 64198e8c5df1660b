"""The iSpring client against the simulator: every row, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBadRequest, LmsBrokenPage, LmsInvalidValue
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.results import COMPLETION_STATUSES
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.world import BLOCKED
from tests.conftest import RESULTS, TOKEN
from tests.rows import delivered, ordered, rows

UNKNOWN = "00000000-0000-0000-0000-000000000000"
Connect = Callable[..., ISpringLearnClient]


@pytest.mark.parametrize("page_size", [1, 7, 1_000])
def test_all_module_results_arrive_once_and_in_order(lms: Simulator, connect: Connect, page_size: int) -> None:
    client = connect(lms, page_size=page_size)
    expected = delivered(lms.ispring.module_results())
    assert rows(client.module_results()) == expected
    assert lms.ispring.count(RESULTS) == -(-len(expected) // page_size)
    assert lms.ispring.count(TOKEN) == 1


@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001])
def test_a_listing_of_any_length_is_read_to_its_end(connect: Connect, count: int) -> None:
    with Simulator(World(users=count, courses=1, modules=1, blocked=0)) as lms:
        assert rows(connect(lms).module_results()) == delivered(lms.ispring.module_results())
        assert len(lms.ispring.module_results()) == count


def test_pages_are_numbered_and_read_only_when_asked_for(lms: Simulator, connect: Connect) -> None:
    pages = connect(lms, page_size=100).module_results()
    assert lms.ispring.requests == []
    assert (next(pages).number, next(pages).number) == (1, 2)
    assert lms.ispring.count(RESULTS) == 2


def test_course_results_courses_and_users_arrive_whole(lms: Simulator, client: ISpringLearnClient) -> None:
    assert rows(client.course_results(page_size=50)) == delivered(lms.ispring.course_results())
    assert [row["contentItemId"] for row in rows(client.courses(page_size=2))] == [c.id for c in lms.ispring.courses]
    users = rows(client.users(page_size=9))
    assert [user["userId"] for user in users] == [user.id for user in lms.ispring.users]
    assert users[0]["fields"]["EMAIL"] == lms.ispring.users[0].email


FILTERS: dict[str, Callable[[Simulator], tuple[Any, Callable[[dict[str, Any]], bool]]]] = {
    "user_ids": lambda lms: ([u.id for u in lms.ispring.users[:3]], lambda row: row["userId"] in _first_users(lms)),
    "course_ids": lambda lms: (lms.ispring.courses[1].id, lambda row: row["courseId"] == lms.ispring.courses[1].id),
    "module_ids": lambda lms: (
        [lms.ispring.courses[0].modules[0].id],
        lambda row: row["moduleId"] == lms.ispring.courses[0].modules[0].id,
    ),
    "course_item_ids": lambda lms: (
        f'["{lms.ispring.courses[0].modules[1].item_id}"]',
        lambda row: row["courseItemId"] == lms.ispring.courses[0].modules[1].item_id,
    ),
    "enrollment_ids": lambda lms: (
        [lms.ispring.module_results()[0]["enrollmentId"]],
        lambda row: row["enrollmentId"] == lms.ispring.module_results()[0]["enrollmentId"],
    ),
    "completion_statuses": lambda _: (
        ["passed", "failed"],
        lambda row: row["completionStatus"] in ("passed", "failed"),
    ),
    "due_date": lambda lms: ((None, _noon(lms)), lambda row: row.get("dueDate", "9") <= _noon(lms).isoformat()),
    "access_date": lambda lms: ((_noon(lms, 30), None), lambda row: row["accessDate"] >= _noon(lms, 30).isoformat()),
    "completion_date": lambda lms: (
        (_noon(lms).isoformat(), (_noon(lms) + timedelta(days=7)).isoformat()),
        lambda row: (
            _noon(lms).isoformat() <= row.get("completionDate", "") <= (_noon(lms) + timedelta(days=7)).isoformat()
        ),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_narrows_the_listing(lms: Simulator, client: ISpringLearnClient, name: str) -> None:
    value, kept = FILTERS[name](lms)
    everything = delivered(lms.ispring.module_results())
    expected = [row for row in everything if kept(row)]
    assert 0 < len(expected) < len(everything)
    assert rows(client.module_results(**{name: value})) == expected


def test_departments_include_those_below_them(lms: Simulator, client: ISpringLearnClient) -> None:
    head_office = lms.world.departments[0].id
    assert rows(client.module_results(department_ids=head_office)) == delivered(lms.ispring.module_results())


def test_blocked_users_come_only_where_they_are_asked_for(lms: Simulator, client: ISpringLearnClient) -> None:
    blocked = {user.id for user in lms.ispring.users if user.status == BLOCKED}
    assert {row["userId"] for row in rows(client.module_results(user_statuses=BLOCKED))} == blocked
    assert len(rows(client.module_results(user_statuses=["1", 3]))) == len(lms.world.module_results)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"completion_statuses": ["done"]}, "completion_statuses: 'done' is not one of iSpring's statuses"),
        ({"user_statuses": [2]}, "user_statuses: '2' is not one of"),
        ({"course_ids": []}, "course_ids: the list is empty"),
        ({"course_ids": "[]"}, "course_ids: the list is empty"),
        ({"user_ids": ""}, "user_ids: each id must be a non-empty string"),
        ({"user_ids": "['a']"}, "user_ids: the text starts like a JSON array but is not one"),
        ({"user_ids": 5}, "user_ids: expected an id or a list of ids"),
        ({"module_ids": [7]}, "module_ids: each id must be a non-empty string"),
        ({"access_date": ("2026-02-01", "2026-01-01")}, "access_date: the start .* must be before the end"),
        ({"due_date": ("2026-02-01", "2026-02-01")}, "due_date: the start .* must be before the end"),
        ({"due_date": (None, None)}, "due_date: give a start, an end or both"),
        ({"completion_date": ("yesterday", None)}, "completion_date_start: expected a datetime or an ISO 8601 text"),
        ({"completion_date": (None, "12:30")}, "completion_date_end: expected a datetime"),
        ({"completion_date": "2026-01-01"}, "completion_date: expected a .start, end. tuple"),
        ({"page_size": 0}, "page_size: expected a whole number of at least 1"),
        ({"on_unknown_user": "ignore"}, "on_unknown_user: expected 'fail' or 'skip'"),
        ({"start": "x", "user_ids": ["u"]}, "start: expected the 'next' of an earlier page of the same query"),
        ({"start": "9:x", "user_ids": ["u"]}, "start: it names a part of the listing that is no longer there"),
        ({"department_ids": [f"{n:036}" for n in range(90)]}, re.escape("departmentIds[]: too many values")),
    ],
)
def test_what_cannot_be_meant_is_named_before_a_request(
    lms: Simulator, client: ISpringLearnClient, filters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        client.module_results(**filters)
    assert lms.ispring.requests == []


def test_an_unknown_filter_is_a_type_error(client: ISpringLearnClient) -> None:
    with pytest.raises(TypeError, match="course_results has no filter module_ids"):
        client.course_results(module_ids=["a"])  # type: ignore[call-arg]


def test_long_id_lists_are_spread_over_urls_of_less_than_4000_characters(connect: Connect) -> None:
    with Simulator(World(users=300, courses=40, modules=1, blocked=0)) as lms:
        client = connect(lms, page_size=500)
        users, courses = [u.id for u in lms.ispring.users], [c.id for c in lms.ispring.courses]
        lengths = []
        client._transport._exchanger._session.hooks["response"].append(
            lambda answer, **_: lengths.append(len(answer.request.url))
        )

        found = rows(client.module_results(user_ids=users + users[:5], course_ids=courses))

        expected = delivered(lms.ispring.module_results())
        assert len(found) == len(expected) == 12_000
        assert ordered(found) == ordered(expected)
        assert max(lengths) < 4_000
        assert len(lengths) > 5


def test_a_listing_resumes_after_any_page(connect: Connect) -> None:
    with Simulator(World(users=150, courses=1, modules=1, blocked=0)) as lms:
        client = connect(lms, page_size=20)
        query: dict[str, Any] = {"user_ids": [user.id for user in lms.ispring.users]}
        pages = list(client.module_results(**query))
        assert len(pages) > 8
        for number, page in enumerate(pages[:-1], start=1):
            rest = list(client.module_results(**query, start=page.next))
            assert [p.records for p in rest] == [p.records for p in pages[number:]]


@pytest.mark.parametrize("bad", [[UNKNOWN], [UNKNOWN, "00000000-0000-0000-0000-00000000000f"]])
def test_unknown_users_are_found_and_left_out_where_the_author_says_so(
    lms: Simulator, client: ISpringLearnClient, bad: list[str]
) -> None:
    users = [user.id for user in lms.ispring.users]
    asked = [*users[:11], bad[0], *users[11:], *bad[1:]]
    assert rows(client.module_results(user_ids=asked, on_unknown_user="skip", page_size=60)) == delivered(
        lms.ispring.module_results()
    )


def test_an_unknown_user_is_named(lms: Simulator, client: ISpringLearnClient) -> None:
    asked = [*(user.id for user in lms.ispring.users), UNKNOWN]
    with pytest.raises(LmsBadRequest, match=f"user_ids: the LMS does not know '{UNKNOWN}'"):
        list(client.module_results(user_ids=asked))


def test_to_skip_everybody_is_a_failure(client: ISpringLearnClient) -> None:
    with pytest.raises(LmsInvalidValue, match="user_ids: the LMS knows none of these users"):
        list(client.module_results(user_ids=[UNKNOWN], on_unknown_user="skip"))
    pages = client.course_results(user_ids=[UNKNOWN], on_unknown_user="skip", unknown_users=set())
    assert rows(pages) == []


def test_a_rejection_for_another_reason_is_not_blamed_on_a_user(lms: Simulator, client: ISpringLearnClient) -> None:
    asked = [user.id for user in lms.ispring.users]
    with pytest.raises(LmsBadRequest, match=r"HTTP 400\. The LMS rejected a parameter"):
        list(client.module_results(user_ids=asked, department_ids=[UNKNOWN], on_unknown_user="skip"))


@pytest.mark.parametrize(
    ("ignored", "name", "attribute"),
    [("userIds[]", "user_ids", "id"), ("courseIds[]", "course_ids", "id")],
)
def test_rows_that_were_not_asked_for_break_the_page(
    lms: Simulator, client: ISpringLearnClient, ignored: str, name: str, attribute: str
) -> None:
    lms.ispring.ignored_filters.add(ignored)
    one = getattr((lms.ispring.users if name == "user_ids" else lms.ispring.courses)[0], attribute)
    filters: dict[str, Any] = {name: [one]}
    with pytest.raises(LmsBrokenPage, match=f"page 1: a row has a .* that {name} did not ask for"):
        list(client.module_results(**filters))


def test_an_ignored_status_filter_is_applied_here_with_one_warning(
    lms: Simulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    lms.ispring.ignored_filters.add("completionStatuses[]")
    found = rows(connect(lms, page_size=10).module_results(completion_statuses=["passed"]))
    assert found == [row for row in delivered(lms.ispring.module_results()) if row["completionStatus"] == "passed"]
    assert sum("ignored completion_statuses" in record.message for record in caplog.records) == 1


def test_every_status_of_the_vendor_is_known(lms: Simulator, client: ISpringLearnClient) -> None:
    assert rows(client.module_results(completion_statuses=COMPLETION_STATUSES)) == delivered(
        lms.ispring.module_results()
    )


def _first_users(lms: Simulator) -> set[str]:
    return {user.id for user in lms.ispring.users[:3]}


def _noon(lms: Simulator, days_ago: int = 10) -> datetime:
    return datetime.fromisoformat(f"{lms.world.as_of - timedelta(days=days_ago)}T12:00:00+00:00")


def test_a_title_in_place_of_an_id_is_refused_before_the_first_request(
    lms: Simulator, client: ISpringLearnClient
) -> None:
    with pytest.raises(ValueError, match=r"^course_ids: 'Fire safety 1' is a name, not an id\. Ids have no spaces"):
        client.course_results(course_ids="Fire safety 1")
    assert lms.ispring.requests == []
