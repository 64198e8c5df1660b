"""Sensors for iSpring Learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, Unpack

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor
from airflow_provider_lms.sensors.options import CompletionOptions

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.hooks.ispring import ISpringLearnHook
    from airflow_provider_lms.lms.course.criteria import Criteria
    from airflow_provider_lms.lms.ispring.course import ISpringCourseQuery

Ids: TypeAlias = "Sequence[str] | str | None"
Moment: TypeAlias = "datetime | str | None"
LearnerChoice: TypeAlias = Literal["wait", "fail", "ignore"]


class ISpringCourseCompletionSensor(LmsCourseCompletionSensor):
    """Waits until learners have completed a course of iSpring Learn.

    ``complete``, ``passed`` and ``accepted`` count as completed, ``failed`` and ``declined`` as unsuccessful, all other
    statuses as open. Of several enrollments of a learner the latest counts, within the access dates if they are given.

    :param user_ids: the learners to wait for (templated); None is everybody in the course.
    :param enrollment_ids: the enrollments to wait for, in place of learners (templated).
    :param department_ids: only learners of these departments and their sub-departments (templated).
    :param access_date_start: only those enrolled from then on (templated).
    :param access_date_end: only those enrolled until then (templated).
    :param on_unsuccessful: what to do about a learner who has failed (templated). ``wait``, since another attempt may
        follow; ``fail`` counts the learner as failed for good; ``ignore`` takes the learner out of the cohort.
    :param on_blocked: a blocked or terminated account: ``count`` it like any other, or ``ignore`` it (templated).
    :param on_overdue: a learner who is past the due date and has not completed: ``wait``, ``fail`` or ``ignore``
        (templated).
    :param unsuccessful_statuses: words in place of ``failed`` and ``declined`` (templated).
    :param ispring_learn_conn_id: the connection (templated).

    Example::

        ISpringCourseCompletionSensor(
            task_id="wait_for_fire_safety",
            course_id="f0e7400a-ca31-11e9-b6fc-0a580af40a22",
            required_share="80%",
            timeout=timedelta(days=14),
            deferrable=True,
        )
    """

    conn_type: ClassVar[str] = "ispring_learn"
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
        access_date_start: Moment = None,
        access_date_end: Moment = None,
        on_unsuccessful: LearnerChoice = "wait",
        on_blocked: Literal["count", "ignore"] = "count",
        on_overdue: LearnerChoice = "wait",
        unsuccessful_statuses: Ids = None,
        ispring_learn_conn_id: str = "ispring_learn_default",
        **common: Unpack[CompletionOptions],
    ) -> None:
        super().__init__(**common)
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

    @property
    def conn_id(self) -> str:
        return self.ispring_learn_conn_id

    def hook(self, options: ClientOptions) -> ISpringLearnHook:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        return ISpringLearnHook(self.ispring_learn_conn_id, options=options)

    def course(self) -> ISpringCourseQuery:
        from airflow_provider_lms.lms.ispring.course import ISpringCourseQuery
        from airflow_provider_lms.lms.parameters import parse_date_range, parse_id, parse_ids

        given = (self.access_date_start, self.access_date_end)
        dates = parse_date_range("access_date", None if given == (None, None) else given)
        return ISpringCourseQuery(
            course_id=parse_id("course_id", self.course_id),
            department_ids=parse_ids("department_ids", self.department_ids),
            access_date=dates and (_text(dates[0]), _text(dates[1])),
        )

    def criteria(self) -> Criteria:
        from airflow_provider_lms.lms.course.criteria import BLOCKED_CHOICES, CHOICES, Criteria, parse_requirement
        from airflow_provider_lms.lms.course.progress import LEARNER_ID
        from airflow_provider_lms.lms.ispring.course import ENROLLMENT_ID, STATUSES
        from airflow_provider_lms.lms.parameters import parse_choice, parse_ids

        users = parse_ids("user_ids", self.user_ids)
        enrollments = parse_ids("enrollment_ids", self.enrollment_ids)
        if users is not None and enrollments is not None:
            raise ValueError("enrollment_ids: they replace user_ids. Set only one of them.")
        named = users if enrollments is None else enrollments
        requirement = parse_requirement(self.required_share, self.required_count, self.min_cohort, named)
        return Criteria(
            named=named,
            id_kind=LEARNER_ID if enrollments is None else ENROLLMENT_ID,
            statuses=STATUSES.replaced_by(self.completed_statuses, self.unsuccessful_statuses),
            share=requirement.share,
            count=requirement.count,
            min_cohort=requirement.min_cohort,
            on_unsuccessful=parse_choice("on_unsuccessful", self.on_unsuccessful, CHOICES),
            on_missing=parse_choice("on_missing", self.on_missing, CHOICES),
            on_overdue=parse_choice("on_overdue", self.on_overdue, CHOICES),
            on_blocked=parse_choice("on_blocked", self.on_blocked, BLOCKED_CHOICES),
        )

    def push_link(self, context: Mapping[str, Any], find: Callable[[], str | None]) -> None:
        CourseLink.push(context, find)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
