"""Operators that read content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.links.dataset import DatasetLink
from airflow_provider_lms.operators.ispring.base import Ids, ISpringExtractOperator, ISpringExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.content import Course, CourseModule
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading


class ISpringCoursesOperator(ISpringExtractOperator):
    """Reads the courses that the API key's role may see: ids (``contentItemId``) and titles, to map over or join with.

    Example::

        courses = ISpringCoursesOperator(task_id="courses").output
    """

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.content import COURSES

        return COURSES

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[Course]:
        return client.courses(page_size=self.page_size, start=start)


class ISpringCourseModulesOperator(ISpringExtractOperator):
    """Reads the modules of courses.

    :param course_ids: one course, a list, an ``XComArg``, or a JSON array as text (templated); None is every course
        that the API key's role may see. A retry resumes at the course where the last attempt stopped.

    Example::

        ISpringCourseModulesOperator(task_id="modules", output_path="s3://lake/lms/modules")
    """

    operator_extra_links = (DatasetLink(), CourseLink())
    template_fields: Sequence[str] = ("course_ids", *ISpringExtractOperator.template_fields)

    def __init__(self, *, course_ids: Ids = None, **common: Unpack[ISpringExtractOptions]) -> None:
        super().__init__(**common)
        self.course_ids = course_ids

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.content import COURSE_MODULES

        return COURSE_MODULES

    def query(self) -> Mapping[str, object]:
        return {"course_ids": self.course_ids, **super().query()}

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[CourseModule]:
        return client.read("course_modules", page_size=self.page_size, start=start, course_ids=self.course_ids)
