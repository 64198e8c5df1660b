"""Enrollments that are written to the simulated iSpring Learn: what it takes, refuses and shows afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.people import User
from airflow_provider_lms.simulator.world import Course
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.simulator.ispring_requests import UNKNOWN, Api

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Any:
    with fake_clock(NOW) as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock) -> Any:
    with Simulator(World(as_of=NOW.date())) as simulator:
        yield simulator


@pytest.fixture
def api(lms: Simulator) -> Api:
    return Api(lms)


@pytest.fixture
def user(lms: Simulator) -> User:
    """One who is in no course."""
    found = lms.ispring.users[0]
    for course in lms.ispring.courses:
        lms.ispring.unenroll(found, course)
    return found


@pytest.fixture
def course(lms: Simulator) -> Course:
    return lms.ispring.courses[0]


def enrollment(user: User, course: Course, **other: Any) -> dict[str, Any]:
    return {"courseIds": [course.id], "learnerIds": [user.id], "dueDateType": "unlimited", **other}


def test_an_enrollment_is_created_and_no_id_comes_back(api: Api, user: User, course: Course) -> None:
    reply = api.post("/enrollment", enrollment(user, course))
    assert (reply.status_code, reply.content) == (201, b"")
    (row,) = api.enrollments(user.id)
    assert row["enrollmentId"]
    assert {name: value for name, value in row.items() if name != "enrollmentId"} == {
        "courseId": course.id,
        "learnerId": user.id,
        "accessDate": "2026-03-01",
        "shouldLockAfterDueDate": False,
        "enrollmentTypeGroup": 0,
    }


def test_both_listings_of_results_have_the_new_enrollment(api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course))
    (row,) = api.results(user.id)
    assert (row["courseId"], row["completionStatus"], row["timeSpent"]) == (course.id, "not_started", 0)
    modules = api.results(user.id, "/learners/modules/results")
    assert [each["moduleId"] for each in modules] == [module.id for module in course.modules]
    assert {each["enrollmentId"] for each in modules} == {row["enrollmentId"]}


def test_every_learner_is_enrolled_in_every_course(lms: Simulator, api: Api, user: User) -> None:
    courses = [course.id for course in lms.ispring.courses]
    other = lms.ispring.users[1]
    for course in lms.ispring.courses:
        lms.ispring.unenroll(other, course)
    body = {"courseIds": courses, "learnerIds": [user.id, other.id, other.id], "dueDateType": "unlimited"}
    assert api.post("/enrollment", body).status_code == 201
    for each in (user, other):
        assert [row["courseId"] for row in api.enrollments(each.id)] == courses


def test_the_vendors_sample_in_xml_is_taken(api: Api, user: User, course: Course) -> None:
    xml = f"""<?xml version="1.0" encoding="UTF-8"?>
<request>
 <courseIds><id>{course.id}</id></courseIds>
 <learnerIds><id>{user.id}</id></learnerIds>
 <accessDate>2026-02-26 10:30:00</accessDate>
 <dueDateType>due_period</dueDateType>
 <duePeriod>48</duePeriod>
 <lockAfterDueDate>1</lockAfterDueDate>
