"""A sensor comes to the same in poke mode, in reschedule mode and in the triggerer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import airflow
import pytest

from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, faults, zoho_world
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.testing import fake_clock
from airflow_provider_lms.triggers import completion
from tests.sensors.modes import MODES, failure, run

RESULTS = "GET /learners/results"
PEOPLE = 3

pytestmark = pytest.mark.parametrize("mode", MODES)


class Course:
    """A course of the simulated iSpring Learn in which nobody of a few has completed anything."""

    def __init__(self, lms: Simulator) -> None:
        self.lms = lms
        self.account = lms.ispring
        self.course = lms.ispring.courses[0]
        self.users = lms.ispring.users[:PEOPLE]
        self.ids = [user.id for user in self.users]
        for user in self.users:
            lms.ispring.record(user, self.course, "in_progress")

    def complete(self, *users: int, status: str = "passed") -> None:
        for number in users or range(PEOPLE):
            self.account.record(self.users[number], self.course, status)

    def after(self, requests: int, action: Callable[[], Any]) -> None:
        """Let something happen right after that many requests for results were answered."""

        def happen(_: Request, reply: Reply) -> Reply:
            action()
            return reply

        self.account.fail(RESULTS, happen, on=requests)

    def sensor(self, **options: Any) -> Callable[..., ISpringCourseCompletionSensor]:
        options = {
            "course_id": self.course.id,
            "user_ids": self.ids,
            "poke_interval": 0.02,
            "timeout": 20,
            **options,
        }
        return lambda **mode: ISpringCourseCompletionSensor(task_id="wait", **options, **mode)

    def result(self, **people: list[str]) -> dict[str, Any]:
        """The sensor's result, with these ids by state, of which everybody was required."""
        states = {name: people.get(name, []) for name in ("completed", "pending", "unsuccessful", "missing")}
        cohort = sum(map(len, states.values()))
        return {
            "course_id": self.course.id,
            "cohort": cohort,
            "required": cohort,
            **{name: len(ids) for name, ids in states.items()},
            **{f"{name}_ids": ids for name, ids in states.items()},
        }


@pytest.fixture
def course(lms: Simulator) -> Course:
    return Course(lms)


@pytest.fixture
def free_waiting() -> Iterator[None]:
    """Waiting between attempts takes no time, so an outage is soon given up."""
    with fake_clock():
        yield


def test_met_at_once(course: Course, mode: str) -> None:
    course.complete()
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))
    assert course.account.count(RESULTS) == 1


def test_met_after_some_pokes(course: Course, mode: str) -> None:
    course.after(1, lambda: course.complete(0, 1))
    course.after(3, lambda: course.complete(2))
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))
    assert course.account.count(RESULTS) == 4


def test_a_share_is_enough(course: Course, mode: str) -> None:
    course.after(2, lambda: course.complete(0, 2))
    expected = {**course.result(completed=[course.ids[0], course.ids[2]], pending=[course.ids[1]]), "required": 2}
    assert run(course.sensor(required_share="60%"), mode) == ("returned", expected)


def test_it_cannot_be_met_any_more(course: Course, mode: str) -> None:
    course.after(2, lambda: course.complete(1, status="failed"))
    assert run(course.sensor(on_unsuccessful="fail"), mode) == ("raised", "AirflowFailException")
    assert course.account.count(RESULTS) == 3


def test_a_failed_learner_may_try_again(course: Course, mode: str) -> None:
    course.complete(1, status="failed")
    course.after(2, lambda: course.complete())
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [("wait", "AirflowSensorTimeout"), ("fail", "AirflowFailException"), ("ignore", None)],
)
def test_missing(course: Course, mode: str, choice: str, outcome: str | None) -> None:
    course.account.unenroll(course.users[2], course.course)
    course.after(1, lambda: course.complete(0, 1))
    found = run(course.sensor(on_missing=choice, timeout=0.3 if choice == "wait" else 20), mode)
    rest = course.result(completed=course.ids[:2])
    assert found == (("raised", outcome) if outcome else ("returned", rest))


def test_one_who_was_missing_is_enrolled_at_last(course: Course, mode: str) -> None:
    course.account.unenroll(course.users[2], course.course)
    course.complete(0, 1)

    def enroll() -> None:
        course.account.enroll(course.users[2], course.course)
        course.complete(2)

    course.after(2, enroll)
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))


