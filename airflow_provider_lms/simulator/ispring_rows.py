"""The rows of the simulated iSpring Learn, in the vendor's JSON. A field without a value is left out."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_lms.simulator.world import DONE, Department, Item, Result, User


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


def department_row(department: Department, supervisor_id: str) -> dict[str, Any]:
    row = {
        "departmentId": department.id,
        "name": department.name,
        "parentDepartmentId": department.parent_id,
        "code": department.name.upper().replace(" ", "-"),
        "subordination": _subordination(supervisor_id) if department.parent_id else _subordination(None),
        "coSubordination": _subordination(None),
    }
    return {name: value for name, value in row.items() if value is not None}


def user_profile(user: User, groups: list[str]) -> dict[str, Any]:
    profile = {
        "EMAIL": user.email,
        "FIRST_NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "LOGIN": user.login,
    }
    return {
        "userId": user.id,
        "role": "learner",
        "roleId": user.role_id,
        "departmentId": user.department_id,
        "status": user.status,
        "fields": [{"name": name, "value": value} for name, value in profile.items()],
        "addedDate": as_date(user.added),
        "lastLoginDate": as_date(user.last_login),
        "userRoles": [{"roleId": user.role_id, "roleType": "learner"}],
        "subordination": _subordination(user.supervisor_id),
        "coSubordination": _subordination(None),
        "groups": groups,
    }


def _subordination(supervisor_id: str | None) -> dict[str, str]:
    if supervisor_id is None:
        return {"subordinationType": "no_supervisor"}
    return {"subordinationType": "manual", "supervisorId": supervisor_id}


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()


def as_date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(microsecond=0).isoformat()
