"""The progress of learners in a course of iSpring Learn, read by as few requests as possible."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.course.progress import (
    LEARNER_ID,
    CourseSnapshot,
    IdKind,
    LearnerIds,
    LearnerProgress,
    StatusMeanings,
)
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ListingResult, ReadFlow
from airflow_provider_lms.lms.course.readers import CourseMemory, CourseQuery
from airflow_provider_lms.lms.errors import LmsInvalidValue
from airflow_provider_lms.lms.ispring.client import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.results import COMPLETION_STATUSES, CourseResult, ResultFilters
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.parameters import parse_id

ENROLLMENT_ID: IdKind = "enrollment_id"

STATUSES = StatusMeanings(
    completed=("complete", "passed", "accepted"), unsuccessful=("failed", "declined"), known=COMPLETION_STATUSES
)
"""What iSpring's words mean. The vendor calls none of the unsuccessful ones final."""

_ROUNDS_BETWEEN_SEARCHES = 10
"""After so many readings a user id that the LMS did not know is asked for again. Each search costs requests."""

_Progress: TypeAlias = Generator[ListingRequest[LearnerProgress], ListingResult[LearnerProgress], list[LearnerProgress]]


class ISpringCourseQuery(CourseQuery, frozen=True, kw_only=True, omit_defaults=True):
    """What to read of a course of iSpring Learn.

    :param department_ids: only learners of these departments.
    :param access_date: only those enrolled in this range, as ISO 8601 texts.
    """

    department_ids: tuple[str, ...] | None = None
    access_date: tuple[str | None, str | None] | None = None


@dataclass(frozen=True)
class _AccountGroup:
    """Accounts that are read together. A row does not hold its account's status, so each group is read separately."""

    user_statuses: tuple[str, ...]
    blocked: bool

    @property
    def name(self) -> str:
        return "blocked" if self.blocked else "active"

    def progress(self, row: CourseResult) -> LearnerProgress:
        return LearnerProgress(
            learner_id=row.user_id,
            other_ids={} if row.enrollment_id is None else {ENROLLMENT_ID: row.enrollment_id},
            status=row.completion_status,
            access_date=row.access_date,
            overdue=bool(row.is_overdue) or (row.due_date is not None and row.due_date < clock.utcnow()),
            blocked=self.blocked,
            # Without the date nobody knows which enrollment is the latest.
            uncertain="accessDate" in row.extra,
        )


_ACTIVE = _AccountGroup(("1",), blocked=False)
_BLOCKED = _AccountGroup(("3", "5"), blocked=True)


class ISpringCourseReader:
    """Reads a course again and again.

    The whole course is read, or only the named learners, whichever takes fewer requests. How many pages the course has
    is learned by reading.

    :param client: the account to read; it is closed with the reader.
    :param query: what to read.
    :param memory: what earlier readers of the same course have learned, and where this one notes what it learns.
    :raises ValueError: a field of the query is invalid.
    """

    def __init__(
        self, client: ISpringLearnClient, query: ISpringCourseQuery, memory: CourseMemory | None = None
    ) -> None:
        self._client = client
        self._course = parse_id("course_id", query.course_id)
        self._filters: ResultFilters = {
            "course_ids": self._course,
            "department_ids": query.department_ids,
            "access_date": query.access_date,
        }
        client.count_requests(**self._filters)  # checks the filters; sends nothing
        self._memory = CourseMemory() if memory is None else memory

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._client.close()

    def read_flow(self, learners: LearnerIds | None, *, again: bool = False) -> ReadFlow[CourseSnapshot]:
        """Read the progress of learners.

        :param learners: those that matter, by user ids or enrollment ids; None is everybody.
        :param again: ask again for user ids that the LMS did not know.
        :raises LmsNotFound: there is no such course.
        """
        if again or self._memory.readings % _ROUNDS_BETWEEN_SEARCHES == 0:
            self._memory.unknown_ids.clear()
        self._memory.readings += 1
        progress = yield from self._progress(_ACTIVE, learners)
        rest = None if learners is None else _not_found(learners, progress)
        if rest is None or any(rest.values()):
            progress += yield from self._progress(_BLOCKED, rest)
        if not progress and not self._memory.exists:
            # iSpring answers for an unknown course as for one in which nobody is.
            yield ListingRequest(lambda _: self._client.known_course(self._course), lambda row: row)
        self._memory.exists = True
        self._client.report_drift()
        return CourseSnapshot(progress)

    def _progress(self, group: _AccountGroup, learners: LearnerIds | None) -> _Progress:
        whole_course: ResultFilters = {**self._filters, "user_statuses": group.user_statuses}
        if learners is None:
            result = yield self._request(group, whole_course)
            return result.kept
        by_ids = _by_ids(whole_course, learners)
        requests = sum(self._client.count_requests(**filters) for filters in by_ids)
        if requests > 1 and self._memory.least_pages.get(group.name, 1) <= requests:
            result = yield self._request(group, whole_course, max_pages=requests)
            if result.complete:
                return result.kept
            self._memory.least_pages[group.name] = requests + 1
        kept: list[LearnerProgress] = []
        for filters in by_ids:
            try:
                result = yield self._request(group, filters)
            except LmsInvalidValue:
                # An unknown user id was skipped, but an unknown enrollment id makes the LMS reject the request.
                result = yield self._request(group, whole_course)
            kept += result.kept
        return kept

    def _request(
        self, group: _AccountGroup, filters: ResultFilters, max_pages: int | None = None
    ) -> ListingRequest[LearnerProgress]:
        def pages(start: str | None) -> Iterator[Page[CourseResult]]:
            return self._client.course_results(
                **filters, on_unknown_user="skip", unknown_users=self._memory.unknown_ids, start=start
            )

        return ListingRequest(pages, group.progress, max_pages)


def _by_ids(filters: ResultFilters, learners: LearnerIds) -> list[ResultFilters]:
    """The filters for the named learners: one listing for user ids, and one for enrollment ids."""
    found: list[ResultFilters] = []
    if users := tuple(learners.get(LEARNER_ID, ())):
        found.append({**filters, "user_ids": users})
    if enrollments := tuple(learners.get(ENROLLMENT_ID, ())):
        found.append({**filters, "enrollment_ids": enrollments})
    return found


def _not_found(learners: LearnerIds, progress: Iterable[LearnerProgress]) -> Mapping[IdKind, list[str]]:
    """The named learners who are not among those read."""
    seen = {kind: {(each.id_of(kind) or "").casefold() for each in progress} for kind in learners}
    return {kind: [name for name in ids if name.casefold() not in seen[kind]] for kind, ids in learners.items()}
