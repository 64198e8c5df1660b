"""Enrollments that are written to the simulated Zoho People: what it takes, refuses and shows afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.simulator.zoho_world import Batch, Course, Learner
from airflow_provider_lms.testing import FakeClock, fake_clock

SUCCESS = {"code": 200, "message": "success"}
UNKNOWN = "100002000999999999"


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock(datetime(2026, 3, 1, 12, tzinfo=UTC)) as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock) -> Iterator[Simulator]:
    with Simulator(World(users=20), zoho_limits=Limits(requests=1_000)) as simulator:
        yield simulator


class Api:
    def __init__(self, lms: Simulator) -> None:
        account = lms.zoho
        form = {"client_id": account.client_id, "client_secret": account.client_secret}
        form |= {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
        token = requests.post(f"{lms.url}/oauth/v2/token", data=form, timeout=5).json()["access_token"]
        self.url, self.headers = lms.url, {"Authorization": f"Zoho-oauthtoken {token}"}

    def post(self, path: str, **params: Any) -> requests.Response:
        params = {name: json.dumps(value) if isinstance(value, list) else value for name, value in params.items()}
        return requests.post(f"{self.url}/api/v1/courses/{path}", params=params, headers=self.headers, timeout=5)

    def get(self, path: str) -> Any:
        return requests.get(f"{self.url}{path}", headers=self.headers, timeout=5).json()

    def learners(self, path: str) -> list[str]:
        return [str(row["learnerId"]) for row in self.progress(path)]

    def progress(self, path: str) -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/courses/{path}/course-progress")["courseProgress"])


@pytest.fixture
def api(lms: Simulator) -> Api:
    return Api(lms)


@pytest.fixture
def course(lms: Simulator) -> Course:
    """One without batches."""
    return lms.zoho.courses[0]


@pytest.fixture
def blended(lms: Simulator) -> Course:
    return lms.zoho.courses[1]


@pytest.fixture
def batches(blended: Course) -> tuple[str, str]:
    """The paths of its batches."""
    first, second = (f"{blended.id}/batches/{batch.id}" for batch in blended.batches)
    return first, second


def erecnos(lms: Simulator, *learners: Learner) -> list[int]:
    return [int(lms.zoho.erecno(each)) for each in learners]


def test_the_learners_of_a_list_are_unenrolled_and_enrolled(lms: Simulator, api: Api, course: Course) -> None:
    first, second, *others = lms.zoho.world.everyone
    reply = api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, first, second))
    assert (reply.status_code, reply.json()) == (200, SUCCESS)
    assert api.learners(course.id) == [each.id for each in others]
    reply = api.post(f"{course.id}/enroll", erecnosList=erecnos(lms, second))
    assert (reply.status_code, reply.json()) == (200, SUCCESS)
    assert api.learners(course.id) == [*(each.id for each in others), second.id]
    assert api.get(f"/api/v1/courses/{course.id}/learners/{first.id}/course-progress")["code"] == 404


def test_the_record_numbers_are_those_of_the_employees(lms: Simulator, api: Api, course: Course) -> None:
    (employee,) = api.get("/people/api/forms/employee/getRecords?limit=1")["response"]["result"]
    (erecno,) = employee
    assert api.post(f"{course.id}/unenroll", erecnosList=[erecno]).status_code == 200
    assert lms.zoho.world.everyone[0].id not in api.learners(course.id)


def test_a_new_enrollment_begins_with_nothing_completed(
    clock: FakeClock, lms: Simulator, api: Api, course: Course
) -> None:
    learner = lms.zoho.world.everyone[0]
    lms.zoho.finish(learner, course)
    api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, learner))
    clock.advance(86_400)
    api = Api(lms)
    api.post(f"{course.id}/enroll", erecnosList=erecnos(lms, learner))
    path = f"{course.id}/learners/{learner.id}"
    (row,) = api.progress(path)
    assert (row["enrolledDate"], row["completionStatus"], row["completedEntitiesCount"]) == (
        "02-03-2026",
        "notstarted",
        0,
    )
    tests = api.get(f"/api/v1/courses/{path}/progress?entityType=1")["learnerProgress"]
    assert {(row["status"], row["userMark"]) for row in tests} == {("notstarted", None)}
    assert lms.zoho.complete(course.id, 1, [learner.id]) == [learner.id]
    assert api.progress(path)[0]["completionStatus"] == "completed"


def test_learners_of_a_batch(lms: Simulator, api: Api, blended: Course, batches: tuple[str, str]) -> None:
    learner = lms.zoho.world.everyone[0]
    assert api.post(f"{batches[0]}/unenroll", erecnosList=erecnos(lms, learner)).json() == SUCCESS
    assert learner.id not in api.learners(batches[0])
    assert api.post(f"{batches[1]}/enroll", erecnosList=erecnos(lms, learner)).json() == SUCCESS
    assert api.learners(batches[1])[-1] == learner.id
    rows = api.get(f"/api/v1/courses/{blended.id}/batches")["batches"]
    assert [row["learnersCount"] for row in rows] == [9, 11]
    (row,) = api.progress(f"{batches[1]}/learners/{learner.id}")
    assert row["batchId"] == int(blended.batches[1].id)


@pytest.mark.parametrize("action", ["enroll", "unenroll"])
def test_the_path_names_a_batch_where_there_are_batches(
    action: str, lms: Simulator, api: Api, course: Course, blended: Course
) -> None:
    given = erecnos(lms, lms.zoho.world.everyone[0])
    batch: Batch = blended.batches[0]
    for path in (blended.id, f"{course.id}/batches/{batch.id}", f"{blended.id}/batches/{UNKNOWN}", UNKNOWN):
        assert api.post(f"{path}/{action}", erecnosList=given).status_code == 404
    assert [state.learners for state in lms.zoho.course_states()] == [20, 20, 20]


@pytest.mark.parametrize("action", ["enroll", "unenroll"])
@pytest.mark.parametrize("given", [None, "", "[]", "[", '["me"]', f"[{UNKNOWN}]", "[true]", '{"a": 1}', "1e17"])
def test_a_wrong_list_is_refused(action: str, given: str | None, lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.unenroll_again = "ignored"
    reply = api.post(f"{course.id}/{action}", **({} if given is None else {"erecnosList": given}))
    assert (reply.status_code, reply.json()["code"]) == (400, 400)


@pytest.mark.parametrize("action", ["enroll", "unenroll"])
def test_nobody_changes_if_one_is_unknown(action: str, lms: Simulator, api: Api, course: Course) -> None:
    first, second = lms.zoho.world.everyone[:2]
    lms.zoho.world.unenroll(course, None, second)
    before = api.learners(course.id)
    given = [*erecnos(lms, second if action == "enroll" else first), int(UNKNOWN)]
    assert api.post(f"{course.id}/{action}", erecnosList=given).status_code == 400
    assert api.learners(course.id) == before


@pytest.mark.parametrize("honored", ["erecnosList", "learnerErecno"])
def test_unenrolling_honors_one_of_two_parameters(honored: Any, lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.unenroll_parameter = honored
    learner = lms.zoho.world.everyone[0]
    given = erecnos(lms, learner)
    (other,) = {"erecnosList", "learnerErecno"} - {honored}
    for params in ({other: given}, {other: given, honored: given}):
        reply = api.post(f"{course.id}/unenroll", **params)
        assert (reply.status_code, reply.json()["response"]["errors"]["code"]) == (400, 7203)
    assert learner.id in api.learners(course.id)
    assert api.post(f"{course.id}/unenroll", **{honored: str(given[0])}).status_code == 200
    assert learner.id not in api.learners(course.id)


def test_enrolling_has_one_parameter(lms: Simulator, api: Api, course: Course) -> None:
    given = erecnos(lms, lms.zoho.world.everyone[0])
    assert api.post(f"{course.id}/enroll", learnerErecno=given).json()["response"]["errors"]["code"] == 7203


@pytest.mark.parametrize(("option", "status", "batch"), [("ignored", 200, 0), ("moved", 200, 1), ("refused", 400, 0)])
def test_a_learner_is_enrolled_again(
    option: Any, status: int, batch: int, lms: Simulator, api: Api, blended: Course, batches: tuple[str, str]
) -> None:
    lms.zoho.enroll_again = option
    learner, other = lms.zoho.world.everyone[:2]
    lms.zoho.finish(learner, blended)
    lms.zoho.world.unenroll(blended, blended.batches[1], other)
    reply = api.post(f"{batches[1]}/enroll", erecnosList=erecnos(lms, learner, other))
    assert reply.status_code == status
    assert [learner.id in api.learners(path) for path in batches] == [batch == 0, batch == 1]
    assert (other.id in api.learners(batches[1])) is (status == 200)
    (row,) = api.progress(f"{batches[batch]}/learners/{learner.id}")
    assert row["completionStatus"] == "completed"


@pytest.mark.parametrize(("option", "status"), [("refused", 400), ("ignored", 200)])
def test_somebody_is_unenrolled_who_is_not_enrolled(
    option: Any, status: int, lms: Simulator, api: Api, course: Course
) -> None:
    lms.zoho.unenroll_again = option
    first, second = lms.zoho.world.everyone[:2]
    lms.zoho.world.unenroll(course, None, first)
    assert api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, first, second)).status_code == status
    assert (second.id in api.learners(course.id)) is (status == 400)


def test_too_many_learners_in_a_request(lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.most_at_once = 2
    learners = lms.zoho.world.everyone[:3]
    reply = api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, *learners))
    assert (reply.status_code, reply.json()["code"]) == (422, 422)
    assert api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, *learners[:2])).status_code == 200


@pytest.mark.parametrize("same", [False, True])
def test_the_learners_id_may_be_the_record_number(same: bool, lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.learner_id_is_erecno = same
    rows = api.get("/people/api/forms/employee/getRecords?limit=200")["response"]["result"]
    found = {erecno for row in rows for erecno in row}
    assert (found == set(api.learners(course.id))) is same
    learner = lms.zoho.world.everyone[0]
    assert (api.post(f"{course.id}/unenroll", erecnosList=[learner.id]).status_code == 200) is same


@pytest.mark.parametrize(
    ("scope", "status"),
    [("READ", 401), ("UPDATE", 401), ("CREATE", 200), ("ALL", 200)],
)
def test_writes_need_a_scope_of_their_own(scope: str, status: int, lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.scopes = {f"ZOHOPEOPLE.training.{scope}"}
    reply = api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, lms.zoho.world.everyone[0]))
    assert reply.status_code == status
    assert lms.zoho.course_states()[0].learners == (19 if status == 200 else 20)


def test_the_scope_for_writes_is_not_for_reads(lms: Simulator, api: Api) -> None:
    lms.zoho.scopes = {"ZOHOPEOPLE.training.CREATE"}
    assert api.get("/api/v1/courses")["response"]["errors"][0]["code"] == 7218


def test_a_token_is_needed(lms: Simulator, course: Course) -> None:
    reply = requests.post(f"{lms.url}/api/v1/courses/{course.id}/unenroll", timeout=5)
    assert (reply.status_code, reply.json()["response"]["errors"]["code"]) == (400, 7202)


def test_writes_count_for_the_limit(lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.limits.requests = 1
    given = erecnos(lms, lms.zoho.world.everyone[0])
    assert api.post(f"{course.id}/unenroll", erecnosList=given).status_code == 200
    assert api.post(f"{course.id}/enroll", erecnosList=given).json()["code"] == 7209


def test_writes_become_visible_after_a_while(clock: FakeClock, lms: Simulator, api: Api, course: Course) -> None:
    lms.zoho.read_delay_seconds = 60
    learner = lms.zoho.world.everyone[0]
    lms.zoho.finish(learner, course)
    api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, learner))
    assert api.progress(course.id)[0]["learnerId"] == int(learner.id)
    assert api.progress(course.id)[0]["completionStatus"] == "completed"
    # The write counts for other writes at once.
    assert api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, learner)).status_code == 400
    clock.advance(60)
    assert learner.id not in api.learners(course.id)


@pytest.mark.parametrize(("before", "number"), [(False, 19), (True, 20)])
def test_an_error_comes_after_or_before_a_write(
    before: bool, number: int, lms: Simulator, api: Api, course: Course
) -> None:
    lms.zoho.fail(f"POST /api/v1/courses/{course.id}/unenroll", faults.status(503), before=before)
    reply = api.post(f"{course.id}/unenroll", erecnosList=erecnos(lms, lms.zoho.world.everyone[0]))
    assert reply.status_code == 503
    assert len(api.learners(course.id)) == number
