"""How an account is organized: departments, groups, roles, and the fields of profiles."""

from __future__ import annotations

from typing import Annotated, Any

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE, PAGES
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing, Parent


class Department(Record, kw_only=True):
    """A department. ``parent_department_id`` is None for the one at the top."""

    department_id: Annotated[Id, about("The department.")]
    name: Annotated[str | None, about("Its name.")] = None
    parent_department_id: Annotated[
        str | None, about("The department that it belongs to; null at the top.", references="departments")
    ] = None
    code: Annotated[str | None, about("Its code, which the organization gives it.")] = None
    subordination: Annotated[
        Any,
        about(
            "Who supervises its users: an object with subordinationType (manual, inherit or no_supervisor) and, where "
            "there is one, supervisorId.",
            personal="indirect",
        ),
    ] = None
    co_subordination: Annotated[
        Any, about("Who else supervises its users: an object like subordination.", personal="indirect")
    ] = None


class Group(Record, kw_only=True):
    """A group of users."""

    group_id: Annotated[Id, about("The group.")]
    name: Annotated[str | None, about("Its name.")] = None
    is_smart: Annotated[bool | None, about("Whether rules decide who is in the group.")] = None


class GroupMember(Record, kw_only=True):
    """A user in a group."""

    group_id: Annotated[Id, about("The group.", references="groups")]
    user_id: Annotated[Id, about("The user.", personal="indirect", references="users")]


class Role(Record, kw_only=True):
    """A role that users can have. ``type`` is one of the vendor's roles or ``custom``."""

    role_id: Annotated[Id, about("The role.")]
    type: Annotated[
        str | None, about("learner, administrator, department_administrator, publisher, custom and others.")
    ] = None
    title: Annotated[str | None, about("Its title.")] = None
    description: Annotated[str | None, about("Its description.")] = None


class ProfileField(Record, kw_only=True):
    """A field that a user's profile can have. ``name`` is its name in ``fields`` of a user."""

    user_field_info_id: Annotated[Id, about("The field.")]
    name: Annotated[str | None, about("Its name in the fields of a user.")] = None
    label: Annotated[str | None, about("What people see as its name.")] = None
    type: Annotated[str | None, about("Its type; the values are not documented.")] = None
    is_unique: Annotated[WholeNumber | None, about("1 if no two users may have the same value, otherwise 0.")] = None
    is_required: Annotated[WholeNumber | None, about("1 if each user must have a value, otherwise 0.")] = None
    order_priority: Annotated[WholeNumber | None, about("Its place among the fields.")] = None
    values: Annotated[Any, about("The values to choose from, if the field has such.")] = None


DEPARTMENTS = Listing(
    name="departments",
    path="/departments",
    record=Department,
    rows="departments",
    row="department",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("department_id",),
    source="OpenAPI GET /departments",
)

GROUPS = Listing(
    name="groups",
    path="/groups",
    record=Group,
    rows="groups",
    row="group",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("group_id",),
    source="OpenAPI GET /groups",
)

GROUP_MEMBERS = Listing(
    name="group_members",
    path="/group/{group_id}",
    record=GroupMember,
    rows="userIds",
    row="id",
    id_field="userId",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("group_id", "user_id"),
    path_ids=(PathId("group_id", "groupId"),),
    parent=Parent(GROUPS, {"group_id": "group_id"}),
    source="OpenAPI GET /group/{groupId}",
)

ROLES = Listing(
    name="roles",
    path="/role",
    record=Role,
    rows="roles",
    row="role",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("role_id",),
    source="OpenAPI GET /role",
)

PROFILE_FIELDS = Listing(
    name="profile_fields",
    path="/user/profile/fields",
    record=ProfileField,
    rows="userFieldInfos",
    row="userFieldInfo",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("user_field_info_id",),
    source="OpenAPI GET /user/profile/fields",
)
