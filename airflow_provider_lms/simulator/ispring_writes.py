"""The endpoints of the simulated iSpring Learn that change something, as a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from airflow_provider_lms.simulator import ispring_bodies as bodies
from airflow_provider_lms.simulator import ispring_department_writes as departments
from airflow_provider_lms.simulator import ispring_enrollment_writes as enrollments
from airflow_provider_lms.simulator import ispring_group_writes as groups
from airflow_provider_lms.simulator import ispring_user_writes as users
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.ispring_account import ISpringAccount


@dataclass(frozen=True)
class Write:
    """An endpoint.

    :param call: a pattern for method and path. Its groups are the ids in the path.
    :param body: what it takes; None for no body.
    :param carry_out: called with the account, the body and the ids. It refuses the whole request or none of it. What
        it gives back is the new id, or None.
    :param status: the status of the reply.
    """

    call: str
    body: type[Struct] | None
    carry_out: Callable[..., str | None]
    status: int = 200


def find(call: str) -> tuple[Write, tuple[str, ...]] | None:
    """The endpoint of a call, and the ids in its path."""
    for write in _WRITES:
        if (match := re.fullmatch(write.call, call)) is not None:
            return write, match.groups()
    return None


def reply(account: ISpringAccount, request: Request, write: Write, path_ids: tuple[str, ...], media_type: str) -> Reply:
    """Carry a request out."""
    body: Any = None if write.body is None else bodies.decode(request, write.body)
    with account.writing():
        created = write.carry_out(account, body, *path_ids)
    if created is None:
        return Reply(status=write.status, raw=b"", media_type=media_type)
    return Reply(status=write.status, content=created, media_type=media_type)


_ID = "([^/]+)"
_USER, _DEPARTMENT, _GROUP = f"POST /user/{_ID}", f"POST /department/{_ID}", f"POST /group/{_ID}"
# The first that matches is taken: "delete" is not an id.
_WRITES = (
    Write("POST /enrollment", bodies.NewEnrollment, enrollments.enroll, 201),
    Write("POST /enrollment/delete", bodies.DeleteEnrollments, enrollments.delete, 204),
    Write(f"POST /enrollment/{_ID}", bodies.UpdateEnrollment, enrollments.update),
    Write(f"POST /enrollment/{_ID}/reenroll", bodies.UpdateEnrollment, enrollments.reenroll),
    Write("POST /user", bodies.NewUser, users.create, 201),
    Write(_USER, bodies.UpdateUser, users.update),
    Write(f"{_USER}/subordination", bodies.ChangeSubordination, users.subordinate, 204),
    Write(f"{_USER}/scheduled_deactivation", bodies.Scheduled, users.schedule_deactivation),
    Write(f"DELETE /user/{_ID}/scheduled_deactivation", None, users.cancel_deactivation),
    Write(f"{_USER}/scheduled_termination", bodies.Scheduled, users.schedule_termination),
    Write(f"DELETE /user/{_ID}/scheduled_termination", None, users.cancel_termination),
    Write(f"{_USER}/groups/remove", bodies.GroupIds, users.leave_groups),
    Write("POST /users/activate", bodies.UserIds, users.activate),
    Write("POST /users/deactivate", bodies.UserIds, users.deactivate),
    Write("POST /users/terminate", bodies.UserIds, users.terminate),
    Write("POST /department", bodies.NewDepartment, departments.create, 201),
    Write(_DEPARTMENT, bodies.UpdateDepartment, departments.update, 204),
    Write(f"{_DEPARTMENT}/subordination", bodies.ChangeSubordination, departments.subordinate, 204),
    Write(f"{_DEPARTMENT}/user/move", bodies.UserIds, departments.move_users, 204),
    Write(f"{_DEPARTMENT}/department/move", bodies.MoveDepartments, departments.move_departments, 204),
    Write("POST /group", bodies.NewGroup, groups.create, 201),
    Write(_GROUP, bodies.UpdateGroup, groups.update),
    Write(f"{_GROUP}/members", bodies.UpdateGroupMembers, groups.set_members),
)
