"""The bodies of writes to the simulated iSpring Learn, as the vendor's OpenAPI document declares them.

Fields are called as the vendor calls them, in Python's spelling. A body that lacks a required field, has an unknown one
or a wrong value is refused.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal, TypeVar
from xml.etree import ElementTree

import msgspec
from msgspec import Meta, Struct, field

from airflow_provider_lms.simulator.exchange import JSON, XML, Request
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.people import SubordinationType

T = TypeVar("T", bound=Struct)

Ids = Annotated[list[uuid.UUID], Meta(min_length=1)]
RoleType = Literal["learner", "administrator", "department_administrator", "publisher", "custom"]


class _Body(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A body."""


class Dates(_Body, kw_only=True):
    """The dates of an enrollment."""

    due_date_type: Literal["unlimited", "default", "due_date", "due_period"]
    access_date: str | None = None
    due_date: str | None = None
    due_period: Annotated[int, Meta(ge=1)] | None = None
    """In hours."""
    lock_after_due_date: bool = False


class NewEnrollment(Dates, kw_only=True):
    course_ids: Ids
    learner_ids: Ids


class UpdateEnrollment(Dates, kw_only=True):
    """Also ``Reenroll``, which has the same fields."""

    access_date: str


class DeleteEnrollments(_Body, kw_only=True):
    enrollment_ids: Ids


class UserRole(_Body, kw_only=True):
    role_id: uuid.UUID
    role_type: RoleType | None = None
    manageable_department_ids: list[uuid.UUID] = []


class _User(_Body, kw_only=True):
    department_id: uuid.UUID | None = None
    fields: dict[str, str] = {}
    role: RoleType | None = None
    role_id: uuid.UUID | None = None
    roles: list[UserRole] | None = None
    group_ids: list[uuid.UUID] | None = None
    manageable_department_ids: list[uuid.UUID] | None = None


class UpdateUser(_User, kw_only=True):
    """Fields that are left out stay as they are."""


class NewUser(_User, kw_only=True):
    department_id: uuid.UUID
    fields: dict[str, str]
    password: str | None = None
    send_login_email: bool | None = None
    invitation_message: str | None = None
    send_login_sms: bool = field(default=False, name="sendLoginSMS")
    invitation_sms_message: str | None = field(default=None, name="invitationSMSMessage")


class Supervision(_Body, kw_only=True):
    """``Subordination`` in the document."""

    subordination_type: SubordinationType
    supervisor_id: uuid.UUID | None = None


class ChangeSubordination(_Body, kw_only=True):
    subordination: Supervision | None = None
    co_subordination: Supervision | None = None


class Scheduled(_Body, kw_only=True):
    date: str


class UserIds(_Body, kw_only=True):
    user_ids: Ids


class GroupIds(_Body, kw_only=True):
    group_ids: Ids


class NewDepartment(_Body, kw_only=True):
    name: Annotated[str, Meta(min_length=1)]
    parent_department_id: uuid.UUID
    code: str | None = None


class UpdateDepartment(_Body, kw_only=True):
    name: Annotated[str, Meta(min_length=1)] | None = None
    parent_department_id: uuid.UUID | None = None
    code: str | None = None


class MoveDepartments(_Body, kw_only=True):
    department_ids: list[uuid.UUID] = []


class NewGroup(_Body, kw_only=True):
    name: Annotated[str, Meta(min_length=1)]
    user_ids: list[uuid.UUID] = []


class UpdateGroup(_Body, kw_only=True):
    name: Annotated[str, Meta(min_length=1)]


class UpdateGroupMembers(_Body, kw_only=True):
    """An empty list is allowed: it may take everybody out of a group."""

    user_ids: list[uuid.UUID]


def decode(request: Request, kind: type[T]) -> T:
    """The body of a request, in JSON or XML.

    :raises Refused: it is not one of this kind.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        if media_type == JSON:
            content = msgspec.json.decode(request.body)
            # No field is declared to be nullable.
            if isinstance(content, dict) and None in content.values():
                raise Refused(400, "Bad body: a field is null")
            return msgspec.convert(content, type=kind)
        if media_type == XML:
            content = _from_xml(ElementTree.fromstring(request.body))  # noqa: S314  # only tests send something here
            # Texts become numbers and booleans, as their fields demand. An element without content is an empty object.
            return msgspec.convert(content or {}, type=kind, strict=False)
    except (msgspec.MsgspecError, ElementTree.ParseError) as error:
        raise Refused(400, f"Bad body: {error}") from None
    raise Refused(400, f"Bad body: send {JSON} or {XML}")


def moment(text: str, name: str, zone: tzinfo) -> datetime:
    """A date with or without time: ``2026-05-01``, ``2026-05-01 10:30:00`` or ISO 8601.

    :param name: the field's, for the message.
    :param zone: of a date that names none. The vendor does not say which.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"Bad date in {name}") from None
    return (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)


def _from_xml(element: ElementTree.Element) -> Any:
    """What the same body is in JSON. Lists are recognized by their names."""
    if element.tag.endswith("Ids"):
        return [each.text or "" for each in element]
    if element.tag == "roles":
        return [_from_xml(each) for each in element]
    if element.tag == "fields":
        return {each.tag: each.text or "" for each in element}
    if not len(element):
        return (element.text or "").strip()
    return {each.tag: _from_xml(each) for each in element}
