"""Reading Zoho People, over real HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl, course_progress
from airflow_provider_lms.lms.zoho_people.listings.progress import ENTITY_TYPES, parse_minutes
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.testing import fake_clock
from tests.conftest import ZOHO_TOKEN
from tests.rows import rows

SAMPLE = (Path(__file__).parents[1] / "data" / "zoho_entity_progress.json").read_bytes()
FILES = 3


def delivered(row: dict[str, Any], **asked: Any) -> dict[str, Any]:
    """The vendor's row as it is delivered: ids as text, empty fields left out, and what it was asked for with."""
    full = {**row, **asked}
    full |= {name: str(value) for name, value in full.items() if name.endswith(("Id", "Type")) and value is not None}
    full |= {name: value for name, value in asked.items() if name == "entityType"}
    if "duration" in row:
        full["durationMinutes"] = {"10 minutes": 10.0, "1 hour": 60.0, "1 hour 30 minutes": 90.0}[row["duration"]]
    return {name: value for name, value in full.items() if value is not None}


def entities(lms: Simulator, course: int = 0, *kinds: int) -> list[dict[str, Any]]:
    """What a crawl delivers of a course: its batches, their learners, the types."""
    world, found = lms.zoho.world, lms.zoho.courses[course]
    return [
        delivered(
            row,
            courseId=found.id,
            batchId=batch and batch.id,
            learnerId=learner.id,
            entityType=kind,
            entityTypeName=ENTITY_TYPES[kind],
        )
        for batch in found.batches or (None,)
        for learner in world.learners(found, batch)
        for kind in kinds or range(10)
        for row in world.entities(found, learner, kind)
    ]


def _content(row: dict[str, Any]) -> str:
    return str(sorted(row.items()))


def test_the_vendors_sample_yields_its_two_records_and_what_they_were_asked_for(
    lms: Simulator, zoho: ZohoPeopleClient
) -> None:
    course, batch, learner = "100002000000039001", "100002000000041383", "100002000000041342"
    call = f"GET /api/v1/courses/{course}/batches/{batch}/learners/{learner}/progress"
    lms.zoho.fail(call, lambda _, reply: faults.body(SAMPLE)(_, faults.status(200)(_, reply)))

    pages = list(zoho.entity_progress(course, learner, 0, batch_id=batch))

    assert [(page.number, page.next) for page in pages] == [(1, None)]
    identity = {
        "courseId": course,
        "batchId": batch,
        "learnerId": learner,
        "responseLearnerId": "100002000000032143",
        "entityType": 0,
        "entityTypeName": "offline_tests",
    }
    assert rows(pages) == [
        {
            **identity,
            "duration": "10 minutes",
            "durationMinutes": 10.0,
            "userMark": 20,
            "testId": "100002000000040111",
            "testMark": 100,
            "isMandatory": False,
            "testName": "Offline test 1",
            "status": "completed",
        },
        {
            **identity,
            "duration": "20 minutes",
            "durationMinutes": 20.0,
            "userMark": 87,
            "maximumAttemptsAllowed": 1,
            "testId": "100002000000052061",
            "testMark": 100,
            "isMandatory": True,
            "testName": "Offline 2",
            "status": "completed",
        },
    ]
    assert lms.zoho.calls[-1].query == (("entityType", "0"), ("startIndex", "0"))


