"""The progress of learners in a course of Zoho People, read by as few calls as possible."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.lms.course.progress import (
    LEARNER_ID,
    CourseSnapshot,
    LearnerIds,
    LearnerProgress,
    StatusMeanings,
)
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ListingResult, ReadFlow
from airflow_provider_lms.lms.course.readers import CourseMemory, CourseQuery, Finding
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.parameters import parse_choice, parse_id, parse_ids
from airflow_provider_lms.lms.zoho_people.batches import batches_flow
from airflow_provider_lms.lms.zoho_people.client import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.lms.zoho_people.listings.progress import CourseProgress, EntityProgress, parse_entity_types
from airflow_provider_lms.lms.zoho_people.once_more import once_more

Measure: TypeAlias = Literal["course_progress", "entity_progress"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

STATUSES = StatusMeanings(completed=("completed", "complete"))
"""What Zoho's words mean. Only these are known to mean completed, and no other word is documented."""

_LEARNERS = "learners"
"""The name of the listings of all learners, together, in what a reader remembers."""

_LONGEST_TRUST = 3_600.0
"""Seconds for which a learner who has not completed the course is trusted not to have, if nothing else shows a change.
A mark that is corrected, for example, need not change the progress in the course."""

_DECISIVE = {"completionStatus", "completionPercentage"}
"""The fields that say whether a course is completed."""

_Rows: TypeAlias = Generator[ListingRequest[CourseProgress], ListingResult[CourseProgress], list[CourseProgress]]
_IsComplete: TypeAlias = Generator[ListingRequest[CourseProgress], ListingResult[CourseProgress], bool]


class ZohoPeopleCourseQuery(CourseQuery, frozen=True, kw_only=True, omit_defaults=True):
    """What to read of a course of Zoho People.

    :param batch_id: the batch of a blended course; None is all its batches.
    :param measure: ``course_progress``, or ``entity_progress``: all mandatory entities, which takes a call for each
        learner and entity type.
    :param entity_types: the types that count for ``entity_progress``; None is all of them.
    :param completed_statuses: Zoho's words for a completed entity.
    :param max_seconds: how long the calls for ``entity_progress`` may take at the rate limit; None is no limit.
    """

    batch_id: str | None = None
    measure: Measure = "course_progress"
    entity_types: tuple[int | str, ...] | None = None
    completed_statuses: tuple[str, ...] = STATUSES.completed
    max_seconds: float | None = None


@dataclass(frozen=True)
class _RowsOfBatch:
    """What was read of a batch; None is a course without batches."""

    batch: str | None
    rows: list[CourseProgress] = field(default_factory=list)
    complete: bool = False

    def by_learner(self) -> dict[str, list[CourseProgress]]:
        found: dict[str, list[CourseProgress]] = {}
        for row in self.rows:
            found.setdefault(row.learner_id, []).append(row)
        return found


