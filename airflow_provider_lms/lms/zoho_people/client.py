"""Zoho People's LMS: its client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from airflow_provider_lms.lms.budget import Limits
from airflow_provider_lms.lms.filters import choices, one_id, whole
from airflow_provider_lms.lms.paging import OffsetRows, Page, by_offset
from airflow_provider_lms.lms.records import Record, RecordConverter
from airflow_provider_lms.lms.transport import Params, Transport
from airflow_provider_lms.lms.zoho_people.pages import LEARNER, Listing, chained, entity, learner, named, within
from airflow_provider_lms.lms.zoho_people.records import (
    Batch,
    Course,
    CourseProgress,
    EntityProgress,
    entity_type_numbers,
)

R = TypeVar("R", bound=Record)
Id: TypeAlias = str | int


class ZohoPeopleClient:
    """Reads the LMS of Zoho People. Every listing is an iterator of whole pages, read as they are asked for.

    Ids are Zoho's, all digits; a whole number is taken as its digits. ``start`` is the number of the first record,
    counted from 0, or the ``next`` of an earlier page.

    :param transport: the account to read.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._converters: dict[type[Record], RecordConverter[Any]] = {}

    @property
    def base_url(self) -> str:
        """The API's scheme, host and path prefix."""
        return self._transport.base_url

    @property
    def limits(self) -> Limits:
        """The account's request limits."""
        return self._transport.limits

    def courses(self, *, start: int | str = 0) -> Iterator[Page[Course]]:
        """Courses that the user behind the refresh token may see.

        :raises LmsPermissionError: the scope or the user's role does not allow it.

        Source: Zoho People API, LMS, "Fetch all courses". The page prints no response; field names are assumed.
        """
        return self._pages(Listing("/courses", "courses", Course, named("course")), start)

    def batches(self, course_id: Id, *, start: int | str = 0) -> Iterator[Page[Batch]]:
        """Batches of a blended course.

        :raises LmsNotFound: the course does not exist, or may not be seen.

        Source: Zoho People API, LMS, "Fetch all batches". The page prints no response; field names are assumed.
        """
        asked = _asked(course_id, None, None)
        complete = chained(named("batch"), within(asked))
        return self._pages(Listing(f"{_course(asked)}/batches", "batches", Batch, complete), start)

    def entity_progress(
        self,
        course_id: Id,
        learner_id: Id,
        entity_type: int | str,
        *,
        batch_id: Id | None = None,
        start: int | str = 0,
    ) -> Iterator[Page[EntityProgress]]:
        """A learner's progress in all entities of one type in a course, one record per entity.

        :param entity_type: the number or the name of :data:`ENTITY_TYPES`.
        :param batch_id: the learner's batch; required by blended courses, absent for self-paced ones.
        :return: pages of at most 25 records.
        :raises ValueError: a parameter cannot be meant as it is given; raised before the first request.
        :raises LmsNotFound: there is no such course, batch or learner, or it may not be seen.
        :raises LmsBrokenPage: a page is not whole, or of another entity type.
        :raises LmsRateLimited: the account is locked; ``retry_after`` holds the seconds left.

        Source: Zoho People API, LMS, "Individual Learner, Individual Course All Entities of a Specify Entity Type
        Progress".
        """
        asked = _asked(course_id, batch_id, learner_id)
        (number,) = entity_type_numbers("entity_type", entity_type)
        # The page calls 0 the default and the parameter mandatory, so it is always sent.
        listing = Listing(
            f"{_course(asked)}/learners/{LEARNER}/progress",
            "learnerProgress",
            EntityProgress,
            chained(learner(asked), within(asked), entity(number)),
            params=(("entityType", str(number)),),
            learner=asked["learnerId"],
        )
        return self._pages(listing, start)

    def course_progress(
        self,
        course_id: Id | None = None,
        *,
        batch_id: Id | None = None,
        learner_id: Id | None = None,
        progress_type: int | None = None,
        start: int | str = 0,
    ) -> Iterator[Page[CourseProgress]]:
        """Progress in whole courses: of all learners of a course, of one learner in all courses, or of one in one.

        :param batch_id: required by blended courses, absent for self-paced ones.
        :param progress_type: of one learner in one course: 0 counts all entities (Zoho's default), 1 mandatory ones.
        :return: pages of records, one per learner and course.
        :raises ValueError: neither course nor learner, or a parameter that does not go with the others.
        :raises LmsNotFound: there is no such course, batch or learner, or it may not be seen.
        :raises LmsRateLimited: the account is locked; ``retry_after`` holds the seconds left.

        Source: Zoho People API, LMS, "Single course, all learners", "Single learner, all courses", "Single learner,
        single course". The pages print no response; field names are assumed.
        """
        asked = _asked(course_id, batch_id, learner_id)
        params: Params = ()
        if progress_type is not None:
            if not {"courseId", "learnerId"} <= asked.keys():
                raise ValueError("progress_type: it goes with a course_id and a learner_id.")
            (choice,) = choices("progress_type", progress_type, ("0", "1"), "Zoho's progress types") or ()
            params = (("progressType", choice),)
        if not asked.keys() & {"courseId", "learnerId"}:
            raise ValueError("course_id: give a course_id, a learner_id or both.")
        course = _course(asked) if "courseId" in asked else ""
        one = f"/learners/{LEARNER}" if "learnerId" in asked else ""
        listing = Listing(
            f"{course}{one}/course-progress",
            "courseProgress",
            CourseProgress,
            chained(learner(asked), within(asked)),
            params=params,
            learner=asked.get("learnerId", ""),
        )
        return self._pages(listing, start)

    def check(self) -> None:
        """Read the first page of courses, to see whether the account may be read.

        :raises LmsError: what stands in the way.
        """
        next(self.courses())

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._transport.close()

    def _pages(self, listing: Listing[R], start: int | str) -> Iterator[Page[R]]:
        offset = whole("start", start, minimum=0)
        # One for all listings of a kind: the types of a sweep's records grow together.
        converter = self._converters.setdefault(listing.record, RecordConverter(listing.record))
        number = 0

        def fetch(offset: int) -> OffsetRows[R]:
            return listing.read(listing.fetch(self._transport, offset, number + 1), converter)

        def walk() -> Iterator[Page[R]]:
            nonlocal number
            for rows, following in by_offset(fetch, offset):
                number += 1
                yield Page(rows.records, number, None if following is None else str(following), resumable=False)

        return walk()


def _asked(course_id: Id | None, batch_id: Id | None, learner_id: Id | None) -> dict[str, str]:
    if batch_id is not None and course_id is None:
        raise ValueError("batch_id: it goes with a course_id.")
    given = {"course_id": course_id, "batch_id": batch_id, "learner_id": learner_id}
    return {name.replace("_id", "Id"): one_id(name, value) for name, value in given.items() if value is not None}


def _course(asked: Mapping[str, str]) -> str:
    path = f"/courses/{quote(asked['courseId'], safe='')}"
    return f"{path}/batches/{quote(asked['batchId'], safe='')}" if "batchId" in asked else path
