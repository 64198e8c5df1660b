"""Changes in iSpring Learn: the request exactly as the vendor documents it, and what each answer means."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsUnconfirmed,
)
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.errors import error_of
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from tests.lms.raw_server import RawServer
from tests.lms.recorder import Answer, Recorder, reply

Call = Callable[[ISpringLearnClient], object]

C1, C2 = "c1c1c1c1-ca31-11e9-b6fc-0a580af40a22", "c2c2c2c2-ca31-11e9-b6fc-0a580af40a22"
U1, U2 = "a1a1a1a1-ca31-11e9-b6fc-0a580af40a22", "a2a2a2a2-ca31-11e9-b6fc-0a580af40a22"
E1, D1, D2, G1, G2, R1 = "e1-enrollment", "d1-department", "d2-department", "g1-group", "g2-group", "r1-role"
NEW = "4f9bf619-7993-5ce8-b473-1d769a72e140"
ACCESS = datetime(2026, 3, 1, 9, 30, 15, 999, tzinfo=UTC)
QUIET = {"sendLoginEmail": False, "sendLoginSMS": False}

DONE: dict[str, tuple[Call, str, object, int]] = {
    "enroll": (
        lambda client: client.enroll([C1, C2], [U1, U2], due="unlimited"),
        "POST /enrollment",
        {"courseIds": [C1, C2], "learnerIds": [U1, U2], "dueDateType": "unlimited"},
        201,
    ),
    "enroll with all there is": (
        lambda client: client.enroll(C1, U1, due=date(2026, 5, 31), access_date=ACCESS, lock_after_due_date=True),
        "POST /enrollment",
        {
            "courseIds": [C1],
            "learnerIds": [U1],
            "dueDateType": "due_date",
            "dueDate": "2026-05-31",
            "accessDate": "2026-03-01 09:30:15",
            "lockAfterDueDate": True,
        },
        201,
    ),
    "edit_enrollment": (
        lambda client: client.edit_enrollment(
            E1, access_date=ACCESS, due=timedelta(days=2, hours=1), lock_after_due_date=False
        ),
        f"POST /enrollment/{E1}",
        {
            "accessDate": "2026-03-01 09:30:15",
            "dueDateType": "due_period",
            "duePeriod": 49,
            "lockAfterDueDate": False,
        },
        200,
    ),
    "reenroll": (
        lambda client: client.reenroll(E1, access_date="2026-03-01T09:30:15+01:00", due="default"),
        f"POST /enrollment/{E1}/reenroll",
        {"accessDate": "2026-03-01 08:30:15", "dueDateType": "default"},
        200,
    ),
    "delete_enrollments": (
        lambda client: client.delete_enrollments([E1, "e2"]),
        "POST /enrollment/delete",
        {"enrollmentIds": [E1, "e2"]},
        204,
    ),
    "update_user, one field": (
        lambda client: client.update_user(U1, fields={"JOB_TITLE": "Engineer"}),
        f"POST /user/{U1}",
        {"fields": {"JOB_TITLE": "Engineer"}},
        200,
    ),
    "update_user, all there is": (
        lambda client: client.update_user(
            U1,
            department_id=D1,
            role="department_administrator",
            role_id=R1,
            manageable_department_ids=[D1, D2],
            fields={"login": "ada"},
            group_ids=G1,
        ),
        f"POST /user/{U1}",
        {
            "departmentId": D1,
            "role": "department_administrator",
            "roleId": R1,
            "manageableDepartmentIds": [D1, D2],
            "fields": {"login": "ada"},
            "groupIds": [G1],
        },
        200,
    ),
    "activate_users": (
        lambda client: client.activate_users([U1, U2]),
        "POST /users/activate",
        {"userIds": [U1, U2]},
        200,
    ),
    "deactivate_users": (lambda client: client.deactivate_users(U1), "POST /users/deactivate", {"userIds": [U1]}, 200),
    "terminate_users": (lambda client: client.terminate_users((U1,)), "POST /users/terminate", {"userIds": [U1]}, 200),
    "schedule_deactivation": (
        lambda client: client.schedule_deactivation(U1, date(2026, 12, 31)),
        f"POST /user/{U1}/scheduled_deactivation",
        {"date": "2026-12-31"},
        200,
    ),
    "cancel_scheduled_deactivation": (
        lambda client: client.cancel_scheduled_deactivation(U1),
        f"DELETE /user/{U1}/scheduled_deactivation",
        None,
        200,
    ),
    "schedule_termination": (
        lambda client: client.schedule_termination(U1, "2026-12-31"),
        f"POST /user/{U1}/scheduled_termination",
        {"date": "2026-12-31"},
        200,
    ),
    "cancel_scheduled_termination": (
        lambda client: client.cancel_scheduled_termination(U1),
        f"DELETE /user/{U1}/scheduled_termination",
        None,
        200,
    ),
    "set_supervisor": (
        lambda client: client.set_supervisor(U1, U2),
        f"POST /user/{U1}/subordination",
        {"subordination": {"subordinationType": "manual", "supervisorId": U2}},
        204,
    ),
    "change_subordination": (
        lambda client: client.change_subordination(U1, supervisor="inherit", co_supervisor="no_supervisor"),
        f"POST /user/{U1}/subordination",
        {
            "subordination": {"subordinationType": "inherit"},
            "coSubordination": {"subordinationType": "no_supervisor"},
        },
        204,
    ),
    "move_users": (
        lambda client: client.move_users(D1, [U1, U2]),
        f"POST /department/{D1}/user/move",
        {"userIds": [U1, U2]},
        204,
    ),
    "update_department": (
        lambda client: client.update_department(D1, name="Sales", parent_department_id=D2, code="S"),
        f"POST /department/{D1}",
        {"name": "Sales", "parentDepartmentId": D2, "code": "S"},
        204,
    ),
    "move_departments": (
        lambda client: client.move_departments(D1, [D2]),
        f"POST /department/{D1}/department/move",
        {"departmentIds": [D2]},
        204,
    ),
    "change_department_subordination": (
        lambda client: client.change_department_subordination(D1, co_supervisor=U1),
        f"POST /department/{D1}/subordination",
        {"coSubordination": {"subordinationType": "manual", "supervisorId": U1}},
        204,
    ),
    "rename_group": (lambda client: client.rename_group(G1, "New"), f"POST /group/{G1}", {"name": "New"}, 200),
    "remove_user_from_groups": (
        lambda client: client.remove_user_from_groups(U1, [G1, G2]),
        f"POST /user/{U1}/groups/remove",
        {"groupIds": [G1, G2]},
        200,
    ),
    "set_group_members": (
        lambda client: client.set_group_members(G1, [U1], allow_undocumented=True),
        f"POST /group/{G1}/members",
        {"userIds": [U1]},
        200,
    ),
}

CREATED: dict[str, tuple[Call, str, object]] = {
    "create_user": (
        lambda client: client.create_user(department_id=D1, login="ada", email="ada@example.com"),
        "POST /user",
        {"departmentId": D1, "fields": {"login": "ada", "email": "ada@example.com"}, **QUIET},
    ),
    "create_user with all there is": (
        lambda client: client.create_user(
            department_id=D1,
            login="ada",
            email="ada@example.com",
            fields={"FIRST_NAME": "Ada"},
            role="publisher",
            role_id=R1,
            manageable_department_ids=[D2],
            group_ids=[G1],
            password="s3cret-pass",
            send_login_email=True,
            invitation_message="Welcome",
            send_login_sms=True,
            invitation_sms_message="Hello",
        ),
        "POST /user",
        {
            "departmentId": D1,
            "fields": {"login": "ada", "email": "ada@example.com", "FIRST_NAME": "Ada"},
            "role": "publisher",
            "roleId": R1,
            "manageableDepartmentIds": [D2],
            "groupIds": [G1],
            "password": "s3cret-pass",
            "sendLoginEmail": True,
            "invitationMessage": "Welcome",
            "sendLoginSMS": True,
            "invitationSMSMessage": "Hello",
        },
    ),
    "create_department": (
        lambda client: client.create_department("Sales", D1),
        "POST /department",
        {"name": "Sales", "parentDepartmentId": D1},
    ),
    "create_department with a code": (
        lambda client: client.create_department("Sales", D1, "S"),
        "POST /department",
        {"name": "Sales", "parentDepartmentId": D1, "code": "S"},
    ),
    "create_group": (lambda client: client.create_group("New hires"), "POST /group", {"name": "New hires"}),
    "create_group of users": (
        lambda client: client.create_group("New hires", [U1]),
        "POST /group",
        {"name": "New hires", "userIds": [U1]},
    ),
}

CALLS = {**{name: call for name, (call, *_) in DONE.items()}, **{name: call for name, (call, *_) in CREATED.items()}}


def send(call: Call, answer: Answer | Recorder) -> tuple[Any, Recorder]:
    """Make a call to a server that gives an answer. Returns what the call returns, and what the server has seen."""
    recorder = answer if isinstance(answer, Recorder) else Recorder(answer)
    with RawServer(recorder) as server:
        tokens = SharedTokens(MemoryStore(), (server.url,), "client", ("secret",))
        tokens.put("abc-token", 3600)
        client = ISpringLearnClient(
            Transport(
                server.url,
                ClientCredentials(f"{server.url}/token", "client", "secret"),
                tokens=tokens,
                rate_limiter=SharedRateLimiter(MemoryStore(), server.url, "client", RateLimits()),
                error_of=error_of,
                timeout=10.0,
                retry=RetryPolicy(max_wait=0.0),
            )
        )
        try:
            return call(client), recorder
        finally:
            client.close()


@pytest.mark.parametrize("name", DONE)
def test_a_change_is_sent_as_the_vendor_documents_it(name: str) -> None:
    call, line, body, status = DONE[name]
    returned, server = send(call, reply(status))
    assert returned is None
    assert f"{server.only.method} {server.only.target}" == line
    assert server.only.json == body
    assert server.only.token == "Bearer abc-token"


@pytest.mark.parametrize("name", CREATED)
def test_a_creation_is_sent_as_the_vendor_documents_it(name: str) -> None:
    call, line, body = CREATED[name]
    returned, server = send(call, reply(201, f'"{NEW}"'))
    assert returned == NEW
    assert f"{server.only.method} {server.only.target}" == line
    assert server.only.json == body


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f'"{NEW}"', "application/json"),
        (f' "{NEW}"\n', "text/html"),
        (f'\ufeff"{NEW}"', "application/json"),
        (f'{{"response": "{NEW}"}}', "application/json"),
        (f'<?xml version="1.0" encoding="UTF-8"?>\n<response>{NEW}</response>', "application/xml"),
    ],
)
def test_the_id_of_a_new_user_is_found_in_every_format(body: str, content_type: str) -> None:
    call, *_ = CREATED["create_user"]
    assert send(call, reply(201, body, content_type))[0] == NEW


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '""',
        "null",
        "17",
        '["a"]',
        '{"response": {"id": "a"}}',
        '"a text with spaces"',
        "<response><userId>a</userId></response>",
        "<response/>",
        "<!DOCTYPE r [<!ENTITY a 'x'>]><response>&a;</response>",
        '"cut',
    ],
)
def test_a_creation_without_an_id_is_not_confirmed(body: str) -> None:
    call, *_ = CREATED["create_group"]
    with pytest.raises(LmsUnconfirmed, match=r"POST /group: HTTP 201: the response does not have the id"):
        send(call, reply(201, body))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [202, 203])
def test_another_success_than_the_documented_one_confirms_nothing(name: str, status: int) -> None:
    with pytest.raises(LmsUnconfirmed, match=rf"HTTP {status}: the LMS documents HTTP 20[014] for a success\. Whether"):
        send(CALLS[name], reply(status, f'"{NEW}"'))


@pytest.mark.parametrize("name", [name for name, (*_, status) in DONE.items() if status != 204])
@pytest.mark.parametrize(
    "body", ['{"code": 7, "message": "no"}', "<response><code>7</code><message>no</message></response>"]
)
def test_an_error_beside_a_success_confirms_nothing(name: str, body: str) -> None:
    call, _, _, status = DONE[name]
    with pytest.raises(LmsUnconfirmed, match="the LMS reports an error beside a success"):
        send(call, reply(status, body))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("status", "kind"), [(400, LmsBadRequest), (403, LmsPermissionError), (404, LmsNotFound), (500, LmsUnconfirmed)]
)
def test_an_error_is_raised_without_a_person_and_after_one_request(
    name: str, status: int, kind: type[LmsError]
) -> None:
    server = Recorder(reply(status, '{"code": 1, "message": "ada@example.com is unknown"}'))
    with pytest.raises(kind) as raised:
        send(CALLS[name], server)
    assert server.only
    text = str(raised.value)
    for secret in (U1, U2, E1, "ada", "s3cret", "Ada", "abc-token"):
        assert secret not in text
    assert raised.value.is_refusal is (status != 500)


def test_the_message_of_a_refusal_speaks_of_no_reading() -> None:
    with pytest.raises(LmsPermissionError, match="The connection's account may not do this"):
        send(CALLS["activate_users"], reply(403))


INVALID: dict[str, tuple[Call, str]] = {
    "no course": (lambda client: client.enroll([], [U1], due="default"), "course_ids: give at least one id."),
    "None as learners": (
        lambda client: client.enroll(C1, None, due="default"),  # type: ignore[arg-type]
        "learner_ids: give at least one id.",
    ),
    "a title as course": (
        lambda client: client.enroll("Fire safety", U1, due="default"),
        "course_ids: 'Fire safety' is a name, not an id.",
    ),
    "a template without a value": (lambda client: client.activate_users("None"), "user_ids: got the text 'None'."),
    "half an hour": (
        lambda client: client.enroll(C1, U1, due=timedelta(minutes=90)),
        "due: expected whole hours, at least one, got 1:30:00.",
    ),
    "no time": (lambda client: client.enroll(C1, U1, due=timedelta()), "due: expected whole hours, at least one"),
    "a due date with a time": (
        lambda client: client.enroll(C1, U1, due=datetime(2026, 5, 31, tzinfo=UTC)),
        "due: expected a date without a time",
    ),
    "another word": (
        lambda client: client.enroll(C1, U1, due="never"),
        "such as 2026-01-31, got 'never'. Or give 'unlimited', 'default' or a timedelta.",
    ),
    "no due date": (
        lambda client: client.reenroll(E1, access_date=ACCESS, due=None),  # type: ignore[arg-type]
        "due: expected a date without a time",
    ),
    "a number as flag": (
        lambda client: client.enroll(C1, U1, due="default", lock_after_due_date=1),  # type: ignore[arg-type]
        "lock_after_due_date: expected True or False, got int.",
    ),
    "no access date": (
        lambda client: client.edit_enrollment(E1, access_date=None, due="default"),  # type: ignore[arg-type]
        "access_date: expected a datetime",
    ),
    "an empty enrollment": (
        lambda client: client.edit_enrollment("", access_date=ACCESS, due="default"),
        "enrollment_id: each id must be a non-empty string",
    ),
    "a path in place of an id": (
        lambda client: client.edit_enrollment("..", access_date=ACCESS, due="default"),
        "enrollment_id: '..' is not an id.",
    ),
    "an empty login": (
        lambda client: client.create_user(department_id=D1, login=" ", email="a@example.com"),
        "login: expected a text that is not empty.",
    ),
    "no department": (
        lambda client: client.create_user(department_id=None, login="a", email="a@b.c"),  # type: ignore[arg-type]
        "department_id: required.",
    ),
    "a name as department": (
        lambda client: client.update_user(U1, department_id="Sales team"),
        "department_id: 'Sales team' is a name, not an id.",
    ),
    "an unknown role": (
        lambda client: client.update_user(U1, role="boss"),  # type: ignore[arg-type]
        "role: expected 'learner' or 'administrator'",
    ),
    "a login among the fields": (
        lambda client: client.create_user(department_id=D1, login="a", email="a@b.c", fields={"LOGIN": "b"}),
        "fields: give login as a parameter of its own.",
    ),
    "a field twice": (
        lambda client: client.update_user(U1, fields={"name": "Ada", "NAME": "Bob"}),
        "fields: 'NAME' is given twice, in upper and lower case.",
    ),
    "a field that is no text": (
        lambda client: client.update_user(U1, fields={"age": 7}),  # type: ignore[dict-item]
        "fields: the value of 'age' must be a text, got int.",
    ),
    "no fields": (lambda client: client.update_user(U1, fields={}), "fields: expected a dict of at least one"),
    "nothing to update": (lambda client: client.update_user(U1), "nothing is to be changed"),
    "an invitation that nobody gets": (
        lambda client: client.create_user(department_id=D1, login="a", email="a@b.c", invitation_message="Hi"),
        "invitation_message: nobody is invited this way",
    ),
    "an SMS that nobody gets": (
        lambda client: client.create_user(
            department_id=D1, login="a", email="a@b.c", send_login_email=True, invitation_sms_message="Hi"
        ),
        "invitation_sms_message: nobody is invited this way",
    ),
    "a word as flag": (
        lambda client: client.create_user(
            department_id=D1,
            login="a",
            email="a@b.c",
            send_login_email="false",  # type: ignore[arg-type]
        ),
        "send_login_email: expected True or False, got str.",
    ),
    "an empty password": (
        lambda client: client.create_user(department_id=D1, login="a", email="a@b.c", password=""),
        "password: expected a text that is not empty.",
    ),
    "a moment as a day": (
        lambda client: client.schedule_deactivation(U1, ACCESS),
        "day: expected a date without a time",
    ),
    "nobody as supervisor": (
        lambda client: client.change_subordination(U1),
        "supervisor: give a supervisor, a co_supervisor or both.",
    ),
    "two supervisors": (
        lambda client: client.set_supervisor(U1, [U1, U2]),  # type: ignore[arg-type]
        "supervisor_id: expected one id",
    ),
    "a department without a name": (lambda client: client.create_department("", D1), "name: expected a text"),
    "no change of a department": (lambda client: client.update_department(D1), "name: nothing is to be changed"),
    "no groups": (lambda client: client.remove_user_from_groups(U1, []), "group_ids: give at least one id."),
    "what is not documented": (
        lambda client: client.set_group_members(G1, [U1]),
        "allow_undocumented: iSpring does not document whether these users replace the members",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_parameter_is_named_before_anything_is_sent(name: str) -> None:
    call, message = INVALID[name]
    server = Recorder(reply(201, f'"{NEW}"'))
    with pytest.raises(ValueError, match=re.escape(message)):
        send(call, server)
    assert server.requests == []


def test_a_password_is_in_no_message() -> None:
    def create(password: Any) -> Call:
        return lambda client: client.create_user(department_id=D1, login="a", email="a@b.c", password=password)

    with pytest.raises(ValueError, match=r"^password: ") as raised:
        send(create(["s3cret"]), reply(201))
    assert "s3cret" not in str(raised.value)


def test_an_access_date_in_another_zone_is_sent_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    _, server = send(lambda client: client.enroll(C1, U1, due="default", access_date=moment), reply(201))
    assert server.only.json["accessDate"] == "2025-12-31 23:00:00"


def test_each_id_is_sent_once() -> None:
    _, server = send(lambda client: client.enroll([C1, C1], [U2, U1, U2], due="default"), reply(201))
    assert (server.only.json["courseIds"], server.only.json["learnerIds"]) == ([C1], [U2, U1])


def test_no_client_can_delete_a_person_or_alter_what_a_learner_has_achieved() -> None:
    writes = {name.split(",")[0].split(" ")[0] for name in CALLS}
    public = {
        name
        for base in ISpringLearnClient.__mro__
        if ".ispring.writes" in base.__module__
        for name in vars(base)
        if not name.startswith("_")
    }
    assert public == writes
