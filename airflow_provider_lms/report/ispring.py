"""What the report needs of the rows of iSpring Learn."""

from __future__ import annotations

from airflow_provider_lms.lms.course.progress import LearnerProgress, State
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.report.rows import (
    LONG_AGO,
    Department,
    Enrolled,
    ExpiringCertificate,
    Person,
    Row,
    RowReader,
    RowReaders,
    Stage,
    parse_day,
    parse_moment,
)


def _enrolled(row: Row) -> Enrolled:
    return Enrolled(
        learner=row["userId"],
        course=row["courseId"],
        title=row.get("courseTitle") or row["courseId"],
        stage=_stage(row["userId"], row["completionStatus"]),
        overdue=bool(row.get("isOverdue")),
        enrolled_at=parse_moment(row.get("accessDate")) or LONG_AGO,
        due=parse_day(row.get("dueDate")),
        completed_on=parse_day(row.get("completionDate")),
        progress=row.get("progress"),
    )


def _stage(learner: str, status: str) -> Stage:
    state = STATUSES.state_of(LearnerProgress(learner, status=status))
    if state is not State.OPEN:
        return Stage.COMPLETED if state is State.COMPLETED else Stage.UNSUCCESSFUL
    if STATUSES.unknown([status]):
        return Stage.UNKNOWN
    return Stage.NOT_STARTED if status == "not_started" else Stage.IN_PROGRESS


def _person(row: Row) -> Person:
    fields, supervised = row.get("fields") or {}, row.get("subordination") or {}
    name = f"{fields.get('FIRST_NAME') or ''} {fields.get('LAST_NAME') or ''}".strip()
    return Person(row["userId"], name, row.get("departmentId"), None, supervised.get("supervisorId"))


def _department(row: Row) -> Department:
    return Department(row["departmentId"], row.get("name") or row["departmentId"])


def _certificate(row: Row) -> ExpiringCertificate | None:
    expires = row.get("certExpiryDate")
    return None if expires is None else ExpiringCertificate(row["learnerId"], row["courseId"], parse_day(expires))


READERS = RowReaders(
    enrolled=RowReader(
        "course results (iSpring Learn)",
        frozenset({"userId", "courseId", "completionStatus"}),
        _enrolled,
        without=frozenset({"moduleId"}),
    ),
    people=RowReader("users (iSpring Learn)", frozenset({"userId"}), _person, without=frozenset({"courseId"})),
    departments=RowReader("departments (iSpring Learn)", frozenset({"departmentId"}), _department),
    certificates=RowReader(
        "enrollments (iSpring Learn)", frozenset({"enrollmentId", "learnerId", "courseId"}), _certificate
    ),
)
