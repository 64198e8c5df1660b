"""Sensors for the LMS of Zoho People."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor

if TYPE_CHECKING:
    from airflow_provider_lms.lms.completion import Goal, Statuses
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient

Id: TypeAlias = "str | int"


class ZohoPeopleCourseCompletionSensor(LmsCourseCompletionSensor):
    """Waits until learners have completed a course of Zoho People.

    A learner has completed it where Zoho's ``completionStatus`` says so, case ignored, or, without that word, at 100
    percent.

    :param learner_ids: the learners to wait for (templated): the ``learnerId`` of course progress. None is everybody in
        the course. If none of them is in a course that has learners, the sensor fails: it is another kind of id.
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param measure: ``course_progress``, or ``entity_progress``: all mandatory entities must be completed, all of them
        where none is mandatory. It costs a call for each learner and type at each poke, and is refused where these do
        not fit into ``poke_interval`` (templated).
    :param entity_types: the types that count by ``entity_progress``, by number or name (templated); None is all ten.
    :param zoho_people_conn_id: the connection (templated).
    """

    conn_type: ClassVar[str] = "zoho_people"
    conn_id_field: ClassVar[str] = "zoho_people_conn_id"
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
        measure: str = "course_progress",
        entity_types: Sequence[int | str] | int | str | None = None,
        zoho_people_conn_id: str = "zoho_people_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.learner_ids = learner_ids
        self.batch_id = batch_id
        self.measure = measure
        self.entity_types = entity_types
        self.zoho_people_conn_id = zoho_people_conn_id

    def connect(self, max_wait: float, longest_lock: float) -> ZohoPeopleClient:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, max_wait=max_wait, longest_lock=longest_lock).get_conn()

    def course(self) -> dict[str, Any]:
        from airflow_provider_lms.lms.filters import one_id, one_of
        from airflow_provider_lms.lms.zoho_people.records import entity_type_numbers

        course: dict[str, Any] = {
            "course_id": one_id("course_id", self.course_id),
            "batch_id": None if self.batch_id is None else one_id("batch_id", self.batch_id),
            "measure": one_of("measure", self.measure, ("course_progress", "entity_progress")),
        }
        if self.measure == "course_progress":
            if self.entity_types is not None:
                raise ValueError("entity_types: they go with measure='entity_progress'.")
            return course
        return {
            **course,
            "entity_types": entity_type_numbers("entity_types", self.entity_types),
            "completed_statuses": self._statuses().completed,
        }

    def goal(self) -> Goal:
        from airflow_provider_lms.lms.completion import CHOICES, Goal, requirement
        from airflow_provider_lms.lms.filters import ids, one_of

        named = ids("learner_ids", self.learner_ids, numeric=True)
        return Goal(
            named=named,
            statuses=self._statuses(),
            on_missing=one_of("on_missing", self.on_missing, CHOICES),
            knows_somebody=True,
            **requirement(self.required_share, self.required_count, self.min_cohort, named),
        )

    def reader(self, client: ZohoPeopleClient) -> Any:
        from airflow_provider_lms.lms.zoho_people.course import CourseReader

        return CourseReader(client, **self.course(), most_seconds=self.poke_interval)

    def _statuses(self) -> Statuses:
        from airflow_provider_lms.lms.zoho_people.course import STATUSES

        return STATUSES.given(self.completed_statuses)
