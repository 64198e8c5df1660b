"""People in iSpring Learn: what is planned, and what comes of it in the simulated LMS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_lms.operators.ispring import ISpringEnrollmentSyncOperator, ISpringPeopleSyncOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.people import ACTIVE, BLOCKED, TERMINATED, Role, User
from airflow_provider_lms.testing import fake_clock
from tests.sync.runs import Runs

COLUMNS = {"person": "number", "email": "mail", "login": "account", "department": "unit", "fields.JOB_TITLE": "title"}
MANAGER = {**COLUMNS, "manager": "boss", "active": "works_here"}


@pytest.fixture
def runs(lms: Simulator, tmp_path: Path) -> Runs:
    """Everybody has a number: 0, 1, 2 and so on."""
    users = lms.ispring.users
    lms.ispring.state.change_users(
        replace(user, profile=(("EMPLOYEE_NO", str(n)), ("JOB_TITLE", "Cook"))) for n, user in enumerate(users)
    )
    return Runs(ISpringPeopleSyncOperator, tmp_path, match_by="fields.EMPLOYEE_NO", columns=MANAGER)


def by_number(lms: Simulator) -> dict[str, User]:
    return {dict(user.profile)["EMPLOYEE_NO"]: user for user in lms.ispring.users if user.profile}


def row(number: object, **more: object) -> dict[str, Any]:
    return {"number": number, **more}


NEW = {"mail": "new@example.com", "account": "new", "unit": "Warehouse", "title": "Driver"}


def test_a_new_person_gets_an_account_and_no_mail(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row("N1", **NEW)])
    assert plan["changes"] == {"create": 1}
    assert runs.apply(plan) == {"done": 1}
    user = by_number(lms)["N1"]
    assert (user.email, user.login, dict(user.profile)["JOB_TITLE"]) == ("new@example.com", "new", "Driver")
    assert user.department_id == lms.ispring.world.departments[1].id
    assert lms.ispring.invitations == []
    again = runs.plan([row("N1", **NEW)])
    assert (again["changes"], again["unchanged"]) == ({}, 1)


def test_an_invitation_is_sent_if_asked_for(lms: Simulator, runs: Runs) -> None:
    runs.apply(runs.plan([row("N1", **NEW)], send_invitation=True))
    assert len(lms.ispring.invitations) == 1


@pytest.mark.parametrize("is_lost", [True, False])
def test_nobody_is_created_twice(is_lost: bool, lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row("N1", **NEW)])
    lms.ispring.fail("POST /user", faults.lost_reply() if is_lost else faults.status(503), before=not is_lost)
    with fake_clock():
        assert runs.apply(plan) == {"done": 1}
    assert lms.ispring.count("POST /user") == (1 if is_lost else 2)
    assert sum(user.email == NEW["mail"] for user in lms.ispring.users) == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mail": None}, "lacks_values"),
        ({"account": ""}, "lacks_values"),
        ({"unit": None}, "lacks_values"),
        ({"unit": "Moon base"}, "unknown_department"),
        ({"mail": "LEARNER3@example.com"}, "taken"),
        ({"account": "learner3"}, "taken"),
    ],
)
def test_an_account_that_cannot_be_made_is_listed(
    changed: dict[str, Any], reason: str, lms: Simulator, runs: Runs
) -> None:
    plan = runs.plan([row("N1", **{**NEW, **changed})])
    assert (plan["changes"], plan["skipped"]) == ({}, {reason: 1})


def test_an_account_may_have_nothing_but_login_and_address(lms: Simulator, runs: Runs) -> None:
    row_ = {"email": "new@example.com", "login": "new", "department": "Warehouse"}
    plan = runs.plan([row_], match_by="email", columns=None)
    assert runs.apply(plan) == {"done": 1}
    assert any(user.email == "new@example.com" for user in lms.ispring.users)


def test_nobody_is_created_by_an_id(lms: Simulator, runs: Runs) -> None:
    row_ = {
        "user_id": "4b4ad5f7-0000-4000-8000-000000000000",
        "email": "n@example.com",
        "login": "n",
        "department": "Shops",
    }
    assert runs.plan([row_], match_by="user_id", columns=None)["skipped"] == {"not_found": 1}


def test_two_new_people_cannot_have_one_address(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row("N1", **NEW), row("N2", **{**NEW, "account": "other", "mail": "NEW@example.com"})])
    assert (plan["changes"], plan["skipped"]) == ({"create": 1}, {"taken": 1})


def test_nobody_gets_the_address_of_somebody_else(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row(3, mail=by_number(lms)["4"].email)])
    assert (plan["changes"], plan["skipped"]) == ({}, {"taken": 1})


def test_the_manager_of_a_new_person_is_announced_for_the_next_plan(lms: Simulator, runs: Runs) -> None:
    rows = [row("N1", **NEW, boss=5)]
    plan = runs.plan(rows)
    assert "New people who get their manager by the next plan, once they exist: 1." in plan["summary"]
    runs.apply(plan)
    assert runs.plan(rows)["changes"] == {"set_manager": 1}


def test_the_manager_of_a_new_person_may_be_new_as_well(runs: Runs) -> None:
    other = {**NEW, "mail": "second@example.com", "account": "second"}
    plan = runs.plan([row("N1", **NEW, boss="n2"), row("N2", **other)])
    assert (plan["changes"], plan["skipped"]) == ({"create": 2}, {})


def test_a_manager_of_a_new_person_who_does_not_exist_is_listed(runs: Runs) -> None:
    plan = runs.plan([row("N1", **NEW, boss="nobody")])
    assert (plan["changes"], plan["skipped"]) == ({"create": 1}, {"unknown_manager": 1})
    assert "by the next plan" not in plan["summary"]


def test_a_profile_field_that_nobody_has_is_noted(runs: Runs) -> None:
    plan = runs.plan([row("N1", **NEW)], match_by="fields.NOPE")
    assert "Nobody in the account has a value in fields.NOPE, so nobody was found." in plan["summary"]


def test_only_those_whose_row_says_so_are_deactivated_if_that_is_asked_for(lms: Simulator, runs: Runs) -> None:
    rows = [row(3, works_here=False), row(4, works_here=True)]
    manage = {"department_ids": lms.ispring.world.departments[0].id}
    for options in ({"manage": manage}, {}):
        plan = runs.plan(rows, removals="deactivate_listed", **options)
        assert plan["changes"] == {"deactivate": 1}
    assert runs.apply(plan) == {"done": 1}
    found = {n: user.status for n, user in by_number(lms).items()}
    assert (found["3"], found["4"], found["5"]) == (BLOCKED, ACTIVE, ACTIVE)


def test_who_is_deactivated_without_a_row_is_named_in_the_plan(lms: Simulator, runs: Runs) -> None:
    manage = {"group_ids": lms.ispring.world.groups[2].id}
    runs.plan([row("nobody")], manage=manage, removals="deactivate", max_removals="100%")
    named = {each["personId"]: each["person"] for each in runs.rows() if each["action"] == "deactivate"}
    numbers = {user.id: number for number, user in by_number(lms).items()}
    assert named
    assert named == {user_id: numbers[user_id] for user_id in named}


def test_nobody_is_put_where_the_plan_may_not_reach(lms: Simulator, runs: Runs) -> None:
    home, shops = lms.ispring.world.departments[1], lms.ispring.world.departments[2]
    worker = next(n for n, user in by_number(lms).items() if user.department_id == home.id and user.status == ACTIVE)
    rows = [row("N1", **{**NEW, "unit": shops.id}), row(worker, unit=shops.id)]
    plan = runs.plan(rows, manage={"department_ids": home.id})
    assert (plan["changes"], plan["skipped"]) == ({}, {"out_of_scope": 2})


def test_a_plan_of_another_kind_is_refused(lms: Simulator, runs: Runs, tmp_path: Path) -> None:
    others = Runs(ISpringEnrollmentSyncOperator, tmp_path / "other", match_by="user_id")
    plan = others.plan([{"user_id": lms.ispring.users[0].id, "course_id": "4b4ad5f7-0000-4000-8000-000000000000"}])
    with pytest.raises(AirflowFailException, match=r"^plan: it is about enrollments, and this operator changes people"):
        runs.apply(plan)


def test_no_account_is_made_if_nobody_wants_it(lms: Simulator, runs: Runs) -> None:
    assert runs.plan([row("N1", **NEW)], create=False)["skipped"] == {"not_found": 1}
    gone = runs.plan([row("N1", **NEW, works_here="no")])
    assert (gone["changes"], gone["skipped"], gone["unchanged"]) == ({}, {}, 1)


def test_people_are_moved_updated_and_get_a_manager(lms: Simulator, runs: Runs) -> None:
    users, departments = by_number(lms), lms.ispring.world.departments
    other = next(each for each in departments if each.id != users["3"].department_id)
    plan = runs.plan([row(3, unit=other.id, title="Chef", boss="5", mail=users["3"].email.upper())])
    assert plan["changes"] == {"move": 1, "update": 1, "set_manager": 1}
    assert "| JOB_TITLE | 1 |" in plan["summary"]
    assert runs.apply(plan) == {"done": 3}
    user = by_number(lms)["3"]
    assert (user.department_id, dict(user.profile)["JOB_TITLE"]) == (other.id, "Chef")
    assert user.supervisor_id == users["5"].id
    assert dict(user.profile)["EMPLOYEE_NO"] == "3"
    assert runs.plan([row(3, unit=other.name, title="Chef", boss=5)])["changes"] == {}


def test_what_a_row_leaves_empty_stays(lms: Simulator, runs: Runs) -> None:
    before = by_number(lms)["3"]
    plan = runs.plan([row(3, unit="", title=None, boss="", works_here="")])
    assert (plan["changes"], plan["unchanged"]) == ({}, 1)
    assert by_number(lms)["3"] == before


@pytest.mark.parametrize("boss", ["nobody", "3"])
def test_a_manager_who_is_not_found_is_listed(boss: str, lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row(3, boss=boss)])
    assert (plan["changes"], plan["skipped"]) == ({}, {"unknown_manager": 1})


def test_leavers_are_deactivated_only_if_asked_for(lms: Simulator, runs: Runs) -> None:
    department = by_number(lms)["3"].department_id
    manage = {"department_ids": department}
    plan = runs.plan([row(3, works_here=False)], manage=manage)
    assert (plan["changes"], plan["skipped"]) == ({}, {"removals_off": 1})

    staff = [n for n, user in by_number(lms).items() if user.department_id == department and user.status == ACTIVE]
    rows = [row(n, works_here=n != "3") for n in staff]
    plan = runs.plan(rows, manage=manage, removals="deactivate", max_removals=1)
    assert plan["changes"] == {"deactivate": 1}
    assert runs.apply(plan) == {"done": 1}
    assert {n: user.status for n, user in by_number(lms).items() if n in staff} == {
        n: BLOCKED if n == "3" else ACTIVE for n in staff
    }


def test_managed_people_without_a_row_are_deactivated_only_if_asked_for(lms: Simulator, runs: Runs) -> None:
    manage = {"group_ids": lms.ispring.world.groups[2].id}
    members = [
        user for user in lms.ispring.world.groups[2].members if lms.ispring.state.users[user.id].status == ACTIVE
    ]
    rows = [row(n) for n, user in by_number(lms).items() if user.id in {each.id for each in members[1:]}]
    assert runs.plan(rows, manage=manage)["changes"] == {}
    plan = runs.plan(rows, manage=manage, removals="deactivate", max_removals="10%")
    assert plan["changes"] == {"deactivate": 1}
    runs.apply(plan)
    assert lms.ispring.state.users[members[0].id].status == BLOCKED
    assert all(lms.ispring.state.users[each.id].status == ACTIVE for each in members[1:])


def test_who_may_be_meant_by_a_row_is_not_deactivated(lms: Simulator, runs: Runs) -> None:
    users = by_number(lms)
    lms.ispring.state.change_users([replace(users["4"], profile=(("EMPLOYEE_NO", "3"),))])
    department = users["3"].department_id
    lms.ispring.state.change_users(
        replace(lms.ispring.state.users[users[n].id], department_id=department) for n in ("4", "5")
    )
    for changed in ({}, {"unit": None}, {"unit": "Moon base"}, {"number": ""}):
        new_number = row("N5", **{**NEW, "unit": department, "mail": users["5"].email}) | changed
        runs.plan(
            [row(3), new_number], manage={"department_ids": department}, removals="deactivate", max_removals="100%"
        )
        deactivated = {person for action, person, _ in runs.planned() if action == "deactivate"}
        assert deactivated
        assert not deactivated & {users[n].id for n in "345"}, changed


def test_who_was_moved_or_promoted_meanwhile_is_not_deactivated(lms: Simulator, runs: Runs) -> None:
    users, department = by_number(lms), by_number(lms)["3"].department_id
    lms.ispring.state.change_users(replace(users[n], department_id=department) for n in "345")
    rows = [row(n, works_here="no") for n in "345"]
    options = {"manage": {"department_ids": department}, "removals": "deactivate", "max_removals": "100%"}
    staff = [row(n) for n, user in by_number(lms).items() if n not in {*"345"}]
    plan = runs.plan([*rows, *staff], **options)
    elsewhere = next(each.id for each in lms.ispring.world.departments if each.id != department)
    three, four = lms.ispring.state.users[users["3"].id], lms.ispring.state.users[users["4"].id]
    lms.ispring.state.change_users([replace(three, department_id=elsewhere), replace(four, role="administrator")])
    outcomes = runs.apply(plan)
    assert (outcomes["done"], outcomes["changed"]) == (1, 2)
    assert [by_number(lms)[n].status for n in "345"] == [ACTIVE, ACTIVE, BLOCKED]


@pytest.mark.parametrize("role", [None, "owner", "administrator", "custom", "something_new"])
def test_no_administrator_is_deactivated(role: str | None, lms: Simulator, runs: Runs) -> None:
    boss = by_number(lms)["3"]
    changed = {"role": "administrator"} if role is None else {"roles": (Role("r", "learner"), Role("o", role))}
    lms.ispring.state.change_users([replace(boss, **changed)])
    plan = runs.plan(
        [row(3, works_here=False)],
        manage={"department_ids": boss.department_id},
        removals="deactivate",
        max_removals=99,
    )
    assert plan["skipped"]["administrator"] == 1


@pytest.mark.parametrize(
    ("status", "works_here", "changes", "skipped"),
    [
        (BLOCKED, "yes", {"activate": 1}, {}),
        (BLOCKED, "", {}, {"inactive": 1}),
        (TERMINATED, "yes", {}, {"inactive": 1}),
        (ACTIVE, "yes", {}, {}),
    ],
)
def test_who_comes_back_is_activated(
    status: int, works_here: str, changes: dict[str, int], skipped: dict[str, int], lms: Simulator, runs: Runs
) -> None:
    lms.ispring.state.change_users([replace(by_number(lms)["3"], status=status)])
    plan = runs.plan([row(3, works_here=works_here)])
    assert (plan["changes"], plan["skipped"]) == (changes, skipped)
    runs.apply(plan)
    assert by_number(lms)["3"].status == (ACTIVE if changes or status == ACTIVE else status)


def test_a_person_who_was_changed_meanwhile_is_left_alone(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row(3, title="Chef"), row(4, title="Chef")])
    user = by_number(lms)["3"]
    lms.ispring.state.change_users([replace(user, profile=(("EMPLOYEE_NO", "3"), ("JOB_TITLE", "Boss")))])
    assert runs.apply(plan) == {"done": 1, "changed": 1}
    assert runs.details()[user.id] == "JOB_TITLE: not as in the plan."
    assert dict(by_number(lms)["3"].profile)["JOB_TITLE"] == "Boss"


def test_duplicates_and_strangers_are_listed(lms: Simulator, runs: Runs) -> None:
    other = next(user for user in lms.ispring.users if user.department_id != by_number(lms)["3"].department_id)
    stranger = dict(other.profile)["EMPLOYEE_NO"]
    rows = [row(3), row("3"), row("N1", **NEW), row("n1 ", **NEW), row(None), row(stranger, title="Chef")]
    plan = runs.plan(rows, manage={"department_ids": by_number(lms)["3"].department_id})
    assert plan["changes"] == {"create": 1}
    assert plan["skipped"] == {"duplicate": 2, "no_person": 1, "out_of_scope": 1}


def test_a_refusal_is_reported_and_the_others_are_done(lms: Simulator, runs: Runs) -> None:
    plan = runs.plan([row(3, title="Chef"), row(4, title="Chef")])
    lms.ispring.fail(f"POST /user/{by_number(lms)['3'].id}", faults.status(400), before=True)
    with pytest.raises(AirflowFailException, match="has refused 1 of the changes"):
        runs.apply(plan)
    assert [dict(by_number(lms)[n].profile)["JOB_TITLE"] for n in "34"] == ["Cook", "Chef"]


def test_an_update_names_login_and_e_mail_address_as_the_vendor_wants_it(lms: Simulator, runs: Runs) -> None:
    user = by_number(lms)["3"]
    runs.apply(runs.plan([row(3, title="Chef")]))
    (request,) = [each for each in lms.ispring.requests if each.call == f"POST /user/{user.id}"]
    fields = json.loads(request.body)["fields"]
    assert fields == {"LOGIN": user.login, "EMAIL": user.email, "JOB_TITLE": "Chef"}


def test_people_are_changed_in_few_requests(lms: Simulator, runs: Runs) -> None:
    target = lms.ispring.world.departments[4]
    numbers = [n for n, user in by_number(lms).items() if user.department_id != target.id and user.status == ACTIVE]
    plan = runs.plan([row(n, unit=target.id) for n in numbers])
    before = len(lms.ispring.requests)
    assert runs.apply(plan) == {"done": len(numbers)}
    assert len(numbers) > 20
    assert len(lms.ispring.requests) - before <= 3  # read, move, read back


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"desired": [row(3, works_here="maybe")]}, "desired: row 1: active: expected"),
        ({"removals": "unenroll"}, "removals: expected 'never' or 'deactivate'"),
        ({"removals": "deactivate"}, "manage: removals='deactivate' needs departments"),
        ({"manage": {"course_ids": ["x"]}}, "manage: expected an object with department_ids, group_ids"),
        ({"columns": {"person": "number", "nickname": "x"}}, "columns: 'nickname' is not one of"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], message: str, runs: Runs) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        runs.plan(**{"desired": [row(3)], **options})


def test_nobody_is_named_outside_the_plan(lms: Simulator, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    plan = runs.plan([row("N1", **NEW), row(3, mail="other@example.com")])
    assert "other@example.com" in runs.texts()
    runs.apply(plan)
    for text in (json.dumps(plan), caplog.text):
        for private in (NEW["mail"], "other@example.com", by_number(lms)["3"].id, by_number(lms)["3"].email):
            assert private not in text
