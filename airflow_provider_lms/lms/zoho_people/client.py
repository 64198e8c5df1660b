"""The client of Zoho People's LMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.listing.splits import Reading
from airflow_provider_lms.lms.listing.units import Unit, read_units
from airflow_provider_lms.lms.parameters import parse_id
from airflow_provider_lms.lms.zoho_people.batches import list_batches
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.lms.zoho_people.listings import LISTINGS
from airflow_provider_lms.lms.zoho_people.listings.account import EMPLOYEES, Employee
from airflow_provider_lms.lms.zoho_people.listings.api import BATCH
from airflow_provider_lms.lms.zoho_people.listings.content import SESSIONS, Session
from airflow_provider_lms.lms.zoho_people.listings.courses import (
    BATCH_SCHEDULERS,
    BATCHES,
    COURSE_MODULES,
    COURSES,
    Batch,
    Course,
    CourseModule,
)
from airflow_provider_lms.lms.zoho_people.listings.plans import LEARNING_PLAN_PROGRESS, LearningPlanProgress
from airflow_provider_lms.lms.zoho_people.listings.progress import (
    COURSE_PROGRESS,
    ENTITY_PROGRESS,
    CourseProgress,
    EntityProgress,
    parse_entity_types,
)
from airflow_provider_lms.lms.zoho_people.once_more import once_more
from airflow_provider_lms.lms.zoho_people.reads import TypedReads
from airflow_provider_lms.lms.zoho_people.writes import TypedWrites

R = TypeVar("R", bound=Record)
Id: TypeAlias = str | int
Start: TypeAlias = str | int | None
"""The number of the first record, counted from 0, or the ``next`` of an earlier page of the same call."""


class ZohoPeopleClient(TypedReads, TypedWrites):
    """Reads the LMS of one Zoho People account, and its employees, and changes who is in a course.

    The listings that people use daily have a method. All others are read by name, as in ``client.read("rooms")``.

    Every listing is a lazy iterator of complete pages of typed records, up to 25 in a page. Ids are Zoho's and consist
    of digits; an integer is taken as its digits.

    Example::

        client = ZohoPeopleHook().get_conn()
        for page in client.course_progress("100002000010000001"):
            for progress in page.records:
                print(progress.learner_id, progress.completion_percentage)
        client.close()
    """

    listings = LISTINGS

    def courses(self, *, start: Start = None) -> Reading[Course]:
        """Yield the courses that the user behind the refresh token may see.

        :raises LmsPermissionError: the scope or the user's role does not allow it.

        Source: Zoho People API, LMS, "Fetch all courses". The page prints no response; field names are assumed.
        """
        return self.read(COURSES, start=_text(start))

    def batches(self, course_id: Id, *, start: Start = None) -> Reading[Batch]:
        """Yield the batches of a blended course.

        :raises LmsNotFound: the course does not exist, or the token's owner may not see it.

        Source: Zoho People API, LMS, "Fetch all batches".
        """
        return self.read(BATCHES, course_id=parse_id("course_id", course_id), start=_text(start))

    def course_modules(
        self, course_id: Id, *, batch_id: Id | None = None, start: Start = None
    ) -> Reading[CourseModule]:
        """Yield the modules of a course, or of one batch of a blended course.

        :param batch_id: required for blended courses; leave it out for self-paced ones.
        :raises LmsNotFound: the course or batch does not exist, or the token's owner may not see it.

        Source: Zoho People API, LMS, "Fetch all modules". The page prints no response; field names are assumed.
        """
        course = parse_id("course_id", course_id)
        return self.read(COURSE_MODULES, course_id=course, batch_id=batch_id, start=_text(start))

    def entity_progress(
        self,
        course_id: Id,
        learner_id: Id,
        entity_type: int | str,
        *,
        batch_id: Id | None = None,
        start: Start = None,
    ) -> Reading[EntityProgress]:
        """Yield a learner's progress in all entities of one type in a course: one record per entity.

        :param entity_type: the number or the name, as in :data:`ENTITY_TYPES`.
        :param batch_id: the learner's batch; required for blended courses, leave it out for self-paced ones.
        :raises ValueError: a parameter is invalid; raised before the first request.
        :raises LmsNotFound: there is no such course, batch or learner, or the token's owner may not see it.
        :raises LmsBrokenPage: a page is incomplete, or of another entity type.
        :raises LmsRateLimited: the account is locked; ``retry_after`` holds the seconds left.

        Example::

            for page in client.entity_progress("100002000010000001", "100002000030000001", "online_tests"):
                print([(record.test_name, record.user_mark) for record in page.records])

        Source: Zoho People API, LMS, "Individual Learner, Individual Course All Entities of a Specify Entity Type
        Progress".
        """
        # The vendor's page calls 0 the default and the parameter mandatory, so it is always sent.
        (number,) = parse_entity_types("entity_type", entity_type)
        return self.read(
            ENTITY_PROGRESS,
            start=_text(start),
            course_id=course_id,
            batch_id=batch_id,
            learner_id=learner_id,
            entity_type=str(number),
        )

    def course_progress(
        self,
        course_id: Id | None = None,
        *,
        batch_id: Id | None = None,
        learner_id: Id | None = None,
        progress_type: int | None = None,
        start: Start = None,
    ) -> Reading[CourseProgress]:
        """Yield progress in whole courses.

        Either of all learners of a course, or of one learner in all courses, or of one learner in one course.

        :param batch_id: required for blended courses; leave it out for self-paced ones.
        :param progress_type: of one learner in one course: 0 counts all entities (Zoho's default), 1 mandatory ones.
        :return: pages of records, one per learner and course.
        :raises ValueError: neither course nor learner, or a parameter that does not go with the others.
        :raises LmsNotFound: there is no such course, batch or learner, or the token's owner may not see it.
        :raises LmsRateLimited: the account is locked; ``retry_after`` holds the seconds left.

        Source: Zoho People API, LMS, "Single course, all learners", "Single learner, all courses", "Single learner,
        single course". The pages print no response; field names are assumed.
        """
        if progress_type is not None and (course_id is None or learner_id is None):
            raise ValueError("progress_type: give a course_id and a learner_id with it.")
        return self.read(
            COURSE_PROGRESS,
            start=_text(start),
            course_id=course_id,
            batch_id=batch_id,
            learner_id=learner_id,
            progress_type=progress_type,
        )

    def sessions(self, course_id: Id, *, batch_id: Id | None = None, start: Start = None) -> Reading[Session]:
        """Yield the sessions of a blended course.

        :param batch_id: one batch; None is all of them.
        :raises LmsNotFound: the course or batch does not exist, or the token's owner may not see it.

        Source: Zoho People API, LMS, "Fetch Course Batch Sessions". The page prints no response; field names are
        assumed.
        """
        course = parse_id("course_id", course_id)
        if batch_id is None:
            return self.read(SESSIONS, course_ids=[course], start=_text(start))
        return self.read(SESSIONS, course_id=course, batch_id=batch_id, start=_text(start))

    def learning_plan_progress(
        self, learner_id: Id | None = None, *, start: Start = None
    ) -> Reading[LearningPlanProgress]:
        """Yield the progress of learners in learning plans: one record per learner and plan.

        :param learner_id: one learner; None is every learner of every plan, with one call for each of them.
        :raises LmsNotFound: the learner does not exist, or the token's owner may not see them.

        Source: Zoho People API, LMS, "Fetch Learner's Learning Plan Progress". The page prints no response; field names
        are assumed.
        """
        return self.read(LEARNING_PLAN_PROGRESS, learner_id=learner_id, start=_text(start))

    def employees(self, *, start: Start = None) -> Reading[Employee]:
        """Yield the employees, up to 200 in a page: names, e-mail addresses, departments and managers.

        :raises LmsPermissionError: the refresh token lacks the scope ``ZOHOPEOPLE.forms.READ``.

        Example::

            names = {each.erecno: each.last_name for page in client.employees() for each in page.records}

        Source: Zoho People API, Forms, "Get Bulk Records API".
        """
        return self.read(EMPLOYEES, start=_text(start))

    def read_child(
        self, listing: Listing[R], values: Mapping[str, Any], page_size: int | None, start: str | None
    ) -> Iterator[Page[R]]:
        """Read a child listing for one parent: of a blended course batch by batch.

        What Zoho answers for the batches of a self-paced course is not documented; it may be an empty list or an error.
        """
        course = str(values.get("course_id"))
        takes_batch = any(each.name == BATCH.name for each in (*listing.path_ids, *listing.filters))
        if listing.name in (BATCHES.name, BATCH_SCHEDULERS.name):
            try:
                yield from once_more(lambda: self.read(listing, start=start, **values))
            except UNKNOWN_ID:
                return
        elif takes_batch and BATCH.name not in values:

            def of_batch(batch: str | None, start: str | None) -> Iterator[Page[R]]:
                return self.read(listing, page_size=page_size, start=start, **{**values, "batch_id": batch})

            listed = ListedFirst()
            batches = list_batches(self.batches, course, listed)
            yield from listed.mark(
                read_units([Unit(batch or "", partial(of_batch, batch)) for batch in batches], start)
            )
        else:
            yield from super().read_child(listing, values, page_size, start)

    def check(self) -> None:
        """Read the first page of courses, to see whether the account can be read.

        :raises LmsError: why it cannot.
        """
        next(self.courses())


def _text(start: Start) -> str | None:
    return None if start is None else str(start)
