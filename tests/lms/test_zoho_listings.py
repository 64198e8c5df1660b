"""What the listings of Zoho People beside progress hold, and which calls reading them takes; over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsNotFound, LmsPermissionError
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.zoho_rows import PLANS
from airflow_provider_lms.simulator.zoho_world import Course

EMPLOYEES = "GET /people/api/forms/employee/getRecords"
CONTENT = ("sessions", "files", "contents", "links", "online_tests", "offline_tests", "assignments")


@pytest.fixture
def blended(lms: Simulator) -> Course:
    return next(course for course in lms.zoho.courses if course.batches)


@pytest.fixture
def self_paced(lms: Simulator) -> Course:
    return next(course for course in lms.zoho.courses if not course.batches)


def rows_of(client: ZohoPeopleClient, listing: str, **values: Any) -> list[dict[str, Any]]:
    pages = client.read(listing, **values)
    return [row for page in pages for row in msgspec.to_builtins(page.records)]


# Employees


def test_an_employee_has_plain_column_names(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    first, second, *_ = (record for page in zoho.employees() for record in page.records)
    people, departments = lms.world.people, {each.id: each.name for each in lms.world.departments}
    assert (first.first_name, first.last_name, first.email_id) == (
        people[0].first_name,
        people[0].last_name,
        "learner0@example.com",
    )
    assert (first.employee_id, first.employee_status, first.date_of_joining) == ("1001", "Active", "05-Jun-2020")
    assert first.department == departments[people[0].department_id]
    assert first.reporting_to_id is None
    assert (second.reporting_to_id, second.reporting_to_email_id) == (first.erecno, "learner0@example.com")
    assert first.extra["tabularSections"] == {"Education Details": [{}]}
    assert first.extra["Zoho_ID"] == first.erecno
    assert first.modified_time == 1_686_048_654_617


def test_employees_come_200_at_a_time_counted_from_1(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.form_page_size = 30
    found = [record.erecno for page in zoho.employees() for record in page.records]
    assert found == [next(iter(row)) for row in lms.zoho.rows.employees()]
    assert len(found) == 40
    starts = [request.first("sIndex") for request in lms.zoho.calls]
    assert starts == ["1", "30", "40"]
    assert {request.first("limit") for request in lms.zoho.calls} == {"200"}
    assert {request.call for request in lms.zoho.calls} == {EMPLOYEES}


def test_an_account_without_employees_is_empty(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    none = {"message": "No records found", "errors": {"code": 7024, "message": "No records found"}, "status": 1}
    lms.zoho.fail(EMPLOYEES, faults.content(lambda _: {"response": none}))
    assert [page.records for page in zoho.employees()] == [[]]


def test_employees_need_a_scope_of_their_own(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.scopes = {"ZOHOPEOPLE.training.READ"}
    assert next(zoho.courses()).records
    with pytest.raises(LmsPermissionError, match=r"GET /people/api/forms/.*ZOHOPEOPLE\.forms\.READ"):
        next(zoho.employees())


@pytest.mark.parametrize("result", [[{"1": "text"}], [{"1": ["text"]}], [{"1": {}}], [{}], ["text"], "text"])
def test_a_record_that_is_not_wrapped_in_its_id_breaks_the_page(
    lms: Simulator, zoho: ZohoPeopleClient, result: object
) -> None:
    lms.zoho.fail(EMPLOYEES, faults.content(lambda page: {"response": {**page["response"], "result": result}}))
    with pytest.raises(LmsBrokenPage):
        list(zoho.employees())


def test_an_error_beside_the_form_breaks_the_page(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.fail(EMPLOYEES, faults.content(lambda page: {**page, "error": "it did not work"}))
    with pytest.raises(LmsBrokenPage, match="also reports an error"):
        list(zoho.employees())


# Content of courses


@pytest.mark.parametrize("listing", CONTENT)
def test_the_content_of_every_course_is_read_batch_by_batch(
    lms: Simulator, zoho: ZohoPeopleClient, listing: str
) -> None:
    segment = {"online_tests": "onlineTests", "offline_tests": "offlineTests"}.get(listing, listing)
    rows = rows_of(zoho, listing)
    id_name = next(
        name for name in ("sessionId", "fileId", "contentId", "linkId", "testId", "assignmentId") if name in rows[0]
    )
    expected = {
        (course.id, batch and batch.id, row["moduleId"], row[id_name])
        for course in lms.zoho.courses
        for batch in course.batches or (() if listing == "sessions" else (None,))
        for row in lms.zoho.rows.entities(course, segment)
    }
    assert {(row["courseId"], row["batchId"], row["moduleId"], row[id_name]) for row in rows} == expected
    assert len(rows) == len(expected)


@pytest.mark.parametrize("listing", ["files", "contents", "links", "offline_tests"])
def test_the_content_of_one_module_can_be_read(
    lms: Simulator, zoho: ZohoPeopleClient, self_paced: Course, listing: str
) -> None:
    module = str(lms.zoho.world.modules(self_paced)[1]["moduleId"])
    rows = rows_of(zoho, listing, course_id=self_paced.id, module_id=module)
    assert len(rows) == (10 if listing == "files" else 2)
    assert {row["moduleId"] for row in rows} == {module}


def test_sessions_are_read_for_one_batch_or_all(zoho: ZohoPeopleClient, blended: Course) -> None:
    batches = [batch.id for batch in blended.batches]
    every = [record for page in zoho.sessions(blended.id) for record in page.records]
    one = [record for page in zoho.sessions(blended.id, batch_id=batches[1]) for record in page.records]
    assert {record.batch_id for record in every} == set(batches)
    assert [record for record in every if record.batch_id == batches[1]] == one
    assert (one[0].type, one[0].start_time) == ("0", "10:00 AM")


def test_a_link_has_the_fields_of_the_vendors_sample(zoho: ZohoPeopleClient, self_paced: Course) -> None:
    link = rows_of(zoho, "links", course_id=self_paced.id)[0]
    assert (link["isMandatory"], link["canMarkAsComplete"], link["isLocked"]) == (True, False, True)
    assert (link["linkName"], link["lockUntil"]) == ("Link 1", "23-12-2021")
    assert "_extra" not in link


def test_details_of_a_blended_course_are_read_for_each_batch(
    lms: Simulator, zoho: ZohoPeopleClient, blended: Course
) -> None:
    found = rows_of(zoho, "course_details")
    expected = [(course.id, batch and batch.id) for course in lms.zoho.courses for batch in course.batches or (None,)]
    assert [(row["courseId"], row["batchId"]) for row in found] == expected
    assert {row["courseName"] for row in found if row["courseId"] == blended.id} == {blended.name}


def test_a_course_that_zoho_refuses_to_name_schedulers_of_has_none(
    lms: Simulator, zoho: ZohoPeopleClient, blended: Course, self_paced: Course
) -> None:
    refused = faults.content(lambda _: {"code": 404, "message": "Not found"})
    lms.zoho.fail(f"GET /api/v1/courses/{self_paced.id}/batches/schedulers", refused, times=9)
    found = rows_of(zoho, "batch_schedulers", course_ids=[self_paced.id, blended.id])
    assert [(row["courseId"], row["batchName"]) for row in found] == [
        (blended.id, "Every week"),
        (blended.id, "Every month"),
    ]
    assert found[0]["notifyApplicableUsers"] is True


# People and places


def test_a_course_share_has_the_fields_of_the_vendors_sample(
    lms: Simulator, zoho: ZohoPeopleClient, self_paced: Course
) -> None:
    assert rows_of(zoho, "course_shares", course_id=self_paced.id)[0] == {
        "courseId": self_paced.id,
        "erecno": next(iter(lms.zoho.rows.employees()[0])),
        "employeeId": "1001",
        "displayName": lms.world.people[0].first_name,
        "emailId": "learner0@example.com",
        "displayPictureUrl": "https://example.com/file?ID=1",
    }


def test_a_room_has_its_location_in_columns(zoho: ZohoPeopleClient) -> None:
    room = rows_of(zoho, "rooms")[0]
    assert (room["name"], room["capacity"], room["locationName"]) == ("Room 1", 12, "ZOHO, CHENNAI")
    assert room["facilities"] == ["WiFi", "Chairs with writing pad"]
    assert len(room["locationId"]) == 18
    assert "_extra" not in room


@pytest.mark.parametrize(("status", "expected"), [(None, 3), ("active", 3), ("inactive", 1)])
def test_trainers_who_have_left_are_read_if_that_is_asked_for(
    zoho: ZohoPeopleClient, status: str | None, expected: int
) -> None:
    assert len(rows_of(zoho, "trainers", employee_status=status)) == expected


# Learning plans


def test_plans_come_50_at_a_time(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    assert len(rows_of(zoho, "learning_plans")) == PLANS
    assert [request.query for request in lms.zoho.calls] == [(("limit", "50"), ("startIndex", "0"))]


def test_the_progress_of_every_learner_in_every_plan(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    found = [(each.learner_id, each.plan_id) for page in zoho.learning_plan_progress() for each in page.records]
    plans = [str(plan["planId"]) for plan in lms.zoho.rows.plans()]
    expected = {
        (learner.id, plan) for number, plan in enumerate(plans) for learner in lms.zoho.rows.learners_of_plan(number)
    }
    assert set(found) == expected
    assert len(found) == len(expected)
    # A learner of two plans is asked for once.
    assert lms.zoho.count(f"GET /api/v1/learners/{lms.zoho.world.everyone[0].id}/learning-plans/progress") == 1


def test_the_progress_of_one_learner_takes_one_call(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    learner = lms.zoho.world.everyone[0].id
    found = [each for page in zoho.learning_plan_progress(learner) for each in page.records]
    assert [each.completion_percentage for each in found] == [50] * (PLANS - 1)
    assert len(lms.zoho.calls) == 1


def test_the_courses_of_given_plans(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    plan = str(lms.zoho.rows.plans()[1]["planId"])
    rows = rows_of(zoho, "learning_plan_courses", plan_ids=[plan])
    learners = {each.id for each in lms.zoho.rows.learners_of_plan(1)}
    assert {row["planId"] for row in rows} == {plan}
    assert {row["learnerId"] for row in rows} == learners
    assert len(rows) == 2 * len(learners)


def test_the_courses_of_a_plan_come_100_at_a_time(connect_zoho: Callable[..., ZohoPeopleClient]) -> None:
    with Simulator(World(users=4, courses=60)) as lms:
        learner, plan = lms.zoho.rows.learners_of_plan(0)[0], str(lms.zoho.rows.plans()[0]["planId"])
        rows = rows_of(connect_zoho(lms), "learning_plan_courses", learner_id=learner.id, plan_id=plan)
        assert len(rows) == 40
        (call,) = [each for each in lms.zoho.calls if each.call.endswith("/courses/progress")]
        assert call.first("Limit") == "100"


def test_learners_of_a_plan_may_be_called_members(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    plan = str(lms.zoho.rows.plans()[0]["planId"])
    expected = rows_of(zoho, "learning_plan_learners", plan_id=plan)

    def renamed(page: dict[str, Any]) -> dict[str, Any]:
        return {"members" if name == "learners" else name: value for name, value in page.items()}

    lms.zoho.fail(f"GET /api/v1/learning-plans/{plan}/learners", faults.content(renamed))
    assert rows_of(zoho, "learning_plan_learners", plan_id=plan) == expected


def test_the_id_of_a_learner_is_the_employee_record_if_zoho_names_no_other(
    lms: Simulator, zoho: ZohoPeopleClient
) -> None:
    plan = str(lms.zoho.rows.plans()[0]["planId"])

    def without_learner_id(page: dict[str, Any]) -> dict[str, Any]:
        rows = [{name: value for name, value in row.items() if name != "learnerId"} for row in page["learners"]]
        return {**page, "learners": rows}

    lms.zoho.fail(f"GET /api/v1/learning-plans/{plan}/learners", faults.content(without_learner_id))
    found = rows_of(zoho, "learning_plan_learners", plan_id=plan)
    assert [row["learnerId"] for row in found] == [row["erecno"] for row in lms.zoho.rows.plan_learners(0)]


# Progress


def test_progress_in_a_module_is_that_in_its_entities(lms: Simulator, zoho: ZohoPeopleClient, blended: Course) -> None:
    batch, module = blended.batches[1], str(lms.zoho.world.modules(blended)[2]["moduleId"])
    learner = lms.zoho.world.learners(blended, batch)[0]
    ids = {"course_id": blended.id, "batch_id": batch.id, "module_id": module, "learner_id": learner.id}
    found = rows_of(zoho, "module_progress", **ids)
    expected = [lms.zoho.world.entities(blended, learner, kind)[2] for kind in range(10)]
    assert [(row["status"], row["isMandatory"]) for row in found] == [
        (row["status"], row["isMandatory"]) for row in expected
    ]
    assert {row["durationMinutes"] for row in found} <= {10.0, 60.0, 90.0}
    # Zoho documents no query parameter.
    assert [request.query for request in lms.zoho.calls] == [()]


@pytest.mark.parametrize(
    ("entity_type", "number", "segment"),
    [("online_tests", 1, "onlineTests"), ("offline_tests", 0, "offlineTests"), ("files", 3, "files")],
)
def test_progress_in_one_entity(
    lms: Simulator, zoho: ZohoPeopleClient, self_paced: Course, entity_type: str, number: int, segment: str
) -> None:
    learner, entity = lms.zoho.world.everyone[0], lms.zoho.world.entity_id(self_paced, number, 1)
    ids = {"course_id": self_paced.id, "learner_id": learner.id, "entity_type": entity_type, "entity_id": entity}
    (row,) = rows_of(zoho, "single_entity_progress", **ids)
    assert (row["entityType"], row["entityTypeName"], row["entityId"]) == (number, entity_type, entity)
    assert row["status"] == lms.zoho.world.entities(self_paced, learner, number)[1]["status"]
    (request,) = lms.zoho.calls
    assert request.call.endswith(f"/learners/{learner.id}/{segment}/{entity}/progress")


def test_an_entity_type_without_an_endpoint_is_refused_before_anything_is_sent(
    lms: Simulator, zoho: ZohoPeopleClient
) -> None:
    with pytest.raises(ValueError, match=r"entity_type: expected 'online_tests' or .*, got 'feedbacks'"):
        zoho.read("single_entity_progress", course_id="1", learner_id="2", entity_type="feedbacks", entity_id="3")
    assert not lms.zoho.requests


def test_an_unknown_entity_is_not_found(lms: Simulator, zoho: ZohoPeopleClient, self_paced: Course) -> None:
    ids = {"course_id": self_paced.id, "learner_id": lms.zoho.world.everyone[0].id, "entity_type": "links"}
    with pytest.raises(LmsNotFound):
        rows_of(zoho, "single_entity_progress", entity_id="3", **ids)


def test_a_mandatory_link_is_mandatory_in_progress_too(
    lms: Simulator, zoho: ZohoPeopleClient, self_paced: Course
) -> None:
    learner = lms.zoho.world.everyone[0].id

    def as_link(page: dict[str, Any]) -> dict[str, Any]:
        rows = [{**row, "isMandatoryLink": row["isMandatory"]} for row in page["learnerProgress"]]
        for row in rows:
            del row["isMandatory"]
        return {**page, "learnerProgress": rows}

    expected = [each.is_mandatory for page in zoho.entity_progress(self_paced.id, learner, 6) for each in page.records]
    lms.zoho.fail(f"GET /api/v1/courses/{self_paced.id}/learners/{learner}/progress", faults.content(as_link))
    found = [each for page in zoho.entity_progress(self_paced.id, learner, 6) for each in page.records]
    assert [each.is_mandatory for each in found] == expected
    assert set(expected) <= {True, False}
    assert not any(each.extra.get("isMandatoryLink") for each in found)
