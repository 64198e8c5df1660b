"""Enrollments in iSpring Learn: what is planned, and what comes of it in the simulated LMS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.operators.ispring import ISpringEnrollmentSyncOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.people import User
from airflow_provider_lms.simulator.world import Course
from airflow_provider_lms.testing import fake_clock
from tests.sync.runs import Runs

WRITES = ("POST /enrollment", "POST /enrollment/delete")


@pytest.fixture
def runs(lms: Simulator, tmp_path: Path) -> Runs:
    """Nobody is enrolled in the last course; the last two of 40 people are inactive."""
    for user in lms.ispring.users:
        lms.ispring.unenroll(user, course_of(lms))
    return Runs(ISpringEnrollmentSyncOperator, tmp_path, match_by="user_id", max_changes=100)


def course_of(lms: Simulator) -> Course:
    return lms.ispring.courses[-1]


def wanted(lms: Simulator, *users: User, **more: Any) -> list[dict[str, Any]]:
    return [{"user_id": user.id, "course_id": course_of(lms).id, **more} for user in users]


def everybody(lms: Simulator) -> dict[str, Any]:
    """The department at the top, with all others."""
    return {"department_ids": lms.ispring.world.departments[0].id, "course_ids": [course_of(lms).id]}


def learners(lms: Simulator) -> list[str]:
    return sorted(each.user.id for each in lms.ispring.results() if each.course == course_of(lms))


def ids(*users: User) -> list[str]:
    return sorted(user.id for user in users)


def writes(lms: Simulator) -> int:
    return sum(request.call.startswith("POST /enrollment") for request in lms.ispring.requests)


def test_people_are_enrolled_after_an_approval(lms: Simulator, runs: Runs) -> None:
    amara, bence, chloe = lms.ispring.users[:3]
    plan = runs.plan(wanted(lms, amara, bence, chloe))
    assert (plan["changes"], plan["skipped"], plan["unchanged"]) == ({"enroll": 3}, {}, 0)
    assert learners(lms) == []
    assert writes(lms) == 0
    assert runs.apply(plan) == {"done": 3}
    assert learners(lms) == ids(amara, bence, chloe)
    assert lms.ispring.count("POST /enrollment") == 1


def test_a_row_with_an_unknown_course_is_skipped_and_the_others_are_not(lms: Simulator, runs: Runs) -> None:
    amara, bence = lms.ispring.users[:2]
    unknown = "00000000-0000-4000-8000-000000000000"
    before = lms.ispring.count(f"GET /content/{unknown}")
    rows = [*wanted(lms, amara), *({**row, "course_id": unknown} for row in wanted(lms, amara, bence))]
    plan = runs.plan(rows)
    assert (plan["changes"], plan["skipped"]) == ({"enroll": 1}, {"unknown_course": 2})
    assert lms.ispring.count(f"GET /content/{unknown}") - before == 1, "each course is asked for once"
    assert runs.apply(plan) == {"done": 1, "skipped": 2}


def test_a_course_with_learners_is_not_asked_for(lms: Simulator, runs: Runs) -> None:
    rows = wanted(lms, *lms.ispring.users[:2])
    runs.apply(runs.plan(rows[:1]))
    sent = lms.ispring.count(f"GET /content/{course_of(lms).id}")
    assert runs.plan(rows)["changes"] == {"enroll": 1}
    assert lms.ispring.count(f"GET /content/{course_of(lms).id}") == sent


def test_a_role_that_may_not_see_content_can_enroll(lms: Simulator, runs: Runs) -> None:
    lms.ispring.fail(f"GET /content/{course_of(lms).id}", faults.status(403), times=9)
    assert runs.plan(wanted(lms, lms.ispring.users[0]))["changes"] == {"enroll": 1}


def test_a_404_that_anybody_could_have_sent_stops_the_plan_and_names_the_course(lms: Simulator, runs: Runs) -> None:
    def bare_text(_: Request, reply: Reply) -> Reply:
        return replace(reply, status=404, raw=b"Unknown content item", media_type="text/plain")

    lms.ispring.fail(f"GET /content/{course_of(lms).id}", bare_text)
    with pytest.raises(LmsNotFound, match=f"no course {course_of(lms).id}"):
        runs.plan(wanted(lms, lms.ispring.users[0]))


def test_the_second_run_changes_nothing(lms: Simulator, runs: Runs) -> None:
    rows = wanted(lms, *lms.ispring.users[:5])
    runs.apply(runs.plan(rows))
    sent = writes(lms)
    again = runs.plan(rows)
    assert (again["changes"], again["unchanged"]) == ({}, 5)
    assert runs.apply(again) == {}
    assert writes(lms) == sent


@pytest.mark.parametrize("again", ["ignored", "second", "refused"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_nobody_is_enrolled_twice_whatever_the_lms_makes_of_it(
    again: Any, is_lost: bool, lms: Simulator, runs: Runs
) -> None:
    lms.ispring.enroll_again = again
    rows = wanted(lms, *lms.ispring.users[:3])
    plan = runs.plan(rows)
    lms.ispring.enroll(lms.ispring.users[0], course_of(lms))  # by somebody else, meanwhile
    if is_lost:
        lms.ispring.fail("POST /enrollment", faults.lost_reply())
    with fake_clock():
        assert runs.apply(plan) == {"done": 2, "already": 1}
    assert learners(lms) == ids(*lms.ispring.users[:3])


def test_a_request_that_never_arrived_is_sent_again(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, *lms.ispring.users[:3]))
    lms.ispring.fail("POST /enrollment", faults.status(503), before=True)
    with fake_clock():
        assert runs.apply(plan) == {"done": 3}
    assert lms.ispring.count("POST /enrollment") == 2
    assert learners(lms) == ids(*lms.ispring.users[:3])


def test_a_change_that_shows_late_is_waited_for(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, *lms.ispring.users[:3]))
    lms.ispring.read_delay_seconds = 5.0
    with fake_clock() as time:
        assert runs.apply(plan) == {"done": 3}
        assert sum(time.naps) > 3.0
    assert lms.ispring.count("POST /enrollment") == 1


def test_who_cannot_be_found_is_listed_and_not_guessed(lms: Simulator, runs: Runs) -> None:
    amara, inactive, course = lms.ispring.users[0], lms.ispring.users[-1], course_of(lms)
    rows = [
        *wanted(lms, amara, amara, inactive),
        {"user_id": "nobody", "course_id": course.id},
        {"user_id": "", "course_id": course.id},
        {"user_id": amara.id, "course_id": None},
    ]
    plan = runs.plan(rows)
    assert plan["changes"] == {"enroll": 1}
    reasons = {"duplicate": 1, "inactive": 1, "not_found": 1, "no_person": 1, "no_course": 1}
    assert plan["skipped"] == dict(sorted(reasons.items()))
    assert runs.apply(plan) == {"done": 1, "skipped": 5}
    assert learners(lms) == [amara.id]


@pytest.mark.parametrize("match_by", ["email", "login", "fields.EMPLOYEE_NO"])
def test_people_are_found_by_other_keys(match_by: str, lms: Simulator, runs: Runs) -> None:
    users = lms.ispring.users[:2]
    lms.ispring.state.change_users(
        [user.__class__(**{**vars(user), "profile": (("EMPLOYEE_NO", f"00{n}"),)}) for n, user in enumerate(users)]
    )
    keys = {
        "email": [user.email.upper() for user in users],
        "login": [user.login for user in users],
        "fields.EMPLOYEE_NO": ["000", "001"],
    }[match_by]
    column = match_by.removeprefix("fields.")
    plan = runs.plan([{column: key, "course_id": course_of(lms).id} for key in keys], match_by=match_by)
    assert plan["changes"] == {"enroll": 2}
    runs.apply(plan)
    assert learners(lms) == ids(*users)


def test_a_key_of_two_people_is_ambiguous(lms: Simulator, runs: Runs) -> None:
    users = lms.ispring.users[:2]
    lms.ispring.state.change_users(
        [user.__class__(**{**vars(user), "profile": (("EMPLOYEE_NO", "7"),)}) for user in users]
    )
    plan = runs.plan([{"EMPLOYEE_NO": 7, "course_id": course_of(lms).id}], match_by="fields.EMPLOYEE_NO")
    assert (plan["changes"], plan["skipped"]) == ({}, {"ambiguous": 1})


def test_due_dates_are_set_and_moved(lms: Simulator, runs: Runs) -> None:
    amara, bence = lms.ispring.users[:2]
    day = (clock.utcnow() + timedelta(days=40)).date()
    plan = runs.plan(wanted(lms, amara, due_date=str(day)))
    runs.apply(plan)
    (result,) = [each for each in lms.ispring.results() if each.course == course_of(lms)]
    assert result.due is not None
    assert result.due.date() == day

    later = day + timedelta(days=10)
    plan = runs.plan(wanted(lms, amara, bence, due_date=later))
    assert plan["changes"] == {"update": 1, "enroll": 1}
    assert "| due_date | 1 |" in plan["summary"]
    assert runs.apply(plan) == {"done": 2}
    found = {each.user.id: each for each in lms.ispring.results() if each.course == course_of(lms)}
    assert {each.due and each.due.date() for each in found.values()} == {later}
    assert found[amara.id].enrollment_id == result.enrollment_id
    assert found[amara.id].access.date() == result.access.date()
    assert runs.plan(wanted(lms, amara, bence, due_date=later))["unchanged"] == 2


@pytest.mark.parametrize(("due", "expected"), [("default", 30), ("unlimited", None)])
def test_without_a_due_date_the_course_or_nothing_sets_one(
    due: str, expected: int | None, lms: Simulator, runs: Runs
) -> None:
    runs.apply(runs.plan(wanted(lms, lms.ispring.users[0]), due=due))
    (result,) = [each for each in lms.ispring.results() if each.course == course_of(lms)]
    assert (result.due and (result.due - result.access).days) == expected


@pytest.mark.parametrize("reenroll", ["second", "restarted", "moved"])
def test_a_yearly_course_is_repeated_once_it_is_over(reenroll: Any, lms: Simulator, runs: Runs) -> None:
    lms.ispring.reenroll = reenroll
    account, course = lms.ispring, course_of(lms)
    done, learning, new, recent = account.users[:4]
    last_year, today = clock.utcnow() - timedelta(days=400), clock.utcnow().date()
    for user in (done, learning):
        account.enroll(user, course, access=last_year)
    account.record(done, course, "passed", completion=last_year + timedelta(days=9))
    account.record(learning, course, "in_progress")
    account.enroll(recent, course)
    rows = wanted(lms, done, learning, new, recent, enrolled_since=str(today - timedelta(days=30)))
    plan = runs.plan(rows)
    assert (plan["changes"], plan["skipped"], plan["unchanged"]) == ({"enroll": 1, "reenroll": 1}, {"not_over": 1}, 1)
    assert runs.apply(plan) == {"done": 2, "skipped": 1}
    assert account.state.enrollments_of(done.id, course.id)[-1].access.date() >= today - timedelta(days=1)
    assert account.state.enrollments_of(learning.id, course.id)[-1].status == "in_progress"
    again = runs.plan(rows)
    assert (again["changes"], again["unchanged"]) == ({}, 3)


def test_the_case_of_a_course_id_does_not_matter(lms: Simulator, runs: Runs) -> None:
    amara, bence = lms.ispring.users[:2]
    lms.ispring.enroll(amara, course_of(lms))
    rows = wanted(lms, amara, bence)
    rows[0]["course_id"] = rows[0]["course_id"].upper()
    plan = runs.plan(rows, manage=everybody(lms), removals="unenroll", max_removals="100%")
    assert (plan["changes"], plan["unchanged"]) == ({"enroll": 1}, 1)
    assert runs.apply(plan) == {"done": 1}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "UTC"])
def test_the_zone_of_the_account_moves_no_date_again_and_again(zone: str, lms: Simulator, runs: Runs) -> None:
    lms.ispring.time_zone = ZoneInfo(zone)
    user, course = lms.ispring.users[0], course_of(lms)
    today = clock.utcnow().date()
    lms.ispring.enroll(user, course, access=clock.utcnow() - timedelta(days=400))
    lms.ispring.record(user, course, "passed")
    rows = wanted(lms, user, enrolled_since=str(today), due_date=str(today + timedelta(days=30)))
    assert runs.apply(runs.plan(rows)) == {"done": 1}
    lms.ispring.record(user, course, "passed")
    assert runs.plan(rows)["changes"] == {}, "nobody repeats a course twice for the same day"

    begun = lms.ispring.state.enrollments_of(user.id, course.id)[-1].access.date()
    for days in (40, 50, 60):
        due = today + timedelta(days=days)
        plan = runs.plan(wanted(lms, user, due_date=str(due)))
        assert plan["changes"] == {"update": 1}
        assert runs.apply(plan) == {"done": 1}
        result = lms.ispring.state.enrollments_of(user.id, course.id)[-1]
        assert abs((result.access.date() - begun).days) <= 1, "the access date moves with each request"
        assert runs.plan(wanted(lms, user, due_date=str(due)))["changes"] == {}


def test_dates_that_the_lms_does_not_take_are_not_called_done(lms: Simulator, runs: Runs) -> None:
    user, course = lms.ispring.users[0], course_of(lms)
    later = (clock.utcnow() + timedelta(days=20)).date()
    plan = runs.plan(wanted(lms, user, access_date=str(later)), due="unlimited")

    def with_other_dates(_: Request, reply: Reply) -> Reply:
        lms.ispring.enroll(user, course, due=clock.utcnow())
        return replace(reply, status=201, raw=b"")

    lms.ispring.fail("POST /enrollment", with_other_dates, before=True)
    with fake_clock(), pytest.raises(AirflowException, match=r"1 changes were sent and cannot be confirmed"):
        runs.apply(plan)
    assert writes(lms) == 1


def test_a_result_with_an_unknown_status_is_not_lost_by_a_removal(lms: Simulator, runs: Runs) -> None:
    user = lms.ispring.users[0]
    lms.ispring.enroll(user, course_of(lms))
    lms.ispring.record(user, course_of(lms), "certified")
    plan = runs.plan(wanted(lms, lms.ispring.users[1]), manage=everybody(lms), removals="unenroll", max_removals=1)
    assert (plan["changes"], plan["skipped"]) == ({"enroll": 1}, {"completed": 1})


def test_an_enrollment_of_the_future_waits(lms: Simulator, runs: Runs) -> None:
    user, course = lms.ispring.users[0], course_of(lms)
    lms.ispring.enroll(user, course)
    plan = runs.plan(wanted(lms, user, enrolled_since=str((clock.utcnow() + timedelta(days=9)).date())))
    assert (plan["changes"], plan["skipped"]) == ({}, {"not_yet": 1})


def managed_department(lms: Simulator) -> tuple[str, list[User]]:
    """A department with sub-departments, and who is active in them."""
    shops = lms.ispring.world.departments[2]
    inside = {shops.id, *(each.id for each in lms.ispring.world.departments if each.parent_id == shops.id)}
    return shops.id, [user for user in lms.ispring.users if user.department_id in inside]


def test_only_managed_people_are_touched_and_only_if_asked_for(lms: Simulator, runs: Runs) -> None:
    department, people = managed_department(lms)
    stays, leaves = people[:2]
    outside = next(user for user in lms.ispring.users if user not in people)
    for user in (stays, leaves, outside):
        lms.ispring.enroll(user, course_of(lms))
    rows, manage = wanted(lms, stays, outside), {"department_ids": [department]}
    plan = runs.plan(rows, manage=manage)
    assert (plan["changes"], plan["skipped"]) == ({}, {"out_of_scope": 1})

    plan = runs.plan(rows, manage=manage, removals="unenroll", max_removals="50%")
    assert plan["changes"] == {"unenroll": 1}
    assert runs.apply(plan) == {"done": 1, "skipped": 1}
    assert learners(lms) == ids(stays, outside)


def test_who_may_be_meant_by_a_row_is_not_removed(lms: Simulator, runs: Runs) -> None:
    first, second, inactive = lms.ispring.users[0], lms.ispring.users[1], lms.ispring.users[-1]
    lms.ispring.state.change_users(
        [user.__class__(**{**vars(user), "profile": (("EMPLOYEE_NO", "7"),)}) for user in (first, second)]
    )
    lms.ispring.state.change_users([inactive.__class__(**{**vars(inactive), "profile": (("EMPLOYEE_NO", "8"),)})])
    for user in (first, second, inactive):
        lms.ispring.enroll(user, course_of(lms))
    rows = [{"EMPLOYEE_NO": number, "course_id": course_of(lms).id} for number in (7, 8)]
    manage = everybody(lms)
    plan = runs.plan(rows, match_by="fields.EMPLOYEE_NO", manage=manage, removals="unenroll", max_removals="100%")
    assert (plan["changes"], plan["skipped"]) == ({}, {"ambiguous": 1, "inactive": 1})


def test_a_result_is_not_lost_by_a_removal(lms: Simulator, runs: Runs) -> None:
    done, learning, wanted_one = lms.ispring.users[:3]
    for user in (done, learning):
        lms.ispring.enroll(user, course_of(lms))
    lms.ispring.record(done, course_of(lms), "passed")
    plan = runs.plan(wanted(lms, wanted_one), manage=everybody(lms), removals="unenroll", max_removals="50%")
    assert (plan["changes"], plan["skipped"]) == ({"enroll": 1, "unenroll": 1}, {"completed": 1})
    runs.apply(plan)
    assert learners(lms) == ids(done, wanted_one)


def test_who_was_moved_meanwhile_keeps_the_course(lms: Simulator, runs: Runs) -> None:
    user = lms.ispring.users[0]
    lms.ispring.enroll(user, course_of(lms))
    plan = runs.plan(wanted(lms, lms.ispring.users[1]), manage=everybody(lms), removals="unenroll", max_removals=1)
    other = next(each.id for each in lms.ispring.world.departments if each.id != user.department_id)
    lms.ispring.state.change_users([user.__class__(**{**vars(user), "department_id": other})])
    assert runs.apply(plan) == {"done": 1, "changed": 1}
    assert user.id in learners(lms)


def test_a_report_is_written_if_the_lms_fails_in_the_middle(lms: Simulator, runs: Runs) -> None:
    first, second = lms.ispring.courses[:2]
    users = lms.ispring.users[:2]
    for course in (first, second):
        lms.ispring.unenroll(users[0], course)
    plan = runs.plan([{"user_id": users[0].id, "course_id": course.id} for course in (first, second)])
    lms.ispring.fail("POST /enrollment", faults.status(403), on=2, before=True)
    with pytest.raises(AirflowFailException, match=r"HTTP 403"):
        runs.apply(plan)
    assert sorted(runs.outcomes()) == ["done", "open"]
    with fake_clock():
        assert runs.apply(plan) == {"done": 2}


def test_who_chose_the_course_keeps_it(lms: Simulator, runs: Runs) -> None:
    user = lms.ispring.users[0]
    lms.ispring.enroll(user, course_of(lms))
    lms.ispring.fail("GET /enrollments", faults.content(_all_from_catalog))
    options = {"manage": everybody(lms), "removals": "unenroll", "max_removals": "100%"}
    plan = runs.plan(wanted(lms, lms.ispring.users[1]), **options)
    assert plan["changes"] == {"enroll": 1}
    assert plan["skipped"] == {"self_enrolled": 1}


def _all_from_catalog(page: Any) -> Any:
    return {**page, "enrollments": [{**each, "enrollmentTypeGroup": 1} for each in page["enrollments"]]}


def test_groups_are_managed_as_well(lms: Simulator, runs: Runs) -> None:
    group = lms.ispring.world.groups[2]
    outside = next(user for user in lms.ispring.users if user not in group.members)
    plan = runs.plan(wanted(lms, group.members[0], outside), manage={"group_ids": group.id})
    assert (plan["changes"], plan["skipped"]) == ({"enroll": 1}, {"out_of_scope": 1})


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_changes": 3}, "4 changes, and max_changes is 3."),
        ({"max_removals": 2}, "3 people would lose something, and max_removals is 2."),
        ({"max_removals": "5%"}, "3 people would lose something, and max_removals is 5% of 3 people, which is 0."),
    ],
)
def test_a_plan_that_changes_too_much_fails_and_cannot_be_applied(
    limits: dict[str, Any], message: str, lms: Simulator, runs: Runs
) -> None:
    for user in lms.ispring.users[:3]:
        lms.ispring.enroll(user, course_of(lms))
    given = {"manage": everybody(lms), "removals": "unenroll", "max_removals": 3, **limits}
    with pytest.raises(AirflowFailException, match=message):
        runs.plan(wanted(lms, lms.ispring.users[5]), **given)
    # It was written, so that people can look at it.
    manifest = json.loads((runs.plans / "_manifest.json").read_text())
    plan = {"plan": str(runs.plans), "sha256": manifest["query"]["sha256"]}
    with pytest.raises(AirflowFailException, match=r"^plan: it must not be applied"):
        runs.apply(plan)
    assert writes(lms) == 0


def test_only_an_approved_plan_is_applied(lms: Simulator, runs: Runs) -> None:
    rows = wanted(lms, lms.ispring.users[0])
    first = runs.plan(rows)
    second = runs.plan(rows)  # the same changes, made anew
    assert first["sha256"] != second["sha256"]
    for wrong in (first["sha256"], "None"):
        with pytest.raises(AirflowFailException, match=r"^approved_hash: this is not the plan that was approved"):
            runs.apply(second, approved_hash=wrong)
    with pytest.raises(AirflowFailException, match=r"^approved_hash: it is empty, so no plan was approved"):
        runs.apply(second, approved_hash="")
    assert writes(lms) == 0
    assert runs.apply(second) == {"done": 1}


def test_a_change_tells_the_row_that_asks_for_it(lms: Simulator, runs: Runs) -> None:
    amara, bence, chloe = lms.ispring.users[:3]
    runs.apply(runs.plan(wanted(lms, chloe)))
    rows = [*wanted(lms, amara), {"user_id": "nobody", "course_id": course_of(lms).id}, *wanted(lms, bence)]
    runs.plan(rows, manage=everybody(lms), removals="unenroll", max_removals="100%")
    found = {(each["action"], each["personId"]): each["row"] for each in runs.rows()}
    assert found == {
        ("enroll", amara.id): 1,
        ("skip", None): 2,
        ("enroll", bence.id): 3,
        ("unenroll", chloe.id): None,
    }


def test_due_dates_in_the_past_are_noted(lms: Simulator, runs: Runs) -> None:
    today = clock.utcnow().date()
    amara, bence = lms.ispring.users[:2]
    rows = [*wanted(lms, amara, due_date=f"{today - timedelta(days=1)}"), *wanted(lms, bence, due_date=f"{today}")]
    assert "* Changes with a due date in the past: 1." in runs.plan(rows)["summary"]
    assert "in the past" not in runs.plan(rows[1:])["summary"]


def test_a_plan_that_was_applied_before_says_so_and_sends_nothing(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, lms.ispring.users[0]))
    assert "had been applied before" not in runs.applied(plan)["summary"]
    sent = writes(lms)
    again = runs.applied(plan)
    assert "**This plan had been applied before.**" in again["summary"]
    assert again["outcomes"] == {"done": 1}
    assert writes(lms) == sent


def test_the_title_of_a_course_is_not_taken_for_its_id(lms: Simulator, runs: Runs) -> None:
    rows = [*wanted(lms, lms.ispring.users[0]), {"user_id": lms.ispring.users[1].id, "course_id": "Fire safety 1"}]
    with pytest.raises(ValueError, match=r"^desired: row 2: course_id: expected the id of a course") as error:
        runs.plan(rows)
    assert "Fire" not in str(error.value), "a misplaced column may be about a person"


def test_a_profile_field_that_nobody_has_is_named(lms: Simulator, runs: Runs) -> None:
    rows = [{"NOPE": "1", "course_id": course_of(lms).id}]
    with pytest.raises(ValueError, match=r"^match_by: nobody in the account has a value in 'fields.NOPE'"):
        runs.plan(rows, match_by="fields.NOPE")


@pytest.mark.parametrize("match_by", ["email", "user_id", "fields.NUMBER"])
def test_who_loses_an_enrollment_is_named_in_the_plan_as_rows_name_people(
    match_by: str, lms: Simulator, runs: Runs
) -> None:
    amara, bence = lms.ispring.users[:2]
    lms.ispring.state.change_users([replace(amara, profile=(("NUMBER", "1"),))])
    runs.apply(runs.plan(wanted(lms, amara, bence)))
    manage = {"manage": everybody(lms), "removals": "unenroll", "max_removals": "100%"}
    keys = {"email": "email", "user_id": "user_id", "fields.NUMBER": "NUMBER"}
    rows = [{keys[match_by]: "somebody", "course_id": course_of(lms).id}]
    runs.plan(rows, match_by=match_by, **manage)
    named = {row["personId"]: row["person"] for row in runs.rows() if row["action"] == "unenroll"}
    number = {"email": amara.email, "user_id": amara.id, "fields.NUMBER": "1"}[match_by]
    assert named[amara.id] == number
    assert named[bence.id] == (bence.id if match_by == "user_id" else bence.email)


def test_a_plan_is_for_its_own_account(lms: Simulator, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = runs.plan(wanted(lms, lms.ispring.users[0]))
    connection = {**lms.connection("ispring_learn"), "extra": {"account": "another"}}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps({"conn_type": "ispring_learn", **connection}))
    with pytest.raises(AirflowFailException, match=r"^plan: it is about the account"):
        runs.apply(plan)


def test_one_person_who_is_gone_keeps_nobody_else_from_it(lms: Simulator, runs: Runs) -> None:
    amara, bence, chloe = lms.ispring.users[:3]
    plan = runs.plan(wanted(lms, amara, bence, chloe))
    del lms.ispring.state.users[bence.id]
    with pytest.raises(AirflowFailException, match=r"has refused 1 of the changes"):
        runs.apply(plan)
    assert learners(lms) == ids(amara, chloe)
    assert "HTTP 400" in str(runs.details()[bence.id])
    assert bence.id not in str(runs.details()[bence.id])


def test_what_cannot_be_confirmed_fails_the_task_and_a_retry_goes_on(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, *lms.ispring.users[:2]))
    lms.ispring.fail("POST /enrollment", faults.status(503), times=3, before=True)
    with fake_clock():
        with pytest.raises(AirflowException, match=r"2 changes were sent and cannot be confirmed. A retry reads"):
            runs.apply(plan)
        # It is sent three times at most, by all attempts together. A new plan shows what is missing.
        with pytest.raises(AirflowException, match=r"2 changes"):
            runs.apply(plan)
        assert runs.apply(runs.plan(wanted(lms, *lms.ispring.users[:2]))) == {"done": 2}


def test_a_connection_that_may_not_write_fails_the_task(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, *lms.ispring.users[:2]))
    lms.ispring.forbidden.add("POST /enrollment")
    with pytest.raises(AirflowFailException, match=r"HTTP 403"):
        runs.apply(plan)
    lms.ispring.forbidden.clear()
    with fake_clock():
        assert runs.apply(plan) == {"done": 2}


def test_a_rate_limit_is_waited_for(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, *lms.ispring.users[:2]))
    lms.ispring.fail("POST /enrollment", faults.status(429, **{"Retry-After": "30"}), before=True)
    with fake_clock() as time:
        assert runs.apply(plan) == {"done": 2}
        assert sum(time.naps) >= 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "preview"}, "mode: expected 'plan' or 'apply'"),
        ({"desired": None}, "desired: mode='plan' needs it"),
        ({"approved_hash": "x"}, "approved_hash: leave it out with mode='plan'"),
        ({"mode": "apply"}, "desired: leave it out with mode='apply'"),
        ({"mode": "apply", "desired": None}, "plan: mode='apply' needs it"),
        ({"mode": "apply", "desired": None, "plan": "/x"}, "approved_hash: mode='apply' needs it"),
        ({"match_by": "name"}, "match_by: expected user_id, email, login or a profile field"),
        ({"match_by": "fields."}, "match_by: expected"),
        ({"removals": "delete"}, "removals: expected 'never' or 'unenroll'"),
        ({"removals": "unenroll"}, "manage: removals='unenroll' needs departments"),
        ({"manage": {}}, "manage: expected an object with department_ids, group_ids, course_ids"),
        ({"manage": {"users": []}}, "manage: expected an object with"),
        ({"manage": {"department_ids": None}}, r"manage\['department_ids'\]: expected ids, got None"),
        ({"manage": {"course_ids": ["x"]}, "removals": "unenroll"}, "manage: removals='unenroll' needs departments"),
        ({"manage": {"group_ids": []}}, r"manage\['group_ids'\]: the list is empty"),
        ({"due": "tomorrow"}, "due: expected 'default' or 'unlimited'"),
        ({"max_changes": 0}, "max_changes: expected a whole number"),
        ({"max_removals": "all"}, "max_removals: expected a number of people"),
        ({"desired": []}, "desired: there are no rows"),
        ({"desired": [{"user_id": "x", "course_id": "y", "due_date": "soon"}]}, "desired: row 1: due_date: expected"),
        ({"output_format": "xlsx"}, "output_format: expected"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], message: str, lms: Simulator, tmp_path: Path) -> None:
    given = {
        "desired": wanted(lms, lms.ispring.users[0]),
        "match_by": "user_id",
        "output_path": str(tmp_path),
        **options,
    }
    with pytest.raises(ValueError, match=f"^{message}"):
        ISpringEnrollmentSyncOperator(task_id="t", **given).execute({})
    assert writes(lms) == 0


def test_an_unknown_department_is_named(lms: Simulator, runs: Runs) -> None:
    with pytest.raises(ValueError, match=r"^manage: the LMS has no department 4b4ad5f7"):
        runs.plan(wanted(lms, lms.ispring.users[0]), manage={"department_ids": "4b4ad5f7-0000-4000-8000-000000000000"})


def test_the_report_does_not_replace_the_plan(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan(wanted(lms, lms.ispring.users[0]))
    with pytest.raises(ValueError, match=r"^output_path: give the report another folder"):
        runs.apply(plan, output_path=plan["plan"])
    assert runs.apply(plan) == {"done": 1}


def test_airflow_shows_no_rows_among_the_rendered_parameters(lms: Simulator, tmp_path: Path) -> None:
    rows = [{"email": lms.ispring.users[0].email, "course_id": course_of(lms).id}]
    task = ISpringEnrollmentSyncOperator(task_id="t", desired=rows, output_path=str(tmp_path))
    task.render_template_fields({})
    assert str(task.desired) == "<1 rows>"
    assert lms.ispring.users[0].email not in str({name: str(getattr(task, name)) for name in task.template_fields})
    assert task.execute({})["sha256"]  # and the rows are still there


def test_nobody_is_named_outside_the_plan(lms: Simulator, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    amara = lms.ispring.users[0]
    plan = runs.plan([{"email": amara.email, "course_id": course_of(lms).id}], match_by="email")
    assert amara.email in runs.texts()
    runs.apply(plan)
    for text in (json.dumps(plan), caplog.text):
        for private in (amara.email, amara.id, amara.last_name):
            assert private not in text
