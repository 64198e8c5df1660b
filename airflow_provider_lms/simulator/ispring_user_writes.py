"""Writes to users of the simulated iSpring Learn."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from airflow_provider_lms import clock
from airflow_provider_lms.simulator import ispring_bodies as bodies
from airflow_provider_lms.simulator.ispring_account import Invitation, ISpringAccount
from airflow_provider_lms.simulator.ispring_enrollment_writes import users_of
from airflow_provider_lms.simulator.ispring_group_writes import join, leave, teams_of
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.people import ACTIVE, BLOCKED, TERMINATED, Role, Subordination, User

_NAMES = ("EMAIL", "FIRST_NAME", "LAST_NAME", "LOGIN")


def create(account: ISpringAccount, body: bodies.NewUser) -> str:
    new = User(
        id=str(uuid.uuid4()),
        first_name="",
        last_name="",
        email="",
        department_id=str(body.department_id),
        status=ACTIVE,
        added=clock.utcnow(),
        last_login=None,
        role_id=account.world.role_id,
    )
    user = _changed(account, new, body)
    teams = teams_of(account, map(str, body.group_ids or ()))
    account.state.add_user(user)
    join(account, user, teams)
    if account.invites_unless_told if body.send_login_email is None else body.send_login_email:
        account.invitations.append(Invitation(user.id, "email", body.invitation_message))
    if body.send_login_sms:
        account.invitations.append(Invitation(user.id, "sms", body.invitation_sms_message))
    return user.id


def update(account: ISpringAccount, body: bodies.UpdateUser, user_id: str) -> None:
    user = _changed(account, _user(account, user_id), body)
    teams = teams_of(account, map(str, body.group_ids or ()))
    account.state.change_users([user])
    if body.group_ids is not None:
        if account.user_groups == "replaced":
            leave(account, user, account.state.groups.values())
        join(account, user, teams)


def subordinate(account: ISpringAccount, body: bodies.ChangeSubordination, user_id: str) -> None:
    user = _user(account, user_id)
    if user_id in (str(each.supervisor_id) for each in (body.subordination, body.co_subordination) if each):
        raise Refused(400, "A user cannot supervise himself or herself")
    account.state.change_users(
        [
            replace(
                user,
                subordination=subordination_of(account, body.subordination, user.subordination),
                co_subordination=subordination_of(account, body.co_subordination, user.co_subordination),
            )
        ]
    )


def subordination_of(account: ISpringAccount, given: bodies.Supervision | None, before: Subordination) -> Subordination:
    """The subordination that a body gives; the one before if it gives none."""
    if given is None:
        return before
    if (given.supervisor_id is not None) != (given.subordination_type == "manual"):
        raise Refused(400, "supervisorId goes with subordinationType manual, and only with it")
    if given.supervisor_id is None:
        return Subordination(given.subordination_type)
    (supervisor,) = users_of(account, [str(given.supervisor_id)])
    return Subordination.to(supervisor.id)


def activate(account: ISpringAccount, body: bodies.UserIds) -> None:
    _set_status(account, body, ACTIVE)


def deactivate(account: ISpringAccount, body: bodies.UserIds) -> None:
    _set_status(account, body, BLOCKED)


def terminate(account: ISpringAccount, body: bodies.UserIds) -> None:
    _set_status(account, body, TERMINATED)


def schedule_deactivation(account: ISpringAccount, body: bodies.Scheduled, user_id: str) -> None:
    account.state.deactivations[user_id] = _date_to_come(account, body, user_id)


def schedule_termination(account: ISpringAccount, body: bodies.Scheduled, user_id: str) -> None:
    account.state.terminations[user_id] = _date_to_come(account, body, user_id)


def cancel_deactivation(account: ISpringAccount, body: None, user_id: str) -> None:  # noqa: ARG001
    """Whether the vendor refuses this where nothing is scheduled is not documented. Here it is not refused."""
    account.state.deactivations.pop(_user(account, user_id).id, None)


def cancel_termination(account: ISpringAccount, body: None, user_id: str) -> None:  # noqa: ARG001
    account.state.terminations.pop(_user(account, user_id).id, None)


def leave_groups(account: ISpringAccount, body: bodies.GroupIds, user_id: str) -> None:
    user = _user(account, user_id)
    leave(account, user, teams_of(account, map(str, body.group_ids)))


def _user(account: ISpringAccount, user_id: str) -> User:
    if (user := account.state.users.get(user_id)) is None:
        raise Refused(404, "Unknown user")
    return user


def _set_status(account: ISpringAccount, body: bodies.UserIds, status: int) -> None:
    users = users_of(account, map(str, body.user_ids))
    if status != TERMINATED and any(user.status == TERMINATED for user in users):
        raise Refused(400, "A user was terminated")
    account.state.change_users(replace(user, status=status) for user in users)


def _date_to_come(account: ISpringAccount, body: bodies.Scheduled, user_id: str) -> datetime:
    if _user(account, user_id).status == TERMINATED:
        raise Refused(400, "The user was terminated")
    moment = bodies.moment(body.date, "date", account.time_zone)
    today = clock.utcnow().astimezone(account.time_zone).date()
    if moment.astimezone(account.time_zone).date() < today:
        raise Refused(400, "The date has passed")
    return moment


def _changed(account: ISpringAccount, user: User, body: bodies.NewUser | bodies.UpdateUser) -> User:
    """A user as a body changes him or her."""
    profile = {"EMAIL": user.email, "FIRST_NAME": user.first_name, "LAST_NAME": user.last_name, **dict(user.profile)}
    profile |= {"LOGIN": user.login} | {name.upper(): value for name, value in body.fields.items()}
    _refuse_taken(account, user.id, profile)
    department_id = user.department_id if body.department_id is None else str(body.department_id)
    managed = user.manageable_department_ids
    if body.manageable_department_ids is not None:
        managed = tuple(map(str, body.manageable_department_ids))
    if {department_id, *managed} - account.state.departments.keys():
        raise Refused(400, "Unknown department")
    user = replace(
        user,
        email=profile["EMAIL"],
        first_name=profile["FIRST_NAME"],
        last_name=profile["LAST_NAME"],
        chosen_login=profile["LOGIN"],
        profile=tuple((name, value) for name, value in profile.items() if name not in _NAMES and value),
        department_id=department_id,
        manageable_department_ids=managed,
    )
    return _with_roles(account, user, body)


def _refuse_taken(account: ISpringAccount, user_id: str, profile: Mapping[str, str]) -> None:
    """Login and e-mail address are required, and no two users have the same, in whichever case."""
    if not profile["EMAIL"] or not profile["LOGIN"]:
        raise Refused(400, "Login and e-mail address are required")
    others = [user for user in account.users if user.id != user_id]
    if profile["EMAIL"].casefold() in (user.email.casefold() for user in others):
        raise Refused(400, "The e-mail address is taken")
    if profile["LOGIN"].casefold() in (user.login.casefold() for user in others):
        raise Refused(400, "The login is taken")


def _with_roles(account: ISpringAccount, user: User, body: bodies.NewUser | bodies.UpdateUser) -> User:
    """How role, roleId and roles go together is not documented. Here each changes what it names."""
    types = account.role_types()
    named = [body.role_id] if body.role_id is not None else []
    if _texts([*named, *(each.role_id for each in body.roles or ())]) - types.keys():
        raise Refused(400, "Unknown role")
    if body.role is not None:
        user = replace(user, role=body.role, roles=())
    if body.role_id is not None:
        role = body.role or types[str(body.role_id)]
        user = replace(user, role_id=str(body.role_id), role=role, roles=())
    if body.roles is not None:
        user = replace(
            user,
            roles=tuple(
                Role(
                    str(each.role_id),
                    each.role_type or types[str(each.role_id)],
                    tuple(map(str, each.manageable_department_ids)),
                )
                for each in body.roles
            ),
        )
    return user


def _texts(ids: Iterable[uuid.UUID]) -> set[str]:
    return set(map(str, ids))
