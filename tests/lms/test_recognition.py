"""Only what is recognized counts: as a page, as empty, as an unknown id, as the row that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.course.read_flow import run_flow
from airflow_provider_lms.lms.course.readers import CompletionsQuery
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.completions import ISpringCompletionsReader
from airflow_provider_lms.lms.ispring.course import ISpringCourseQuery, ISpringCourseReader
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl, course_progress
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator, ISpringEnrollmentsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import JSON, Reply
from airflow_provider_lms.simulator.faults import Fault
from tests.rows import rows
from tests.tasks import execute

Connect = Callable[..., ISpringLearnClient]
ConnectZoho = Callable[..., ZohoPeopleClient]
RESULTS = "GET /learners/results"
COURSES = "GET /api/v1/courses"
_TWO_TITLES = b'"courseTitle": "\xff", "courseTitle": "y", "userId"'
UNKNOWN = "00000000-0000-0000-0000-000000000404"


def answer(status: int, content: Any) -> Fault:
    return lambda _, __: Reply(status=status, content=content)


@pytest.mark.parametrize(
    "body",
    [
        b'{"results": [], "results": []}',
        b'{"results": [], "nextPageToken": "a", "nextPageToken": "b"}',
        b'{"results": [{"userId": "u", "userId": "v", "courseId": "c", "completionStatus": "passed"}]}',
        b'{"results": [{"userId": "u", "courseId": "c", "completionStatus": "failed", "completionStatus": "passed"}]}',
        b'{"results": [{"userId": "u", "courseId": "c", "completionStatus": "passed", "new": 1, "new": 2}]}',
        b'{"results": [], "error": "down"}',
        b'{"results": [], "errors": [{"code": 1}]}',
        b'{"results": [], "code": 500, "message": "down"}',
        b'{"results": "none"}',
        b'{"results": false}',
        b'{"results": 0}',
        b'{"results": [[]]}',
        b'{"message": "nothing here"}',
        b'{"nextPageToken": "t", "message": "nothing here"}',
    ],
)
def test_json_of_ispring_that_is_no_page(lms: Simulator, connect: Connect, body: bytes) -> None:
    lms.ispring.fail(RESULTS, faults.body(body))
    with pytest.raises(errors.LmsBrokenPage, match=RESULTS):
        list(connect(lms).course_results())


@pytest.mark.parametrize(
    "body",
    [
        b"<error>down</error>",
        b"<html><body>down</body></html>",
        b"<response><code>500</code><message>down</message></response>",
        b"<response><results/><error><code>1</code></error></response>",
        b"<response><results/><results/></response>",
        b"<response><results/><nextPageToken>a</nextPageToken><nextPageToken>b</nextPageToken></response>",
        b"<response><results>none</results></response>",
        b"<response>none</response>",
        b"<response><results><result><userId>u</userId><userId>v</userId><courseId>c</courseId>"
        b"<completionStatus>passed</completionStatus></result></results></response>",
    ],
)
def test_xml_of_ispring_that_is_no_page(lms: Simulator, connect: Connect, body: bytes) -> None:
    lms.ispring.fail(RESULTS, faults.body(body, "application/xml"))
    with pytest.raises(errors.LmsBrokenPage, match=RESULTS):
        list(connect(lms).course_results())


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (JSON, b'{"results": []}'),
        (JSON, b'{"results": null}'),
        (JSON, b"{}"),
        ("application/xml", b"<response><results/></response>"),
        ("application/xml", b"<response/>"),
        ("application/xml", b"<response><results></results></response>"),
        ("text/plain", b'\xef\xbb\xbf{"results": []}'),
        ("", b'{"results": []}'),
        ("text/html", b'{"results": []}'),
        ("application/json charset=utf-8", b'{"results": []}'),
    ],
)
def test_what_is_really_empty_stays_so(lms: Simulator, connect: Connect, media: str, body: bytes) -> None:
    lms.ispring.fail(RESULTS, faults.body(body, media))
    assert rows(connect(lms).course_results()) == []


@pytest.mark.parametrize(
    "content",
    [
        {"status": "failure", "message": "x"},
        {"status": "failure", "courses": []},
        {"status": "error", "courses": [], "code": 200},
        {"message": "x"},
        {"courses": ""},
        {"courses": False},
        {"courses": {}, "code": 9001},
        {"code": 200, "message": "success", "data": []},
        {"response": {"status": 1, "message": "x"}, "courses": []},
    ],
)
def test_what_is_no_page_of_zoho(lms: Simulator, connect_zoho: ConnectZoho, content: dict[str, Any]) -> None:
    lms.zoho.fail(COURSES, answer(200, content), times=9)
    with pytest.raises((errors.LmsBrokenPage, errors.LmsUnknownError), match="GET /courses"):
        list(connect_zoho(lms).courses())


def test_another_entity_type_breaks_the_page_even_if_it_is_empty(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    call = f"GET /api/v1/courses/{course.id}/learners/{learner.id}/progress"
    lms.zoho.fail(call, answer(200, {"code": 200, "entityType": 3, "learnerProgress": [], "hasMoreRecords": False}))
    with pytest.raises(errors.LmsBrokenPage, match="another 'entityType'"):
        list(connect_zoho(lms).entity_progress(course.id, learner.id, 0))


UNEXPLAINED = {
    "a code that nobody knows": answer(500, {"code": 9001, "message": "x"}),
    "an error in words": answer(200, {"error": "something"}),
    "a maximum": answer(422, {"code": 422, "message": "Maximum limit exceeded"}),
    "a missing parameter": answer(400, {"code": 7019, "message": "x"}),
    "an invalid URL": answer(404, {"code": 7201, "message": "x"}),
    "gateway's web page": faults.html_page(400),
    "gateway's 404": faults.html_page(404),
}


@pytest.mark.parametrize("reason", UNEXPLAINED)
def test_an_unexplained_error_is_no_unknown_learner_and_no_course_without_batches(
    lms: Simulator, connect_zoho: ConnectZoho, reason: str
) -> None:
    self_paced, blended = lms.zoho.courses[0], lms.zoho.courses[1]
    learner, other = lms.zoho.world.everyone[:2]
    lms.zoho.fail(f"GET /api/v1/courses/{self_paced.id}/learners/{learner.id}/progress", UNEXPLAINED[reason], times=9)
    crawl = EntityProgressCrawl(
        connect_zoho(lms), self_paced.id, learner_ids=[other.id, learner.id], on_unknown_learner="skip"
    )
    with pytest.raises(errors.LmsError) as raised:
        list(crawl)
    assert not isinstance(raised.value, errors.LmsNotFound | errors.LmsInvalidValue)
    lms.zoho.fail(f"GET /api/v1/courses/{blended.id}/batches", UNEXPLAINED[reason], times=9)
    with pytest.raises(errors.LmsError):
        list(EntityProgressCrawl(connect_zoho(lms), blended.id))


def test_one_unexplained_400_concludes_nothing(lms: Simulator, connect_zoho: ConnectZoho) -> None:
    lms.zoho.limits.requests = 1_000
    self_paced, blended = lms.zoho.courses[0], lms.zoho.courses[1]
    everyone = lms.zoho.world.everyone
    learner, other = everyone[:2]
    path = f"GET /api/v1/courses/{self_paced.id}"

    def crawl(times: int) -> set[str]:
        lms.zoho.fail(f"{path}/learners/{learner.id}/progress", faults.status(400), times=times)
        named = [other.id, learner.id]
        read = EntityProgressCrawl(connect_zoho(lms), self_paced.id, learner_ids=named, on_unknown_learner="skip")
        return {row["learnerId"] for row in rows(read)}

    assert crawl(1) == {learner.id, other.id}
    assert crawl(2) == {other.id}
    lms.zoho.fail(f"GET /api/v1/courses/{blended.id}/batches", faults.status(400))
    batches = {row["batchId"] for row in rows(course_progress(connect_zoho(lms), blended.id))}
    assert batches == {batch.id for batch in blended.batches}


@pytest.mark.parametrize(
    "body",
    [
        b"<response><errors><code>7209</code><message>x</message></errors><status>1</status></response>",
        b"<response><code>7209</code></response>",
        b"<response><error><message>API access blocked since threshold limit exceeded.</message></error></response>",
    ],
)
def test_the_lock_is_recognized_in_xml(lms: Simulator, connect_zoho: ConnectZoho, body: bytes) -> None:
    lms.zoho.fail(COURSES, faults.body(body, "application/xml"))
    with pytest.raises(errors.LmsRateLimited, match="has locked the account"):
        list(connect_zoho(lms).courses())


@pytest.mark.parametrize("status", [200, 400, 401])
def test_an_authentication_failure_renews_the_token_once(
    lms: Simulator, connect_zoho: ConnectZoho, status: int
) -> None:
    lms.zoho.fail(COURSES, answer(status, {"code": "AUTHENTICATION_FAILURE", "message": "x"}))
    assert len(rows(connect_zoho(lms).courses())) == len(lms.zoho.courses)
    assert len(lms.zoho.tokens) == 2


@pytest.mark.parametrize(
    ("answered", "is_page"),
    [(["999", "999"], True), (["999", "998"], False), (["999", None], False), ([None, None], True)],
)
def test_one_echoed_id_may_differ_and_several_may_not(
    lms: Simulator, connect_zoho: ConnectZoho, answered: list[str | None], is_page: bool
) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    call = f"GET /api/v1/courses/{course.id}/learners/{learner.id}/course-progress"
    found = [
        {"courseId": course.id, "completionPercentage": 100} | ({"learnerId": each} if each else {})
        for each in answered
    ]
    lms.zoho.fail(call, answer(200, {"code": 200, "courseProgress": found, "hasMoreRecords": False}))
    pages = connect_zoho(lms).course_progress(course.id, learner_id=learner.id)
    if is_page:
        assert {row["learnerId"] for row in rows(pages)} == {learner.id}
    else:
        with pytest.raises(errors.LmsBrokenPage, match="rows of several ids came"):
            list(pages)


def test_an_unknown_course_fails_the_operators(lms: Simulator) -> None:
    for operator in (ISpringCourseResultsOperator, ISpringEnrollmentsOperator):
        with pytest.raises(Exception, match=f"iSpring Learn has no course {UNKNOWN}"):
            execute(operator(task_id="t", course_ids=[lms.ispring.courses[0].id, UNKNOWN]))
        known = execute(
            operator(task_id="t", course_ids=lms.ispring.courses[0].id, ispring_learn_conn_id="ispring_learn_default")
        )
        assert {row["courseId"] for row in known} == {lms.ispring.courses[0].id}


def test_an_unknown_course_fails_readers_until_somebody_is_in_it(lms: Simulator, connect: Connect) -> None:
    client = connect(lms)
    with pytest.raises(errors.LmsNotFound, match=f"iSpring Learn has no course {UNKNOWN}"):
        run_flow(ISpringCourseReader(client, ISpringCourseQuery(course_id=UNKNOWN)).read_flow(None))
    with pytest.raises(errors.LmsNotFound, match=f"iSpring Learn has no course {UNKNOWN}"):
        run_flow(ISpringCompletionsReader(client, CompletionsQuery(course_id=UNKNOWN)).read_flow(datetime.now(UTC)))
    known = ISpringCompletionsReader(client, CompletionsQuery(course_id=lms.ispring.courses[0].id))
    for _ in range(3):
        assert run_flow(known.read_flow(datetime.now(UTC))) == []
    # That the course exists is asked only once.
    assert lms.ispring.count(f"GET /content/{lms.ispring.courses[0].id}") == 1


def test_a_role_without_content_reads_results_all_the_same(lms: Simulator) -> None:
    lms.ispring.fail(f"GET /content/{UNKNOWN}", faults.status(403))
    assert execute(ISpringCourseResultsOperator(task_id="t", course_ids=UNKNOWN)) == []


def test_empty_pages_with_ever_new_tokens_end(lms: Simulator, connect: Connect) -> None:
    tokens = map(str, range(10_000))
    lms.ispring.fail(
        RESULTS, lambda _, __: Reply(status=200, content={"results": [], "nextPageToken": next(tokens)}), times=10_000
    )
    with pytest.raises(errors.LmsBrokenPage, match="more than 100 pages in a row are empty"):
        list(connect(lms).course_results())
    assert lms.ispring.count(RESULTS) == 101


@pytest.mark.parametrize("odd", ["a\x1b[31mred", "line\nbreak", "ada@example.com", "x" * 5_000, "\u202eevil"])
def test_nothing_from_a_body_reaches_a_message_unchecked(
    lms: Simulator, connect: Connect, connect_zoho: ConnectZoho, odd: str
) -> None:
    lms.ispring.fail(RESULTS, faults.content(lambda _: {odd: 1}))
    lms.zoho.fail(COURSES, answer(200, {odd: 1}))
    for read in (connect(lms).course_results, connect_zoho(lms).courses):
        with pytest.raises(errors.LmsBrokenPage) as raised:
            list(read())
        said = str(raised.value)
        assert said.isprintable()
        assert "@example" not in said
        assert len(said) < 300


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.replace(b'"userId"', b'"userId":"x","userId"'),
        lambda body: body[:-1] + b',"results":[]}',
        lambda body: b'{"nextPageToken":"a[","nextPageToken":"b",' + body[1:],
        lambda body: body.replace(b'"userId"', _TWO_TITLES, 1),
        lambda body: body[:-1] + b',"nextPageToken":"a","nextPageToken":"b"}',
        lambda body: b'{"nextPageToken":"a","nextPageToken":"b",' + body[1:],
        lambda body: b'{"results":' + body[body.index(b"[") : -1] + b"," + body[1:],
    ],
)
def test_a_large_page_with_a_repeated_name_is_no_page(
    lms: Simulator, connect: Connect, damage: Callable[[bytes], bytes]
) -> None:
    row = {"userId": "u", "courseId": "c", "completionStatus": "passed"}
    body = json.dumps({"results": [row] * 2_000}).encode()
    lms.ispring.fail(RESULTS, faults.body(damage(body)))
    with pytest.raises(errors.LmsBrokenPage, match="a name occurs twice"):
        list(connect(lms).course_results())
    lms.ispring.fail(RESULTS, faults.body(body.replace(b'"c"', b'"c", "new": ["[results]", "\\"results\\":"]')))
    assert len(rows(connect(lms).course_results())) == 2_000
