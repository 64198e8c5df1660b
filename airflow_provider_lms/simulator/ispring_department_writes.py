"""Writes to departments of the simulated iSpring Learn."""

from __future__ import annotations

import uuid
from dataclasses import replace

from airflow_provider_lms.simulator import ispring_bodies as bodies
from airflow_provider_lms.simulator.ispring_account import ISpringAccount
from airflow_provider_lms.simulator.ispring_enrollment_writes import users_of
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.ispring_user_writes import subordination_of
from airflow_provider_lms.simulator.people import Department


def create(account: ISpringAccount, body: bodies.NewDepartment) -> str:
    parent = _named(account, str(body.parent_department_id))
    department = Department(str(uuid.uuid4()), body.name, parent.id, code=body.code)
    account.state.departments[department.id] = department
    return department.id


def update(account: ISpringAccount, body: bodies.UpdateDepartment, department_id: str) -> None:
    department = _department(account, department_id)
    if body.parent_department_id is not None:
        department = _below(account, department, _named(account, str(body.parent_department_id)))
    if body.name is not None:
        department = replace(department, name=body.name)
    if body.code is not None:
        department = replace(department, code=body.code)
    account.state.departments[department_id] = department


def subordinate(account: ISpringAccount, body: bodies.ChangeSubordination, department_id: str) -> None:
    department = _department(account, department_id)
    account.state.departments[department_id] = replace(
        department,
        subordination=subordination_of(account, body.subordination, department.subordination),
        co_subordination=subordination_of(account, body.co_subordination, department.co_subordination),
    )


def move_users(account: ISpringAccount, body: bodies.UserIds, department_id: str) -> None:
    _department(account, department_id)
    users = users_of(account, map(str, body.user_ids))
    account.state.change_users(replace(user, department_id=department_id) for user in users)


def move_departments(account: ISpringAccount, body: bodies.MoveDepartments, parent_id: str) -> None:
    parent = _department(account, parent_id)
    moved = [_below(account, _named(account, str(each)), parent) for each in body.department_ids]
    account.state.departments.update({department.id: department for department in moved})


def _department(account: ISpringAccount, department_id: str) -> Department:
    """The department in a path."""
    if (department := account.state.departments.get(department_id)) is None:
        raise Refused(404, "Unknown department")
    return department


def _named(account: ISpringAccount, department_id: str) -> Department:
    """A department in a body."""
    if (department := account.state.departments.get(department_id)) is None:
        raise Refused(400, "Unknown department")
    return department


def _below(account: ISpringAccount, department: Department, parent: Department) -> Department:
    """A department below another one.

    :raises Refused: the other one is the same, or below it.
    """
    above: Department | None = parent
    while above is not None:
        if above.id == department.id:
            raise Refused(400, "A department cannot be below itself")
        above = None if above.parent_id is None else account.state.departments[above.parent_id]
    return replace(department, parent_id=parent.id)