def test_courses_and_batches(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    courses = lms.zoho.courses
    assert rows(zoho.courses()) == [
        {
            "courseId": course.id,
            "courseName": course.name,
            "courseType": "2" if course.batches else "1",
            "courseCode": f"C-{course.number}",
        }
        for course in courses
    ]
    assert rows(zoho.batches(int(courses[1].id))) == [delivered(batch.row()) for batch in courses[1].batches]
    assert rows(zoho.batches(courses[0].id)) == []


def test_the_vendors_sample_of_a_batch(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = "219225000000645203"
    row = {
        "learnersCount": 2,
        "startDateAsDisplayString": "22-Dec-2021",
        "endDateAsDisplayString": "27-Jan-2022",
        "name": "Batch One",
        "schedulerId": 0,
        "minimumCapacity": 10,
        "maximumCapacity": 40,
        "cancelBatchWhenMinimumCapacityIsNotMet": False,
        "batchId": "219225000000645215",
        "courseId": course,
        "publishStatus": "published",
        "allowWaitlisting": False,
    }
    page = {"batches": [row], "code": "200", "hasMoreRecords": False}
    lms.zoho.fail(
        f"GET /api/v1/courses/{course}/batches",
        lambda _, reply: faults.body(msgspec.json.encode(page))(_, faults.status(200)(_, reply)),
    )
    (batch,) = (record for page in zoho.batches(course) for record in page.records)
    assert batch.extra == {}
    assert msgspec.to_builtins(batch) == {**row, "schedulerId": "0"}
    assert batch.name == "Batch One"


@pytest.mark.parametrize("kind", [{"courseType": 3}, {"courseType": "3"}, {"type": 3}, {"type": "3"}])
def test_a_course_may_be_called_by_id_name_and_type(
    lms: Simulator, zoho: ZohoPeopleClient, kind: dict[str, object]
) -> None:
    row = {"id": 100002000000040111, "name": "A", **kind}
    lms.zoho.fail("GET /api/v1/courses", faults.body(msgspec.json.encode({"code": "200", "courses": [row]})))
    lms.zoho.fail("GET /api/v1/courses", faults.body(b'{"code":"200","courses":[]}'), on=2)
    assert rows(zoho.courses()) == [{"courseId": "100002000000040111", "courseName": "A", "courseType": "3"}]


@pytest.mark.parametrize("given", [FILES, str(FILES), "files"])
def test_pages_go_on_by_the_number_of_records_received(
    lms: Simulator, zoho: ZohoPeopleClient, given: int | str
) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    pages = list(zoho.entity_progress(course.id, learner.id, given))
    assert [(len(page.records), page.number) for page in pages] == [(25, 1), (15, 2)]
    assert rows(pages) == entities(lms, 0, FILES)[:40]
    assert [call.first("startIndex") for call in lms.zoho.calls] == ["0", "24"]
    rest = list(zoho.entity_progress(course.id, learner.id, given, start=pages[0].next or 0))
    assert rows(rest) == rows(pages[1:])


def test_without_a_word_on_more_records_one_reads_until_an_empty_page(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    call = f"GET /api/v1/courses/{course.id}/learners/{learner.id}/progress"
    silent = faults.content(lambda content: {k: v for k, v in content.items() if k != "hasMoreRecords"})
    lms.zoho.fail(call, silent, times=9)
    assert rows(zoho.entity_progress(course.id, learner.id, FILES)) == entities(lms, 0, FILES)[:40]
    assert lms.zoho.count(call) == 3


def test_course_progress_in_its_three_forms(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    world = lms.zoho.world
    paced, blended = lms.zoho.courses[:2]
    batch, learner = blended.batches[0], world.everyone[0]
    assert rows(zoho.course_progress(paced.id)) == [
        delivered(world.course_progress(paced, each)) for each in world.everyone
    ]
    assert rows(zoho.course_progress(blended.id, batch_id=batch.id)) == [
        delivered(world.course_progress(blended, each)) for each in world.learners(blended, batch)
    ]
    assert rows(zoho.course_progress(learner_id=learner.id)) == [
        delivered(world.course_progress(course, learner)) for course in lms.zoho.courses
    ]
    assert rows(zoho.course_progress(paced.id, learner_id=learner.id, progress_type=1)) == [
        delivered(world.course_progress(paced, learner, only_mandatory=True))
    ]
    assert lms.zoho.calls[-1].first("progressType") == "1"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda zoho: zoho.course_progress(), "course_id: give at least one of course_id, batch_id, learner_id"),
        (lambda zoho: zoho.read("course_progress"), "course_id: give at least one of course_id, batch_id, learner_id"),
        (lambda zoho: zoho.course_progress(batch_id="1"), "batch_id: give course_id as well."),
        (lambda zoho: zoho.batches(None), "course_id: "),
        (lambda zoho: zoho.course_progress("1", progress_type=1), "progress_type: give a course_id and"),
        (
            lambda zoho: zoho.course_progress("1", learner_id="2", progress_type=2),
            "progress_type: '2' is not one of Zoho's progress types",
        ),
        (lambda zoho: zoho.entity_progress("", "1", 0), "course_id: each id must be a non-empty string"),
        (lambda zoho: zoho.entity_progress(["1", "2"], "1", 0), "course_id: expected one id"),
        (lambda zoho: zoho.entity_progress("1", 1.5, 0), "learner_id: expected an id"),
        (lambda zoho: zoho.entity_progress("1", True, 0), "learner_id: each id must be"),
        (lambda zoho: zoho.entity_progress("1", "2", 10), "entity_type: '10' is not one of Zoho's entity types"),
        (lambda zoho: zoho.entity_progress("1", "2", "exams"), "entity_type: 'exams' is not one of"),
        (lambda zoho: zoho.courses(start="soon"), "start: expected a whole number of at least 0, got 'soon'"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_named_before_anything_is_sent(
    lms: Simulator, zoho: ZohoPeopleClient, call: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(zoho)
    assert lms.zoho.requests == []


def test_ids_are_part_of_a_path_and_no_more(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    with pytest.raises(errors.LmsNotFound):
        list(zoho.entity_progress("1/../2?x=", "3", 0))
    assert [call.call for call in lms.zoho.calls] == ["GET /api/v1/courses/1%2F..%2F2%3Fx%3D/learners/3/progress"]


def test_the_check_takes_one_page_of_courses(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    zoho.check()
    assert [request.call for request in lms.zoho.requests] == [ZOHO_TOKEN, "GET /api/v1/courses"]
    assert lms.zoho.requests[-1].headers["authorization"] == f"Zoho-oauthtoken {lms.zoho.tokens[0]}"
    assert lms.zoho.requests[0].query == ()
    assert lms.zoho.requests[0].form["grant_type"] == "refresh_token"


@pytest.mark.parametrize("course", [0, 1])
def test_a_crawl_reads_every_batch_learner_and_type(lms: Simulator, zoho: ZohoPeopleClient, course: int) -> None:
    assert rows(EntityProgressCrawl(zoho, lms.zoho.courses[course].id)) == entities(lms, course)


def test_a_crawl_of_some_learners_and_types(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    learners = [each.id for each in lms.zoho.world.everyone[3:6]]
    for course in (0, 1):
        crawl = EntityProgressCrawl(
            zoho, lms.zoho.courses[course].id, learner_ids=learners, entity_types=["links", 0, "0"]
        )
        expected = [row for row in entities(lms, course, 6, 0) if row["learnerId"] in learners]
        assert sorted(rows(crawl), key=_content) == sorted(expected, key=_content)


def test_a_crawl_of_named_learners_in_a_self_paced_course_lists_nobody(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    rows(EntityProgressCrawl(zoho, lms.zoho.courses[0].id, learner_ids=lms.zoho.world.everyone[0].id, entity_types=5))
    assert [call.call.rpartition("/")[2] for call in lms.zoho.calls] == ["batches", "progress"]


@pytest.mark.parametrize("course", [0, 1])
def test_a_crawl_resumes_from_any_page(lms: Simulator, zoho: ZohoPeopleClient, course: int) -> None:
    def crawl(start: str | None = None) -> EntityProgressCrawl:
        return EntityProgressCrawl(zoho, lms.zoho.courses[course].id, entity_types=[2, FILES], start=start)

    pages = list(crawl())
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert pages[-1].next is None
    for cut in (1, 2, 3, len(pages) - 1):
        assert rows(crawl(pages[cut - 1].next)) == rows(pages[cut:])


@pytest.mark.parametrize("start", ["25", "a/b/c:d", "1/2/3", "1/2/3:x", "1/2:3"])
def test_a_start_that_no_page_named_is_rejected(lms: Simulator, zoho: ZohoPeopleClient, start: str) -> None:
    with pytest.raises(ValueError, match="start: expected the 'next' of an earlier page"):
        EntityProgressCrawl(zoho, "1", start=start)
    assert lms.zoho.requests == []


@pytest.mark.parametrize("course", [0, 1])
def test_an_unknown_learner_fails_the_crawl_or_is_skipped(
    lms: Simulator, zoho: ZohoPeopleClient, course: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    known = lms.zoho.world.everyone[0].id
    course_id = lms.zoho.courses[course].id
    options: dict[str, Any] = {"learner_ids": ["404404404404404404", known], "entity_types": [0, 1]}
    with pytest.raises(errors.LmsNotFound, match="learner_ids: Zoho knows no learner 404404404404404404 in course"):
        rows(EntityProgressCrawl(zoho, course_id, **options))
    found = rows(EntityProgressCrawl(zoho, course_id, **options, on_unknown_learner="skip"))
    assert found == [row for row in entities(lms, course, 0, 1) if row["learnerId"] == known]
    assert "skipping 404404404404404404" in caplog.text


@pytest.mark.parametrize("course", [0, 1])
def test_to_skip_everybody_is_a_failure(lms: Simulator, zoho: ZohoPeopleClient, course: int) -> None:
    crawl = EntityProgressCrawl(zoho, lms.zoho.courses[course].id, learner_ids=["7", "8"], on_unknown_learner="skip")
    with pytest.raises(errors.LmsNotFound, match=r"knows none of these learners .* Are these ids of another kind"):
        rows(crawl)


def test_a_crawl_logs_its_cost_before_it_begins(
    connect_zoho: Callable[..., ZohoPeopleClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Simulator(World(users=100, courses=1)) as lms:
        limits = RateLimits(requests=30, requests_per_day=900)
        client = connect_zoho(lms, rate_limiter=SharedRateLimiter(MemoryStore(), "host", "client", limits))
        next(iter(EntityProgressCrawl(client, lms.zoho.courses[0].id)))
        assert len(lms.zoho.calls) == 7
    (said,) = [record.getMessage() for record in caplog.records if "100 learners" in record.getMessage()]
    assert said.endswith(
        ": 100 learners, 10 entity types: 1,000 calls, 33 min at the rate limit of 30 calls in 60 s, "
        "and more than the 900 that are allowed in a day."
    )


def test_the_cost_of_a_short_crawl_is_told_in_seconds(
    connect_zoho: Callable[..., ZohoPeopleClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Simulator(World(users=1, courses=1)) as lms:
        limits = RateLimits(requests=30)
        client = connect_zoho(lms, rate_limiter=SharedRateLimiter(MemoryStore(), "host", "client", limits))
        next(iter(EntityProgressCrawl(client, lms.zoho.courses[0].id)))
    assert ": 1 learners, 10 entity types: 10 calls, 20 s at the rate limit of 30 calls in 60 s." in caplog.text


def test_course_progress_of_a_blended_course_is_read_batch_by_batch(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    world, blended = lms.zoho.world, lms.zoho.courses[1]
    found = list(course_progress(zoho, blended.id))
    assert [page.number for page in found] == [1, 2]
    assert rows(found) == [
        delivered(world.course_progress(blended, learner))
        for batch in blended.batches
        for learner in world.learners(blended, batch)
    ]
    second = world.everyone[1]
    assert rows(course_progress(zoho, blended.id, learner_id=second.id)) == [
        delivered(world.course_progress(blended, second))
    ]
    with pytest.raises(errors.LmsNotFound):
        rows(course_progress(zoho, blended.id, learner_id="7"))


def test_course_progress_resumes_at_a_batch_and_never_at_another(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    blended = lms.zoho.courses[1].id
    pages = list(course_progress(zoho, blended))
    assert rows(course_progress(zoho, blended, start=pages[0].next)) == rows(pages[1:])
    with pytest.raises(ValueError, match="start: it names a part of the listing that is no longer there"):
        rows(course_progress(zoho, blended, start="7:0"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10 minutes", 10),
        ("1 minute", 1),
        ("1 hour", 60),
        ("1 hour 30 minutes", 90),
        ("1 hr, 5 mins", 65),
        ("2h 15m", 135),
        ("1.5 hours", 90),
        ("1,5 hours", 90),
        ("1 Hour and 30 Minutes", 90),
        ("30 seconds", 0.5),
        ("10 Minuten", None),
        ("10", None),
        ("", None),
        ("1 day", None),
        ("about 10 minutes", None),
        ("10 minutes or so", None),
        (10, None),
        (None, None),
    ],
)
def test_a_duration_is_read_where_all_of_it_can_be(text: object, value: float | None) -> None:
    assert parse_minutes(text) == value


def test_fields_and_statuses_that_are_new_are_kept(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    call = f"GET /api/v1/courses/{course.id}/learners/{learner.id}/progress"
    row = {
        "sessionId": 100002000000040111,
        "status": "en cours",
        "userMark": None,
        "testMark": 7.5,
        "maximumAttemptsAllowed": "unlimited",
        "isMandatory": "false",
        "duration": 15,
        "rooms": [{"roomId": 100002000000040113, "seats": 3}],
        "trainerIds": [100002000000040115],
    }
    body = {"code": 200, "learnerId": learner.id, "learnerProgress": row, "hasMoreRecords": "false"}
    lms.zoho.fail(call, faults.body(msgspec.json.encode(body)))
    (found,) = rows(zoho.entity_progress(course.id, learner.id, 5))
    assert found == {
        "courseId": course.id,
        "learnerId": learner.id,
        "entityType": 5,
        "entityTypeName": "sessions",
        "sessionId": "100002000000040111",
        "status": "en cours",
        "testMark": 7.5,
        "maximumAttemptsAllowed": "unlimited",
        "isMandatory": False,
        "duration": "15",
        "rooms": [{"roomId": "100002000000040113", "seats": 3}],
        "trainerIds": ["100002000000040115"],
    }


def test_each_record_tells_when_zoho_was_asked(lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]) -> None:
    course, learner = lms.zoho.courses[0].id, lms.zoho.world.everyone[0].id
    call = f"GET /api/v1/courses/{course}/learners/{learner}/progress"
    with fake_clock() as clock:

        def answer_late(_: Request, reply: Reply) -> Reply:
            clock.advance(20)
            return reply

        for _ in range(2):
            clock.advance(3_600)
            asked = clock.utcnow()
            lms.zoho.fail(call, answer_late)
            pages = list(connect_zoho(lms).entity_progress(course, learner, "online_tests"))
            assert clock.utcnow() == asked + timedelta(seconds=20)
            assert {record.read_at for page in pages for record in page.records} == {asked}
