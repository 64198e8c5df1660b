"""Operators that read results of learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.links.dataset import DatasetLink
from airflow_provider_lms.operators.ispring.base import Ids, ISpringExtractOperator, ISpringExtractOptions, Moment

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.results import (
        CourseResult,
        LearnerResult,
        ModuleResult,
        ModuleResultFilters,
        ResultFilters,
    )
    from airflow_provider_lms.lms.ispring.split_by import SplitBy
    from airflow_provider_lms.lms.ispring.unknown_users import OnUnknownUser
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.lms.parameters import DateLike, DateRange


class ISpringCourseResultsOperator(ISpringExtractOperator):
    """Reads results of learners in their courses: one record per learner, course and enrollment.

    A list parameter takes one id, a list, an ``XComArg``, or a JSON array as text. A date takes a datetime or an ISO
    8601 text; without a zone it is UTC. All filters are templated and narrow the result together; None means no filter.

    :param user_ids: learners.
    :param course_ids: courses.
    :param enrollment_ids: enrollments.
    :param department_ids: departments, with their sub-departments.
    :param completion_statuses: not_started, in_progress, pending, complete, passed, accepted, incomplete, failed,
        declined.
    :param user_statuses: 1 active, 3 blocked, 5 terminated. Without this filter the LMS reads active users only.
    :param access_date_start: enrolled from then on.
    :param access_date_end: enrolled until then.
    :param due_date_start: due from then on.
    :param due_date_end: due until then.
    :param completion_date_start: completed from then on.
    :param completion_date_end: completed until then.
    :param on_unknown_user: ``fail``, or ``skip`` to read the others if the LMS does not know some user ids.
    :param split_by: what ``parallel_requests`` splits the listing by: ``course_ids`` or ``user_ids``, all that the LMS
        lists unless the filter names some, or ``access_date``. None splits by a filter with several ids.

    Example::

        ISpringCourseResultsOperator(
            task_id="completed_yesterday",
            completion_date_start="{{ data_interval_start }}",
            completion_date_end="{{ data_interval_end }}",
            output_path="s3://lake/lms/results/{{ ds }}",
            output_format="parquet",
        )
    """

    operator_extra_links = (DatasetLink(), CourseLink())
    template_fields: Sequence[str] = (
        "user_ids",
        "course_ids",
        "enrollment_ids",
        "department_ids",
        "completion_statuses",
        "user_statuses",
        "on_unknown_user",
        "split_by",
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
        access_date_start: Moment = None,
        access_date_end: Moment = None,
        due_date_start: Moment = None,
        due_date_end: Moment = None,
        completion_date_start: Moment = None,
        completion_date_end: Moment = None,
        on_unknown_user: OnUnknownUser = "fail",
        split_by: SplitBy | None = None,
        **common: Unpack[ISpringExtractOptions],
    ) -> None:
        super().__init__(**common)
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
        self.split_by = split_by

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.results import COURSE_RESULTS

        return COURSE_RESULTS

    def filters(self) -> ResultFilters:
        """The filters as the client takes them."""
        return {
            "user_ids": self.user_ids,
            "course_ids": self.course_ids,
            "enrollment_ids": self.enrollment_ids,
            "department_ids": self.department_ids,
            "completion_statuses": self.completion_statuses,
            "user_statuses": self.user_statuses,
            "access_date": _date_range(self.access_date_start, self.access_date_end),
            "due_date": _date_range(self.due_date_start, self.due_date_end),
            "completion_date": _date_range(self.completion_date_start, self.completion_date_end),
        }

    def query(self) -> Mapping[str, object]:
        return {**self.filters(), "on_unknown_user": self.on_unknown_user, "split_by": self.split_by, **super().query()}

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[LearnerResult]:
        reading: Reading[CourseResult] = client.course_results(
            **self.filters(),
            on_unknown_user=self.on_unknown_user,
            split_by=self.split_by,
            page_size=self.page_size,
            start=start,
        )
        # Course results are learner results.
        return cast("Reading[LearnerResult]", client.with_known_courses(reading, self.course_ids))


class ISpringResultOptions(ISpringExtractOptions, total=False):
    """The parameters of every operator that reads results.

    They are described at :class:`ISpringCourseResultsOperator`.
    """

    user_ids: Ids
    course_ids: Ids
    enrollment_ids: Ids
    department_ids: Ids
    completion_statuses: Ids
    user_statuses: Sequence[int | str] | int | str | None
    access_date_start: Moment
    access_date_end: Moment
    due_date_start: Moment
    due_date_end: Moment
    completion_date_start: Moment
    completion_date_end: Moment
    on_unknown_user: OnUnknownUser
    split_by: SplitBy | None


class ISpringModuleResultsOperator(ISpringCourseResultsOperator):
    """Reads results of learners in the modules of their courses: one record per learner, module and enrollment.

    Takes the filters of :class:`ISpringCourseResultsOperator`, and these:

    :param module_ids: modules of courses (templated).
    :param course_item_ids: content items or trainings (templated). Their ids differ from those of the modules that use
        them.

    Example::

        ISpringModuleResultsOperator(
            task_id="module_results", course_ids="{{ params.course_id }}", output_path="/data/lms/modules/{{ ds }}"
        )
    """

    template_fields: Sequence[str] = ("module_ids", "course_item_ids", *ISpringCourseResultsOperator.template_fields)

    def __init__(
        self, *, module_ids: Ids = None, course_item_ids: Ids = None, **common: Unpack[ISpringResultOptions]
    ) -> None:
        super().__init__(**common)
        self.module_ids = module_ids
        self.course_item_ids = course_item_ids

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.results import MODULE_RESULTS

        return MODULE_RESULTS

    def filters(self) -> ModuleResultFilters:
        return {**super().filters(), "module_ids": self.module_ids, "course_item_ids": self.course_item_ids}

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[LearnerResult]:
        reading: Reading[ModuleResult] = client.module_results(
            **self.filters(),
            on_unknown_user=self.on_unknown_user,
            split_by=self.split_by,
            page_size=self.page_size,
            start=start,
        )
        # Module results are learner results.
        return cast("Reading[LearnerResult]", client.with_known_courses(reading, self.course_ids))


def _date_range(start: DateLike | None, end: DateLike | None) -> DateRange | None:
    return None if start is None and end is None else (start, end)
