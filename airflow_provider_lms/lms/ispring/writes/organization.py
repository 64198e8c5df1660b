"""Departments and groups: to create and change them, and to move users and departments. None is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeAlias

from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.ispring.writes.api import (
    DEPARTMENT,
    GROUP,
    USER,
    Supervisor,
    change,
    created_id,
    creation,
    supervision,
)
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.parameters import parse_id, parse_required_ids, parse_text

Ids: TypeAlias = Sequence[str] | str

_CREATE_DEPARTMENT = creation("/department")
_UPDATE_DEPARTMENT = change("POST", "/department/{department_id}", HTTPStatus.NO_CONTENT, DEPARTMENT)
_SUBORDINATION = change("POST", "/department/{department_id}/subordination", HTTPStatus.NO_CONTENT, DEPARTMENT)
_MOVE_USERS = change("POST", "/department/{department_id}/user/move", HTTPStatus.NO_CONTENT, DEPARTMENT)
_MOVE_DEPARTMENTS = change(
    "POST",
    "/department/{parent_department_id}/department/move",
    HTTPStatus.NO_CONTENT,
    PathId("parent_department_id", "parentId"),
)
_CREATE_GROUP = creation("/group")
_RENAME_GROUP = change("POST", "/group/{group_id}", HTTPStatus.OK, GROUP)
_SET_MEMBERS = change("POST", "/group/{group_id}/members", HTTPStatus.OK, GROUP)
_REMOVE_FROM_GROUPS = change("POST", "/user/{user_id}/groups/remove", HTTPStatus.OK, USER)


class OrganizationWrites(LmsClient):
    """Changes of departments and groups."""

    def create_department(self, name: str, parent_department_id: str, code: str | None = None) -> str:
        """Create a department.

        :param name: its name. Whether two may have the same is not documented.
        :param parent_department_id: the department that it belongs to.
        :param code: its code in the organization.
        :return: the id of the new department.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsBadRequest: the LMS rejected a parameter.
        :raises LmsUnconfirmed: nobody knows whether it was created, or its id was not told.

        Source: OpenAPI ``POST /department``.
        """
        parent = parse_id("parent_department_id", parent_department_id)
        body = {"name": parse_text("name", name), "parentDepartmentId": parent}
        if code is not None:
            body["code"] = parse_text("code", code)
        return created_id(_CREATE_DEPARTMENT.send(self._transport, body))

    def update_department(
        self,
        department_id: str,
        *,
        name: str | None = None,
        parent_department_id: str | None = None,
        code: str | None = None,
    ) -> None:
        """Rename a department, give it another code, or move it. Only what is given is sent.

        :param department_id: the department.
        :param name: its new name.
        :param parent_department_id: the department that it is to belong to.
        :param code: its new code.
        :raises ValueError: a parameter is invalid, or nothing is to be changed; nothing was sent.
        :raises LmsNotFound: there is no such department.
        :raises LmsUnconfirmed: nobody knows whether it was changed.

        Source: OpenAPI ``POST /department/{departmentId}``.
        """
        body: dict[str, object] = {}
        if name is not None:
            body["name"] = parse_text("name", name)
        if parent_department_id is not None:
            body["parentDepartmentId"] = parse_id("parent_department_id", parent_department_id)
        if code is not None:
            body["code"] = parse_text("code", code)
        if not body:
            raise ValueError("name: nothing is to be changed. Give at least one parameter beside department_id.")
        _UPDATE_DEPARTMENT.send(self._transport, body, department_id=department_id)

    def change_department_subordination(
        self, department_id: str, *, supervisor: Supervisor | None = None, co_supervisor: Supervisor | None = None
    ) -> None:
        """Say who supervises the users of a department.

        :param department_id: the department.
        :param supervisor: a user's id, ``inherit`` to take that of the department above, or ``no_supervisor``. None
            sends nothing; both are optional in the OpenAPI document.
        :param co_supervisor: a second supervisor, in the same way.
        :raises ValueError: a parameter is invalid, or both are None; nothing was sent.
        :raises LmsNotFound: there is no such department.
        :raises LmsUnconfirmed: nobody knows whether the supervisor was changed.

        Source: OpenAPI ``POST /department/{departmentId}/subordination``.
        """
        _SUBORDINATION.send(self._transport, supervision(supervisor, co_supervisor), department_id=department_id)

    def move_users(self, department_id: str, user_ids: Ids) -> None:
        """Move users to a department.

        :param department_id: the department that they move to.
        :param user_ids: the users.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such department.
        :raises LmsUnconfirmed: nobody knows whether they were moved.

        Source: OpenAPI ``POST /department/{departmentId}/user/move``.
        """
        body = {"userIds": parse_required_ids("user_ids", user_ids)}
        _MOVE_USERS.send(self._transport, body, department_id=department_id)

    def move_departments(self, parent_department_id: str, department_ids: Ids) -> None:
        """Move departments to another one.

        :param parent_department_id: the department that they are to belong to.
        :param department_ids: the departments.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such department.
        :raises LmsUnconfirmed: nobody knows whether they were moved.

        Source: OpenAPI ``POST /department/{parentId}/department/move``.
        """
        body = {"departmentIds": parse_required_ids("department_ids", department_ids)}
        _MOVE_DEPARTMENTS.send(self._transport, body, parent_department_id=parent_department_id)

    def create_group(self, name: str, user_ids: Ids | None = None) -> str:
        """Create a group of users.

        :param name: its name. Whether two may have the same is not documented.
        :param user_ids: who is to be in it; None is nobody.
        :return: the id of the new group.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether it was created, or its id was not told.

        Source: OpenAPI ``POST /group``.
        """
        body: dict[str, object] = {"name": parse_text("name", name)}
        if user_ids is not None:
            body["userIds"] = parse_required_ids("user_ids", user_ids)
        return created_id(_CREATE_GROUP.send(self._transport, body))

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group another name.

        :param group_id: the group.
        :param name: its new name.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such group.
        :raises LmsUnconfirmed: nobody knows whether it was renamed.

        Source: OpenAPI ``POST /group/{groupId}``.
        """
        _RENAME_GROUP.send(self._transport, {"name": parse_text("name", name)}, group_id=group_id)

    def remove_user_from_groups(self, user_id: str, group_ids: Ids) -> None:
        """Remove a user from groups.

        :param user_id: the user.
        :param group_ids: the groups.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such user.
        :raises LmsUnconfirmed: nobody knows whether the user was removed.

        Source: OpenAPI ``POST /user/{userId}/groups/remove``.
        """
        body = {"groupIds": parse_required_ids("group_ids", group_ids)}
        _REMOVE_FROM_GROUPS.send(self._transport, body, user_id=user_id)

    def set_group_members(self, group_id: str, user_ids: Ids, *, allow_undocumented: bool = False) -> None:
        """Send the members of a group. Whether they replace those that it has, or join them, is not documented.

        :param group_id: the group.
        :param user_ids: the users.
        :param allow_undocumented: you know what your account does, such as from a test group.
        :raises ValueError: a parameter is invalid, or ``allow_undocumented`` is not set; nothing was sent.
        :raises LmsNotFound: there is no such group.
        :raises LmsUnconfirmed: nobody knows whether the members were changed.

        Source: OpenAPI ``POST /group/{groupId}/members``.
        """
        if allow_undocumented is not True:
            raise ValueError(
                "allow_undocumented: iSpring does not document whether these users replace the members of the group or "
                "join them. Try it with a group of your own, and set allow_undocumented=True."
            )
        body = {"userIds": parse_required_ids("user_ids", user_ids)}
        _SET_MEMBERS.send(self._transport, body, group_id=group_id)
