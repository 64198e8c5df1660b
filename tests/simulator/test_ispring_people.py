"""Users, departments and groups that are written to the simulated iSpring Learn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.simulator.ispring_requests import UNKNOWN, Api

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIVE, BLOCKED, TERMINATED = 1, 3, 5


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock(NOW) as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock) -> Iterator[Simulator]:
    with Simulator(World(as_of=NOW.date())) as simulator:
        yield simulator


@pytest.fixture
def api(lms: Simulator) -> Api:
    return Api(lms)


def new_user(lms: Simulator, **other: Any) -> dict[str, Any]:
    fields = {"login": "hana", "Email": "hana@example.com", "FIRST_NAME": "Hana", "job_title": "Welder"}
    return {"departmentId": lms.world.departments[1].id, "fields": fields, **other}


def test_a_user_is_created(lms: Simulator, api: Api) -> None:
    reply = api.post("/user", new_user(lms, groupIds=[lms.world.groups[1].id]))
    assert reply.status_code == 201
    user_id = reply.json()
    assert api.user(user_id) == {
        "userId": user_id,
        "role": "learner",
        "roleId": lms.world.role_id,
        "departmentId": lms.world.departments[1].id,
        "status": ACTIVE,
        "fields": [
            {"name": "EMAIL", "value": "hana@example.com"},
            {"name": "FIRST_NAME", "value": "Hana"},
            {"name": "LOGIN", "value": "hana"},
            {"name": "JOB_TITLE", "value": "Welder"},
        ],
        "addedDate": "2026-03-01T12:00:00+00:00",
        "userRoles": [{"roleId": lms.world.role_id, "roleType": "learner"}],
        "subordination": {"subordinationType": "no_supervisor"},
        "coSubordination": {"subordinationType": "no_supervisor"},
        "groups": [lms.world.groups[1].id],
    }
    assert api.get(f"/group/{lms.world.groups[1].id}")["userIds"][-1] == user_id
    found = api.get("/users/v2", **{"emails[]": "hana@example.com"})["userProfiles"]
    assert [each["userId"] for each in found] == [user_id]
    assert lms.ispring.invitations == []


def test_a_user_is_created_in_xml(lms: Simulator, api: Api) -> None:
    fields = "<login>hana</login><email>hana@example.com</email>"
    xml = f"<response><departmentId>{lms.world.departments[2].id}</departmentId><fields>{fields}</fields></response>"
    reply = api.post("/user", xml=xml, Accept="application/xml")
    assert reply.status_code == 201
    (user,) = api.get("/users/v2", **{"logins[]": "hana"})["userProfiles"]
    assert reply.text.splitlines()[1] == f"<response>{user['userId']}</response>"
    assert user["departmentId"] == lms.world.departments[2].id


@pytest.mark.parametrize(
    "wrong",
    [
        {"departmentId": UNKNOWN},
        {"departmentId": "head office"},
        {"departmentId": None},
        {"fields": None},
        {"fields": {"login": "hana"}},
        {"fields": {"email": "hana@example.com"}},
        {"fields": {"login": "", "email": "hana@example.com"}},
        {"fields": {"login": "hana", "email": "hana@example.com", "AGE": 40}},
        {"fields": {"login": "hana", "email": "LEARNER1@example.com"}},
        {"fields": {"login": "Learner1", "email": "hana@example.com"}},
        {"fields": [{"name": "LOGIN", "value": "hana"}, {"name": "EMAIL", "value": "hana@example.com"}]},
        {"role": "boss"},
        {"roleId": UNKNOWN},
        {"roles": [{"roleId": UNKNOWN}]},
        {"groupIds": [UNKNOWN]},
        {"manageableDepartmentIds": [UNKNOWN]},
        {"sendLoginEmail": "no"},
        {"status": 1},
    ],
)
def test_a_wrong_user_is_refused_and_not_created(wrong: dict[str, Any], lms: Simulator, api: Api) -> None:
    body = {name: value for name, value in (new_user(lms) | wrong).items() if value is not None}
    assert api.post("/user", body).status_code == 400
    assert len(api.get("/users/v2")["userProfiles"]) == 40


@pytest.mark.parametrize(
    ("given", "by_default", "sent"),
    [
        ({}, False, []),
        ({}, True, [("email", None)]),
        ({"sendLoginEmail": False}, True, []),
        ({"sendLoginEmail": True, "invitationMessage": "Welcome"}, False, [("email", "Welcome")]),
        ({"sendLoginSMS": True, "invitationSMSMessage": "Hi"}, False, [("sms", "Hi")]),
    ],
)
def test_invitations_are_counted(
    given: dict[str, Any], by_default: bool, sent: list[tuple[str, str | None]], lms: Simulator, api: Api
) -> None:
    lms.ispring.invites_unless_told = by_default
    user_id = api.post("/user", new_user(lms, **given)).json()
    assert [(each.user_id, each.channel, each.message) for each in lms.ispring.invitations] == [
        (user_id, *each) for each in sent
    ]


def test_only_what_is_named_changes_in_a_user(lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    before = api.profile(user.id)
    reply = api.post(f"/user/{user.id}", {"fields": {"last_name": "Smith", "SHIFT": "Day"}})
    assert (reply.status_code, reply.content) == (200, b"")
    assert api.profile(user.id) == before | {"LAST_NAME": "Smith", "SHIFT": "Day"}
    api.post(f"/user/{user.id}", {"fields": {"SHIFT": ""}})
    assert api.profile(user.id) == before | {"LAST_NAME": "Smith"}
    # The address and the login are the user's own, so they are not taken.
    assert api.post(f"/user/{user.id}", {"fields": {"EMAIL": user.email, "LOGIN": user.login}}).status_code == 200


def test_a_login_stays_when_the_address_changes(lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    api.post(f"/user/{user.id}", {"fields": {"EMAIL": "new@example.com"}})
    assert {name: api.profile(user.id)[name] for name in ("EMAIL", "LOGIN")} == {
        "EMAIL": "new@example.com",
        "LOGIN": "learner1",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": {"EMAIL": "learner2@example.com"}},
        {"fields": {"LOGIN": "learner2"}},
        {"fields": {"EMAIL": ""}},
        {"departmentId": UNKNOWN},
        {"groupIds": [UNKNOWN]},
        {"password": "secret"},
    ],
)
def test_a_wrong_update_changes_nothing(wrong: dict[str, Any], lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    before = api.user(user.id)
    assert api.post(f"/user/{user.id}", {"role": "publisher", **wrong}).status_code == 400
    assert api.user(user.id) == before


@pytest.mark.parametrize(
    "path",
    ["", "/subordination", "/scheduled_deactivation", "/scheduled_termination", "/groups/remove"],
)
def test_an_unknown_user_in_a_path_is_not_found(path: str, lms: Simulator, api: Api) -> None:
    bodies: dict[str, Any] = {"/groups/remove": {"groupIds": [lms.world.groups[1].id]}}
    body = bodies.get(path, {"date": "2026-04-01"} if "scheduled" in path else {})
    assert api.post(f"/user/{UNKNOWN}{path}", body).status_code == 404
    if "scheduled" in path:
        assert api.delete(f"/user/{UNKNOWN}{path}").status_code == 404


def test_roles_and_the_departments_that_they_manage(lms: Simulator, api: Api) -> None:
    user, shop = lms.ispring.users[1], lms.world.departments[2].id
    coach = lms.world.id_of("role", "coach")
    api.post(f"/user/{user.id}", {"roleId": coach, "manageableDepartmentIds": [shop]})
    row = api.user(user.id)
    assert (row["role"], row["roleId"], row["manageableDepartmentIds"]) == ("custom", coach, [shop])
    assert row["userRoles"] == [{"roleId": coach, "roleType": "custom"}]
    roles = [{"roleId": lms.world.role_id}, {"roleId": coach, "manageableDepartmentIds": [shop]}]
    api.post(f"/user/{user.id}", {"roles": roles})
    assert api.user(user.id)["userRoles"] == [
        {"roleId": lms.world.role_id, "roleType": "learner"},
        {"roleId": coach, "roleType": "custom", "manageableDepartmentIds": [shop]},
    ]


def test_nobody_is_deleted(lms: Simulator, api: Api) -> None:
    assert api.delete(f"/user/{lms.ispring.users[1].id}").status_code == 404
    assert len(api.get("/users/v2")["userProfiles"]) == 40


def test_a_supervisor_is_set_and_taken_away(lms: Simulator, api: Api) -> None:
    user, boss, other = lms.ispring.users[1:4]
    manual = {"subordinationType": "manual", "supervisorId": boss.id}
    reply = api.post(f"/user/{user.id}/subordination", {"subordination": manual})
    assert (reply.status_code, reply.content) == (204, b"")
    assert api.user(user.id)["subordination"] == manual
    also = {"subordinationType": "manual", "supervisorId": other.id}
    api.post(
        f"/user/{user.id}/subordination",
        {"subordination": {"subordinationType": "inherit"}, "coSubordination": also},
    )
    row = api.user(user.id)
    assert (row["subordination"], row["coSubordination"]) == ({"subordinationType": "inherit"}, also)
    nobody = {"subordinationType": "no_supervisor"}
    xml = "<request><subordination><subordinationType>no_supervisor</subordinationType></subordination></request>"
    assert api.post(f"/user/{user.id}/subordination", xml=xml).status_code == 204
    assert (api.user(user.id)["subordination"], api.user(user.id)["coSubordination"]) == (nobody, also)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subordinationType": "manual"},
        {"subordinationType": "manual", "supervisorId": UNKNOWN},
        {"subordinationType": "manual", "supervisorId": "self"},
        {"subordinationType": "inherit", "supervisorId": "other"},
        {"subordinationType": "friend"},
        {"supervisorId": "other"},
    ],
)
def test_a_wrong_supervisor_is_refused(wrong: dict[str, str], lms: Simulator, api: Api) -> None:
    user, other = lms.ispring.users[1:3]
    ids = {"self": user.id, "other": other.id}
    given = {name: ids.get(value, value) for name, value in wrong.items()}
    assert api.post(f"/user/{user.id}/subordination", {"subordination": given}).status_code == 400
    assert api.user(user.id)["subordination"]["supervisorId"] == lms.ispring.users[0].id


def test_users_are_deactivated_and_activated(lms: Simulator, api: Api) -> None:
    first, second = lms.ispring.users[1:3]
    reply = api.post("/users/deactivate", {"userIds": [first.id, second.id]})
    assert (reply.status_code, reply.content) == (200, b"")
    assert [api.user(each.id)["status"] for each in (first, second)] == [BLOCKED, BLOCKED]
    for path in ("/learners/results", "/learners/modules/results"):
        assert api.get(path, **{"userIds[]": first.id})["results"] == []
        assert api.get(path, **{"userIds[]": first.id, "userStatuses[]": "3"})["results"]
    assert api.post("/users/activate", {"userIds": [first.id]}).status_code == 200
    assert [api.user(each.id)["status"] for each in (first, second)] == [ACTIVE, BLOCKED]
    assert api.get("/learners/results", **{"userIds[]": first.id})["results"]


@pytest.mark.parametrize("action", ["activate", "deactivate"])
def test_a_terminated_user_does_not_come_back(action: str, lms: Simulator, api: Api) -> None:
    gone, other = lms.ispring.users[1], lms.ispring.users[-1 if action == "activate" else 2]
    before = api.user(other.id)["status"]
    assert api.post("/users/terminate", {"userIds": [gone.id]}).status_code == 200
    assert api.post(f"/users/{action}", {"userIds": [other.id, gone.id]}).status_code == 400
    assert (api.user(gone.id)["status"], api.user(other.id)["status"]) == (TERMINATED, before)
    assert api.post(f"/user/{gone.id}/scheduled_deactivation", {"date": "2026-04-01"}).status_code == 400
    assert api.post("/users/terminate", {"userIds": [gone.id]}).status_code == 200


@pytest.mark.parametrize("action", ["activate", "deactivate", "terminate"])
def test_no_user_changes_if_one_is_unknown(action: str, lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[-1 if action == "activate" else 1]
    before = api.user(user.id)["status"]
    for ids in ([user.id, UNKNOWN], [user.id, "me"], []):
        assert api.post(f"/users/{action}", {"userIds": ids}).status_code == 400
    assert api.user(user.id)["status"] == before


@pytest.mark.parametrize(("name", "status"), [("deactivation", BLOCKED), ("termination", TERMINATED)])
def test_what_is_scheduled_happens_when_its_day_begins(
    name: str, status: int, clock: FakeClock, lms: Simulator, api: Api
) -> None:
    user, other = lms.ispring.users[1:3]
    for each in (user, other):
        assert api.post(f"/user/{each.id}/scheduled_{name}", {"date": "2026-03-03"}).status_code == 200
    assert api.delete(f"/user/{other.id}/scheduled_{name}").status_code == 200
    clock.advance(36 * 3_600 - 1)
    assert api.user(user.id)["status"] == ACTIVE
    clock.advance(1)
    api = Api(lms)  # the token has expired
    assert [api.user(each.id)["status"] for each in (user, other)] == [status, ACTIVE]
    assert {row.user.status for row in lms.ispring.results() if row.user.id == user.id} == {status}


def test_a_schedule_is_carried_out_once(clock: FakeClock, lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    api.post(f"/user/{user.id}/scheduled_deactivation", {"date": "2026-03-01"})
    assert api.user(user.id)["status"] == BLOCKED
    api.post("/users/activate", {"userIds": [user.id]})
    assert api.user(user.id)["status"] == ACTIVE


def test_the_day_begins_in_the_accounts_zone(clock: FakeClock, lms: Simulator, api: Api) -> None:
    lms.ispring.time_zone = timezone(timedelta(hours=13))
    user = lms.ispring.users[1]
    # It is March 2 there.
    assert api.post(f"/user/{user.id}/scheduled_deactivation", {"date": "2026-03-01"}).status_code == 400
    assert api.post(f"/user/{user.id}/scheduled_deactivation", {"date": "2026-03-02"}).status_code == 200
    assert api.user(user.id)["status"] == BLOCKED


@pytest.mark.parametrize("body", [{"date": "2026-02-28"}, {"date": "soon"}, {}, {"date": "2026-04-01", "why": "x"}])
def test_a_wrong_date_is_refused(body: dict[str, str], lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    assert api.post(f"/user/{user.id}/scheduled_deactivation", body).status_code == 400
    assert api.post(f"/user/{user.id}/scheduled_termination", body).status_code == 400


def test_a_termination_is_not_undone_by_a_later_deactivation(clock: FakeClock, lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    api.post(f"/user/{user.id}/scheduled_termination", {"date": "2026-03-02"})
    api.post(f"/user/{user.id}/scheduled_deactivation", {"date": "2026-03-03"})
    for _ in range(3):
        clock.advance(86_400)
        Api(lms).get("/departments")
    assert Api(lms).user(user.id)["status"] == TERMINATED


def test_a_department_is_created_changed_and_moved(lms: Simulator, api: Api) -> None:
    head, _, shops, *_ = lms.world.departments
    reply = api.post("/department", {"name": "Shops west", "parentDepartmentId": shops.id, "code": "W1"})
    assert reply.status_code == 201
    department_id = reply.json()

    def row() -> dict[str, Any]:
        (found,) = [each for each in api.get("/departments")["departments"] if each["departmentId"] == department_id]
        return dict(found)

    nobody = {"subordinationType": "no_supervisor"}
    assert row() == {
        "departmentId": department_id,
        "name": "Shops west",
        "parentDepartmentId": shops.id,
        "code": "W1",
        "subordination": nobody,
        "coSubordination": nobody,
    }
    reply = api.post(f"/department/{department_id}", {"name": "West"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert (row()["name"], row()["code"], row()["parentDepartmentId"]) == ("West", "W1", shops.id)
    assert api.post(f"/department/{head.id}/department/move", {"departmentIds": [department_id]}).status_code == 204
    assert row()["parentDepartmentId"] == head.id
    boss = {"subordinationType": "manual", "supervisorId": lms.ispring.users[3].id}
    assert api.post(f"/department/{department_id}/subordination", {"subordination": boss}).status_code == 204
    assert (row()["subordination"], row()["coSubordination"]) == (boss, nobody)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {"name": "X"}, 400),
        ("", {"name": "", "parentDepartmentId": "shops"}, 400),
        ("", {"name": "X", "parentDepartmentId": UNKNOWN}, 400),
        ("", {"name": "X", "parentDepartmentId": "shops", "color": "red"}, 400),
        (f"/{UNKNOWN}", {"name": "X"}, 404),
        ("/shops", {"name": "X", "parentDepartmentId": "shops"}, 400),
        ("/shops", {"name": "X", "parentDepartmentId": "north"}, 400),
        ("/north/department/move", {"departmentIds": ["shops"]}, 400),
        ("/shops/department/move", {"departmentIds": [UNKNOWN]}, 400),
        (f"/{UNKNOWN}/department/move", {"departmentIds": ["north"]}, 404),
        (f"/{UNKNOWN}/user/move", {"userIds": ["user"]}, 404),
        ("/shops/user/move", {"userIds": ["user", UNKNOWN]}, 400),
        (f"/{UNKNOWN}/subordination", {}, 404),
        ("/shops/subordination", {"subordination": {"subordinationType": "manual"}}, 400),
    ],
)
def test_a_wrong_department_is_refused(path: str, body: dict[str, Any], status: int, lms: Simulator, api: Api) -> None:
    names = {
        "shops": lms.world.departments[2].id,
        "north": lms.world.departments[3].id,
        "user": lms.ispring.users[1].id,
    }

    def filled(value: Any) -> Any:
        return [filled(each) for each in value] if isinstance(value, list) else names.get(str(value), value)

    before = api.get("/departments"), api.get("/users/v2")
    first, *rest = path.removeprefix("/").split("/")
    path = "/".join(["/department", names.get(first, first), *rest]).rstrip("/")
    assert api.post(path, {name: filled(value) for name, value in body.items()}).status_code == status
    assert (api.get("/departments"), api.get("/users/v2")) == before


def test_users_are_moved_to_a_department_with_their_results(lms: Simulator, api: Api) -> None:
    north = lms.world.departments[3].id
    users = [user for user in lms.ispring.users if user.department_id != north and user.status == ACTIVE][:2]
    ids = [user.id for user in users]
    assert api.post(f"/department/{north}/user/move", {"userIds": ids}).status_code == 204
    assert {api.user(each)["departmentId"] for each in ids} == {north}
    for path in ("/learners/results", "/learners/modules/results"):
        found = api.get(path, **{"departmentIds[]": north})["results"]
        assert set(ids) <= {row["userId"] for row in found}


def test_a_new_department_can_be_filtered_by_with_its_parent(lms: Simulator, api: Api) -> None:
    shops, user = lms.world.departments[2].id, lms.ispring.users[0]
    west = api.post("/department", {"name": "West", "parentDepartmentId": shops}).json()
    api.post(f"/user/{user.id}", {"departmentId": west})
    for department in (west, shops):
        found = api.get("/users/v2", **{"departments[]": department})["userProfiles"]
        assert user.id in {each["userId"] for each in found}


def test_a_group_is_created_and_renamed(lms: Simulator, api: Api) -> None:
    first, second = lms.ispring.users[:2]
    reply = api.post("/group", {"name": "Drivers", "userIds": [first.id, second.id]})
    assert reply.status_code == 201
    group_id = reply.json()
    assert {"groupId": group_id, "name": "Drivers", "isSmart": False} in api.get("/groups")["groups"]
    assert api.get(f"/group/{group_id}")["userIds"] == [first.id, second.id]
    assert group_id in api.user(first.id)["groups"]
    assert api.post(f"/group/{group_id}", {"name": "Forklift drivers"}).status_code == 200
    row = api.get(f"/group/{group_id}")
    assert (row["name"], row["usersCount"]) == ("Forklift drivers", 2)


@pytest.mark.parametrize(("option", "kept"), [("replaced", False), ("added", True)])
def test_members_of_a_group_are_set(option: Any, kept: bool, lms: Simulator, api: Api) -> None:
    lms.ispring.group_members = option
    first, second = lms.ispring.users[:2]
    group_id = api.post("/group", {"name": "Drivers", "userIds": [first.id]}).json()
    reply = api.post(f"/group/{group_id}/members", {"userIds": [second.id]})
    assert (reply.status_code, reply.content) == (200, b"")
    assert api.get(f"/group/{group_id}")["userIds"] == ([first.id] if kept else []) + [second.id]
    assert api.post(f"/group/{group_id}/members", {"userIds": []}).status_code == 200
    assert api.get(f"/group/{group_id}")["usersCount"] == 2 * kept


@pytest.mark.parametrize(("option", "kept"), [("replaced", False), ("added", True)])
def test_groups_of_a_user_are_set(option: Any, kept: bool, lms: Simulator, api: Api) -> None:
    lms.ispring.user_groups = option
    everyone, first_aiders, council = (group.id for group in lms.world.groups)
    user = lms.ispring.users[2]  # in everyone and first_aiders
    assert api.post(f"/user/{user.id}", {"groupIds": [council]}).status_code == 200
    assert api.user(user.id)["groups"] == [everyone, *([first_aiders] if kept else []), council]


def test_a_user_is_taken_out_of_groups(lms: Simulator, api: Api) -> None:
    everyone, first_aiders, _ = (group.id for group in lms.world.groups)
    user = lms.ispring.users[2]
    reply = api.post(f"/user/{user.id}/groups/remove", {"groupIds": [first_aiders]})
    assert (reply.status_code, reply.content) == (200, b"")
    assert api.user(user.id)["groups"] == [everyone]
    for wrong in ([], [UNKNOWN], [everyone]):
        assert api.post(f"/user/{user.id}/groups/remove", {"groupIds": wrong}).status_code == 400
    assert api.user(user.id)["groups"] == [everyone]


def test_a_wrong_group_is_refused(lms: Simulator, api: Api) -> None:
    smart, plain, _ = (group.id for group in lms.world.groups)
    before = [api.get(f"/group/{each}") for each in (smart, plain)]
    user = lms.ispring.users[1].id
    assert api.post("/group", {"name": ""}).status_code == 400
    assert api.post("/group", {"name": "X", "userIds": [UNKNOWN]}).status_code == 400
    assert api.post(f"/group/{UNKNOWN}", {"name": "X"}).status_code == 404
    assert api.post(f"/group/{UNKNOWN}/members", {"userIds": [user]}).status_code == 404
    assert api.post(f"/group/{plain}/members", {"userIds": [user, UNKNOWN]}).status_code == 400
    assert api.post(f"/group/{smart}/members", {"userIds": [user]}).status_code == 400
    assert [api.get(f"/group/{each}") for each in (smart, plain)] == before
    assert len(api.get("/groups")["groups"]) == 3


def test_users_become_visible_after_a_while(clock: FakeClock, lms: Simulator, api: Api) -> None:
    lms.ispring.read_delay_seconds = 60
    assert api.post("/user", new_user(lms)).status_code == 201
    assert api.get("/users/v2", **{"logins[]": "hana"})["userProfiles"] == []
    # Although it cannot be read yet, its login is taken.
    assert api.post("/user", new_user(lms)).status_code == 400
    clock.advance(60)
    assert len(api.get("/users/v2", **{"logins[]": "hana"})["userProfiles"]) == 1


def test_a_schedule_is_cancelled_although_its_reply_is_lost(clock: FakeClock, lms: Simulator, api: Api) -> None:
    user = lms.ispring.users[1]
    api.post(f"/user/{user.id}/scheduled_termination", {"date": "2026-03-02"})
    lms.ispring.fail(f"DELETE /user/{user.id}/scheduled_termination", faults.lost_reply(reset=False))
    with pytest.raises(requests.ConnectionError):
        api.delete(f"/user/{user.id}/scheduled_termination")
    clock.advance(86_400)
    assert Api(lms).user(user.id)["status"] == ACTIVE


def test_another_world_takes_the_place_of_all_changes(lms: Simulator, api: Api) -> None:
    api.post("/user", new_user(lms))
    lms.ispring.world = World(users=5, as_of=NOW.date())
    assert len(api.get("/users/v2")["userProfiles"]) == len(lms.ispring.users) == 5
    assert len(lms.ispring.results()) == 15
