"""What the report needs of the rows of each LMS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from airflow_provider_lms.lms.course.progress import LearnerProgress, State, StatusMeanings
from airflow_provider_lms.lms.ispring.course import STATUSES as ISPRING_STATUSES
from airflow_provider_lms.lms.zoho_people.course import STATUSES as ZOHO_STATUSES

Row: TypeAlias = Mapping[str, Any]

_OF_ISPRING = {"userId", "courseId", "completionStatus"}
_OF_ZOHO = {"learnerId", "courseId", "completionPercentage"}
_OF_ENROLLMENTS = {"enrollmentId", "learnerId", "courseId"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Enrolled:
    """A learner in a course, by one enrollment.

    :param title: the course's title; its id if it has none.
    :param state: completed, unsuccessful, or open.
    :param started: whether an open one was begun.
    :param enrolled_at: when the learner was enrolled. The latest enrollment counts.
    :param due: until when the course is to be completed.
    :param completed_on: when it was completed.
    :param progress: how much is done, in percent.
    """

    learner: str
    course: str
    title: str
    state: State
    started: bool
    overdue: bool
    enrolled_at: datetime
    due: date | None
    completed_on: date | None
    progress: float | None


@dataclass(frozen=True)
class Person:
    """A learner or a manager.

    :param department: the department's id, or its name if it has none.
    :param manager: the manager's id.
    """

    name: str
    department: str | None
    manager: str | None


@dataclass(frozen=True)
class ExpiringCertificate:
    """A certificate that expires."""

    learner: str
    course: str
    expires_on: date


def enrolled(rows: Iterable[Row]) -> Iterator[Enrolled]:
    """The enrollments in rows of course results (iSpring Learn) or of course progress (Zoho People).

    :raises ValueError: they are rows of something else.
    """
    for row in rows:
        if row.keys() >= _OF_ISPRING and "moduleId" not in row:
            yield _of_ispring(row)
        elif row.keys() >= _OF_ZOHO:
            yield _of_zoho(row)
        else:
            raise ValueError(
                "results: expected a dataset of course results (iSpring Learn) with "
                f"{', '.join(sorted(_OF_ISPRING))}, or of course progress (Zoho People) with "
                f"{', '.join(sorted(_OF_ZOHO))}."
            )


def people(rows: Iterable[Row]) -> dict[str, Person]:
    """People by id, from rows of users (iSpring Learn) or of employees (Zoho People).

    :raises ValueError: they are rows of something else.
    """
    found: dict[str, Person] = {}
    for row in rows:
        if "userId" in row:
            fields, supervised = row.get("fields") or {}, row.get("subordination") or {}
            name = f"{fields.get('FIRST_NAME') or ''} {fields.get('LAST_NAME') or ''}".strip()
            found[row["userId"]] = Person(name, row.get("departmentId"), supervised.get("supervisorId"))
        elif "erecno" in row:
            name = f"{row.get('firstName') or ''} {row.get('lastName') or ''}".strip()
            department = row.get("departmentId") or row.get("department")
            found[row["erecno"]] = Person(name, department, row.get("reportingToId"))
        else:
            raise ValueError("people: expected a dataset of users (iSpring Learn) or of employees (Zoho People).")
    return found


def department_names(rows: Iterable[Row]) -> dict[str, str]:
    """The names of departments by id, from rows of departments, or of Zoho's employees."""
    return {
        row["departmentId"]: row.get("name") or row.get("department") or row["departmentId"]
        for row in rows
        if row.get("departmentId")
    }


def certificates(rows: Iterable[Row]) -> Iterator[ExpiringCertificate]:
    """The certificates that expire, from rows of enrollments (iSpring Learn).

    :raises ValueError: they are rows of something else.
    """
    for row in rows:
        if not row.keys() >= _OF_ENROLLMENTS:
            raise ValueError(
                "enrollments: expected a dataset of enrollments (iSpring Learn) with "
                f"{', '.join(sorted(_OF_ENROLLMENTS))}."
            )
        if (expires := _day(row.get("certExpiryDate"))) is not None:
            yield ExpiringCertificate(row["learnerId"], row["courseId"], expires)


def _of_ispring(row: Row) -> Enrolled:
    return Enrolled(
        learner=row["userId"],
        course=row["courseId"],
        title=row.get("courseTitle") or row["courseId"],
        state=_state(ISPRING_STATUSES, row["userId"], row["completionStatus"]),
        started=row["completionStatus"] != "not_started",
        overdue=bool(row.get("isOverdue")),
        enrolled_at=_moment(row.get("accessDate")) or _LONG_AGO,
        due=_day(row.get("dueDate")),
        completed_on=_day(row.get("completionDate")),
        progress=_number(row.get("progress")),
    )


def _of_zoho(row: Row) -> Enrolled:
    progress = _number(row["completionPercentage"])
    return Enrolled(
        learner=row["learnerId"],
        course=row["courseId"],
        title=row.get("courseName") or row["courseId"],
        state=_state(ZOHO_STATUSES, row["learnerId"], row.get("completionStatus"), done=progress == 100),
        started=bool(progress),
        overdue=False,
        enrolled_at=_moment(row.get("enrolledDate")) or _LONG_AGO,
        due=None,
        completed_on=_day(row.get("completionDate")),
        progress=progress,
    )


def _state(statuses: StatusMeanings, learner: str, status: str | None, *, done: bool = False) -> State:
    return statuses.state_of(LearnerProgress(learner, status=status, done=done))


def _number(value: object) -> float | None:
    try:
        return float(str(value).removesuffix("%"))
    except ValueError:
        return None


def _day(value: object) -> date | None:
    """The day of a date in text, in UTC; None if it has none that can be read."""
    moment = _moment(value)
    return None if moment is None else moment.date()


def _moment(value: object) -> datetime | None:
    """A date in text, as iSpring Learn or as Zoho writes it. One without a zone is in UTC."""
    for parse in (datetime.fromisoformat, _of_zohos_text):
        with suppress(ValueError):
            moment = parse(str(value))
            return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return None


def _of_zohos_text(text: str) -> datetime:
    return datetime.strptime(text, "%d-%b-%Y")
