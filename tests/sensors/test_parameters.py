"""What a sensor is given, what it checks, and what it says."""

from __future__ import annotations

import inspect
import json
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.sensors.base import CompletionWatchError, LmsCourseCompletionSensor
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.testing import fake_clock
from tests.sensors.modes import MODES, context, deferred, fired, rebuilt, run

SENSORS = (ISpringCourseCompletionSensor, ZohoPeopleCourseCompletionSensor)
RESULTS = "GET /learners/results"


@pytest.mark.parametrize("sensor", SENSORS)
def test_all_parameters_of_data_and_the_connection_are_templates(sensor: type[Any]) -> None:
    parameters = {
        name
        for kind in (LmsCourseCompletionSensor, sensor)
        for name, each in inspect.signature(vars(kind)["__init__"]).parameters.items()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert set(sensor.template_fields) == parameters - {"poke_interval", "deferrable"}
    made = sensor(task_id="t", course_id="1")
    assert all(hasattr(made, field) for field in sensor.template_fields)


@pytest.mark.parametrize("sensor", SENSORS)
def test_init_assigns_what_it_is_given(lms: Simulator, sensor: type[Any]) -> None:
    given = {field: object() for field in sensor.template_fields}
    made = sensor(task_id="t", **given)
    assert all(getattr(made, field) is value for field, value in given.items())
    assert lms.ispring.requests == lms.zoho.requests == []


@pytest.mark.parametrize("sensor", SENSORS)
def test_every_parameter_is_documented(sensor: type[Any]) -> None:
    said = "".join(base.__doc__ or "" for base in sensor.__mro__)
    assert [name for name in sensor.template_fields if f":param {name}:" not in said] == []


SHARED: list[tuple[dict[str, Any], str]] = [
    ({"course_id": ""}, "course_id: each id must be a non-empty string"),
    ({"course_id": None}, "course_id: expected one id"),
    ({"course_id": ["1", "2"]}, "course_id: expected one id"),
    ({"required_share": 0}, "required_share: expected a share above 0 and up to 1, such as 0.8"),
    ({"required_share": "120%"}, "required_share: expected a share"),
    ({"required_share": 0.5, "required_count": 2}, "required_count: it replaces required_share. Set only one of them"),
    ({"required_count": 0}, "required_count: expected a whole number of at least 1"),
    ({"min_cohort": "few"}, "min_cohort: expected a whole number of at least 1"),
    ({"on_missing": "skip"}, "on_missing: expected 'wait' or 'fail' or 'ignore', got 'skip'"),
    ({"completed_statuses": []}, "completed_statuses: the list is empty"),
]
ISPRING: list[tuple[dict[str, Any], str]] = [
    ({"user_ids": []}, "user_ids: the list is empty"),
    ({"user_ids": [1]}, "user_ids: each id must be a non-empty string"),
    ({"enrollment_ids": '["'}, "enrollment_ids: the text starts like a JSON array"),
    ({"user_ids": "1", "enrollment_ids": "2"}, "enrollment_ids: they replace user_ids. Set only one of them"),
    ({"department_ids": []}, "department_ids: the list is empty"),
    ({"access_date_start": "soon"}, "access_date_start: expected a datetime"),
    ({"access_date_end": 5}, "access_date_end: expected a datetime"),
    ({"access_date_start": "2026-02-01", "access_date_end": "2026-01-01"}, "access_date: the start"),
    ({"on_unsuccessful": "retry"}, "on_unsuccessful: expected"),
    ({"on_blocked": "wait"}, "on_blocked: expected 'count' or 'ignore', got 'wait'"),
    ({"on_overdue": None}, "on_overdue: expected"),
    ({"unsuccessful_statuses": [None]}, "unsuccessful_statuses: each id must be"),
    ({"user_ids": ["1"], "required_count": 2}, "required_count: it requires more learners than the 1 that are named"),
    ({"enrollment_ids": ["1"], "min_cohort": 2}, "min_cohort: it requires more learners than the 1"),
]
ZOHO: list[tuple[dict[str, Any], str]] = [
    ({"learner_ids": []}, "learner_ids: the list is empty"),
    ({"learner_ids": ["1"], "min_cohort": "2"}, "min_cohort: it requires more learners than the 1"),
    ({"learner_ids": 1.5}, "learner_ids: expected an id or a list of ids, got float"),
    ({"batch_id": ""}, "batch_id: each id must be"),
    ({"measure": "modules"}, "measure: expected 'course_progress' or 'entity_progress', got 'modules'"),
    ({"measure": "entity_progress", "entity_types": 12}, "entity_types: '12' is not one of Zoho's entity types"),
    ({"entity_types": "links"}, "entity_types: they need measure='entity_progress'"),
]


@pytest.mark.parametrize(
    ("sensor", "options", "message"),
    [
        *((ISpringCourseCompletionSensor, *case) for case in (*SHARED, *ISPRING)),
        *((ZohoPeopleCourseCompletionSensor, *case) for case in (*SHARED, *ZOHO)),
    ],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_parameter_that_cannot_be_meant_is_named_before_anything_is_sent(
    lms: Simulator, sensor: type[Any], options: dict[str, Any], message: str, deferrable: bool
) -> None:
    made = sensor(task_id="t", **{"course_id": "1", "deferrable": deferrable, **options})
    with pytest.raises(ValueError, match=message):
        made.execute(context() if deferrable else {})
    assert lms.ispring.requests == lms.zoho.requests == []


@pytest.mark.parametrize("mode", MODES)
def test_values_may_come_as_rendered_text(lms: Simulator, mode: str) -> None:
    course, users = lms.ispring.courses[0], lms.ispring.users[:2]
    for user in users:
        lms.ispring.record(user, course, "failed")
    options: dict[str, Any] = {
        "course_id": course.id,
        "user_ids": json.dumps([user.id for user in users]),
        "required_count": "2",
        "min_cohort": "1",
        "completed_statuses": '["failed"]',
        "access_date_start": "2000-01-01",
    }
    outcome, result = run(lambda **mode: ISpringCourseCompletionSensor(task_id="t", **options, **mode), mode)
    assert (outcome, result["completed"]) == ("returned", 2)


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_empty_context_is_enough(lms: Simulator, deferrable: bool) -> None:
    learner, course = lms.zoho.world.everyone[0], lms.zoho.courses[0]
    lms.zoho.finish(learner, course)
    made = ZohoPeopleCourseCompletionSensor(
        task_id="t", course_id=course.id, learner_ids=int(learner.id), deferrable=deferrable
    )
    assert made.execute({})["completed_ids"] == [learner.id]


def test_a_deferrable_sensor_waits_in_place_without_a_task_around_it(lms: Simulator) -> None:
    made = ISpringCourseCompletionSensor(
        task_id="t",
        course_id=lms.ispring.courses[0].id,
        required_count=1_000,
        poke_interval=0.01,
        timeout=0.1,
        soft_fail=True,
        deferrable=True,
    )
    with pytest.raises(Exception, match="timed out"):
        made.execute({})


@pytest.mark.parametrize(("many", "warned"), [(1_000, False), (1_001, True)])
def test_more_than_a_thousand_ids_are_worth_a_warning(
    lms: Simulator, many: int, warned: bool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = ISpringCourseCompletionSensor(
        task_id="t",
        course_id=lms.ispring.courses[0].id,
        user_ids=[f"00000000-0000-0000-0000-{number:012}" for number in range(many)],
        deferrable=True,
    )
    deferred(made)
    assert (f"{many} ids are passed to the triggerer" in capsys.readouterr().out + caplog.text) is warned


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "met",
        {"status": None},
        {"status": "done"},
        {"status": "MET", "result": {}},
        {"status": "met"},
        {"status": "error", "message": "KeyError; see the triggerer's log."},
    ],
)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_an_event_that_means_nothing_fails(event: Any, soft_fail: bool) -> None:
    made = ISpringCourseCompletionSensor(task_id="t", course_id="1", soft_fail=soft_fail)
    with pytest.raises(CompletionWatchError):
        made.resume_execution("execute_complete", {"event": event}, context())


@pytest.mark.parametrize("status", ["impossible", "refused"])
def test_a_failure_without_its_reason_still_fails(status: str) -> None:
    with pytest.raises(AirflowFailException):
        ISpringCourseCompletionSensor(task_id="t", course_id="1").execute_complete(context(), {"status": status})


def test_a_poke_logs_the_count_and_the_next_check(
    lms: Simulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    course, (first, *others) = lms.ispring.courses[0], lms.ispring.users
    lms.ispring.record(first, course, "passed")
    for user in others:
        lms.ispring.record(user, course, "in_progress")
    made = ISpringCourseCompletionSensor(task_id="t", course_id=course.id, required_share="50%", poke_interval=300)
    assert not made.poke({})
    line = r"\b1 of 40 completed, 20 required(; \d+ overdue)?; next check in 5 min\."
    assert re.search(line, caplog.text + capsys.readouterr().out)
    for user in others:
        lms.ispring.record(user, course, "passed")
    assert made.poke({})
    assert "40 of 40 completed, 20 required." in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "outlook"),
    [
        ({}, "next check in 0 s, timeout in 3 d"),
        ({"exponential_backoff": True}, "timeout in 3 d"),
        ({"deferrable": True}, "next check in 0 s, timeout in 3 d"),
    ],
)
def test_an_open_poke_logs_when_the_sensor_times_out(
    lms: Simulator,
    options: dict[str, Any],
    outlook: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    course, users = lms.ispring.courses[0], lms.ispring.users
    for user in users:
        lms.ispring.record(user, course, "in_progress")

    def complete_all(_: Request, reply: Reply) -> Reply:
        for user in users:
            lms.ispring.record(user, course, "passed")
        return reply

    lms.ispring.fail(RESULTS, complete_all, on=2)
    made = ISpringCourseCompletionSensor(
        task_id="t", course_id=course.id, poke_interval=0.01, timeout=timedelta(days=3), **options
    )
    with suppress(TaskDeferred):
        made.execute(context())
    line = rf"\b0 of 40 completed, 40 required(; \d+ overdue)?; {outlook}\."
    assert re.search(line, caplog.text + capsys.readouterr().out)


@pytest.mark.skipif("reschedule" not in MODES, reason="Airflow 2 does not tell since when a sensor is rescheduled.")
@pytest.mark.parametrize(("days", "left"), [(None, "3 d"), (1, "2 d")])
def test_a_rescheduled_poke_counts_the_time_since_the_first_one(
    lms: Simulator,
    days: int | None,
    left: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    first = None if days is None else datetime.now(UTC) - timedelta(days=days)
    made = ISpringCourseCompletionSensor(
        task_id="t",
        course_id=lms.ispring.courses[0].id,
        required_count=1_000,
        poke_interval=300,
        timeout=timedelta(days=3),
        mode="reschedule",
    )
    with pytest.raises(AirflowRescheduleException):
        made.execute(context(get_first_reschedule_date=lambda _: first))
    assert f"; next check in 5 min, timeout in {left}." in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_and_no_learner_is_in_the_log(
    lms: Simulator, mode: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    course = lms.ispring.courses[0]
    lms.ispring.enroll(lms.ispring.users[0], course)
    options: dict[str, Any] = {"course_id": course.id, "poke_interval": 0.01, "timeout": 0.1}
    run(lambda **mode: ISpringCourseCompletionSensor(task_id="t", **options, **mode), mode)
    zoho = {**options, "course_id": lms.zoho.courses[0].id}
    lms.zoho.limits.requests = 100_000
    run(lambda **mode: ZohoPeopleCourseCompletionSensor(task_id="t", **zoho, **mode), mode)
    out = capsys.readouterr()
    said = caplog.text + out.out + out.err
    assert "completed" in said
    for secret in _secrets(lms):
        assert secret not in said


def test_a_trigger_holds_no_secret_and_no_learner_but_those_named(lms: Simulator) -> None:
    named = lms.ispring.users[0]
    lms.ispring.enroll(named, lms.ispring.courses[0])
    made = ISpringCourseCompletionSensor(
        task_id="t",
        course_id=lms.ispring.courses[0].id,
        user_ids=[named.id],
        department_ids=[named.department_id],
        access_date_start="2026-01-01",
        deferrable=True,
    )
    trigger = deferred(made).trigger
    held = json.dumps(trigger.serialize())
    for secret in _secrets(lms, but=(named.id,)):
        assert secret not in held
    assert rebuilt(trigger).serialize() == trigger.serialize()
    assert trigger.course == {
        "course_id": lms.ispring.courses[0].id,
        "department_ids": [named.department_id],
        "access_date": ["2026-01-01T00:00:00+00:00", None],
    }


@pytest.mark.parametrize(
    "made",
    [
        ISpringCourseCompletionSensor(
            task_id="t", course_id="c", department_ids=["d"], access_date_start="2026-01-01", deferrable=True
        ),
        ISpringCourseCompletionSensor(task_id="t", course_id="c", deferrable=True),
        ZohoPeopleCourseCompletionSensor(task_id="t", course_id="1", batch_id="2", deferrable=True),
        ZohoPeopleCourseCompletionSensor(
            task_id="t", course_id="1", measure="entity_progress", entity_types=["links", 0], deferrable=True
        ),
    ],
)
def test_a_trigger_reads_the_course_that_its_sensor_reads(lms: Simulator, made: Any) -> None:
    from airflow_provider_lms.triggers.connections import course_query

    course = made.course()
    with pytest.raises(TaskDeferred) as waiting:
        made._defer(course, made.criteria())
    assert course_query(made.conn_type, rebuilt(waiting.value.trigger).course) == course


def test_a_trigger_that_fails_unexpectedly_is_an_error_and_never_met(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_lms.lms.ispring.course import ISpringCourseReader

    made = ISpringCourseCompletionSensor(
        task_id="t", course_id=lms.ispring.courses[0].id, poke_interval=0.01, required_count=1_000, deferrable=True
    )
    waiting = deferred(made)
    secret = "learner4@example.com"

    def fail(*_: Any, **__: Any) -> None:
        raise KeyError(secret)

    monkeypatch.setattr(ISpringCourseReader, "read_flow", fail)
    event = fired(rebuilt(waiting.trigger))
    assert event == {"status": "error", "message": "KeyError; see the triggerer's log."}
    with pytest.raises(CompletionWatchError, match="KeyError; see the triggerer's log"):
        made.resume_execution(waiting.method_name, {"event": event}, context())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conn_id": "no_such_connection"}, None),
        ({"criteria": {"statuses": {"completed": 5}}}, None),
        ({"course": {"course_id": ""}}, "course_id: each id must be a non-empty string"),
    ],
)
def test_a_trigger_that_cannot_begin_is_an_error(lms: Simulator, change: dict[str, Any], message: str | None) -> None:
    from airflow_provider_lms.triggers.completion import CourseCompletionTrigger

    kwargs = {
        "conn_type": "ispring_learn",
        "conn_id": "ispring_learn_default",
        "course": {"course_id": "1"},
        "criteria": {"statuses": {"completed": ["passed"]}},
        "poke_interval": 0.01,
        "deadline": 0.0,
    }
    event = fired(CourseCompletionTrigger(**{**kwargs, **change}))
    assert event["status"] == "error"
    assert message is None or message in event["message"]


# The link


def linked(xcoms: dict[str, Any], **more: Any) -> Any:
    """A context that keeps what is pushed to XCom."""
    return {**context(xcom_push=lambda *, key, value: xcoms.__setitem__(key, value)), **more}


def test_the_task_leads_to_its_course_from_the_first_poke_on(lms: Simulator) -> None:
    course, xcoms = lms.ispring.courses[0], dict[str, Any]()
    made = ISpringCourseCompletionSensor(task_id="t", course_id=course.id)
    for _ in range(3):
        made.poke(linked(xcoms))
    assert xcoms == {"_link_CourseLink": f"https://example.ispringlearn.com/view/{course.id}"}
    assert lms.ispring.count(f"GET /content/{course.id}") == 1

    again = ISpringCourseCompletionSensor(task_id="t", course_id=course.id)
    again.poke(linked(xcoms, task_reschedule_count=1))
    assert lms.ispring.count(f"GET /content/{course.id}") == 1


def test_the_link_is_asked_for_with_the_client_that_has_read_the_course(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient

    course, closed, close = lms.ispring.courses[0], list[ISpringLearnClient](), ISpringLearnClient.close

    def counted(client: ISpringLearnClient) -> None:
        closed.append(client)
        close(client)

    monkeypatch.setattr(ISpringLearnClient, "close", counted)
    ISpringCourseCompletionSensor(task_id="t", course_id=course.id).poke(linked({}))
    assert lms.ispring.count(f"GET /content/{course.id}") == 1
    assert (len(closed), lms.connections) == (1, 1)


@pytest.mark.parametrize("fault", [faults.status(403), faults.html_page(), faults.content(lambda _: {})])
def test_without_a_link_the_task_continues(lms: Simulator, fault: Any) -> None:
    course, xcoms = lms.ispring.courses[0], dict[str, Any]()
    lms.ispring.fail(f"GET /content/{course.id}", fault)
    made = ISpringCourseCompletionSensor(task_id="t", course_id=course.id, required_share=0.01)
    assert made.poke(linked(xcoms))
    assert xcoms == {"_link_CourseLink": ""}


def _secrets(lms: Simulator, but: tuple[str, ...] = ()) -> list[str]:
    people = [text for user in lms.ispring.users for text in (user.email, user.last_name, user.id)]
    accounts = (lms.ispring, lms.zoho)
    keys = [key for account in accounts for key in (account.client_secret, *account.tokens)]
    learners = [learner.id for learner in lms.zoho.world.everyone]
    return [found for found in (*people, *keys, *learners, lms.zoho.refresh_token) if found not in but]


def test_a_store_that_is_away_means_not_yet(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise CoordinationError("The store is away.")

    made = ISpringCourseCompletionSensor(task_id="t", course_id=lms.ispring.courses[0].id, required_count=1)
    with monkeypatch.context() as patched, fake_clock():
        patched.setattr("airflow_provider_lms.coordination.SharedTokens.take", away)
        assert not made.poke({})
    lms.ispring.record(lms.ispring.users[0], lms.ispring.courses[0], "passed")
    assert made.poke({})
