"""Operators for iSpring Learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.operators.base import LmsExtractOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from msgspec import Struct

    from airflow_provider_lms.lms.ispring import ISpringLearnClient

Ids: TypeAlias = "Sequence[str] | str | None"
Instant: TypeAlias = "datetime | str | None"


class ISpringExtractOperator(LmsExtractOperator):
    """Base of the operators that read iSpring Learn.

    :param ispring_learn_conn_id: the connection (templated).
    :param page_size: rows per page (templated); None takes the connection's, else the vendor's 1,000.
    """

    template_fields: Sequence[str] = ("ispring_learn_conn_id", "page_size", *LmsExtractOperator.template_fields)

    def __init__(
        self, *, ispring_learn_conn_id: str = "ispring_learn_default", page_size: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ispring_learn_conn_id = ispring_learn_conn_id
        self.page_size = page_size

    def connect(self, longest_lock: float | None = None) -> ISpringLearnClient:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        client = ISpringLearnHook(
            self.ispring_learn_conn_id, max_wait=self.max_wait, longest_lock=longest_lock
        ).get_conn()
        client.read_ahead = self.output_path is not None and self.max_pages is None
        return client

    def query(self) -> dict[str, Any]:
        return {} if self.page_size is None else {"page_size": self.page_size}

    def record(self) -> type[Struct]:
        from airflow_provider_lms.lms.ispring.records import RESOURCES

        return RESOURCES[self.resource_name].record


class ISpringCourseResultsOperator(ISpringExtractOperator):
    """Results of learners in their courses: one record per learner, course and enrollment.

    A list parameter takes one id, a list, an ``XComArg``, or a JSON array as text. A date takes a datetime or an ISO
    8601 text; without a zone it is UTC. All filters are templated and narrow the result together; None means no filter.

    :param user_ids: learners.
    :param course_ids: courses.
    :param enrollment_ids: enrollments.
    :param department_ids: departments, with their sub-departments.
    :param completion_statuses: not_started, in_progress, pending, complete, passed, accepted, incomplete, failed,
        declined.
    :param user_statuses: 1 active, 3 blocked, 5 terminated; the LMS reads active users only if it is left out.
    :param access_date_start: assigned from then on.
    :param access_date_end: assigned until then.
    :param due_date_start: due from then on.
    :param due_date_end: due until then.
    :param completion_date_start: completed from then on.
    :param completion_date_end: completed until then.
    :param on_unknown_user: ``fail``, or ``skip`` to go on without user ids that the LMS does not know.
    """

    resource_name: ClassVar[str] = "course_results"
    operator_extra_links = (CourseLink(),)
    filters: ClassVar[Sequence[str]] = (
        "user_ids",
        "course_ids",
        "enrollment_ids",
        "department_ids",
        "completion_statuses",
        "user_statuses",
        "on_unknown_user",
    )
    ranges: ClassVar[Sequence[str]] = ("access_date", "due_date", "completion_date")
    template_fields: Sequence[str] = (
        *filters,
        "access_date_start",
        "access_date_end",
        "due_date_start",
        "due_date_end",
        "completion_date_start",
        "completion_date_end",
        *ISpringExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        user_ids: Ids = None,
        course_ids: Ids = None,
        enrollment_ids: Ids = None,
        department_ids: Ids = None,
        completion_statuses: Ids = None,
        user_statuses: Sequence[int | str] | int | str | None = None,
        access_date_start: Instant = None,
        access_date_end: Instant = None,
        due_date_start: Instant = None,
        due_date_end: Instant = None,
        completion_date_start: Instant = None,
        completion_date_end: Instant = None,
        on_unknown_user: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.course_ids = course_ids
        self.enrollment_ids = enrollment_ids
        self.department_ids = department_ids
        self.completion_statuses = completion_statuses
        self.user_statuses = user_statuses
        self.access_date_start = access_date_start
        self.access_date_end = access_date_end
        self.due_date_start = due_date_start
        self.due_date_end = due_date_end
        self.completion_date_start = completion_date_start
        self.completion_date_end = completion_date_end
        self.on_unknown_user = on_unknown_user

    def query(self) -> dict[str, Any]:
        query = super().query()
        for name in self.filters:
            query[name] = getattr(self, name)
        for name in self.ranges:
            ends = getattr(self, f"{name}_start"), getattr(self, f"{name}_end")
            query[name] = None if ends == (None, None) else ends
        return {name: value for name, value in query.items() if value is not None}

    def link(self, client: ISpringLearnClient, query: Mapping[str, Any], context: Context) -> None:
        from airflow_provider_lms.links.course import put
        from airflow_provider_lms.lms.filters import ids

        given = query.get("course_ids")
        courses = ids("course_ids", given) or () if isinstance(given, str | Sequence) else ()
        put(context, lambda: client.course_url(courses[0]) if len(courses) == 1 else None)


class ISpringModuleResultsOperator(ISpringCourseResultsOperator):
    """Results of learners in the modules of their courses: one record per learner, module and enrollment.

    Takes the filters of :class:`ISpringCourseResultsOperator`, and these:

    :param module_ids: modules of courses (templated).
    :param course_item_ids: content items or trainings, which have other ids than the modules they are used in
        (templated).
    """

    resource_name: ClassVar[str] = "module_results"
    filters: ClassVar[Sequence[str]] = ("module_ids", "course_item_ids", *ISpringCourseResultsOperator.filters)
    template_fields: Sequence[str] = ("module_ids", "course_item_ids", *ISpringCourseResultsOperator.template_fields)

    def __init__(self, *, module_ids: Ids = None, course_item_ids: Ids = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module_ids = module_ids
        self.course_item_ids = course_item_ids


class ISpringCoursesOperator(ISpringExtractOperator):
    """Courses that the API key's role may see: ids (``contentItemId``) and titles, to map over and to join with."""

    resource_name: ClassVar[str] = "courses"


class ISpringUsersOperator(ISpringExtractOperator):
    """User accounts that the API key's role may see: ids, profile fields, departments."""

    resource_name: ClassVar[str] = "users"
