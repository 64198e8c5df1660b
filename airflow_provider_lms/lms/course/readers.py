"""What the course readers of every LMS are asked, and what they can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from airflow_provider_lms.lms.course.event_cursor import Completion
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerIds
from airflow_provider_lms.lms.course.read_flow import ReadFlow


class CourseQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to read of a course. Can be stored as JSON. An LMS adds its own fields.

    :param course_id: the course.
    """

    course_id: str


class CompletionsQuery(CourseQuery, frozen=True, kw_only=True, omit_defaults=True):
    """Whose completion to watch for.

    :param completed_statuses: the LMS's words for a completed course; None takes the usual ones.
    """

    completed_statuses: tuple[str, ...] | None = None


class Finding(NamedTuple):
    """What a reading has found of a learner.

    :param state: the learner's state at that time, by which one can tell whether it is worth looking again.
    :param done: whether they had completed the course.
    :param found_at: when, in seconds of a clock that never goes back.
    """

    state: bytes
    done: bool
    found_at: float


@dataclass
class CourseMemory:
    """What a reader has learned about a course. With it, the next reader need not learn it again.

    :param least_pages: how many pages each listing of the course has at least, by a name for the listing.
    :param exists: whether the course is known to exist.
    :param populated: whether the course is known to have had learners.
    :param unknown_ids: learners' ids that the LMS has rejected. So this must not be stored anywhere.
    :param readings: how often the course was read.
    :param findings: what was found of learners who are read one by one, by a name for each of them.
    """

    least_pages: dict[str, int] = field(default_factory=dict)
    exists: bool = False
    populated: bool = False
    unknown_ids: set[str] = field(default_factory=set)
    readings: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)


class CourseReader(Protocol):
    """Reads the progress of a course's learners, again and again."""

    def read_flow(self, learners: LearnerIds | None, *, again: bool = False) -> ReadFlow[CourseSnapshot]:
        """Read the progress of learners.

        :param learners: those that matter; None is everybody.
        :param again: a verdict may rest on this reading: ask again for learners whom the LMS did not know, and rely on
            nothing that was found before.
        """

    def close(self) -> None:
        """Close the connections to the LMS."""


class CompletionsReader(Protocol):
    """Reads who has completed a course, again and again."""

    @property
    def dated(self) -> bool:
        """Whether completions have dates."""

    def read_flow(self, since: datetime) -> ReadFlow[list[Completion]]:
        """Read who has completed the course.

        :param since: completions from this date on; all of them if they have no dates.
        """

    def close(self) -> None:
        """Close the connections to the LMS."""
