"""Operators that read the progress of learners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.operators.zoho_people.base import Id, ZohoPeopleExtractOperator, ZohoPeopleExtractOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.projection import Projection
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl, OnUnknownLearner
    from airflow_provider_lms.lms.zoho_people.listings.progress import CourseProgress, EntityProgress
    from airflow_provider_lms.storage.dataset import Description
    from airflow_provider_lms.storage.source import Source

_SHORTEST_FULL_CRAWL = timedelta(hours=1)


class ZohoPeopleEntityProgressOperator(ZohoPeopleExtractOperator):
    """Reads progress in the entities of a course, such as tests and sessions: one record per learner and entity.

    Zoho answers for one learner and one entity type at a time, at 30 requests a minute. The log tells what a run costs.

    With ``previous``, only learners whose progress in the whole course has changed since then are read; the rows of the
    others are carried over. Each row is as of its ``readAt``, and not as of now: a mark that is corrected, or an entity
    that is exchanged for another, need not change a learner's progress in the course. The dataset's ``carried`` is the
    number of such rows.

    :param course_id: the course (templated).
    :param learner_ids: one learner, a list, an ``XComArg``, or a JSON array as text (templated); None is every learner
        of the course. They are the ``learnerId`` of course progress.
    :param entity_types: by number or name (templated); None is all ten. 0 offline_tests, 1 online_tests, 2 assignments,
        3 files, 4 contents, 5 sessions, 6 links, 7 pre_learning_tests, 8 post_learning_tests, 9 feedbacks.
    :param batch_id: the batch of a blended course (templated); None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to read the others if Zoho does not know some learners in the
        course (templated).
    :param previous: with an ``output_path``, an earlier dataset of this operator: its folder, which may be that of
        ``output_path``, or the summary that its task has returned (templated). It must be complete, of the same course,
        entity types and columns, and written with ``previous`` too; otherwise everything is read, and the log says why.
        If nothing was committed there yet, everything is read.
    :param full_crawl_every: with ``previous``, after how long each learner is read, changed or not: a timedelta, or a
        text such as ``7d`` or ``12h`` (templated). Their turns are spread evenly: of a daily run with ``7d``, a seventh
        of the learners. All of them are read at once only if ``previous`` is that old itself.

    Example::

        ZohoPeopleEntityProgressOperator(
            task_id="test_marks",
            course_id="100002000010000001",
            entity_types=["online_tests", "offline_tests"],
            output_path="s3://lake/zoho/tests",
            previous="s3://lake/zoho/tests",
        )
    """

    template_fields: Sequence[str] = (
        "course_id",
        "learner_ids",
        "entity_types",
        "batch_id",
        "on_unknown_learner",
        "previous",
        "full_crawl_every",
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
        previous: str | ObjectStoragePath | Mapping[str, Any] | None = None,
        full_crawl_every: timedelta | str = "7d",
        **common: Unpack[ZohoPeopleExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_id = course_id
        self.learner_ids = learner_ids
        self.entity_types = entity_types
        self.batch_id = batch_id
        self.on_unknown_learner = on_unknown_learner
        self.previous = previous
        self.full_crawl_every = full_crawl_every

    def check_parameters(self) -> None:
        self._interval()
        if self.previous is None:
            return
        if self.output_path is None:
            raise ValueError(
                "previous: give an output_path as well, for the dataset with the rows that are carried over."
            )
        if self.max_pages is not None:
            raise ValueError(
                "previous: leave out max_pages. A dataset that it cuts short has no rows for some learners."
            )

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

    def description(self, client: ZohoPeopleClient, projection: Projection | None) -> Description:
        whole = super().description(client, projection)
        # A checkpoint without states is of no use to an attempt that needs them.
        return whole if self.previous is None else replace(whole, details=[whole.details, "with states"])

    def source(
        self,
        client: ZohoPeopleClient,
        description: Description,
        convert: Callable[[Page[Any]], Page[Any]],
        max_pages: int | None,
    ) -> Source:
        if self.previous is None:
            return super().source(client, description, convert, max_pages)
        from airflow_provider_lms.operators.split_listing import SplitReader
        from airflow_provider_lms.operators.zoho_people.changed_learners import ChangedLearners, check_columns
        from airflow_provider_lms.storage.states import find_previous

        check_columns(description.record)
        previous = find_previous(
            self.previous,
            description,
            may_differ={"learner_ids", "on_unknown_learner"},
            takes_new_fields=self.schema_contract == "evolve",
        )
        reader = SplitReader(client, self.parallel_requests, convert)
        crawl = self._crawl(client, None, with_states=True)
        return ChangedLearners(crawl, reader, description, previous, self._interval())

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[EntityProgress]:
        return self._crawl(client, start).reading()

    def _interval(self) -> timedelta:
        from airflow_provider_lms.lms.parameters import parse_interval

        return parse_interval("full_crawl_every", self.full_crawl_every, _SHORTEST_FULL_CRAWL)

    def _crawl(self, client: ZohoPeopleClient, start: str | None, *, with_states: bool = False) -> EntityProgressCrawl:
        from airflow_provider_lms.lms.zoho_people.crawl import EntityProgressCrawl

        return EntityProgressCrawl(
            client,
            self.course_id,
            learner_ids=self.learner_ids,
            entity_types=self.entity_types,
            batch_id=self.batch_id,
            on_unknown_learner=self.on_unknown_learner,
            with_states=with_states,
            start=start,
        )


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
