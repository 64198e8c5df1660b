"""Operators that read courses, their batches and their modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.operators.zoho_people.base import Id, ZohoPeopleExtractOperator, ZohoPeopleExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.listings.courses import Batch, Course, CourseModule


class ZohoPeopleCoursesOperator(ZohoPeopleExtractOperator):
    """Reads the courses that the user behind the refresh token may see: ids to map over, names to join with.

    Example::

        courses = ZohoPeopleCoursesOperator(task_id="courses").output
    """

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.courses import COURSES

        return COURSES

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[Course]:
        return client.courses(start=start)


class ZohoPeopleBatchesOperator(ZohoPeopleExtractOperator):
    """Reads the batches of a blended course.

    :param course_id: the course (templated).

    Example::

        ZohoPeopleBatchesOperator(task_id="batches", course_id="100002000010000001")
    """

    template_fields: Sequence[str] = ("course_id", *ZohoPeopleExtractOperator.template_fields)

    def __init__(self, *, course_id: Id, **common: Unpack[ZohoPeopleExtractOptions]) -> None:
        super().__init__(**common)
        self.course_id = course_id

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.courses import BATCHES

        return BATCHES

    def query(self) -> Mapping[str, object]:
        return {"course_id": self.course_id}

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[Batch]:
        return client.batches(self.course_id, start=start)


class ZohoPeopleCourseModulesOperator(ZohoPeopleExtractOperator):
    """Reads the modules of courses; those of a blended course batch by batch.

    :param course_ids: one course, a list, an ``XComArg``, or a JSON array as text (templated); None is every course
        that the user behind the refresh token may see. A retry resumes at the course where the last attempt stopped.
    :param batch_id: one batch of one blended course (templated); None is all batches.

    Example::

        ZohoPeopleCourseModulesOperator(task_id="modules", output_path="s3://lake/zoho/modules")
    """

    template_fields: Sequence[str] = ("course_ids", "batch_id", *ZohoPeopleExtractOperator.template_fields)

    def __init__(
        self,
        *,
        course_ids: Sequence[Id] | Id | None = None,
        batch_id: Id | None = None,
        **common: Unpack[ZohoPeopleExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_ids = course_ids
        self.batch_id = batch_id

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.courses import COURSE_MODULES

        return COURSE_MODULES

    def query(self) -> Mapping[str, object]:
        return {"course_ids": self.course_ids, "batch_id": self.batch_id}

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[CourseModule]:
        from airflow_provider_lms.lms.zoho_people.crawl import course_modules

        return course_modules(client, course_ids=self.course_ids, batch_id=self.batch_id, start=start)
