"""What the report needs of the rows of Zoho People."""

from __future__ import annotations

from airflow_provider_lms.lms.course.progress import State
from airflow_provider_lms.lms.zoho_people.course import STATUSES, parse_percentage, progress_of
from airflow_provider_lms.report.rows import (
    LONG_AGO,
    Enrolled,
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
        learner=row["learnerId"],
        course=row["courseId"],
        title=row.get("courseName") or row["courseId"],
        stage=_stage(row),
        overdue=False,
        enrolled_at=parse_moment(row.get("enrolledDate")) or LONG_AGO,
        due=None,
        completed_on=parse_day(row.get("completionDate")),
        progress=parse_percentage(row["completionPercentage"]),
    )


def _stage(row: Row) -> Stage:
    found = progress_of(row["learnerId"], row.get("completionStatus"), row["completionPercentage"])
    if STATUSES.state_of(found) is State.COMPLETED:
        return Stage.COMPLETED
    # Zoho documents no other words, so the percentage tells whether the learner has begun.
    percentage = parse_percentage(row["completionPercentage"])
    if percentage is None:
        return Stage.UNKNOWN
    return Stage.IN_PROGRESS if percentage else Stage.NOT_STARTED


def _person(row: Row) -> Person:
    name = f"{row.get('firstName') or ''} {row.get('lastName') or ''}".strip()
    department = row.get("departmentId") or row.get("department")
    return Person(row["erecno"], name, department, row.get("department"), row.get("reportingToId"))


READERS = RowReaders(
    enrolled=RowReader(
        "course progress (Zoho People)", frozenset({"learnerId", "courseId", "completionPercentage"}), _enrolled
    ),
    people=RowReader("employees (Zoho People)", frozenset({"erecno"}), _person),
)
