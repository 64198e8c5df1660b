"""What all changes in iSpring Learn have in common."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.http.documents import parse_document, parse_json
from airflow_provider_lms.lms.http.response import BYTE_ORDER_MARK, Response
from airflow_provider_lms.lms.ispring.errors import is_error_body
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.parameters import parse_id
from airflow_provider_lms.lms.write import Write

Supervisor: TypeAlias = Literal["inherit", "no_supervisor"] | str
"""A user's id; ``inherit`` for the supervisor of the department above; ``no_supervisor`` for none."""

USER = PathId("user_id", "userId", personal=True)
# Of one person and one course, so it may lead to the person.
ENROLLMENT = PathId("enrollment_id", "enrollmentId", personal=True)
DEPARTMENT = PathId("department_id", "departmentId")
GROUP = PathId("group_id", "groupId")

_SUPERVISED_BY = ("inherit", "no_supervisor")
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def change(method: str, path: str, success: HTTPStatus, *ids: PathId) -> Write:
    """A call whose success has a documented status, and no documented body."""
    return Write(method, path, success, _error_body, ids)


def creation(path: str) -> Write:
    """A call whose success is HTTP 201 with the id of what was created; see :func:`created_id`."""
    return Write("POST", path, HTTPStatus.CREATED, _no_id)


def created_id(response: Response) -> str:
    """The id of what a :func:`creation` has created; empty if the response has none.

    The OpenAPI document shows a JSON string, and ``<response>`` in XML. Single objects come within ``response`` in its
    JSON, so an id may do so too.
    """
    try:
        content: Any = parse_json(response) if _is_json_text(response) else parse_document(response)
    except LmsBrokenPage:
        return ""
    found = content.get("response") if isinstance(content, dict) else content
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


def supervision(supervisor: Supervisor | None, co_supervisor: Supervisor | None) -> dict[str, object]:
    """The body that says who supervises a user or a department. What is None is left out.

    :raises ValueError: both are None, or one is not an id.
    """
    if supervisor is None and co_supervisor is None:
        raise ValueError("supervisor: give a supervisor, a co_supervisor or both.")
    body: dict[str, object] = {}
    if supervisor is not None:
        body["subordination"] = _subordination("supervisor", supervisor)
    if co_supervisor is not None:
        body["coSubordination"] = _subordination("co_supervisor", co_supervisor)
    return body


def _subordination(name: str, supervisor: Supervisor) -> dict[str, str]:
    if supervisor in _SUPERVISED_BY:
        return {"subordinationType": supervisor}
    return {"subordinationType": "manual", "supervisorId": parse_id(name, supervisor)}


def _error_body(response: Response) -> str | None:
    return "the LMS reports an error beside a success." if is_error_body(response) else None


def _no_id(response: Response) -> str | None:
    return None if created_id(response) else "the response does not have the id of what was created."


def _is_json_text(response: Response) -> bool:
    # Of other texts, only the content type would say whether they are JSON.
    return response.body.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] == b'"'
