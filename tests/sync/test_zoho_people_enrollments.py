"""Enrollments in Zoho People's LMS: what is planned, and what comes of it in the simulated LMS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_lms.operators.zoho_people import ZohoPeopleEnrollmentSyncOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.zoho_world import Course, Learner
from airflow_provider_lms.testing import fake_clock
from tests.sync.runs import Runs

REMOVALS = {"removals": "unenroll", "allow_undocumented": True, "max_removals": "20%"}


@pytest.fixture
def runs(lms: Simulator, tmp_path: Path) -> Runs:
    """Learners are called by their record ids. The first five people are not in the first course."""
    lms.zoho.learner_id_is_erecno = True
    lms.zoho.scopes = {"ZOHOPEOPLE.training.ALL", "ZOHOPEOPLE.forms.READ"}
    for learner in lms.zoho.world.everyone[:5]:
        lms.zoho.world.unenroll(self_paced(lms), None, learner)
    return Runs(ZohoPeopleEnrollmentSyncOperator, tmp_path, match_by="record_id")


def self_paced(lms: Simulator) -> Course:
    return next(course for course in lms.zoho.courses if not course.batches)


def blended(lms: Simulator) -> Course:
    return next(course for course in lms.zoho.courses if course.batches)


def people(lms: Simulator) -> list[Learner]:
    return [*lms.zoho.world.everyone]


def wanted(lms: Simulator, *learners: Learner, **more: Any) -> list[dict[str, Any]]:
    return [{"record_id": lms.zoho.erecno(each), "course_id": self_paced(lms).id, **more} for each in learners]


def enrolled(lms: Simulator) -> list[Learner]:
    return [*lms.zoho.world.learners(self_paced(lms), None)]


def writes(lms: Simulator) -> int:
    return sum(request.call.endswith("enroll") for request in lms.zoho.requests)


def test_employees_are_enrolled_after_an_approval_and_only_once(lms: Simulator, runs: Runs) -> None:
    rows = wanted(lms, *people(lms)[:7])
    plan = runs.plan(rows)
    assert (plan["changes"], plan["unchanged"]) == ({"enroll": 5}, 2)
    assert writes(lms) == 0
    assert runs.apply(plan) == {"done": 5}
    assert writes(lms) == 1
    assert {*people(lms)[:7]} <= {*enrolled(lms)}
    again = runs.plan(rows)
    assert (again["changes"], again["unchanged"]) == ({}, 7)


@pytest.mark.parametrize("match_by", ["email", "employee_id"])
def test_employees_are_found_by_other_keys(match_by: str, lms: Simulator, runs: Runs) -> None:
    (employee,) = next(iter(lms.zoho.rows.employees()[0].values()))
    key = employee["EmailID" if match_by == "email" else "EmployeeID"]
    plan = runs.plan([{match_by: key, "course_id": self_paced(lms).id}], match_by=match_by)
    assert plan["changes"] == {"enroll": 1}


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("again", ["ignored", "refused"])
def test_nobody_is_enrolled_twice(again: Any, is_lost: bool, lms: Simulator, runs: Runs) -> None:
    lms.zoho.enroll_again = again
    plan = runs.plan(wanted(lms, *people(lms)[:3]))
    call = f"POST /api/v1/courses/{self_paced(lms).id}/enroll"
    lms.zoho.fail(call, faults.lost_reply() if is_lost else faults.status(503), before=not is_lost)
    with fake_clock():
        assert runs.apply(plan) == {"done": 3}
    assert writes(lms) == (1 if is_lost else 2)
    assert len(enrolled(lms)) == len({*enrolled(lms)})


def test_learners_who_are_no_employees_stop_the_plan(lms: Simulator, tmp_path: Path) -> None:
    lms.zoho.scopes = {"ZOHOPEOPLE.training.ALL", "ZOHOPEOPLE.forms.READ"}
    assert not lms.zoho.learner_id_is_erecno
    runs = Runs(ZohoPeopleEnrollmentSyncOperator, tmp_path, match_by="record_id")
    with pytest.raises(AirflowFailException, match=r"^learner_id_is: only 0 of the \d+ learners of these courses"):
        runs.plan(wanted(lms, people(lms)[0]))
    assert writes(lms) == 0


def test_some_learners_who_are_no_employees_are_told_of(
    lms: Simulator, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    employees = lms.zoho.rows.employees()
    monkeypatch.setattr(lms.zoho.rows, "employees", lambda: employees[:-2])
    plan = runs.plan(wanted(lms, people(lms)[0]))
    assert plan["changes"] == {"enroll": 1}
    assert "2 learners of these courses are no employees" in plan["summary"]


def test_a_batch_is_named_for_a_blended_course(lms: Simulator, runs: Runs) -> None:
    course = blended(lms)
    first, second = course.batches
    inside = lms.zoho.world.learners(course, first)[0]
    outside = lms.zoho.world.learners(course, second)[0]
    lms.zoho.world.unenroll(course, first, inside)
    rows = [
        {"record_id": lms.zoho.erecno(each), "course_id": course.id, "batch_id": first.id}
        for each in (inside, outside, lms.zoho.world.learners(course, first)[1])
    ]
    plan = runs.plan(rows)
    assert (plan["changes"], plan["skipped"], plan["unchanged"]) == ({"enroll": 1}, {"in_another_batch": 1}, 1)
    assert runs.apply(plan) == {"done": 1, "skipped": 1}
    assert inside in lms.zoho.world.learners(course, first)
    assert outside in lms.zoho.world.learners(course, second)


def test_who_is_wanted_in_another_batch_keeps_the_one_that_there_is(lms: Simulator, runs: Runs) -> None:
    course = blended(lms)
    first, second = course.batches
    moved, stays = lms.zoho.world.learners(course, second)[0], lms.zoho.world.learners(course, second)[1]
    rows = [
        {"record_id": lms.zoho.erecno(each), "course_id": course.id, "batch_id": batch.id}
        for each, batch in ((moved, first), (stays, second))
    ]
    departments = {each["Department.ID"] for found in lms.zoho.rows.employees() for (each,) in found.values()}
    options = {**REMOVALS, "max_removals": "100%", "max_changes": 999}
    plan = runs.plan(rows, manage={"department_ids": [*departments]}, **options)
    removed = {person for action, person, _ in runs.planned() if action == "unenroll"}
    assert plan["skipped"] == {"in_another_batch": 1}
    assert removed
    assert not removed & {lms.zoho.erecno(each) for each in (moved, stays)}


def test_managed_employees_leave_only_if_asked_for(lms: Simulator, runs: Runs) -> None:
    department = lms.zoho.rows.employees()[10]
    ((row,),) = department.values()
    inside = {
        number
        for number, found in enumerate(lms.zoho.rows.employees())
        if next(iter(found.values()))[0]["Department.ID"] == row["Department.ID"]
    }
    stay = [each for each in enrolled(lms) if each.number in inside][1:]
    leaves = next(each for each in enrolled(lms) if each.number in inside)
    rows, manage = wanted(lms, *stay), {"department_ids": row["Department.ID"]}
    assert runs.plan(rows, manage=manage)["changes"] == {}
    plan = runs.plan(rows, manage=manage, **REMOVALS)
    assert plan["changes"] == {"unenroll": 1}
    before = {*enrolled(lms)}
    assert runs.apply(plan, allow_undocumented=True) == {"done": 1}
    assert before - {*enrolled(lms)} == {leaves}


def test_an_account_that_wants_the_other_parameter_is_reported(lms: Simulator, runs: Runs) -> None:
    lms.zoho.unenroll_parameter = "learnerErecno"
    departments = {each["Department.ID"] for found in lms.zoho.rows.employees() for (each,) in found.values()}
    kept = enrolled(lms)[1:]
    plan = runs.plan(wanted(lms, *kept), manage={"department_ids": [*departments]}, **REMOVALS)
    assert plan["changes"] == {"unenroll": 1}
    with pytest.raises(AirflowFailException):
        runs.apply(plan, allow_undocumented=True)
    assert len(enrolled(lms)) == len(kept) + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match_by": "user_id"}, "match_by: expected 'record_id' or 'email' or 'employee_id'"),
        ({"learner_id_is": "email"}, "learner_id_is: expected"),
        ({"removals": "unenroll"}, "manage: removals='unenroll' needs departments"),
        (
            {"removals": "unenroll", "manage": {"department_ids": "1"}},
            "allow_undocumented: removals='unenroll' needs it",
        ),
        ({"manage": {"group_ids": ["1"]}}, "manage: expected an object with department_ids"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], message: str, lms: Simulator, runs: Runs) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        runs.plan(wanted(lms, people(lms)[0]), **options)


def test_zoho_is_called_as_rarely_as_it_can_be(lms: Simulator, runs: Runs) -> None:
    before = len(lms.zoho.calls)
    plan = runs.plan(wanted(lms, *people(lms)[:5]))
    pages = -(-len(enrolled(lms)) // lms.zoho.page_size)
    assert len(lms.zoho.calls) - before <= 1 + pages + 1  # the employees, the learners
    before = len(lms.zoho.calls)
    runs.apply(plan)
    assert len(lms.zoho.calls) - before <= 2 * (pages + 1) + 1  # read, enroll, read back


def test_nobody_is_named_outside_the_plan(lms: Simulator, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    plan = runs.plan(wanted(lms, people(lms)[0]))
    runs.apply(plan)
    assert lms.zoho.erecno(people(lms)[0]) in runs.texts()
    for text in (json.dumps(plan), caplog.text):
        assert lms.zoho.erecno(people(lms)[0]) not in text
