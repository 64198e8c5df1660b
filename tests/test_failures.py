"""What a failure of the LMS means for Airflow: no retry, a retry, and when."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, TaskDeferred

from airflow_provider_lms import retry_policy
from airflow_provider_lms.lms.errors import (
    LmsAuthError,
    LmsBrokenPage,
    LmsError,
    LmsGarbledResponse,
    LmsInvalidValue,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
    LmsUnknownError,
)
from airflow_provider_lms.lms.http.rate_limit import CoordinationError
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator, ISpringUsersOperator
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleCourseModulesOperator,
    ZohoPeopleCoursesOperator,
    ZohoPeopleEntityProgressOperator,
)
from airflow_provider_lms.retry_policy import HAS_RETRY_POLICIES, LmsRetryPolicy
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import fake_clock
from tests.sensors.modes import fired

RESULTS = "GET /learners/results"
USERS = "GET /users/v2"
ZOHO_COURSES = "GET /api/v1/courses"
needs_policies = pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow 3.3 brings retry policies")


def raised(task: Any, **options: Any) -> BaseException:
    """What the task's execution raises."""
    with pytest.raises(Exception) as found:
        task.execute({})
    return found.value


def plain(status: int) -> faults.Fault:
    """A refusal as a gateway sends it: the LMS's status, and a body of another format."""
    return lambda _, reply: replace(reply, status=status, content={"detail": "no"})


# Without a policy


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, LmsInvalidValue), (401, LmsTokenRefused), (403, LmsPermissionError), (404, LmsNotFound)],
)
def test_a_refusal_of_ispring_ends_the_task(lms: Simulator, status: int, kind: type[LmsError]) -> None:
    lms.ispring.fail(USERS, faults.status(status), times=9)
    error = raised(ISpringUsersOperator(task_id="t"))
    assert type(error) is AirflowFailException
    assert type(error.__cause__) is kind
    assert str(error) == str(error.__cause__)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_a_gateway_refuses_in_its_own_words_may_be_retried(lms: Simulator, status: int) -> None:
    lms.ispring.fail(USERS, plain(status), times=9)
    error = raised(ISpringUsersOperator(task_id="t", max_wait=0))
    assert isinstance(error, LmsError)
    assert error.status == status


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.status(503), LmsUnavailable),
        (faults.status(418), LmsUnknownError),
        (faults.status(429), LmsRateLimited),
        (faults.html_page(), LmsGarbledResponse),
        (faults.content(lambda _: {"rows": 1}), LmsBrokenPage),
    ],
)
def test_anything_else_may_be_retried(lms: Simulator, fault: faults.Fault, kind: type[LmsError]) -> None:
    lms.ispring.fail(USERS, fault, times=9)
    assert type(raised(ISpringUsersOperator(task_id="t", max_wait=0))) is kind


def test_a_wrong_secret_ends_the_task(lms: Simulator) -> None:
    lms.ispring.client_secret = "another"
    error = raised(ISpringUsersOperator(task_id="t"))
    assert type(error) is AirflowFailException
    assert type(error.__cause__) is LmsAuthError


@pytest.mark.parametrize(("word", "is_final"), [("invalid_client", True), ("odd", False)])
def test_ispring_may_refuse_a_token_in_the_words_of_oauth(lms: Simulator, word: str, is_final: bool) -> None:
    refused: faults.Fault = lambda _, reply: replace(reply, status=400, content={"error": word})  # noqa: E731
    lms.ispring.fail("POST /api/v3/token", refused, times=9)
    error = raised(ISpringUsersOperator(task_id="t"))
    assert isinstance(error, AirflowFailException if is_final else LmsAuthError)


def _with_one_more(rows: str, **changes: str) -> faults.Fault:
    """A listing of which one record is gone by the time that somebody asks for it."""
    return faults.content(lambda page: {**page, rows: [*page[rows], {**page[rows][0], **changes}]})


def test_a_learner_who_leaves_while_a_course_is_read_does_not_end_the_task(lms: Simulator) -> None:
    course = lms.zoho.courses[0].id
    lms.zoho.fail(
        f"GET /api/v1/courses/{course}/course-progress", _with_one_more("courseProgress", learnerId="999"), times=9
    )
    crawl: dict[str, Any] = {"task_id": "t", "course_id": course, "entity_types": "links"}
    assert isinstance(raised(ZohoPeopleEntityProgressOperator(**crawl, max_xcom_records=10_000)), UNKNOWN_ID)
    error = raised(ZohoPeopleEntityProgressOperator(**crawl, learner_ids=["999"]))
    assert type(error) is AirflowFailException


