"""A simulator is steered while it runs: over HTTP, and by the same methods in its process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsPermissionError, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCourseProgressOperator
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.world import DONE
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.testing import fake_clock
from tests.simulator.ispring_requests import Api


def steer(simulator: Simulator, control: str, **parameters: Any) -> Any:
    reply = requests.post(f"{simulator.url}/_control/{control}", json=parameters, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()["result"]


def rows(pages: Iterable[Page[Any]]) -> list[Any]:
    return [record for page in pages for record in page.records]


def refusal(simulator: Simulator, control: str, **parameters: Any) -> tuple[int, str]:
    reply = requests.post(f"{simulator.url}/_control/{control}", json=parameters, timeout=10)
    return reply.status_code, reply.json()["error"]


def completed(client: ISpringLearnClient, course_id: str) -> set[str]:
    found = rows(client.course_results(course_ids=course_id))
    return {row.user_id for row in found if row.completion_status in DONE}


def test_the_learners_that_are_told_to_complete_a_course_do(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0].id
    before = completed(client, course)
    result = steer(lms, "complete", course=course, learners=3)
    ids = result["ispring_learn"]["learner_ids"]
    assert len(ids) == 3
    assert completed(client, course) == before | set(ids)
    assert not before & set(ids)


def test_a_learner_completes_a_course_of_zoho_with_all_its_entities(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0].id
    (learner,) = steer(lms, "complete", course=course)["zoho_people"]["learner_ids"]
    found = rows(zoho.course_progress(course, learner_id=learner))
    assert [(row.completion_status, row.completion_percentage) for row in found] == [("completed", 100)]


def test_a_title_means_the_course_in_both_lms(lms: Simulator) -> None:
    result = steer(lms, "complete", course="fire SAFETY 1")
    assert {name: each["course_id"] for name, each in result.items()} == {
        "ispring_learn": lms.ispring.courses[0].id,
        "zoho_people": lms.zoho.courses[0].id,
    }


def test_no_more_learners_complete_a_course_than_it_has(lms: Simulator) -> None:
    course = lms.zoho.courses[0].id
    assert len(steer(lms, "complete", course=course, learners=1_000)["zoho_people"]["learner_ids"]) == 40
    assert steer(lms, "complete", course=course)["zoho_people"]["learner_ids"] == []


def test_chosen_learners_complete_a_course(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]
    chosen = [lms.ispring.enroll(user, course) and user.id for user in lms.ispring.users[20:22]]
    result = steer(lms, "complete", course=course.title, learner_ids=chosen)
    assert result == {"ispring_learn": {"course_id": course.id, "learner_ids": chosen}}
    assert set(chosen) <= completed(client, course.id)
    assert steer(lms, "complete", course=course.id, learner_ids=chosen)["ispring_learn"]["learner_ids"] == []


def test_each_lms_takes_the_learners_that_it_knows(lms: Simulator) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[5].id
    result = steer(lms, "complete", course=course.name, learner_ids=[learner])
    assert result == {"zoho_people": {"course_id": course.id, "learner_ids": [learner]}}
    assert [state.completed for state in lms.zoho.course_states()] == [1, 0, 0]


def test_nobody_completes_a_course_if_one_is_not_in_it(lms: Simulator) -> None:
    course, (learner, other) = lms.zoho.courses[0], lms.zoho.world.everyone[:2]
    lms.zoho.world.unenroll(course, None, other)
    message = f"learner_ids: not active learners of the course: {other.id}."
    assert refusal(lms, "complete", course=course.id, learner_ids=[learner.id, other.id]) == (400, message)
    assert lms.zoho.course_states()[0].completed == 0
    blocked = lms.ispring.users[-1].id
    message = f"learner_ids: not active learners of the course: {blocked}."
    assert refusal(lms, "complete", course=lms.ispring.courses[0].id, learner_ids=[blocked]) == (400, message)


@pytest.mark.parametrize(("before", "users"), [(False, 41), (True, 40)])
def test_a_failure_comes_after_or_before_a_write(before: bool, users: int, lms: Simulator) -> None:
    steer(lms, "fail", status=503, call="POST /user", before=before)
    fields = {"login": "hana", "email": "hana@example.com"}
    body = {"departmentId": lms.world.departments[0].id, "fields": fields}
    assert Api(lms).post("/user", body).status_code == 503
    assert len(lms.ispring.users) == users


def test_a_year_in_small_steps(lms: Simulator) -> None:
    api, (user, leaver), course = Api(lms), lms.ispring.users[:2], lms.ispring.courses[0]
    began = clock.utcnow()
    lms.ispring.unenroll(user, course)
    body = {"courseIds": [course.id], "learnerIds": [user.id], "dueDateType": "due_period", "duePeriod": 24 * 200}
    api.post("/enrollment", body | {"accessDate": (began + timedelta(days=100)).isoformat()})
    leaves = (began + timedelta(days=150)).date().isoformat()
    api.post(f"/user/{leaver.id}/scheduled_termination", {"date": leaves})
    seen = []
    for _ in range(53):
        lms.controls.move_clock(7 * 86_400)
        (row,) = [each for each in lms.ispring.results() if (each.user.id, each.course) == (user.id, course)]
        seen.append((row.overdue, lms.ispring.users[1].status))
    # Week 22 begins after 154 days, week 43 after 301.
    assert seen == [(False, 1)] * 21 + [(False, 5)] * 21 + [(True, 5)] * 11
    assert lms.ispring.complete(course.id, 1, [user.id]) == [user.id]
    last = [each for each in Api(lms).results(user.id) if each["courseId"] == course.id]
    assert [each["completionDate"][:10] for each in last] == [(began + timedelta(days=371)).date().isoformat()]


def test_an_unknown_course_is_refused(lms: Simulator) -> None:
    message = "course: there is no course 'Diving'. The status of the simulator lists them."
    assert refusal(lms, "complete", course="Diving") == (400, message)


def test_only_the_next_request_is_forbidden(lms: Simulator, client: ISpringLearnClient) -> None:
    steer(lms, "fail", status=403, lms="ispring_learn")
    with pytest.raises(LmsPermissionError):
        rows(client.courses())
    assert len(rows(client.courses())) == 3


def test_a_fault_for_one_call_leaves_the_others_alone(lms: Simulator, client: ISpringLearnClient) -> None:
    steer(lms, "fail", status=503, call="GET /users/v2", times=2)
    assert len(rows(client.courses())) == 3
    for _ in range(2):
        with pytest.raises(LmsUnavailable):
            rows(client.users())
    assert len(rows(client.users())) == 40


def test_a_fault_for_one_lms_leaves_the_other_alone(
    lms: Simulator, client: ISpringLearnClient, zoho: ZohoPeopleClient
) -> None:
    steer(lms, "fail", lms="zoho_people")
    assert len(rows(client.courses())) == 3
    with pytest.raises(LmsPermissionError):
        rows(zoho.courses())


@pytest.mark.parametrize("account", ["ispring_learn", "zoho_people"])
def test_a_lock_lasts_as_long_as_was_said(
    account: str, lms: Simulator, client: ISpringLearnClient, zoho: ZohoPeopleClient
) -> None:
    reader: ISpringLearnClient | ZohoPeopleClient = client if account == "ispring_learn" else zoho
    with fake_clock() as time:
        reader.authenticate()
        steer(lms, "lock", seconds=60, lms=account)
        time.advance(59)
        lms.zoho.limits.lock_seconds = 0.0  # Zoho locks anew for every call during a lock
        with pytest.raises(LmsRateLimited):
            rows(reader.read("courses"))
        reader.lift_lock()
        time.advance(1)
        assert len(rows(reader.read("courses"))) == 3


def test_a_locked_ispring_account_says_for_how_long(lms: Simulator, client: ISpringLearnClient) -> None:
    with fake_clock():
        steer(lms, "lock", seconds=60, lms="ispring_learn")
        with pytest.raises(LmsRateLimited) as caught:
            rows(client.courses())
    assert caught.value.retry_after == 60


def test_revoked_tokens_are_renewed(lms: Simulator, client: ISpringLearnClient) -> None:
    rows(client.courses())
    steer(lms, "revoke")
    assert len(rows(client.courses())) == 3
    assert len(lms.ispring.tokens) == 2


def test_replies_can_be_slowed_down(lms: Simulator) -> None:
    steer(lms, "slow", seconds=0.25)
    assert lms.latency == 0.25


def test_a_moved_clock_ends_a_lock_and_dates_completions(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    before = clock.utcnow()
    lms.zoho.lock(3_000)
    steer(lms, "clock", seconds=3_600)
    assert len(rows(zoho.courses())) == 3
    course = lms.ispring.courses[0]
    (user_id,) = steer(lms, "complete", course=course.id)["ispring_learn"]["learner_ids"]
    dates = [row.completion for row in lms.ispring.results() if (row.user.id, row.course) == (user_id, course)]
    assert dates[0] is not None
    assert 3_600 <= (dates[0] - before).total_seconds() < 3_900


def test_whoever_is_past_the_due_date_of_a_moved_clock_is_overdue(lms: Simulator) -> None:
    user, course = lms.ispring.users[0], lms.ispring.courses[0]
    lms.ispring.unenroll(user, course)
    lms.ispring.enroll(user, course, due=datetime(2099, 1, 1, tzinfo=UTC))
    assert [row.overdue for row in lms.ispring.results() if (row.user, row.course) == (user, course)] == [False]
    steer(lms, "clock", seconds=86_400 * 365 * 10)
    assert [row.overdue for row in lms.ispring.results() if (row.user, row.course) == (user, course)] == [False]
    for _ in range(9):
        steer(lms, "clock", seconds=86_400 * 365 * 10)
    assert [row.overdue for row in lms.ispring.results() if (row.user, row.course) == (user, course)] == [True]


def test_the_clock_is_right_again_when_the_simulator_ends() -> None:
    with fake_clock() as time:
        with Simulator() as lms:
            lms.controls.move_clock(1_000)
            assert (clock.utcnow() - time.utcnow()).total_seconds() == 1_000
        assert clock.utcnow() == time.utcnow()


def test_the_clock_does_not_go_back(lms: Simulator) -> None:
    assert refusal(lms, "clock", seconds=0) == (
        400,
        "seconds: expected more than 0, got 0.0. The clock only moves ahead.",
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"course": "x", "learners": 0}, "Expected `int` >= 1 - at `$.learners`"),
        ({"learners": 1}, "Object missing required field `course`"),
        ({"course": "x", "lerners": 2}, "Object contains unknown field `lerners`"),
    ],
)
def test_a_wrong_parameter_is_named(lms: Simulator, parameters: dict[str, Any], message: str) -> None:
    assert refusal(lms, "complete", **parameters) == (400, message)


def test_an_unknown_lms_is_refused(lms: Simulator) -> None:
    assert refusal(lms, "lock", lms="moodle") == (
        400,
        "lms: expected ispring_learn or zoho_people, got 'moodle'.",
    )


def test_an_unknown_control_is_refused_with_those_that_there_are(lms: Simulator) -> None:
    assert refusal(lms, "explode") == (
        404,
        "There is no control 'explode'. There are: clock, complete, fail, load, lock, revoke, slow.",
    )


def test_a_control_must_be_posted(lms: Simulator) -> None:
    reply = requests.get(f"{lms.url}/_control/lock", timeout=10)
    assert (reply.status_code, lms.zoho.locks) == (405, 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example", "Content-Type": "application/json"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_a_web_page_cannot_steer_it(lms: Simulator, headers: dict[str, str], status: int) -> None:
    reply = requests.post(f"{lms.url}/_control/lock", data="{}", headers=headers, timeout=10)
    assert (reply.status_code, lms.zoho.locks) == (status, 0)


def test_the_status_tells_courses_and_locks(lms: Simulator) -> None:
    lms.zoho.lock(50)
    lms.controls.complete(lms.zoho.courses[0].id, 1_000)
    status = requests.get(f"{lms.url}/_control", timeout=10).json()
    zoho = status["lms"]["zoho_people"]
    assert zoho["courses"][0] == {
        "id": "100002000010000001",
        "title": "Fire safety 1",
        "learners": 40,
        "completed": 40,
    }
    assert 0 < zoho["lock_seconds_left"] <= 50
    assert status["lms"]["ispring_learn"]["lock_seconds_left"] == 0


def test_requests_are_logged_without_query_and_secrets(lms: Simulator, client: ISpringLearnClient) -> None:
    rows(client.users(emails="learner1@example.com"))
    requests.get(f"{lms.url}/_control", timeout=10)
    logged = requests.get(f"{lms.url}/_control/requests", timeout=10)
    assert [(each["call"], each["status"]) for each in logged.json()["requests"]] == [
        ("POST /api/v3/token", 200),
        ("GET /users/v2", 200),
    ]
    for secret in (lms.ispring.tokens[0], lms.ispring.client_secret, "learner1"):
        assert secret not in logged.text


def test_only_the_last_requests_are_shown(lms: Simulator, client: ISpringLearnClient) -> None:
    rows(client.courses())
    logged = requests.get(f"{lms.url}/_control/requests?last=1", timeout=10).json()["requests"]
    assert [each["call"] for each in logged] == ["GET /contents"]


def test_a_loaded_dataset_of_ispring_is_served_with_other_people(
    lms: Simulator, client: ISpringLearnClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = str(tmp_path_factory.mktemp("dataset"))
    with Simulator(World(users=5, courses=2, seed=7, blocked=0)) as other:
        _read_course_results(other, folder)
        real = {user.id for user in other.ispring.users}
        expected = [
            (row.course.id, row.course.title, row.status, row.progress, row.due) for row in other.ispring.results()
        ]
    assert lms.controls.load(read_records(folder)) == {"learners": 5, "courses": 2}
    found = rows(client.course_results())
    assert [
        (row.course_id, row.course_title, row.completion_status, row.progress, row.due_date) for row in found
    ] == expected
    assert not {row.user_id for row in found} & real
    assert len({row.user_id for row in found}) == 5


def _read_course_results(other: Simulator, folder: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(other.connection()))
        ISpringCourseResultsOperator(task_id="t", output_path=folder).execute({})


def test_a_loaded_dataset_of_zoho_has_the_same_learners_completed(lms: Simulator, tmp_path: Any) -> None:
    course = lms.zoho.courses[1]
    lms.controls.complete(course.id, 7)
    lms.zoho.limits.requests = 1_000
    ZohoPeopleCourseProgressOperator(task_id="t", course_id=course.id, output_path=str(tmp_path)).execute({})
    before = lms.zoho.course_states()[1]
    assert lms.controls.load(read_records(str(tmp_path))) == {"learners": 40, "courses": 1}
    (state,) = lms.zoho.course_states()
    assert (state.title, state.learners, state.completed) == (before.title, 40, 7)


def test_a_course_of_a_loaded_dataset_has_only_its_own_learners(lms: Simulator) -> None:
    row = {"courseTitle": "A", "courseId": "a", "userId": "1", "completionStatus": "passed"}
    other = {"courseTitle": "B", "courseId": "b", "userId": "2", "completionStatus": "in_progress"}
    lms.controls.load([row, {**row, "userId": "2"}, other])
    found = [(each.title, each.learners, each.completed) for each in lms.ispring.course_states()]
    assert found == [("A", 2, 2), ("B", 1, 0)]
    assert [(each.title, each.learners, each.completed) for each in lms.zoho.course_states()] == found


def test_a_dataset_of_another_listing_is_refused(lms: Simulator) -> None:
    with pytest.raises(ValueError, match="course_results or course_progress"):
        lms.controls.load([{"userId": "1", "fields": {}}])
    assert len(lms.ispring.courses) == 3
