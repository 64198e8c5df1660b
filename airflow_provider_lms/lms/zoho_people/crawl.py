"""Crawls over courses of Zoho People: every batch, learner and entity type, one call after the other.

Zoho tells progress in entities only for one learner and one entity type at a time. A crawl logs its cost before it
begins.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import Literal, NamedTuple, TypeAlias, get_args

from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.course.read_flow import run_flow
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Reading, Splitter
from airflow_provider_lms.lms.listing.units import Unit, read_units
from airflow_provider_lms.lms.parameters import parse_choice, parse_id, parse_ids
from airflow_provider_lms.lms.zoho_people.batches import batches_flow
from airflow_provider_lms.lms.zoho_people.client import Id, ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.lms.zoho_people.listings.courses import COURSE_MODULES, CourseModule
from airflow_provider_lms.lms.zoho_people.listings.progress import CourseProgress, EntityProgress, parse_entity_types
from airflow_provider_lms.lms.zoho_people.once_more import once_more

log = logging.getLogger(__name__)

OnUnknownLearner: TypeAlias = Literal["fail", "skip"]

_START = re.compile(r"[^/:]*/[^/:]+/\d+:(\d+(-[0-9a-f]{16})?)?")


class _Step(NamedTuple):
    """One listing of an entity progress crawl.

    :param enrolled: stands for the learner in the batch, without telling who that is.
    """

    batch_id: str | None
    learner_id: str
    entity_type: int
    enrolled: str

    @property
    def key(self) -> str:
        """Its name in a continuation."""
        return f"{self.enrolled}/{self.entity_type}"


class EntityProgressCrawl:
    """Reads the progress of learners in the entities of a course. Iterate over it; nothing is sent before.

    :param client: the account to read.
    :param course_id: the course.
    :param learner_ids: learners; None is every learner of the course.
    :param entity_types: entity types by number or name; None is all of them.
    :param batch_id: the batch of a blended course; None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to read the others if Zoho does not know some learners.
    :param start: the ``next`` of an earlier page of the same crawl.
    :raises ValueError: a parameter is invalid.
    """

    def __init__(
        self,
        client: ZohoPeopleClient,
        course_id: Id,
        *,
        learner_ids: Sequence[Id] | Id | None = None,
        entity_types: Sequence[int | str] | int | str | None = None,
        batch_id: Id | None = None,
        on_unknown_learner: OnUnknownLearner = "fail",
        start: str | None = None,
    ) -> None:
        self._client = client
        self._course = parse_id("course_id", course_id)
        self._given = parse_ids("learner_ids", learner_ids, numeric=True)
        self._types = parse_entity_types("entity_types", entity_types)
        self._batch = None if batch_id is None else parse_id("batch_id", batch_id)
        self._skips = parse_choice("on_unknown_learner", on_unknown_learner, get_args(OnUnknownLearner)) == "skip"
        if start is not None and not _START.fullmatch(start):
            raise ValueError("start: expected the 'next' of an earlier page of the same crawl.")
        self._start = start
        self._unknown: set[str] = set()

    def __iter__(self) -> Iterator[Page[EntityProgress]]:
        self._log_cost()
        yield from self._read_steps(self._client, self._steps, self._start)

    def reading(self) -> Reading[EntityProgress]:
        """The pages of the crawl. Several learners can be read at the same time."""

        def keys() -> Sequence[str]:
            self._log_cost()
            return [*dict.fromkeys(step.enrolled for step in self._steps)]

        def read(
            client: ZohoPeopleClient, enrolled: Collection[str], start: str | None
        ) -> Iterator[Page[EntityProgress]]:
            wanted = frozenset(enrolled)
            return self._read_steps(client, [step for step in self._steps if step.enrolled in wanted], start)

        return Reading(self, Splitter(keys, read))

    def _read_steps(
        self, client: ZohoPeopleClient, steps: Sequence[_Step], start: str | None
    ) -> Iterator[Page[EntityProgress]]:
        return read_units([Unit(step.key, partial(self._read, client, step)) for step in steps], start)

    def _read(self, client: ZohoPeopleClient, step: _Step, start: str | None) -> Iterator[Page[EntityProgress]]:
        if step.learner_id in self._unknown:
            return

        def pages() -> Iterator[Page[EntityProgress]]:
            return client.entity_progress(
                self._course, step.learner_id, step.entity_type, batch_id=step.batch_id, start=start
            )

        known = step.entity_type != self._types[0]
        try:
            for page in once_more(pages):
                known = True
                yield page
        except UNKNOWN_ID as error:
            if known or self._given is None:
                raise
            self._report_unknown([step.learner_id], type(error))

    @cached_property
    def _steps(self) -> list[_Step]:
        batches = [self._batch] if self._batch else run_flow(batches_flow(self._client.batches, self._course))
        if self._given is not None and len(batches) == 1:
            enrolled = [(batches[0], learner) for learner in self._given]
        else:
            enrolled = [(batch, learner) for batch in batches for learner in self._learners(batch)]
            if self._given is not None:
                given, known = set(self._given), {learner for _, learner in enrolled}
                self._report_unknown([learner for learner in self._given if learner not in known], LmsNotFound)
                enrolled = [(batch, learner) for batch, learner in enrolled if learner in given]
        return [
            _Step(batch, learner, kind, enrolled=f"{batch or ''}/{disguised}")
            for batch, learner in enrolled
            for disguised in (self._client.disguise(learner),)
            for kind in self._types
        ]

    def _learners(self, batch: str | None) -> list[str]:
        """The learners in the order of their ids, so that a continuation means the same in a later attempt."""
        pages = self._client.course_progress(self._course, batch_id=batch)
        return sorted({row.learner_id for page in pages for row in page.records})

    def _report_unknown(self, learners: Sequence[str], kind: type[LmsNotFound | LmsBadRequest]) -> None:
        if not learners:
            return
        self._unknown.update(learners)
        named = ", ".join(learners)
        if not self._skips:
            raise kind(
                f"learner_ids: Zoho knows no learner {named} in course {self._course}, or no such course. "
                "Remove the learner, or set on_unknown_learner='skip'."
            )
        if self._unknown.issuperset(self._given or ()):
            raise kind(
                f"learner_ids: Zoho knows none of these learners in course {self._course}. Are these ids of another "
                "kind? The learnerId of course progress is the right one."
            )
        log.warning("learner_ids: skipping %s, unknown to Zoho in course %s.", named, self._course)

    def _log_cost(self) -> None:
        steps = self._steps
        start = None if self._start is None else self._start.partition(":")[0]
        first = next((index for index, step in enumerate(steps) if step.key == start), 0)
        calls = len(steps) - first
        log.info(
            "Course %s: %s learners, %d entity types: %s calls%s.",
            self._course,
            f"{-(-calls // len(self._types)):,}",
            len(self._types),
            f"{calls:,}",
            _time_needed(self._client.limits, calls),
        )


def course_progress(
    client: ZohoPeopleClient,
    course_id: Id | None = None,
    *,
    batch_id: Id | None = None,
    learner_id: Id | None = None,
    start: str | None = None,
) -> Reading[CourseProgress]:
    """Read progress in whole courses; a blended course batch by batch where no batch is given.

    Parameters and errors are those of :meth:`ZohoPeopleClient.course_progress`.

    :param start: the ``next`` of an earlier page of the same call.
    :raises ValueError: ``start`` names a batch that is no longer there.
    """
    if course_id is None or batch_id is not None:
        return client.course_progress(course_id, batch_id=batch_id, learner_id=learner_id, start=start)
    course = parse_id("course_id", course_id)
    learner = None if learner_id is None else parse_id("learner_id", learner_id)
    return _progress_of_batches(client, course, learner, start)


def course_modules(
    client: ZohoPeopleClient,
    *,
    course_ids: Sequence[Id] | Id | None = None,
    batch_id: Id | None = None,
    start: str | None = None,
) -> Reading[CourseModule]:
    """Read the modules of courses; those of a blended course batch by batch where no batch is given.

    :param course_ids: the courses; None is every course that the token's owner may see.
    :param batch_id: one batch of one blended course.
    :param start: the ``next`` of an earlier page of the same call.
    :raises ValueError: a parameter is invalid, or ``start`` names a batch that is no longer there.
    """
    courses = parse_ids("course_ids", course_ids, numeric=True)
    if batch_id is None:
        return client.read(COURSE_MODULES, course_ids=courses, start=start)
    if courses is None or len(courses) != 1:
        raise ValueError("batch_id: give exactly one course in course_ids as well.")
    return client.course_modules(courses[0], batch_id=parse_id("batch_id", batch_id), start=start)


def _progress_of_batches(
    client: ZohoPeopleClient, course: str, learner: str | None, start: str | None
) -> Reading[CourseProgress]:
    @cache
    def batches() -> Mapping[str, str | None]:
        return {batch or "": batch for batch in run_flow(batches_flow(client.batches, course))}

    missing: set[str] = set()

    def read_batch(client: ZohoPeopleClient, key: str, start: str | None) -> Iterator[Page[CourseProgress]]:
        batch = batches()[key]
        try:
            yield from once_more(
                lambda: client.course_progress(course, batch_id=batch, learner_id=learner, start=start)
            )
        except UNKNOWN_ID:
            # A learner is in one batch; the others do not know them.
            missing.add(key)
            if learner is None or len(missing) == len(batches()):
                raise

    def read(client: ZohoPeopleClient, keys: Collection[str], start: str | None) -> Iterator[Page[CourseProgress]]:
        units = [Unit(key, partial(read_batch, client, key)) for key in batches() if key in keys]
        return read_units(units, start)

    def pages() -> Iterator[Page[CourseProgress]]:
        yield from read(client, batches().keys(), start)

    return Reading(pages(), Splitter(lambda: [*batches()], read))


def _time_needed(limits: RateLimits, calls: int) -> str:
    """How long calls take, in words; nothing where there is no limit."""
    if limits.requests is None:
        return ""
    needed = describe_duration(limits.seconds_for(calls))
    day = limits.requests_per_day
    over = "" if day is None or calls <= day else f", and more than the {day:,} that are allowed in a day"
    return f", {needed} at the rate limit of {limits.requests} calls in {limits.window_seconds:g} s{over}"
