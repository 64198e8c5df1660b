"""Operators for the LMS of Zoho People."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_lms.operators.base import LmsExtractOperator

if TYPE_CHECKING:
    from msgspec import Struct

    from airflow_provider_lms.lms.paging import Page
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient

Id: TypeAlias = "str | int"


class ZohoPeopleExtractOperator(LmsExtractOperator):
    """Base of the operators that read Zoho People.

    Ids are Zoho's, all digits; a whole number is taken as its digits.

    :param zoho_people_conn_id: the connection (templated).
    """

    parameters: ClassVar[Sequence[str]] = ()
    template_fields: Sequence[str] = ("zoho_people_conn_id", *LmsExtractOperator.template_fields)

    def __init__(self, *, zoho_people_conn_id: str = "zoho_people_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zoho_people_conn_id = zoho_people_conn_id

    def connect(self, longest_lock: float | None = None) -> ZohoPeopleClient:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, max_wait=self.max_wait, longest_lock=longest_lock).get_conn()

    def query(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self.parameters}
        return {name: value for name, value in given.items() if value is not None}

    def record(self) -> type[Struct]:
        from airflow_provider_lms.lms.zoho_people.records import RECORDS

        return RECORDS[self.resource_name]


class ZohoPeopleEntityProgressOperator(ZohoPeopleExtractOperator):
    """Learners' progress in the entities of a course, such as tests and sessions: one record per learner and entity.

    Zoho answers for one learner and one entity type at a time, at 30 requests a minute: the log tells what a run costs.

    :param course_id: the course (templated).
    :param learner_ids: one learner, a list, an ``XComArg``, or a JSON array as text (templated); None is every learner
        of the course. They are the ``learnerId`` of course progress.
    :param entity_types: by number or name (templated); None is all ten. 0 offline_tests, 1 online_tests, 2 assignments,
        3 files, 4 contents, 5 sessions, 6 links, 7 pre_learning_tests, 8 post_learning_tests, 9 feedbacks.
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to go on without learners that Zoho does not know in the course
        (templated).
    """

    resource_name: ClassVar[str] = "entity_progress"
    parameters: ClassVar[Sequence[str]] = ("course_id", "learner_ids", "entity_types", "batch_id", "on_unknown_learner")
    template_fields: Sequence[str] = (*parameters, *ZohoPeopleExtractOperator.template_fields)

    def __init__(
        self,
        *,
        course_id: Id,
        learner_ids: Sequence[Id] | Id | None = None,
        entity_types: Sequence[int | str] | int | str | None = None,
        batch_id: Id | None = None,
        on_unknown_learner: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.course_id = course_id
        self.learner_ids = learner_ids
        self.entity_types = entity_types
        self.batch_id = batch_id
        self.on_unknown_learner = on_unknown_learner

    def read(self, client: ZohoPeopleClient, query: dict[str, Any]) -> Iterable[Page[Any]]:
        from airflow_provider_lms.lms.zoho_people.sweep import EntityProgressSweep

        return EntityProgressSweep(client, **query)


class ZohoPeopleCourseProgressOperator(ZohoPeopleExtractOperator):
    """Progress in whole courses: of all learners of a course, of one learner in all courses, or of one in one.

    :param course_id: the course (templated).
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param learner_id: the learner (templated).
    """

    resource_name: ClassVar[str] = "course_progress"
    parameters: ClassVar[Sequence[str]] = ("course_id", "batch_id", "learner_id")
    template_fields: Sequence[str] = (*parameters, *ZohoPeopleExtractOperator.template_fields)

    def __init__(
        self,
        *,
        course_id: Id | None = None,
        batch_id: Id | None = None,
        learner_id: Id | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.course_id = course_id
        self.batch_id = batch_id
        self.learner_id = learner_id

    def read(self, client: ZohoPeopleClient, query: dict[str, Any]) -> Iterable[Page[Any]]:
        from airflow_provider_lms.lms.zoho_people.sweep import course_progress

        return course_progress(client, **query)


class ZohoPeopleCoursesOperator(ZohoPeopleExtractOperator):
    """Courses that the user behind the refresh token may see: ids to map over, names to join with."""

    resource_name: ClassVar[str] = "courses"


class ZohoPeopleBatchesOperator(ZohoPeopleExtractOperator):
    """Batches of a blended course.

    :param course_id: the course (templated).
    """

    resource_name: ClassVar[str] = "batches"
    parameters: ClassVar[Sequence[str]] = ("course_id",)
    template_fields: Sequence[str] = (*parameters, *ZohoPeopleExtractOperator.template_fields)

    def __init__(self, *, course_id: Id, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.course_id = course_id