def test_a_course_that_goes_while_its_modules_are_read_does_not_end_the_task(lms: Simulator) -> None:
    lms.zoho.fail(ZOHO_COURSES, _with_one_more("courses", courseId="999"), times=9)
    assert isinstance(raised(ZohoPeopleCourseModulesOperator(task_id="t")), UNKNOWN_ID)
    error = raised(ZohoPeopleCourseModulesOperator(task_id="t", course_ids=["999"]))
    assert type(error) is AirflowFailException


def test_an_unknown_course_ends_the_task(lms: Simulator) -> None:
    course = "00000000-0000-0000-0000-000000000000"
    error = raised(ISpringCourseResultsOperator(task_id="t", course_ids=course))
    assert type(error) is AirflowFailException
    assert "iSpring Learn has no course" in str(error)


def test_an_unknown_user_ends_the_task(lms: Simulator) -> None:
    user = "00000000-0000-0000-0000-000000000000"
    error = raised(ISpringCourseResultsOperator(task_id="t", user_ids=[user, lms.ispring.users[0].id]))
    assert type(error) is AirflowFailException
    assert f"does not know '{user}'" in str(error)


@pytest.mark.parametrize(
    ("code", "is_final"), [(7218, True), (7016, True), (7049, True), (7213, True), (9999, False), (422, False)]
)
def test_a_documented_code_of_zoho_ends_the_task(lms: Simulator, code: int, is_final: bool) -> None:
    refusal = {"response": {"status": 1, "errors": {"code": code, "message": "no"}}}
    lms.zoho.fail(ZOHO_COURSES, faults.content(lambda _: refusal), times=9)
    error = raised(ZohoPeopleCoursesOperator(task_id="t"))
    assert isinstance(error, AirflowFailException if is_final else LmsError)


def test_a_status_of_zoho_without_a_code_may_be_retried(lms: Simulator) -> None:
    lms.zoho.fail(ZOHO_COURSES, plain(403), times=9)
    assert type(raised(ZohoPeopleCoursesOperator(task_id="t"))) is LmsPermissionError


@pytest.mark.parametrize(("word", "is_final"), [("invalid_code", True), ("invalid_client", True), ("odd", False)])
def test_zohos_words_for_a_refused_token_end_the_task(lms: Simulator, word: str, is_final: bool) -> None:
    lms.zoho.fail("POST /oauth/v2/token", faults.content(lambda _: {"error": word}), times=9)
    error = raised(ZohoPeopleCoursesOperator(task_id="t"))
    assert isinstance(error, AirflowFailException if is_final else LmsAuthError)


# With a policy


def fate(task: Any, error: BaseException, try_number: int = 1) -> Any:
    """What Airflow's task runner makes of an error: a message for the scheduler, and the state."""
    from airflow.sdk.execution_time import task_runner

    ti: Any = SimpleNamespace(
        task=task,
        try_number=try_number,
        rendered_map_index=None,
        _ti_context_from_server=SimpleNamespace(max_tries=5, should_retry=True),
        _failure_metrics_emitted=True,
    )
    log: Any = SimpleNamespace(info=lambda *_, **__: None, exception=lambda *args, **__: pytest.fail(str(args)))
    return task_runner._handle_current_task_failed(ti, error, log)


@needs_policies
def test_with_a_policy_airflow_waits_for_as_long_as_the_limit_lasts(lms: Simulator) -> None:
    lms.ispring.fail(USERS, faults.status(429, Retry_After="1000"), times=9)
    task = ISpringUsersOperator(task_id="t", max_wait=0, retries=5, retry_policy=LmsRetryPolicy())
    message, state = fate(task, raised(task))
    assert state == "up_for_retry"
    assert 1_001 <= message.retry_delay_seconds <= 1_100
    assert message.retry_reason == "LmsRateLimited: no request may be sent for 1000 s."


@needs_policies
def test_with_a_policy_a_refusal_ends_the_task_and_keeps_its_type(lms: Simulator) -> None:
    lms.ispring.fail(USERS, faults.status(403), times=9)
    task = ISpringUsersOperator(task_id="t", retries=5, retry_policy=LmsRetryPolicy())
    error = raised(task)
    assert type(error) is LmsPermissionError
    assert fate(task, error)[1] == "failed"


@needs_policies
def test_with_a_policy_of_ones_own_a_refusal_may_be_retried(lms: Simulator) -> None:
    from airflow.sdk import ExceptionRetryPolicy, RetryRule

    lms.ispring.fail(USERS, faults.status(403), times=9)
    rule = RetryRule(exception=LmsPermissionError, retry_delay=timedelta(minutes=7))
    task = ISpringUsersOperator(task_id="t", retries=5, retry_policy=ExceptionRetryPolicy(rules=[rule]))
    message, state = fate(task, raised(task))
    assert (state, message.retry_delay_seconds) == ("up_for_retry", 420)