@pytest.mark.parametrize("choice", ["count", "ignore"])
def test_blocked(course: Course, mode: str, choice: str) -> None:
    blocked = course.lms.ispring.users[-1]
    course.account.record(blocked, course.course, "in_progress")
    course.after(1, lambda: course.complete())
    timeout = 0.3 if choice == "count" else 20
    found = run(course.sensor(user_ids=[*course.ids, blocked.id], on_blocked=choice, timeout=timeout), mode)
    met = ("returned", course.result(completed=course.ids))
    assert found == (met if choice == "ignore" else ("raised", "AirflowSensorTimeout"))


def test_enrolled_again(course: Course, mode: str) -> None:
    course.complete()
    course.account.enroll(course.users[0], course.course)
    course.after(2, lambda: course.complete(0))
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))
    assert course.account.count(RESULTS) == 3


@pytest.mark.parametrize("choice", ["fail", "ignore"])
def test_overdue(course: Course, mode: str, choice: str) -> None:
    course.complete(0, 1)

    def enroll() -> None:
        course.account.enroll(course.users[2], course.course, due=datetime.now(UTC) - timedelta(seconds=1))

    course.after(2, enroll)
    met = ("returned", course.result(completed=course.ids[:2]))
    assert run(course.sensor(on_overdue=choice), mode) == (
        met if choice == "ignore" else ("raised", "AirflowFailException")
    )


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_timeout(course: Course, mode: str, soft_fail: bool) -> None:
    found = run(course.sensor(timeout=0.2, soft_fail=soft_fail), mode)
    assert found == ("raised", "AirflowSkipException" if soft_fail else "AirflowSensorTimeout")


def test_a_timeout_repeats_the_last_count(course: Course, mode: str) -> None:
    course.complete(0)
    message = failure(course.sensor(timeout=0.2), mode)
    assert re.search(r"timed out.*\. Last count: 1 of 3 completed, 3 required(; \d overdue)?\.$", message)


def test_a_timeout_without_any_count_says_so(course: Course, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "LAST_READING_SECONDS", 0.2)
    course.account.fail(RESULTS, faults.status(429, Retry_After="120"))
    message = failure(course.sensor(timeout=0.3), mode)
    assert re.search(r"timed out.*[^:] The course could not be read\.$", message)


def test_a_failure_skips_where_failing_is_soft(course: Course, mode: str) -> None:
    course.after(2, lambda: course.complete(1, status="failed"))
    assert run(course.sensor(on_unsuccessful="fail", soft_fail=True), mode) == ("raised", "AirflowSkipException")


@pytest.mark.parametrize("on", [1, 2])
def test_a_short_rate_limit_in_between(course: Course, mode: str, on: int) -> None:
    course.account.fail(RESULTS, faults.status(429, Retry_After="1"), on=on)
    course.after(3, lambda: course.complete())
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))


def test_a_lock_that_outlasts_the_timeout(course: Course, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "LAST_READING_SECONDS", 0.2)
    course.account.fail(RESULTS, faults.status(429, Retry_After="120"), on=2)
    assert run(course.sensor(timeout=0.5), mode) == ("raised", "AirflowSensorTimeout")
    # On a slow machine the first poke takes all of the time.
    assert course.account.count(RESULTS) <= 2


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_triggerer_that_is_gone_is_a_timeout(course: Course, mode: str, soft_fail: bool) -> None:
    if mode != "deferrable" or airflow.__version__ < "3":
        pytest.skip("Only Airflow 3 makes a sensor's timeout of a trigger's.")
    course.account.fail(RESULTS, faults.status(429, Retry_After="120"), on=2)
    found = run(course.sensor(timeout=0.5, soft_fail=soft_fail), mode)
    # Airflow 3.0 does not look at soft_fail here.
    skips = soft_fail and airflow.__version__ >= "3.1"
    assert found == ("raised", "AirflowSkipException" if skips else "AirflowSensorTimeout")


def test_an_outage_that_ends_soon(course: Course, mode: str) -> None:
    course.account.fail(RESULTS, faults.status(503), on=2)
    course.after(3, lambda: course.complete())
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))


