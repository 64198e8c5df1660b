"""What a declaration can say that no listing of today says by itself: unpaged listings, and children of a parent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.people import ENROLLMENTS
from airflow_provider_lms.lms.listing.pagers import UnpagedPager
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.listings.courses import COURSE_MODULES
from airflow_provider_lms.simulator import Simulator, faults

UNPAGED = dataclasses.replace(ENROLLMENTS, pager=UnpagedPager("nextPageToken"), name="unpaged")
Connect = Callable[..., ISpringLearnClient]
ConnectZoho = Callable[..., ZohoPeopleClient]


def without_token(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name != "nextPageToken"}


@pytest.mark.parametrize("prefetch", [False, True])
def test_an_unpaged_listing_comes_in_one_page(lms: Simulator, connect: Connect, prefetch: bool) -> None:
    client = connect(lms)
    client.prefetch = prefetch
    (expected,) = client.enrollments(page_size=10_000)
    lms.ispring.fail("GET /enrollments", faults.content(without_token))
    (page,) = client.read(UNPAGED)
    assert page.next is None
    assert page.resumable
    assert page.records == expected.records[: len(page.records)]
    assert page.records


def test_an_unpaged_listing_that_names_a_next_page_is_broken(lms: Simulator, connect: Connect) -> None:
    lms.ispring.fail("GET /enrollments", faults.content(lambda page: {**without_token(page), "nextPageToken": "more"}))
    with pytest.raises(LmsBrokenPage, match="nextPageToken"):
        list(connect(lms).read(UNPAGED))


@pytest.mark.parametrize(("parameter", "value"), [("page_size", 10), ("start", "1")])
def test_an_unpaged_listing_has_neither_size_nor_start(
    lms: Simulator, connect: Connect, parameter: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=f"{parameter}: this listing comes in one piece"):
        connect(lms).read(UNPAGED, **{parameter: value})
    assert not lms.ispring.requests


def test_children_are_read_as_the_declaration_says(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    lms.zoho.limits.requests = 100_000
    client = connect_zoho(lms)
    courses = [course for course in lms.zoho.courses if not course.batches]
    ids = [course.id for course in courses]
    found = [record for page in client.read(COURSE_MODULES, course_ids=ids) for record in page.records]
    expected = {(course.id, str(row["moduleId"])) for course in courses for row in lms.zoho.world.modules(course)}
    assert {(record.course_id, record.module_id) for record in found} == expected
    assert len(found) == len(expected) > 0


def test_without_ids_the_children_of_all_parents_are_read(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    lms.zoho.limits.requests = 100_000
    client = connect_zoho(lms)
    batches = [record for page in client.read("batches") for record in page.records]
    expected = {(course.id, batch.id) for course in lms.zoho.courses for batch in course.batches}
    assert {(batch.course_id, batch.batch_id) for batch in batches} == expected
    modules = {(each.course_id, each.batch_id) for page in client.read("course_modules") for each in page.records}
    assert modules == {(course.id, None) for course in lms.zoho.courses if not course.batches} | expected


def test_the_ids_of_a_grandparent_choose_the_parents(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    lms.zoho.limits.requests = 100_000
    client = connect_zoho(lms)
    everything = [each for page in client.read("online_tests") for each in page.records]
    course = everything[0].course_id
    of_course = [each for each in everything if each.course_id == course]
    assert 0 < len(of_course) < len(everything)
    for ids in ({"course_id": course}, {"course_ids": [course]}):
        assert [each for page in client.read("online_tests", **ids) for each in page.records] == of_course
    module = of_course[0].module_id
    of_module = [each for each in of_course if each.module_id == module]
    found = client.read("online_tests", course_id=course, module_id=module)
    assert [each for page in found for each in page.records] == of_module


def test_what_is_invalid_is_refused_before_the_parents_are_read(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    client = connect_zoho(lms)
    with pytest.raises(ValueError, match="course_ids: the list is empty"):
        client.read("course_modules", course_ids=[])
    with pytest.raises(TypeError, match="courses has no filter color"):
        client.read("course_modules", color="red")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"listing: expected .*'course_modules'.*, got 'modules'"):
        client.read("modules")
    assert not lms.zoho.requests


def test_children_resume_behind_a_parent_that_is_gone(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    lms.zoho.limits.requests = 100_000
    client = connect_zoho(lms)
    ids = sorted(course.id for course in lms.zoho.courses if not course.batches)
    first, *rest = client.read("course_modules", course_ids=ids)
    expected = [record for page in rest for record in page.records]
    assert expected
    resumed = client.read("course_modules", course_ids=ids[1:], start=f"{ids[0]}:25-0123456789abcdef")
    assert [record for page in resumed for record in page.records] == [
        record for record in expected if record.course_id != first.records[0].course_id
    ]