@needs_policies
@pytest.mark.parametrize(
    ("try_number", "least", "most"),
    [(1, 54, 60), (2, 108, 120), (5, 864, 960), (7, 3_240, 3_600), (9_999, 3_240, 3_600)],
)
@pytest.mark.parametrize(
    "error", [LmsUnavailable("away"), LmsGarbledResponse("odd"), CoordinationError("gone"), LmsRateLimited("how long?")]
)
def test_pauses_grow_with_each_attempt_in_an_outage(
    error: Exception, try_number: int, least: float, most: float
) -> None:
    task = ISpringUsersOperator(task_id="t", retry_policy=LmsRetryPolicy())
    message, _ = fate(task, error, try_number)
    assert least <= message.retry_delay_seconds <= most
    assert message.retry_reason == f"{type(error).__name__}: it may succeed later."


@needs_policies
def test_an_outage_is_retried_no_sooner_than_the_lms_asks() -> None:
    task = ISpringUsersOperator(task_id="t", retry_policy=LmsRetryPolicy(longest_delay=timedelta(minutes=2)))
    message, _ = fate(task, LmsUnavailable("away", 503, 7_200.0))
    assert message.retry_delay_seconds == 7_200


@needs_policies
@pytest.mark.parametrize("error", [ValueError("bad"), LmsBrokenPage("odd"), LmsPermissionError("a gateway's", 403)])
def test_for_anything_else_the_tasks_own_settings_apply(error: Exception) -> None:
    task = ISpringUsersOperator(task_id="t", retry_policy=LmsRetryPolicy())
    message, state = fate(task, error)
    assert (state, message.retry_delay_seconds, message.retry_reason) == ("up_for_retry", None, None)


@needs_policies
def test_a_policy_can_be_stored_and_read_back() -> None:
    policy = LmsRetryPolicy(outage_delay=timedelta(seconds=5), longest_delay=timedelta(seconds=50))
    again = LmsRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize())))
    assert (again.outage_delay, again.longest_delay) == (timedelta(seconds=5), timedelta(seconds=50))


@needs_policies
def test_the_pauses_of_a_policy_must_make_sense() -> None:
    for wrong in (timedelta(0), timedelta(hours=2)):
        with pytest.raises(ValueError, match="outage_delay"):
            LmsRetryPolicy(outage_delay=wrong)


@needs_policies
def test_a_mapped_task_has_its_policy() -> None:
    with DAG("mapped", schedule=None):
        options = {"task_id": "t", "retry_policy": LmsRetryPolicy()}
        mapped: Any = ISpringCourseResultsOperator.partial(**options).expand(course_ids=["1"])
    assert isinstance(mapped.retry_policy, LmsRetryPolicy)


def test_below_3_3_a_policy_says_that_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.sdk", ModuleType("airflow.sdk"))
    spec = importlib.util.spec_from_file_location("old_airflow", Path(retry_policy.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(RuntimeError, match=r"needs Airflow 3\.3 or newer"):
        module.LmsRetryPolicy()


# Sensors


@needs_policies
@pytest.mark.parametrize("deferrable", [False, True])
def test_with_a_policy_a_sensor_raises_the_error_itself_in_every_mode(lms: Simulator, deferrable: bool) -> None:
    if not deferrable:
        lms.ispring.fail(RESULTS, faults.status(403), times=99)
    task = ISpringCourseCompletionSensor(
        task_id="t", course_id=lms.ispring.courses[0].id, deferrable=deferrable, retry_policy=LmsRetryPolicy()
    )
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}

    def run() -> None:
        try:
            task.execute(context)
        except TaskDeferred as deferred:
            lms.ispring.fail(RESULTS, faults.status(403), times=99)
            task.execute_complete(context, json.loads(json.dumps(fired(deferred.trigger))))

    with fake_clock(), pytest.raises(LmsPermissionError) as found:
        run()
    assert found.value.is_refusal
    assert fate(task, found.value)[1] == "failed"


@needs_policies
def test_an_event_that_does_not_name_the_error_still_fails() -> None:
    task = ISpringCourseCompletionSensor(task_id="t", course_id="1", retry_policy=LmsRetryPolicy())
    for event in ({"status": "refused", "message": "no"}, {"status": "refused", "message": "no", "error": "ClassVar"}):
        with pytest.raises(LmsError, match="no"):
            task.execute_complete({}, event)
