"""What the report needs of rows, whatever LMS they are from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)

Row: TypeAlias = Mapping[str, Any]

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""In place of a date that is missing or cannot be read."""


class Stage(StrEnum):
    """How far an enrollment is, as the charts show it."""

    COMPLETED = "completed"
    IN_PROGRESS = "in progress"
    NOT_STARTED = "not started"
    UNSUCCESSFUL = "failed or declined"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Enrolled:
    """A learner in a course, by one enrollment.

    :param title: the course's title; its id if it has none.
    :param stage: how far it is.
    :param enrolled_at: when the learner was enrolled. The latest enrollment counts.
    :param due: until when the course is to be completed.
    :param completed_on: when it was completed.
    :param progress: how much is done, in percent.
    """

    learner: str
    course: str
    title: str
    stage: Stage
    overdue: bool
    enrolled_at: datetime
    due: date | None
    completed_on: date | None
    progress: float | None


@dataclass(frozen=True)
class Person:
    """A learner or a manager.

    :param department: the department's id, or its name if it has none.
    :param department_name: its name, where the row of the person tells it.
    :param manager: the manager's id.
    """

    id: str
    name: str
    department: str | None
    department_name: str | None
    manager: str | None


@dataclass(frozen=True)
class Department:
    """A department and its name."""

    id: str
    name: str


@dataclass(frozen=True)
class ExpiringCertificate:
    """A certificate that expires.

    :param expires_on: None if the date cannot be read.
    """

    learner: str
    course: str
    expires_on: date | None


@dataclass(frozen=True)
class RowReader(Generic[T_co]):
    """Reads one kind of row of one LMS.

    :param what: the kind of row, for errors.
    :param columns: those that every such row has.
    :param read: what the report needs of a row; None if it needs nothing of it.
    :param without: columns that tell such a row from another kind.
    """

    what: str
    columns: frozenset[str]
    read: Callable[[Row], T_co | None]
    without: frozenset[str] = frozenset()

    def fits(self, row: Row) -> bool:
        """Whether a row is of this kind."""
        return row.keys() >= self.columns and self.without.isdisjoint(row)


@dataclass(frozen=True)
class RowReaders:
    """Reads the rows of one LMS. A kind of row that the LMS does not have is None."""

    enrolled: RowReader[Enrolled]
    people: RowReader[Person]
    departments: RowReader[Department] | None = None
    certificates: RowReader[ExpiringCertificate] | None = None


def parse_moment(value: object) -> datetime | None:
    """A date in text, in UTC; None if it cannot be read. One without a zone is in UTC."""
    for parse in (datetime.fromisoformat, _with_month_name):
        with suppress(ValueError):
            moment = parse(str(value))
            return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return None


def parse_day(value: object) -> date | None:
    """The day of a date in text, in UTC; None if it cannot be read."""
    moment = parse_moment(value)
    return None if moment is None else moment.date()


def _with_month_name(text: str) -> datetime:
    return datetime.strptime(text, "%d-%b-%Y")