def test_an_outage_is_not_known_yet(
    course: Course,
    mode: str,
    free_waiting: None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A worker makes eight attempts in the two minutes of a poke, the triggerer four in the 15 seconds of a poll.
    course.account.fail(RESULTS, faults.status(503), times=20)
    course.after(21, lambda: course.complete())
    assert run(course.sensor(timeout=10_000), mode) == ("returned", course.result(completed=course.ids))
    # Airflow 3 logs past the logging module.
    known = "It is not known yet whether the learners have completed the course"
    output = caplog.text if known in caplog.text else capsys.readouterr().out
    lines = [line for line in output.splitlines() if known in line]
    warnings = ["warning" in line.lower() for line in lines]
    assert all(warnings)
    assert len(warnings) >= (1 + 3 if mode == "deferrable" else 2)


NOT_OF_THE_LMS = {
    "truncated": faults.truncated(),
    "web page": faults.html_page(),
    "empty body": faults.body(b""),
    "cut document": faults.cut_document(),
    "gateway's 403": faults.html_page(403),
    "gateway's 404": faults.html_page(404),
    "gateway's 400": faults.html_page(400),
    "too early": faults.status(425),
    "redirect": faults.redirect("https://maintenance.example/"),
}


@pytest.mark.parametrize("fault", ["truncated", "web page"])
def test_an_outage_without_end_is_a_timeout(course: Course, mode: str, free_waiting: None, fault: str) -> None:
    course.account.fail(RESULTS, NOT_OF_THE_LMS[fault], times=10_000)
    assert run(course.sensor(timeout=0.3), mode) == ("raised", "AirflowSensorTimeout")


@pytest.mark.parametrize("fault", NOT_OF_THE_LMS)
def test_what_is_not_of_the_lms_ends_no_sensor(course: Course, mode: str, free_waiting: None, fault: str) -> None:
    course.account.fail(RESULTS, NOT_OF_THE_LMS[fault], times=20)
    course.after(21, lambda: course.complete())
    assert run(course.sensor(timeout=10_000), mode) == ("returned", course.result(completed=course.ids))


def test_a_learner_whom_one_reading_misses_is_waited_for(course: Course, mode: str) -> None:
    """Whoever is open leaves the first page just while it is read, and is there again by the next reading."""
    account, everybody = course.account, course.lms.ispring.users
    for user in everybody:
        account.record(user, course.course, "passed")
    account.record(everybody[0], course.course, "in_progress")
    ended: list[bool] = []

    def without_the_open_one(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "results": [row for row in page["results"] if row["completionStatus"] != "in_progress"]}

    def complete() -> None:
        ended.append(True)
        account.record(everybody[0], course.course, "passed")

    account.fail(RESULTS, faults.content(without_the_open_one))
    course.after(6, complete)
    kind, result = run(course.sensor(user_ids=None, timeout=10_000), mode)
    assert (kind, result["completed"], bool(ended)) == ("returned", len(everybody), True)


@pytest.mark.parametrize("on", [1, 2])
@pytest.mark.parametrize("fault", [faults.status(403), faults.status(404)])
def test_what_is_refused_for_good(course: Course, mode: str, on: int, fault: faults.Fault) -> None:
    course.account.fail(RESULTS, fault, on=on, times=10_000)
    assert run(course.sensor(), mode) == ("raised", "AirflowFailException")
    assert run(course.sensor(soft_fail=True), mode) == ("raised", "AirflowSkipException")


def test_a_revoked_secret(course: Course, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def revoke() -> None:
        course.account.revoke_tokens()
        course.account.client_secret = "another"

    course.after(2, revoke)
    assert run(course.sensor(), mode) == ("raised", "AirflowFailException")


def test_an_unknown_course(course: Course, mode: str) -> None:
    assert run(course.sensor(course_id="no-course"), mode) == ("raised", "AirflowFailException")


def test_a_token_revoked_in_between_is_renewed(course: Course, mode: str) -> None:
    course.after(1, course.account.revoke_tokens)
    course.after(4, lambda: course.complete())
    assert run(course.sensor(), mode) == ("returned", course.result(completed=course.ids))
    assert course.account.count("POST /api/v3/token") == 2


def test_the_whole_course_in_departments_and_dates(course: Course, mode: str) -> None:
    department = course.lms.world.departments[1]
    people = [user for user in course.account.users if user.department_id == department.id]
    for user in people:
        course.account.enroll(user, course.course)
        course.account.record(user, course.course, "accepted")
    active, blocked = ([user.id for user in people if (user.status == 1) is is_active] for is_active in (True, False))
    make = course.sensor(
        user_ids=None,
        department_ids=[department.id],
        access_date_start=datetime.now(UTC) - timedelta(days=1),
    )
    course.account.enroll(people[0], course.course)
    course.after(3, lambda: course.account.record(people[0], course.course, "complete"))
    assert run(make, mode) == ("returned", course.result(completed=active + blocked))


def test_enrollments_and_a_count(course: Course, mode: str) -> None:
    enrollments = [course.account.enroll(user, course.course) for user in course.users]
    course.after(2, lambda: course.complete(1))
    make = course.sensor(user_ids=None, enrollment_ids=enrollments, required_count=1)
    expected = course.result(completed=[enrollments[1]], pending=[enrollments[0], enrollments[2]])
    assert run(make, mode) == ("returned", {**expected, "required": 1})


# Zoho People


@pytest.fixture
def blended(lms: Simulator) -> zoho_world.Course:
    lms.zoho.limits.requests = 100_000
    return lms.zoho.courses[1]


def zoho(lms: Simulator, course: zoho_world.Course, **options: Any) -> Callable[..., ZohoPeopleCourseCompletionSensor]:
    learners = [learner.id for learner in lms.zoho.world.everyone[:2]]
    options = {"course_id": course.id, "learner_ids": learners, "poke_interval": 0.02, "timeout": 20, **options}
    return lambda **mode: ZohoPeopleCourseCompletionSensor(task_id="wait", **options, **mode)


def finish(lms: Simulator, course: zoho_world.Course, after: int) -> list[str]:
    """Let the first two learners complete a course after so many requests for its batches."""
    learners = lms.zoho.world.everyone[:2]

    def happen(_: Request, reply: Reply) -> Reply:
        for learner in learners:
            lms.zoho.finish(learner, course)
        return reply

    lms.zoho.fail(f"GET /api/v1/courses/{course.id}/batches", happen, on=after)
    return [learner.id for learner in learners]


@pytest.mark.parametrize("measure", ["course_progress", "entity_progress"])
def test_zoho_is_met(lms: Simulator, blended: zoho_world.Course, mode: str, measure: str) -> None:
    ids = finish(lms, blended, 2)
    options = {"measure": measure, **({"entity_types": [3, "links"]} if measure == "entity_progress" else {})}
    outcome, result = run(zoho(lms, blended, **options, poke_interval=1), mode)
    assert (outcome, result["completed_ids"], result["cohort"]) == ("returned", ids, 2)


def test_zoho_locks_the_account_in_between(lms: Simulator, blended: zoho_world.Course, mode: str) -> None:
    def lock(_: Request, reply: Reply) -> Reply:
        lms.zoho.use_up()
        return reply

    lms.zoho.fail(f"GET /api/v1/courses/{blended.id}/batches", lock, on=2)
    ids = finish(lms, blended, 4)
    outcome, result = run(zoho(lms, blended), mode)
    assert (outcome, result["completed_ids"]) == ("returned", ids)
    assert lms.zoho.sent_in_lock == 1


def test_zoho_knows_none_of_the_learners(lms: Simulator, blended: zoho_world.Course, mode: str) -> None:
    make = zoho(lms, blended, learner_ids=["404404404404404404"])
    assert run(make, mode) == ("raised", "AirflowFailException")


def test_zoho_knows_no_such_course(lms: Simulator, blended: zoho_world.Course, mode: str) -> None:
    assert run(zoho(lms, blended, course_id=7), mode) == ("raised", "AirflowFailException")


def test_zoho_entities_that_cost_too_much(lms: Simulator, blended: zoho_world.Course, mode: str) -> None:
    lms.zoho.limits.requests = 30
    assert run(zoho(lms, blended, learner_ids=None, measure="entity_progress"), mode) == ("raised", "ValueError")
