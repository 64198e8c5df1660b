"""What Zoho can do wrong, over real HTTP: every envelope at any status, and a token endpoint that fails with 200."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.conftest import ZOHO_TOKEN
from tests.rows import rows

Connect = Callable[..., ZohoPeopleClient]
COURSES = "GET /api/v1/courses"


@pytest.fixture(autouse=True)
def clock() -> Iterator[FakeClock]:
    """Pauses take no time; ``naps`` tells how long they would have been."""
    with fake_clock() as found:
        yield found


def answer(status: int, content: Any, **headers: str) -> Fault:
    """Another status and another body."""

    def change(_: Request, __: Reply) -> Reply:
        return Reply(status=status, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return change


def enveloped(code: int) -> dict[str, Any]:
    """An error in each envelope that is known."""
    said = "a word on learner 4711"
    error = {"code": code, "message": said}
    return {
        "code": error,
        "code as text": {"code": str(code), "message": said},
        "response, errors": {"response": {"status": 1, "uri": "/x", "errors": error}},
        "response, list of errors": {"response": {"status": 1, "message": said, "errors": [error]}},
        "errors": {"errors": error, "status": 1},
        "error": {"error": error},
    }


CODES = {
    7209: errors.LmsRateLimited,
    429: errors.LmsRateLimited,
    7202: errors.LmsTokenRefused,
    7213: errors.LmsTokenRefused,
    7218: errors.LmsPermissionError,
    403: errors.LmsPermissionError,
    7040: errors.LmsPermissionError,
    404: errors.LmsNotFound,
    7049: errors.LmsNotFound,
    400: errors.LmsInvalidValue,
    7016: errors.LmsInvalidValue,
    422: errors.LmsUnknownError,
    7204: errors.LmsBadRequest,
    9001: errors.LmsUnknownError,
    500: errors.LmsUnavailable,
    7200: errors.LmsUnavailable,
}


@pytest.mark.parametrize("envelope", enveloped(0))
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("code", CODES)
def test_the_code_decides_in_every_envelope_at_every_status(
    lms: Simulator, zoho: ZohoPeopleClient, envelope: str, status: int, code: int
) -> None:
    lms.zoho.fail(COURSES, answer(status, enveloped(code)[envelope]), times=9)
    expected = CODES[code]
    if code == 9001 and status == 401:
        expected = errors.LmsTokenRefused
    with pytest.raises(errors.LmsError) as raised:
        list(zoho.courses())
    assert type(raised.value) is expected
    assert str(raised.value).startswith(f"GET /courses, page 1: HTTP {status}, code {code}: ")
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, {"error": "INVALID_OAUTHTOKEN"}, errors.LmsTokenRefused),
        (401, {"code": "INVALID_TOKEN", "message": "x"}, errors.LmsTokenRefused),
        (401, {"code": "OAUTH_SCOPE_MISMATCH"}, errors.LmsPermissionError),
        (200, {"error": "something"}, errors.LmsUnknownError),
        (200, {"response": {"status": 1, "message": "x"}}, errors.LmsUnknownError),
        (503, {"error": "something"}, errors.LmsUnavailable),
        (503, {"code": 503}, errors.LmsUnavailable),
        (503, None, errors.LmsUnavailable),
        (429, {"message": "x"}, errors.LmsRateLimited),
        (200, {"code": 1, "message": "API access blocked since threshold limit exceeded."}, errors.LmsRateLimited),
        (403, {}, errors.LmsPermissionError),
        (404, [], errors.LmsNotFound),
    ],
)
def test_errors_without_a_number(
    lms: Simulator, zoho: ZohoPeopleClient, status: int, content: Any, kind: type[errors.LmsError]
) -> None:
    lms.zoho.fail(COURSES, answer(status, content), times=9)
    with pytest.raises(errors.LmsError) as raised:
        list(zoho.courses())
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (answer(200, {"code": 200, "data": [], "total": 0}), "the object has no 'courses'; it has code, data, total."),
        (answer(200, {"code": 200, "courses": ["a"]}), "'courses' is not a list of objects."),
        (
            answer(200, {"code": 200, "courses": [{"title": "A"}]}),
            "row 1 does not have the declared shape (Object missing required field `courseId`).",
        ),
        (answer(200, {"code": 200, "courses": [], "hasMoreRecords": "maybe"}), "'hasMoreRecords' is neither"),
        (
            answer(200, {"code": 200, "courses": [], "hasMoreRecords": True}),
            "the page is empty, and yet it says that more records follow.",
        ),
        (answer(200, ["a"]), "expected an object with 'courses', got a list."),
        (faults.cut_document(), "the body is not well-formed JSON."),
        (faults.html_page(), "expected JSON or XML, got a web page (text/html)."),
        (faults.redirect("https://elsewhere.example/"), "a redirect to elsewhere.example, which was not followed."),
        (
            faults.content(lambda page: {**page, "courses": [{**page["courses"][0], "courseId": {"a": 1}}]}),
            "row 1, field 'courseId', does not have the declared shape",
        ),
    ],
)
def test_a_page_that_is_not_whole_is_broken(lms: Simulator, zoho: ZohoPeopleClient, fault: Fault, message: str) -> None:
    lms.zoho.fail(COURSES, fault, times=99)
    with pytest.raises(errors.LmsBrokenPage, match=re.escape(message)):
        list(zoho.courses())


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, {"code": 200, "courses": [], "message": "success", "hasMoreRecords": False}),
        (200, {"code": "200", "courses": None}),
        (200, {"code": 200, "message": "success", "hasMoreRecords": False}),
        (200, {"code": 7024, "message": "No records found"}),
        (400, {"response": {"status": 1, "errors": {"code": 7024, "message": "No records found"}}}),
    ],
)
def test_an_empty_listing(lms: Simulator, zoho: ZohoPeopleClient, content: Any, status: int) -> None:
    lms.zoho.fail(COURSES, answer(status, content))
    assert rows(zoho.courses()) == []


def test_a_page_that_comes_again_is_broken(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.fail(COURSES, faults.content(lambda page: {**page, "hasMoreRecords": True}), times=9)
    pages = zoho.courses()
    next(pages)
    lms.zoho.fail(COURSES, answer(200, {"code": 200, "courses": [c.row() for c in lms.zoho.courses]}), times=9)
    with pytest.raises(errors.LmsBrokenPage, match="page 2: it repeats an earlier page, so the LMS ignores startIndex"):
        next(pages)


def test_a_page_that_comes_again_is_broken_though_a_page_between_brought_a_new_field(
    lms: Simulator, zoho: ZohoPeopleClient
) -> None:
    repeated = [course.row() for course in lms.zoho.courses[:2]]
    between = [course.row() | {"tags": "new"} for course in lms.zoho.courses[1:4]]
    for on, rows_of_page in enumerate([repeated, between, repeated], start=1):
        page = {"code": 200, "courses": rows_of_page, "hasMoreRecords": True}
        lms.zoho.fail(COURSES, answer(200, page), on=on)
    pages = zoho.courses()
    next(pages)
    next(pages)
    with pytest.raises(errors.LmsBrokenPage, match="page 3: it repeats an earlier page"):
        next(pages)


NO_FIELD = r"page 1: row 1 does not have the declared shape \(Object missing required field `{}`\)\. Nothing from"


def test_another_course_batch_or_entity_type_than_asked_for_is_broken(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    base = f"GET /api/v1/courses/{course.id}"
    lms.zoho.fail(f"{base}/course-progress", answer(200, {"courseProgress": [{"courseId": 7, "learnerId": 1}]}))
    with pytest.raises(errors.LmsBrokenPage, match="a row has another 'courseId' than the one that was asked for"):
        list(zoho.course_progress(course.id))
    lms.zoho.fail(f"{base}/course-progress", answer(200, {"courseProgress": [{"name": "x", "percent": 7}]}))
    with pytest.raises(errors.LmsBrokenPage, match=NO_FIELD.format("learnerId")):
        list(zoho.course_progress(course.id))
    call = f"GET /api/v1/learners/{learner.id}/course-progress"
    lms.zoho.fail(call, answer(200, {"courseProgress": [{"percent": 7}]}))
    with pytest.raises(errors.LmsBrokenPage, match=NO_FIELD.format("courseId")):
        list(zoho.course_progress(learner_id=learner.id))
    call = f"{base}/learners/{learner.id}/progress"
    lms.zoho.fail(call, faults.content(lambda page: {**page, "entityType": 1}))
    with pytest.raises(errors.LmsBrokenPage, match="it holds another 'entityType' than the one that was asked for"):
        list(zoho.entity_progress(course.id, learner.id, 0))


def test_a_rejected_token_is_renewed_once(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    zoho.check()
    lms.zoho.revoke_tokens()
    zoho.check()
    assert len(lms.zoho.tokens) == 2
    lms.zoho.fail(COURSES, answer(401, {"code": 7213}), times=9)
    with pytest.raises(
        errors.LmsAuthError,
        match=r"the access token was rejected, even a new one\. Check that the connection's data_center",
    ):
        zoho.check()
    assert len(lms.zoho.tokens) == 3


def test_a_lock_closes_the_account_for_lock_seconds_or_as_long_as_zoho_says(
    lms: Simulator, connect_zoho: Connect
) -> None:
    for header, seconds in (({}, 300), ({"Retry_After": "40"}, 40)):
        rate_limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests=30))
        client = connect_zoho(lms, rate_limiter=rate_limiter)
        lms.zoho.fail(COURSES, answer(200, {"code": 7209}, **header))
        with pytest.raises(errors.LmsRateLimited) as raised:
            client.check()
        assert raised.value.retry_after == seconds
        sent = len(lms.zoho.calls)
        with pytest.raises(
            errors.LmsRateLimited,
            match=f"the LMS has locked the account, and no task may send requests for another {seconds} s",
        ) as raised:
            client.check()
        assert raised.value.retry_after == pytest.approx(seconds)
        assert len(lms.zoho.calls) == sent


def test_a_listing_that_meets_a_lock_continues_after_it(
    lms: Simulator, connect_zoho: Connect, clock: FakeClock
) -> None:
    lms.zoho.limits.lock_seconds = 300
    rate_limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(lock_seconds=300))
    client = connect_zoho(lms, rate_limiter=rate_limiter, max_wait=900)
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    client.check()
    lms.zoho.use_up()
    found = rows(client.entity_progress(course.id, learner.id, 3))
    assert len(found) == 40
    assert lms.zoho.sent_in_lock == 1
    assert 300 <= sum(clock.naps) <= 305


def test_the_days_limit_ends_reading_with_a_clear_error(lms: Simulator, connect_zoho: Connect) -> None:
    rate_limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests_per_day=2))
    client = connect_zoho(lms, rate_limiter=rate_limiter, max_wait=900)
    client.check()
    client.check()
    with pytest.raises(errors.LmsRateLimited, match=r"requests_per_day \(2\) are used up for another 86\d{3} s"):
        client.check()
    assert len(lms.zoho.calls) == 2


TOKENS: dict[str, tuple[Fault, type[errors.LmsError], str]] = {
    "client": (answer(200, {"error": "invalid_client"}), errors.LmsAuthError, "Zoho does not know the client ID"),
    "secret": (
        answer(400, {"error": "invalid_client_secret"}),
        errors.LmsAuthError,
        "Zoho rejected the client secret (invalid_client_secret). Check the connection's password",
    ),
    "refresh token": (
        answer(200, {"error": "invalid_code"}),
        errors.LmsAuthError,
        "Zoho rejected the refresh token (invalid_code). It was revoked, or it belongs to another client or to another "
        "data center than 'eu'. Create a new one in the API console of the data center 'eu'.",
    ),
    "too many": (
        answer(200, {"error_description": "You have made too many requests continuously.", "error": "Access Denied"}),
        errors.LmsRateLimited,
        "too many access tokens were requested",
    ),
    "too many in another language": (
        answer(400, {"error_description": "…", "error": "拒绝访问", "status": "failure"}),
        errors.LmsRateLimited,
        "too many access tokens were requested",
    ),
    "outage": (answer(503, None), errors.LmsUnavailable, "HTTP 503"),
    "web page": (faults.html_page(), errors.LmsGarbledResponse, "HTTP 200 with text/html, and no access token in it"),
    "empty token": (answer(200, {"access_token": ""}), errors.LmsGarbledResponse, "no access token in it"),
    "something else": (answer(200, {"error": "general_error 4711"}), errors.LmsAuthError, "no access token in it"),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_that_does_not_come(lms: Simulator, zoho: ZohoPeopleClient, case: str) -> None:
    fault, kind, message = TOKENS[case]
    lms.zoho.fail(ZOHO_TOKEN, fault)
    with pytest.raises(errors.LmsError, match=re.escape(message)) as raised:
        zoho.check()
    assert type(raised.value) is kind
    assert "4711" not in str(raised.value)
    assert lms.zoho.calls == []


def test_after_too_many_tokens_nobody_asks_for_ten_minutes(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.fail(ZOHO_TOKEN, TOKENS["too many"][0])
    for _ in range(3):
        with pytest.raises(errors.LmsRateLimited) as raised:
            zoho.check()
        assert 590 < (raised.value.retry_after or 0) <= 600
    assert lms.zoho.count(ZOHO_TOKEN) == 1


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_token_is_a_success_at_any_status(lms: Simulator, zoho: ZohoPeopleClient, status: int) -> None:
    lms.zoho.fail(ZOHO_TOKEN, lambda _, reply: Reply(status=status, content=reply.content))
    zoho.check()


def test_no_secret_token_or_learner_is_in_logs_and_errors(
    lms: Simulator, connect_zoho: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_provider_lms")
    course = lms.zoho.courses[0]
    learner = lms.zoho.world.everyone[0].id
    calls: dict[str, Callable[[ZohoPeopleClient], Iterator[Page[Any]]]] = {
        f"GET /api/v1/courses/{course.id}/course-progress": lambda zoho: zoho.course_progress(course.id),
        f"GET /api/v1/courses/{course.id}/learners/{learner}/progress": lambda zoho: zoho.entity_progress(
            course.id, learner, 0
        ),
    }
    said = []
    for change in (
        faults.cut_document(),
        answer(401, {"code": 7213, "message": lms.zoho.world.everyone[0].id}),
        faults.cut_document(0.9),
        answer(200, {"courseProgress": [{"learner": 1, "name": "Amara Okafor"}]}),
        answer(200, {"code": 7209, "message": "Amara Okafor"}),
    ):
        for call, read in calls.items():
            lms.zoho.fail(call, change, times=2)
            try:
                list(read(connect_zoho(lms, max_wait=1)))
            except errors.LmsError as error:
                said.append(repr(error))
    everything = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    private = [lms.zoho.client_secret, lms.zoho.refresh_token, *lms.zoho.tokens, "Amara Okafor"]
    private += [learner.id for learner in lms.zoho.world.everyone]
    assert len(said) == 10
    assert "GET /courses/100002000010000001/learners/{learner_id}/progress, page 1" in everything
    assert not [each for each in private if each in everything]
