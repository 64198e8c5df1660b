"""Records that come and go while a listing is read by offsets: none is lost, none comes twice, or the page says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.offset_pager import OffsetPager
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.pagers import DecodedPage
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.listings.courses import COURSES, Course
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator, ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_manifest
from tests.tasks import execute

CALL = "GET /api/v1/courses"


class Shelf:
    """Courses that change while they are read.

    :param changes: what happens before the reply of this number, counted from 1.
    """

    def __init__(self, count: int, size: int, changes: dict[int, Callable[[list[str]], object]]) -> None:
        self.ids = [str(number) for number in range(1000, 1000 + count)]
        self.size = size
        self.changes = changes
        self.offsets: list[int] = []

    def page(self, offset: int) -> tuple[list[str], bool]:
        self.offsets.append(offset)
        if (change := self.changes.get(len(self.offsets))) is not None:
            change(self.ids)
        return self.ids[offset : offset + self.size], offset + self.size < len(self.ids)

    def reply(self, request: Request, _: Reply) -> Reply:
        ids, more = self.page(int(request.first("startIndex") or 0))
        courses = [{"courseId": each, "courseName": f"Course {each}"} for each in ids]
        return Reply(status=200, content={"code": 200, "courses": courses, "hasMoreRecords": more})


Read = Callable[[Shelf], list[Page[Course]]]


@pytest.fixture
def read(lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]) -> Read:
    def pages(shelf: Shelf) -> list[Page[Course]]:
        lms.zoho.fail(CALL, shelf.reply, times=1_000)
        return list(connect_zoho(lms).courses())

    return pages


def ids_of(pages: list[Page[Course]]) -> list[str]:
    return [record.course_id for page in pages for record in page.records]


@pytest.mark.parametrize(("count", "size"), [(11, 5), (5, 5), (6, 5), (1, 5), (3, 1), (9, 2), (0, 5)])
def test_a_calm_listing_is_read_once(read: Read, count: int, size: int) -> None:
    shelf = Shelf(count, size, {})
    pages = read(shelf)
    assert ids_of(pages) == shelf.ids
    assert all(page.consistent for page in pages)
    assert len(shelf.offsets) == len(set(shelf.offsets))


@pytest.mark.parametrize(
    "change",
    [
        lambda ids: ids.pop(0),
        lambda ids: ids.pop(4),
        lambda ids: ids.insert(0, "7"),
        lambda ids: ids.reverse(),
        lambda ids: ids.__delitem__(slice(5)),
    ],
)
def test_a_listing_that_moves_is_read_once_more(
    read: Read, change: Callable[[list[str]], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shelf = Shelf(12, 5, {2: change})
    before = list(shelf.ids)
    pages = read(shelf)
    found = ids_of(pages)
    assert len(found) == len(set(found))
    assert set(shelf.ids) <= set(found) <= {*before, *shelf.ids}
    assert all(page.consistent for page in pages)
    assert sum("Reading it once more" in record.getMessage() for record in caplog.records) == 1


def test_a_listing_that_moves_again_says_so(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(12, 5, {2: lambda ids: ids.pop(0), 4: lambda ids: ids.pop(0)})
    pages = read(shelf)
    assert not all(page.consistent for page in pages)
    assert sum("It may lack" in record.getMessage() for record in caplog.records) == 1
    assert len(set(ids_of(pages))) == len(ids_of(pages))


def test_a_listing_that_is_continued_after_a_change_says_so(
    lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]
) -> None:
    shelf = Shelf(12, 5, {2: lambda ids: ids.pop(0)})
    lms.zoho.fail(CALL, shelf.reply, times=1_000)
    first = next(connect_zoho(lms).courses())
    rest = list(connect_zoho(lms).courses(start=first.next))
    assert not rest[0].consistent


@pytest.mark.parametrize("times", [1, 2])
def test_a_dataset_says_whether_its_records_moved(lms: Simulator, tmp_path: Path, times: int) -> None:
    shelf = Shelf(12, 5, {2 * number: lambda ids: ids.pop(0) for number in range(1, times + 1)})
    lms.zoho.fail(CALL, shelf.reply, times=1_000)
    summary = execute(ZohoPeopleCoursesOperator(task_id="t", output_path=str(tmp_path / "data")))
    assert isinstance(summary, dict)
    assert summary["consistent"] is read_manifest(str(tmp_path / "data"))["consistent"] is (times == 1)


@pytest.mark.parametrize("size", [1, 5])
def test_a_page_that_brings_nothing_new_ends_the_listing(read: Read, size: int) -> None:
    class Stuck(Shelf):
        def page(self, offset: int) -> tuple[list[str], bool]:
            return super().page(0)[0], True

    with pytest.raises(LmsBrokenPage, match=r"repeats an earlier page|more follow"):
        read(Stuck(12, size, {}))


Change = tuple[str, int]


@given(
    count=st.integers(0, 40),
    size=st.integers(2, 9),
    changes=st.dictionaries(st.integers(2, 12), st.tuples(st.sampled_from(["remove", "add"]), st.integers(0, 40))),
)
def test_no_record_that_stays_is_lost_and_none_comes_twice(count: int, size: int, changes: dict[int, Change]) -> None:
    names = iter(range(1_000))

    def apply(change: Change) -> Callable[[list[str]], object]:
        kind, at = change

        def act(ids: list[str]) -> None:
            if kind == "add":
                ids.insert(min(at, len(ids)), f"new{next(names)}")
            elif at < len(ids):
                ids.pop(at)

        return act

    shelf = Shelf(count, size, {number: apply(change) for number, change in changes.items()})
    before = set(shelf.ids)

    def fetch(position: str) -> DecodedPage[Any]:
        ids, more = shelf.page(int(position))
        return DecodedPage("GET /courses", [Course(course_id=each) for each in ids], more)

    pager = OffsetPager(offset_param="startIndex", more_field="hasMoreRecords")
    try:
        pages = [page for page, _ in pager.walk(lambda position: fetch(position), "0", COURSES.identify)]
    except LmsBrokenPage:
        return
    found = [record.course_id for page in pages for record in page.records]
    assert len(found) == len(set(found))
    if all(page.consistent for page in pages):
        assert before & set(shelf.ids) <= set(found)


def moving_twice(rows: str, everything: list[dict[str, Any]]) -> Callable[[Request, Reply], Reply]:
    """A listing of which the first record goes while it is read, and again while it is read once more."""
    shelf = Shelf(len(everything), 5, {2: lambda ids: ids.pop(0), 4: lambda ids: ids.pop(0)})
    by_id = dict(zip(shelf.ids, everything, strict=True))

    def reply(request: Request, _: Reply) -> Reply:
        ids, more = shelf.page(int(request.first("startIndex") or 0))
        return Reply(status=200, content={"code": 200, rows: [by_id[each] for each in ids], "hasMoreRecords": more})

    return reply


def test_what_is_read_for_records_that_moved_may_lack_some_too(connect_zoho: Callable[..., ZohoPeopleClient]) -> None:
    with Simulator(World(users=3, courses=12, modules=1), zoho_limits=Limits(requests=1_000)) as lms:
        courses = [{"courseId": course.id, "courseName": course.name} for course in lms.zoho.courses]
        lms.zoho.fail(CALL, moving_twice("courses", courses), times=1_000)
        pages = list(connect_zoho(lms).read("course_modules"))
    assert pages
    assert not any(page.consistent for page in pages)


def test_nothing_is_not_all_there_is_if_records_moved() -> None:
    moved: Page[Any] = Page([], 1, None, consistent=False)
    for first, expected in ((moved, [False]), (replace(moved, consistent=True), [])):
        listed, nothing = ListedFirst(), list[Page[Any]]()
        assert list(listed.records([first])) == []
        assert [page.consistent for page in listed.mark(nothing)] == expected


@pytest.mark.parametrize("parallel_requests", [1, 3])
def test_a_crawl_of_learners_who_moved_is_not_consistent(
    lms: Simulator, tmp_path: Path, parallel_requests: int
) -> None:
    course, everyone = lms.zoho.courses[0], lms.zoho.world.everyone
    learners = [lms.zoho.world.course_progress(course, learner) for learner in everyone[:12]]
    call = f"GET /api/v1/courses/{course.id}/course-progress"
    lms.zoho.fail(call, moving_twice("courseProgress", learners), times=1_000)
    summary = execute(
        ZohoPeopleEntityProgressOperator(
            task_id="t",
            course_id=course.id,
            entity_types="links",
            output_path=str(tmp_path),
            parallel_requests=parallel_requests,
        )
    )
    assert not read_manifest(summary["uri"])["consistent"]