</request>"""
    assert api.post("/enrollment", xml=xml, Accept="application/xml").status_code == 201
    (row,) = api.results(user.id)
    assert row["accessDate"] == "2026-02-26T10:30:00+00:00"
    assert row["dueDate"] == row["expirationDate"] == "2026-02-28T10:30:00+00:00"


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"dueDateType": "unlimited"}, None),
        ({"dueDateType": "default"}, "2026-04-01T00:00:00+00:00"),
        ({"dueDateType": "due_date", "dueDate": "2026-05-01"}, "2026-05-01T00:00:00+00:00"),
        ({"dueDateType": "due_period", "duePeriod": 36}, "2026-03-03T12:00:00+00:00"),
    ],
)
def test_each_type_of_due_date(
    given: dict[str, Any], due: str | None, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.default_due_period = timedelta(days=31)
    body = enrollment(user, course, accessDate="2026-03-02") | given
    body["accessDate"] = "2026-03-01" if given["dueDateType"] == "default" else "2026-03-02"
    assert api.post("/enrollment", body).status_code == 201
    (row,) = api.results(user.id)
    assert row.get("dueDate") == due
    assert "expirationDate" not in row


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("2026-03-05", "2026-03-04T21:00:00+00:00"),
        ("2026-03-05 10:30:00", "2026-03-05T07:30:00+00:00"),
        ("2026-03-05T10:30:00Z", "2026-03-05T10:30:00+00:00"),
    ],
)
def test_dates_without_a_zone_are_in_the_accounts_zone(
    text: str, access: str, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.time_zone = timezone(timedelta(hours=3))
    assert api.post("/enrollment", enrollment(user, course, accessDate=text)).status_code == 201
    (row,) = api.results(user.id)
    assert row["accessDate"] == access


@pytest.mark.parametrize(
    "wrong",
    [
        {"courseIds": None},
        {"courseIds": []},
        {"courseIds": "all"},
        {"courseIds": ["me"]},
        {"courseIds": [UNKNOWN]},
        {"learnerIds": []},
        {"learnerIds": [UNKNOWN]},
        {"dueDateType": None},
        {"dueDateType": "never"},
        {"dueDateType": "due_date"},
        {"dueDateType": "due_period"},
        {"dueDateType": "due_period", "duePeriod": 0},
        {"dueDateType": "due_period", "duePeriod": "36"},
        {"dueDate": "2026-05-01"},
        {"duePeriod": 36},
        {"accessDate": "tomorrow"},
        {"accessDate": 20260301},
        {"dueDateType": "due_date", "dueDate": "01.05.2026"},
        {"lockAfterDueDate": "yes"},
        {"notify": True},
    ],
)
def test_a_wrong_enrollment_is_refused_and_nothing_is_done(
    wrong: dict[str, Any], api: Api, user: User, course: Course
) -> None:
    body = {name: value for name, value in (enrollment(user, course) | wrong).items() if value is not None}
    reply = api.post("/enrollment", body)
    assert (reply.status_code, reply.json()["code"]) == (400, 400)
    assert api.enrollments(user.id) == []


@pytest.mark.parametrize(
    "given",
    [
        {"json": []},
        {"json": {"dueDateType": None}},
        {"data": "not json", "headers": {"Content-Type": "application/json"}},
        {"data": "<request>", "headers": {"Content-Type": "application/xml"}},
        {"data": "<request/>", "headers": {"Content-Type": "application/xml"}},
        {"data": "dueDateType=unlimited", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"data": ""},
    ],
)
def test_a_body_that_cannot_be_read_is_refused(given: dict[str, Any], api: Api) -> None:
    headers = {**api.headers, **given.pop("headers", {})}
    assert requests.post(f"{api.url}/enrollment", headers=headers, timeout=10, **given).status_code == 400


def test_a_field_that_is_null_is_refused(api: Api, user: User, course: Course) -> None:
    assert api.post("/enrollment", enrollment(user, course, dueDate=None)).status_code == 400
    assert api.enrollments(user.id) == []


def test_the_enrollments_of_the_world_stay_as_they_are_until_its_clock_is_moved(
    clock: FakeClock, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    before = [row.overdue for row in lms.ispring.results()]
    api.post("/enrollment", enrollment(user, course, dueDateType="due_period", duePeriod=24))
    clock.advance(86_400 * 60)
    Api(lms).get("/departments")
    assert [row.overdue for row in lms.ispring.results()] == [*before, True]
    lms.ispring.time_passed()
    assert sum(row.overdue for row in lms.ispring.results()) > sum(before) + 1


def test_a_parameter_in_the_url_of_a_write_is_refused(api: Api, user: User, course: Course) -> None:
    assert api.post("/enrollment?notify=1", enrollment(user, course)).status_code == 400
    assert api.enrollments(user.id) == []


def test_a_write_needs_a_token_and_the_right(lms: Simulator, api: Api, user: User, course: Course) -> None:
    body = enrollment(user, course)
    assert api.post("/enrollment", body, Authorization="Bearer wrong").status_code == 401
    lms.ispring.forbidden = {"POST /enrollment"}
    assert api.post("/enrollment", body).status_code == 403
    assert api.enrollments(user.id) == []


def test_a_learning_track_is_beyond_the_simulator(lms: Simulator, api: Api, user: User, course: Course) -> None:
    track = next(item for item in lms.world.library if item.kind == "LearningTrack")
    assert api.post("/enrollment", enrollment(user, course, courseIds=[track.id])).status_code == 501


@pytest.mark.parametrize(("option", "status", "number"), [("ignored", 201, 1), ("second", 201, 2), ("refused", 400, 1)])
def test_a_learner_is_enrolled_again(
    option: Any, status: int, number: int, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    api.post("/enrollment", enrollment(user, course))
    before = api.enrollments(user.id)
    lms.ispring.enroll_again = option
    # Also in a course that is new: a request is refused as a whole.
    courses = [course.id, lms.ispring.courses[1].id]
    body = enrollment(user, course, courseIds=courses, accessDate="2026-04-01")
    assert api.post("/enrollment", body).status_code == status
    found = [row for row in api.enrollments(user.id) if row["courseId"] == course.id]
    assert (len(found), found[:1]) == (number, before)
    others = [row for row in api.enrollments(user.id) if row["courseId"] != course.id]
    assert len(others) == (status == 201)


def test_an_enrollment_is_edited(api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course))
    (before,) = api.enrollments(user.id)
    body = {"accessDate": "2026-03-05 08:00:00", "dueDateType": "due_date", "dueDate": "2026-06-01"}
    reply = api.post(f"/enrollment/{before['enrollmentId']}", body | {"lockAfterDueDate": True})
    assert (reply.status_code, reply.content) == (200, b"")
    (after,) = api.enrollments(user.id)
    assert after == before | {
        "accessDate": "2026-03-05",
        "dueDate": "2026-06-01",
        "expirationDate": "2026-06-01",
        "shouldLockAfterDueDate": True,
    }
    assert {row["dueDate"] for row in api.results(user.id, "/learners/modules/results")} == {
        "2026-06-01T00:00:00+00:00"
    }


@pytest.mark.parametrize("action", ["", "/reenroll"])
def test_an_edit_needs_dates_and_an_enrollment(action: str, api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course))
    (row,) = api.enrollments(user.id)
    path, dates = f"/enrollment/{row['enrollmentId']}{action}", {"accessDate": "2026-03-05", "dueDateType": "unlimited"}
    for missing in dates:
        body = {name: value for name, value in dates.items() if name != missing}
        assert api.post(path, body).status_code == 400
    assert api.post(path, dates | {"courseIds": [course.id]}).status_code == 400
    assert api.post(f"/enrollment/{UNKNOWN}{action}", dates).status_code == 404
    assert api.enrollments(user.id) == [row]


@pytest.mark.parametrize(
    ("option", "ids", "statuses"),
    [
        ("second", "another", ["complete", "not_started"]),
        ("restarted", "same", ["not_started"]),
        ("moved", "same", ["complete"]),
    ],
)
def test_a_learner_is_reenrolled(
    option: Any, ids: str, statuses: list[str], lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.reenroll = option
    api.post("/enrollment", enrollment(user, course))
    (before,) = api.enrollments(user.id)
    lms.ispring.record(user, course, "complete")
    body = {"accessDate": "2026-09-01", "dueDateType": "due_period", "duePeriod": 24}
    reply = api.post(f"/enrollment/{before['enrollmentId']}/reenroll", body)
    assert (reply.status_code, reply.content) == (200, b"")
    assert [row["completionStatus"] for row in api.results(user.id)] == statuses
    *_, after = api.enrollments(user.id)
    assert (after["enrollmentId"] == before["enrollmentId"]) is (ids == "same")
    assert (after["accessDate"], after["dueDate"]) == ("2026-09-01", "2026-09-02")


def test_enrollments_are_deleted_with_their_results(lms: Simulator, api: Api, user: User) -> None:
    body = {"courseIds": [course.id for course in lms.ispring.courses], "learnerIds": [user.id]}
    api.post("/enrollment", body | {"dueDateType": "unlimited"})
    first, second, third = api.enrollments(user.id)
    reply = api.post("/enrollment/delete", {"enrollmentIds": [first["enrollmentId"], second["enrollmentId"]]})
    assert (reply.status_code, reply.content) == (204, b"")
    assert api.enrollments(user.id) == [third]
    for path in ("/learners/results", "/learners/modules/results"):
        assert {row["courseId"] for row in api.results(user.id, path)} == {third["courseId"]}


def test_no_enrollment_is_deleted_if_one_is_unknown(api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course))
    (row,) = api.enrollments(user.id)
    for ids in ([row["enrollmentId"], UNKNOWN], ["me"], []):
        assert api.post("/enrollment/delete", {"enrollmentIds": ids}).status_code == 400
    assert api.enrollments(user.id) == [row]


def test_the_vendors_root_element_for_deleting_is_taken(api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course))
    (row,) = api.enrollments(user.id)
    xml = f"<DeleteEnrollments><enrollmentIds><id>{row['enrollmentId']}</id></enrollmentIds></DeleteEnrollments>"
    assert api.post("/enrollment/delete", xml=xml).status_code == 204
    assert api.enrollments(user.id) == []


def test_an_enrollment_becomes_overdue_as_time_passes(clock: FakeClock, api: Api, user: User, course: Course) -> None:
    api.post("/enrollment", enrollment(user, course, dueDateType="due_period", duePeriod=24))
    clock.advance(24 * 3_600)
    assert [row["isOverdue"] for row in api.results(user.id)] == [False]
    clock.advance(1)
    assert [row["isOverdue"] for row in api.results(user.id)] == [True]
    assert {row["isOverdue"] for row in api.results(user.id, "/learners/modules/results")} == {True}
    (row,) = api.enrollments(user.id)
    api.post(f"/enrollment/{row['enrollmentId']}", {"accessDate": "2026-03-01", "dueDateType": "unlimited"})
    assert [row["isOverdue"] for row in api.results(user.id)] == [False]


def test_a_learner_completes_a_course_once_its_access_began(
    clock: FakeClock, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    api.post("/enrollment", enrollment(user, course, accessDate="2026-03-08"))
    assert lms.ispring.complete(course.id, 1, [user.id]) == []
    clock.advance(7 * 86_400)
    assert lms.ispring.complete(course.id, 1, [user.id]) == [user.id]
    (row,) = api.results(user.id)
    assert (row["completionStatus"], row["completionDate"]) == ("complete", "2026-03-08T12:00:00+00:00")
    assert {row["completionStatus"] for row in api.results(user.id, "/learners/modules/results")} == {"complete"}
    certificate = api.enrollments(user.id)[0]["certificate"]
    assert (certificate["issueDate"], certificate["expiryDate"]) == ("2026-03-08", "2027-03-08")
    url = api.get(f"/certificate/{certificate['issuedCertificateId']}")["url"]
    assert requests.get(url, timeout=10).content.startswith(b"%PDF")


def test_a_learner_completes_a_course_each_year(
    clock: FakeClock, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    api.post("/enrollment", enrollment(user, course))
    assert lms.ispring.complete(course.id, 1, [user.id]) == [user.id]
    assert lms.ispring.complete(course.id, 1, [user.id]) == []
    clock.advance(365 * 86_400)
    (row,) = api.enrollments(user.id)
    api.post(f"/enrollment/{row['enrollmentId']}/reenroll", {"accessDate": "2027-03-01", "dueDateType": "unlimited"})
    assert lms.ispring.complete(course.id, 1, [user.id]) == [user.id]
    assert [row["completionDate"][:4] for row in api.results(user.id)] == ["2026", "2027"]


def test_writes_become_visible_after_a_while(
    clock: FakeClock, lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.read_delay_seconds = 60
    api.post("/enrollment", enrollment(user, course))
    clock.advance(30)
    other = lms.ispring.courses[1]
    api.post("/enrollment", enrollment(user, other))
    assert api.enrollments(user.id) == api.results(user.id) == []
    clock.advance(30)
    assert [row["courseId"] for row in api.enrollments(user.id)] == [course.id]
    clock.advance(30)
    assert [row["courseId"] for row in api.enrollments(user.id)] == [course.id, other.id]


def test_what_is_not_visible_yet_counts_for_writes(lms: Simulator, api: Api, user: User, course: Course) -> None:
    lms.ispring.read_delay_seconds, lms.ispring.enroll_again = 60, "refused"
    assert api.post("/enrollment", enrollment(user, course)).status_code == 201
    assert api.post("/enrollment", enrollment(user, course)).status_code == 400


def test_a_write_takes_effect_although_its_reply_is_an_error(
    lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.fail("POST /enrollment", faults.status(503))
    reply = api.post("/enrollment", enrollment(user, course))
    assert (reply.status_code, reply.json()) == (503, {"code": 503, "message": "simulated"})
    assert len(api.enrollments(user.id)) == 1


def test_a_write_takes_effect_although_its_reply_is_lost(lms: Simulator, api: Api, user: User, course: Course) -> None:
    lms.ispring.fail("POST /enrollment", faults.lost_reply())
    with pytest.raises(requests.ConnectionError):
        api.post("/enrollment", enrollment(user, course))
    assert len(api.enrollments(user.id)) == 1


def test_a_write_takes_effect_although_nobody_waits_for_its_reply(
    lms: Simulator, api: Api, user: User, course: Course
) -> None:
    lms.ispring.fail("POST /enrollment", faults.late(0.5))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{api.url}/enrollment", json=enrollment(user, course), headers=api.headers, timeout=0.1)
    assert len(api.enrollments(user.id)) == 1


def test_a_write_fails_before_it_took_effect(lms: Simulator, api: Api, user: User, course: Course) -> None:
    lms.ispring.fail("POST /enrollment", faults.status(503), before=True)
    assert api.post("/enrollment", enrollment(user, course)).status_code == 503
    assert api.enrollments(user.id) == []
    assert api.post("/enrollment", enrollment(user, course)).status_code == 201
    assert lms.ispring.count("POST /enrollment") == 2


def test_a_fault_before_anything_is_done_leaves_the_other_lms_alone(lms: Simulator, api: Api) -> None:
    lms.zoho.fail(None, faults.status(503), before=True)
    assert api.get("/contents")["contentItems"]
    reply = requests.get(f"{lms.url}/api/v1/courses", timeout=10)
    assert (reply.status_code, lms.zoho.count("GET /api/v1/courses")) == (503, 1)
