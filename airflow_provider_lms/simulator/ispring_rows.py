"""The rows of the simulated iSpring Learn, in the vendor's JSON. A field without a value is left out."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_lms.simulator.people import Department, Role, Subordination, User
from airflow_provider_lms.simulator.world import DONE, Item, Result


def result_row(result: Result) -> dict[str, Any]:
    module = result.module
    row = {
        "userId": result.user.id,
        "courseId": result.course.id,
        "moduleId": module and module.id,
        "moduleTitle": module and module.title,
        "courseItemId": module and module.item_id,
        "courseTitle": None if module else result.course.title,
        "duration": None if module else result.course.duration,
        "enrollmentId": result.enrollment_id,
        "accessDate": as_date(result.access),
        "dueDate": as_date(result.due),
        "expirationDate": as_date(result.expiration),
        "completionDate": as_date(result.completion),
        "timeSpent": result.seconds,
        "completionStatus": result.status,
        "awardedScore": result.score,
        "passingScore": result.passing_score,
        "progress": result.progress,
        "isOverdue": result.overdue,
        "viewsCount": result.views,
    }
    return {name: value for name, value in row.items() if value is not None}


def enrollment_row(result: Result) -> dict[str, Any]:
    row = {
        "enrollmentId": result.enrollment_id,
        "courseId": result.course.id,
        "learnerId": result.user.id,
        "accessDate": _day(result.access),
        "dueDate": _day(result.due),
        "expirationDate": _day(result.expiration),
        "shouldLockAfterDueDate": result.expiration is not None,
        "certificate": certificate_of(result),
        "enrollmentTypeGroup": 0,
    }
    return {name: value for name, value in row.items() if value is not None}


def certificate_of(result: Result) -> dict[str, Any] | None:
    """Whoever has completed a course has a certificate, which is valid for a year."""
    if result.completion is None or result.status not in DONE:
        return None
    return {
        "issuedCertificateId": str(uuid.uuid5(uuid.NAMESPACE_OID, result.enrollment_id)),
        "issueDate": _day(result.completion),
        "expiryDate": _day(result.completion + timedelta(days=365)),
    }


_LABELS = {"LearningTrack": "Learning track"}


def content_item(item: Item) -> dict[str, Any]:
    return {
        "contentItemId": item.id,
        "title": item.title,
        "subtitle": "For everyone",
        "description": f"What you need to know about {item.title}.",
        "userId": item.author_id,
        "addedDate": as_date(item.added),
        "viewUrl": f"https://example.ispringlearn.com/view/{item.id}",
        "viewType": "default",  # required by the OpenAPI document, which does not say what it is
        "type": _LABELS.get(item.kind, item.kind),
        "contentItemType": item.kind,
    }


def department_row(department: Department) -> dict[str, Any]:
    row = {
        "departmentId": department.id,
        "name": department.name,
        "parentDepartmentId": department.parent_id,
        "code": department.code,
        "subordination": _subordination(department.subordination),
        "coSubordination": _subordination(department.co_subordination),
    }
    return {name: value for name, value in row.items() if value is not None}


def user_profile(user: User, groups: list[str]) -> dict[str, Any]:
    profile = {
        "EMAIL": user.email,
        "FIRST_NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "LOGIN": user.login,
        **dict(user.profile),
    }
    row = {
        "userId": user.id,
        "role": user.role,
        "roleId": user.role_id,
        "departmentId": user.department_id,
        "status": user.status,
        "fields": [{"name": name, "value": value} for name, value in profile.items() if value],
        "addedDate": as_date(user.added),
        "lastLoginDate": as_date(user.last_login),
        "manageableDepartmentIds": list(user.manageable_department_ids) or None,
        "userRoles": [_role(each) for each in user.roles or (Role(user.role_id, user.role),)],
        "subordination": _subordination(user.subordination),
        "coSubordination": _subordination(user.co_subordination),
        "groups": groups,
    }
    return {name: value for name, value in row.items() if value is not None}


def _role(role: Role) -> dict[str, Any]:
    row: dict[str, Any] = {"roleId": role.id, "roleType": role.type}
    if role.manageable_department_ids:
        row["manageableDepartmentIds"] = list(role.manageable_department_ids)
    return row


def _subordination(subordination: Subordination) -> dict[str, str]:
    row: dict[str, str] = {"subordinationType": subordination.type}
    if subordination.supervisor_id is not None:
        row["supervisorId"] = subordination.supervisor_id
    return row


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()


def as_date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(microsecond=0).isoformat()
