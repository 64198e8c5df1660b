"""Sensors for the LMS of Zoho People."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias, Unpack

from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor
from airflow_provider_lms.sensors.options import CompletionOptions

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
    from airflow_provider_lms.lms.course.criteria import Criteria
    from airflow_provider_lms.lms.course.progress import StatusMeanings
    from airflow_provider_lms.lms.zoho_people.course import Measure, ZohoPeopleCourseQuery

Id: TypeAlias = "str | int"


class ZohoPeopleCourseCompletionSensor(LmsCourseCompletionSensor):
    """Waits until learners have completed a course of Zoho People.

    A learner has completed it if Zoho's ``completionStatus`` says so, case ignored. Where that field is absent, 100
    percent count as completed.

    :param learner_ids: the learners to wait for (templated): the ``learnerId`` of course progress. None is everybody in
        the course. If none of them is in a course that has learners, the sensor fails: the ids are of another kind.
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param measure: ``course_progress``, or ``entity_progress``: all mandatory entities must be completed, or all
        entities if none is mandatory. That costs a call per learner and type at each poke, and is refused if the calls
        do not fit into ``poke_interval`` (templated).
    :param entity_types: the types that count for ``entity_progress``, by number or name (templated); None is all ten.
    :param zoho_people_conn_id: the connection (templated).

    Example::

        ZohoPeopleCourseCompletionSensor(
            task_id="wait_for_onboarding",
            course_id="100002000010000001",
            learner_ids="{{ ti.xcom_pull('new_hires') | tojson }}",
            deferrable=True,
        )
    """

    conn_type: ClassVar[str] = "zoho_people"
    template_fields: Sequence[str] = (
        "learner_ids",
        "batch_id",
        "measure",
        "entity_types",
        "zoho_people_conn_id",
        *LmsCourseCompletionSensor.template_fields,
    )

    def __init__(
        self,
        *,
        learner_ids: Sequence[Id] | Id | None = None,
        batch_id: Id | None = None,
        measure: Measure = "course_progress",
        entity_types: Sequence[int | str] | int | str | None = None,
        zoho_people_conn_id: str = "zoho_people_default",
        **common: Unpack[CompletionOptions],
    ) -> None:
        super().__init__(**common)
        self.learner_ids = learner_ids
        self.batch_id = batch_id
        self.measure = measure
        self.entity_types = entity_types
        self.zoho_people_conn_id = zoho_people_conn_id

    @property
    def conn_id(self) -> str:
        return self.zoho_people_conn_id

    def hook(self, options: ClientOptions) -> ZohoPeopleHook:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, options=options)

    def course(self) -> ZohoPeopleCourseQuery:
        from airflow_provider_lms.lms.parameters import parse_choice, parse_id
        from airflow_provider_lms.lms.zoho_people.course import MEASURES, ZohoPeopleCourseQuery
        from airflow_provider_lms.lms.zoho_people.listings.progress import parse_entity_types

        course = parse_id("course_id", self.course_id)
        batch = None if self.batch_id is None else parse_id("batch_id", self.batch_id)
        if parse_choice("measure", self.measure, MEASURES) == "course_progress":
            if self.entity_types is not None:
                raise ValueError("entity_types: they need measure='entity_progress'.")
            return ZohoPeopleCourseQuery(course_id=course, batch_id=batch)
        return ZohoPeopleCourseQuery(
            course_id=course,
            batch_id=batch,
            measure="entity_progress",
            entity_types=parse_entity_types("entity_types", self.entity_types),
            completed_statuses=self._statuses().completed,
            max_seconds=self.poke_interval,
        )

    def criteria(self) -> Criteria:
        from airflow_provider_lms.lms.course.criteria import CHOICES, Criteria, parse_requirement
        from airflow_provider_lms.lms.parameters import parse_choice, parse_ids

        named = parse_ids("learner_ids", self.learner_ids, numeric=True)
        requirement = parse_requirement(self.required_share, self.required_count, self.min_cohort, named)
        return Criteria(
            named=named,
            statuses=self._statuses(),
            share=requirement.share,
            count=requirement.count,
            min_cohort=requirement.min_cohort,
            on_missing=parse_choice("on_missing", self.on_missing, CHOICES),
            fail_if_no_id_matches=True,
        )

    def _statuses(self) -> StatusMeanings:
        from airflow_provider_lms.lms.zoho_people.course import STATUSES

        return STATUSES.replaced_by(self.completed_statuses)