class ZohoPeopleCourseReader:
    """Reads a course again and again.

    The whole course is read, or only the named learners one by one, whichever takes fewer calls. How many pages the
    course has is learned by reading.

    :param client: the account to read; it is closed with the reader.
    :param query: what to read.
    :param memory: what earlier readers of the same course have learned, and where this one notes what it learns.
    :raises ValueError: a field of the query is invalid.
    """

    def __init__(
        self, client: ZohoPeopleClient, query: ZohoPeopleCourseQuery, memory: CourseMemory | None = None
    ) -> None:
        self._client = client
        self._course = parse_id("course_id", query.course_id)
        self._batch = None if query.batch_id is None else parse_id("batch_id", query.batch_id)
        self._by_entities = parse_choice("measure", query.measure, MEASURES) == "entity_progress"
        self._types = parse_entity_types("entity_types", query.entity_types)
        self._completed = frozenset(parse_ids("completed_statuses", query.completed_statuses) or ())
        self._max_seconds = query.max_seconds
        self._memory = CourseMemory() if memory is None else memory

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._client.close()

    def read_flow(self, learners: LearnerIds | None, *, again: bool = False) -> ReadFlow[CourseSnapshot]:
        """Read the progress of learners.

        With ``entity_progress``, a learner's entities are not read again as long as their progress in the course stays
        the same: at most for an hour if they have not completed it.

        :param learners: those that matter; None is everybody.
        :param again: read the entities of all learners.
        :raises ValueError: ``entity_progress`` takes longer than ``max_seconds``.
        """
        named = None if learners is None else tuple(learners.get(LEARNER_ID, ()))
        batches: list[str | None] = [self._batch]
        if self._batch is None:
            batches = yield from batches_flow(self._client.batches, self._course)
        rows = yield from self._rows(batches, named)
        if named is not None:
            wanted = frozenset(named)
            rows = [row for row in rows if row.learner_id in wanted]
        self._client.report_drift()
        if not self._by_entities:
            return CourseSnapshot(map(_progress, rows), populated=self._memory.populated)
        self._check_cost(len(rows) * len(self._types))
        progress: list[LearnerProgress] = []
        rejection, remembered = None, False
        for row in rows:
            name, state = f"{row.batch_id or ''}/{row.learner_id}", msgspec.json.encode(row, order="deterministic")
            finding = None if again else self._recall(name, state)
            remembered = remembered or finding is not None
            if finding is None:
                found_at = clock.monotonic()
                try:
                    done = yield from self._entities_done(row)
                except UNKNOWN_ID as error:
                    rejection = error  # the learner may have left the course meanwhile
                    continue
                finding = self._memory.findings[name] = Finding(state, done, found_at)
            progress.append(LearnerProgress(row.learner_id, done=finding.done))
        if rejection is not None and not progress:
            raise rejection
        return CourseSnapshot(progress, populated=self._memory.populated, remembered=remembered)

    def _recall(self, name: str, state: bytes) -> Finding | None:
        """What was found of a learner before, unless it is worth looking again by the next reading."""
        finding = self._memory.findings.get(name)
        if finding is None or finding.state != state:
            return None
        next_reading = clock.monotonic() + (self._max_seconds or 0.0)
        return finding if finding.done or next_reading - finding.found_at <= _LONGEST_TRUST else None

    def _rows(self, batches: list[str | None], named: tuple[str, ...] | None) -> _Rows:
        max_pages = None if named is None or self._by_entities else len(named) * len(batches)
        read: list[_RowsOfBatch] = []
        if max_pages is None or self._memory.least_pages.get(_LEARNERS, 1) <= max_pages:
            complete = yield from self._read_everybody(batches, max_pages, read)
            self._memory.populated = self._memory.populated or any(each.rows for each in read)
            if complete:
                return [row for each in read for row in each.rows]
            self._memory.least_pages[_LEARNERS] = (max_pages or 0) + 1
        rows: list[CourseProgress] = []
        by_learner = {each.batch: each.by_learner() for each in read}
        ended = {each.batch for each in read if each.complete}
        for learner in named or ():
            for batch in batches:
                found = by_learner.get(batch, {}).get(learner, [])
                if found or batch in ended:
                    rows += found
                    continue
                try:
                    result = yield self._request(batch, learner_id=learner)
                except UNKNOWN_ID:
                    continue
                rows += result.kept
        return rows

    def _read_everybody(
        self, batches: list[str | None], max_pages: int | None, read: list[_RowsOfBatch]
    ) -> _IsComplete:
        """Append everybody's rows; return whether these are all, since at most ``max_pages`` are read."""
        pages = 0
        for batch in batches:
            if pages == max_pages:
                return False
            result = yield self._request(batch, None if max_pages is None else max_pages - pages)
            read.append(_RowsOfBatch(batch, result.kept, result.complete))
            pages += result.pages
            if not result.complete:
                return False
        return True

    def _request(
        self, batch: str | None, max_pages: int | None = None, learner_id: str | None = None
    ) -> ListingRequest[CourseProgress]:
        def pages(start: str | None) -> Iterator[Page[CourseProgress]]:
            return once_more(
                lambda: self._client.course_progress(self._course, batch_id=batch, learner_id=learner_id, start=start)
            )

        return ListingRequest(pages, lambda row: row, max_pages)

    def _entities_done(self, row: CourseProgress) -> ReadFlow[bool]:
        entities: list[EntityProgress] = []
        for number in self._types:

            def pages(start: str | None, number: int = number) -> Iterator[Page[EntityProgress]]:
                return self._client.entity_progress(
                    self._course, row.learner_id, number, batch_id=row.batch_id, start=start
                )

            result = yield ListingRequest(pages, lambda entity: entity)
            entities += result.kept
        # Where the LMS does not say, an entity is taken as mandatory.
        counted = [each for each in entities if each.is_mandatory is not False] or entities
        return bool(counted) and all((each.status or "").casefold() in self._completed for each in counted)

    def _check_cost(self, calls: int) -> None:
        needed = self._client.limits.seconds_for(calls)
        if self._max_seconds is not None and needed > self._max_seconds:
            raise ValueError(
                f"measure: 'entity_progress' takes {calls:,} calls, which is {needed:,.0f} s at the connection's rate "
                f"limit and more than the poke_interval of {self._max_seconds:,.0f} s. Name fewer learner_ids or "
                "entity_types, raise poke_interval, or use 'course_progress'."
            )


def parse_percentage(value: object) -> float | None:
    """Zoho's percentage, which may be a text such as ``45%``; None if it cannot be read."""
    try:
        found = float(str(value).removesuffix("%"))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def progress_of(learner_id: str, status: str | None, percentage: object, *, uncertain: bool = False) -> LearnerProgress:
    """A learner's progress in a course. Where Zoho has no word for it, 100 percent is completed.

    :param percentage: as Zoho sends it. One that cannot be read is not 100.
    :param uncertain: whether a value that matters could not be read.
    """
    found = parse_percentage(percentage)
    return LearnerProgress(learner_id, status=status, done=found is not None and found >= 100, uncertain=uncertain)


def _progress(row: CourseProgress) -> LearnerProgress:
    uncertain = bool(_DECISIVE & row.extra.keys())
    return progress_of(row.learner_id, row.completion_status, row.completion_percentage, uncertain=uncertain)
