"""Sensors for iSpring Learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor

if TYPE_CHECKING:
    from airflow_provider_lms.lms.completion import Goal
    from airflow_provider_lms.lms.ispring import ISpringLearnClient

Ids: TypeAlias = "Sequence[str] | str | None"
Instant: TypeAlias = "datetime | str | None"


class ISpringCourseCompletionSensor(LmsCourseCompletionSensor):
    """Waits until learners have completed a course of iSpring Learn.

    ``complete``, ``passed`` and ``accepted`` are completed, ``failed`` and ``declined`` unsuccessful, all other
    statuses open. Of several enrolments of a learner the latest counts, within the access dates if these are given.

    :param user_ids: the learners to wait for (templated); None is everybody in the course.
    :param enrollment_ids: the enrolments to wait for, in place of learners (templated).
    :param department_ids: only learners of these departments and their sub-departments (templated).
    :param access_date_start: only those assigned from then on (templated).
    :param access_date_end: only those assigned until then (templated).
    :param on_unsuccessful: a learner who has failed: ``wait``, since another attempt may follow; ``fail`` counts them
        as lost; ``ignore`` takes them out of the cohort (templated).
    :param on_blocked: a blocked or terminated account: ``count`` like any other, or ``ignore`` (templated).
    :param on_overdue: a learner who is past the due date and has not completed: ``wait``, ``fail`` or ``ignore``
        (templated).
    :param unsuccessful_statuses: in place of ``failed`` and ``declined`` (templated).
    :param ispring_learn_conn_id: the connection (templated).
    """

    conn_type: ClassVar[str] = "ispring_learn"
    conn_id_field: ClassVar[str] = "ispring_learn_conn_id"
    operator_extra_links = (CourseLink(),)
    template_fields: Sequence[str] = (
        "user_ids",
        "enrollment_ids",
        "department_ids",
        "access_date_start",
        "access_date_end",
        "on_unsuccessful",
        "on_blocked",
        "on_overdue",
        "unsuccessful_statuses",
        "ispring_learn_conn_id",
        *LmsCourseCompletionSensor.template_fields,
    )

    def __init__(
        self,
        *,
        user_ids: Ids = None,
        enrollment_ids: Ids = None,
        department_ids: Ids = None,
        access_date_start: Instant = None,
        access_date_end: Instant = None,
        on_unsuccessful: str = "wait",
        on_blocked: str = "count",
        on_overdue: str = "wait",
        unsuccessful_statuses: Ids = None,
        ispring_learn_conn_id: str = "ispring_learn_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.enrollment_ids = enrollment_ids
        self.department_ids = department_ids
        self.access_date_start = access_date_start
        self.access_date_end = access_date_end
        self.on_unsuccessful = on_unsuccessful
        self.on_blocked = on_blocked
        self.on_overdue = on_overdue
        self.unsuccessful_statuses = unsuccessful_statuses
        self.ispring_learn_conn_id = ispring_learn_conn_id

    def connect(self, max_wait: float, longest_lock: float) -> ISpringLearnClient:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        return ISpringLearnHook(self.ispring_learn_conn_id, max_wait=max_wait, longest_lock=longest_lock).get_conn()

    def course(self) -> dict[str, Any]:
        from airflow_provider_lms.lms.filters import date_range, ids, one_id

        ends = self.access_date_start, self.access_date_end
        dates = date_range("access_date", None if ends == (None, None) else ends)
        return {
            "course_id": one_id("course_id", self.course_id),
            "department_ids": ids("department_ids", self.department_ids),
            "access_date": dates and tuple(each and each.isoformat() for each in dates),
        }

    def goal(self) -> Goal:
        from airflow_provider_lms.lms.completion import BLOCKED_CHOICES, CHOICES, Goal, requirement
        from airflow_provider_lms.lms.filters import ids, one_of
        from airflow_provider_lms.lms.ispring.course import STATUSES

        users, enrollments = ids("user_ids", self.user_ids), ids("enrollment_ids", self.enrollment_ids)
        if users is not None and enrollments is not None:
            raise ValueError("enrollment_ids: they go in place of user_ids. Give one of them.")
        named = users if enrollments is None else enrollments
        return Goal(
            named=named,
            key="learner_id" if enrollments is None else "enrollment_id",
            statuses=STATUSES.given(self.completed_statuses, self.unsuccessful_statuses),
            on_unsuccessful=one_of("on_unsuccessful", self.on_unsuccessful, CHOICES),
            on_missing=one_of("on_missing", self.on_missing, CHOICES),
            on_overdue=one_of("on_overdue", self.on_overdue, CHOICES),
            on_blocked=one_of("on_blocked", self.on_blocked, BLOCKED_CHOICES),
            **requirement(self.required_share, self.required_count, self.min_cohort, named),
        )

    def reader(self, client: ISpringLearnClient) -> Any:
        from airflow_provider_lms.lms.ispring.course import CourseReader

        return CourseReader(client, **self.course())

    def link(self, client: ISpringLearnClient, context: Mapping[str, Any]) -> None:
        from airflow_provider_lms.links.course import put

        put(context, lambda: client.course_url(self.course()["course_id"]))
