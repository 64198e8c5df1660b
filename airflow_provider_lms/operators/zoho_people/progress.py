"""Operators that read the progress of learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.operators.zoho_people.base import Id, ZohoPeopleExtractOperator, ZohoPeopleExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.crawl import OnUnknownLearner
    from airflow_provider_lms.lms.zoho_people.listings.progress import CourseProgress, EntityProgress


class ZohoPeopleEntityProgressOperator(ZohoPeopleExtractOperator):
    """Reads progress in the entities of a course, such as tests and sessions: one record per learner and entity.

    Zoho answers for one learner and one entity type at a time, at 30 requests a minute. The log tells what a run costs.

    :param course_id: the course (templated).
    :param learner_ids: one learner, a list, an ``XComArg``, or a JSON array as text (templated); None is every learner
        of the course. They are the ``learnerId`` of course progress.
    :param entity_types: by number or name (templated); None is all ten. 0 offline_tests, 1 online_tests, 2 assignments,
        3 files, 4 contents, 5 sessions, 6 links, 7 pre_learning_tests, 8 post_learning_tests, 9 feedbacks.
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to read the others if Zoho does not know some learners in the
        course (templated).

    Example::

        ZohoPeopleEntityProgressOperator(
            task_id="test_marks",
            course_id="100002000010000001",
            entity_types=["online_tests", "offline_tests"],
            output_path="s3://lake/zoho/tests",
        )
    """

    template_fields: Sequence[str] = (
        "course_id",
        "learner_ids",
        "entity_types",
        "batch_id",
        "on_unknown_learner",
        *ZohoPeopleExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        course_id: Id,
        learner_ids: Sequence[Id] | Id | None = None,
        entity_types: Sequence[int | str] | int | str | None = None,
        batch_id: Id | None = None,
        on_unknown_learner: OnUnknownLearner = "fail",
        **common: Unpack[ZohoPeopleExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_id = course_id
        self.learner_ids = learner_ids
        self.entity_types = entity_types
        self.batch_id = batch_id
        self.on_unknown_learner = on_unknown_learner

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.progress import ENTITY_PROGRESS

        return ENTITY_PROGRESS

    def query(self) -> Mapping[str, object]:
        return {
            "course_id": self.course_id,
            "learner_ids": self.learner_ids,
            "entity_types": self.entity_types,
            "batch_id": self.batch_id,
            "on_unknown_learner": self.on_unknown_learner,
        }

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[EntityProgress]:
        from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl

        crawl = EntityProgressCrawl(
            client,
            self.course_id,
            learner_ids=self.learner_ids,
            entity_types=self.entity_types,
            batch_id=self.batch_id,
            on_unknown_learner=self.on_unknown_learner,
            start=start,
        )
        return crawl.reading()


class ZohoPeopleCourseProgressOperator(ZohoPeopleExtractOperator):
    """Reads progress in whole courses: one record per learner and course.

    Either of all learners of a course, or of one learner in all courses, or of one learner in one course.

    :param course_id: the course (templated).
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param learner_id: the learner (templated).

    Example::

        ZohoPeopleCourseProgressOperator(task_id="progress", course_id="100002000010000001")
    """

    template_fields: Sequence[str] = (
        "course_id",
        "batch_id",
        "learner_id",
        *ZohoPeopleExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        course_id: Id | None = None,
        batch_id: Id | None = None,
        learner_id: Id | None = None,
        **common: Unpack[ZohoPeopleExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_id = course_id
        self.batch_id = batch_id
        self.learner_id = learner_id

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.progress import COURSE_PROGRESS

        return COURSE_PROGRESS

    def query(self) -> Mapping[str, object]:
        return {"course_id": self.course_id, "batch_id": self.batch_id, "learner_id": self.learner_id}

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[CourseProgress]:
        from airflow_provider_lms.lms.zoho_people.crawl import course_progress

        return course_progress(client, self.course_id, batch_id=self.batch_id, learner_id=self.learner_id, start=start)
