"""The commands about time: wait and locks."""

from __future__ import annotations

import json

import pytest

from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import fake_clock
from tests.command_line.conftest import Shell

PROGRESS = "GET /api/v1/courses/100002000010000001/course-progress"


@pytest.fixture
def course(lms: Simulator) -> str:
    lms.zoho.limits.requests = 10_000
    return lms.zoho.courses[0].id


def test_wait_ends_when_enough_learners_have_completed_the_course(lms: Simulator, shell: Shell, course: str) -> None:
    lms.controls.complete(course, 32)
    result = shell(f"wait {course} --lms zoho_people --share 80%")
    assert (result.code, result.out) == (0, "32 of 40 completed, 32 required.\n")


def test_wait_looks_again_until_the_timeout(lms: Simulator, shell: Shell, course: str) -> None:
    with fake_clock() as time:
        result = shell(f"wait {course} --lms zoho_people --count 1 --every 60 --timeout 600")
    assert result.code == 1
    assert result.out == "0 of 40 completed, 1 required.\n"
    assert result.err == "error: not met within 10 min.\n"
    assert time.naps == [60.0] * 10


def test_wait_notices_a_completion(lms: Simulator, shell: Shell, course: str) -> None:
    lms.zoho.fail(PROGRESS, lambda _, reply: (lms.controls.complete(course), reply)[1], on=3)
    with fake_clock():
        result = shell(f"wait {course} --lms zoho_people --count 1 --every 60")
    assert (result.code, result.out) == (0, "1 of 40 completed, 1 required.\n")


def test_wait_goes_on_through_an_outage(lms: Simulator, shell: Shell, course: str) -> None:
    lms.controls.complete(course, 40)
    lms.zoho.fail(PROGRESS, faults.status(503), times=3)
    with fake_clock():
        result = shell(f"wait {course} --lms zoho_people --max-wait 0")
    assert result.code == 0
    assert result.err.count("It is not known yet whether the learners have completed the course.") == 3


def test_a_course_that_was_never_read_is_an_outage(lms: Simulator, shell: Shell, course: str) -> None:
    lms.zoho.fail(PROGRESS, faults.status(503), times=1_000)
    with fake_clock():
        result = shell(f"wait {course} --lms zoho_people --max-wait 0 --timeout 120")
    assert (result.code, result.out) == (4, "")
    assert result.err.endswith("error: the course could not be read within 2 min.\n")


def test_a_requirement_that_cannot_be_met_ends_the_waiting(lms: Simulator, shell: Shell, course: str) -> None:
    with fake_clock() as time:
        result = shell(f"wait {course} --lms zoho_people --filter learner_ids=17 --timeout 600")
    assert (result.code, time.naps) == (1, [])
    assert result.err == (
        "error: None of the named learners is in the course, which has others. Are these ids of another kind?\n"
    )


def test_waiting_has_the_result_of_the_sensor_and_no_ids(lms: Simulator, shell: Shell, course: str) -> None:
    lms.controls.complete(course, 40)
    with fake_clock():
        shown = json.loads(shell(f"wait {course} --lms zoho_people --json").out)
        whole = json.loads(shell(f"wait {course} --lms zoho_people --json --ids").out)
        sensor = ZohoPeopleCourseCompletionSensor(task_id="t", course_id=course).poke({}).xcom_value
    assert sensor is not None
    assert whole == {"outcome": "met", **sensor}
    assert not [name for name in shown if name.endswith("_ids")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--share 0", "error: --share: expected a share above 0 and up to 1, such as 0.8 or '80%', got '0'."),
        ("--share 80% --count 3", "error: --count: it replaces --share. Set only one of them."),
        ("--every 0", "error: --every: expected a number of at least 1, got '0'."),
    ],
)
def test_a_wrong_requirement_is_refused(words: str, message: str, lms: Simulator, shell: Shell, course: str) -> None:
    result = shell(f"wait {course} --lms zoho_people {words}")
    assert (result.code, result.err.strip(), lms.zoho.calls) == (2, message, [])


def test_a_lock_is_shown_until_it_ends(lms: Simulator, shell: Shell) -> None:
    with fake_clock():
        lms.zoho.fail("GET /api/v1/courses", faults.status(429, Retry_After="600"))
        assert shell("head courses --lms zoho_people --max-wait 0").code == 4
        found = json.loads(shell("locks --lms zoho_people --json").out)
    assert (found["locked"], found["lock_seconds_left"], found["lifted"]) == (True, 600.0, False)


def test_a_lock_is_lifted_only_with_yes(lms: Simulator, shell: Shell) -> None:
    lms.zoho.fail("GET /api/v1/courses", faults.status(429, Retry_After="600"))
    shell("head courses --lms zoho_people --max-wait 0")
    refused = shell("locks --lms zoho_people --lift")
    assert refused.code == 2
    assert "give --yes as well" in refused.err
    assert ZohoPeopleHook().lock_seconds_left() > 500
    assert shell("locks --lms zoho_people --lift --yes").out.startswith("The lock of zoho_people_default was lifted.")
    assert ZohoPeopleHook().lock_seconds_left() == 0


def test_locks_tells_who_has_a_request_in_flight(lms: Simulator, shell: Shell) -> None:
    assert ZohoPeopleHook().get_conn()._transport.rate_limiter.acquire() is None
    shown = shell("locks --lms zoho_people").out.splitlines()
    assert shown[0] == "zoho_people_default is not locked."
    assert "in_flight" in "".join(shown)
    assert "another program" in "".join(shown)
    (holder,) = json.loads(shell("locks --lms zoho_people --json").out)["holders"]
    assert (holder["state"], holder["requests"]) == ("in_flight", 1)


def test_locks_sends_nothing(lms: Simulator, shell: Shell) -> None:
    shell("locks --lms zoho_people --lift --yes")
    assert lms.zoho.requests == []
