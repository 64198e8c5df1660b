"""Who stands where in a course of Zoho People, read by as few calls as will do."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from airflow_provider_lms.lms.completion import Key, Snapshot, Standing, Statuses
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
from airflow_provider_lms.lms.filters import ids, one_id, one_of
from airflow_provider_lms.lms.paging import Page
from airflow_provider_lms.lms.plan import Plan, Read, Reading
from airflow_provider_lms.lms.zoho_people.client import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.records import CourseProgress, EntityProgress, entity_type_numbers

Measure: TypeAlias = Literal["course_progress", "entity_progress"]
Wanted: TypeAlias = Mapping[Key, Iterable[str]]
Rows: TypeAlias = Generator[Reading[CourseProgress], Read[CourseProgress], list[CourseProgress]]

STATUSES = Statuses(completed=("completed", "complete"))
"""What Zoho's words mean; only these are known to be completed, and no other word is documented."""

_REFUSED = (LmsNotFound, LmsBadRequest)


def batches_of(client: ZohoPeopleClient, course_id: str) -> Plan[list[str | None]]:
    """The batches of a blended course in an order of their own; None alone for a self-paced one, which has none.

    What Zoho answers for the batches of a self-paced course is not documented: none, or a refusal.
    """
    try:
        found = yield Reading(lambda start: client.batches(course_id, start=start or 0), lambda batch: batch.batch_id)
    except _REFUSED:
        return [None]
    return [*sorted(set(found.kept))] or [None]


class CourseReader:
    """Reads a course again and again.

    It is read whole or learner by learner, whichever takes fewer calls; how many pages it has is learned by reading.

    :param client: the account to read.
    :param course_id: the course.
    :param batch_id: the batch of a blended course; None is all its batches.
    :param measure: ``course_progress``, or ``entity_progress``: all mandatory entities, which takes a call for each
        learner and type.
    :param entity_types: types that count by ``entity_progress``; None is all of them.
    :param completed_statuses: Zoho's words for a completed entity.
    :param most_seconds: how long the calls by ``entity_progress`` may take at the budget.
    :raises ValueError: a parameter cannot be meant as it is given.
    """

    def __init__(
        self,
        client: ZohoPeopleClient,
        *,
        course_id: str,
        batch_id: str | None = None,
        measure: Measure = "course_progress",
        entity_types: Iterable[int | str] | int | str | None = None,
        completed_statuses: Iterable[str] = STATUSES.completed,
        most_seconds: float | None = None,
    ) -> None:
        self._client = client
        self._course = one_id("course_id", course_id)
        self._batch = None if batch_id is None else one_id("batch_id", batch_id)
        self._by_entities = one_of("measure", measure, get_args(Measure)) == "entity_progress"
        self._types = entity_type_numbers("entity_types", entity_types)
        self._completed = frozenset(ids("completed_statuses", list(completed_statuses)) or ())
        self._most_seconds = most_seconds
        self._pages_at_least = 1
        self._populated = False

    def close(self) -> None:
        """Close the client's connections to the LMS."""
        self._client.close()

    def plan(self, wanted: Wanted | None) -> Plan[Snapshot]:
        """Where learners stand.

        :param wanted: ids of those who matter, by what they are; None is everybody.
        :raises ValueError: ``entity_progress`` takes longer than ``most_seconds``.
        """
        named = None if wanted is None else tuple(wanted.get("learner_id", ()))
        places: list[str | None] = [self._batch]
        if self._batch is None:
            places = yield from batches_of(self._client, self._course)
        rows = yield from self._rows(places, named)
        if named is not None:
            known = frozenset(named)
            rows = [row for row in rows if row.learner_id in known]
        if not self._by_entities:
            return Snapshot(map(_standing, rows), populated=self._populated)
        self._check_cost(len(rows) * len(self._types))
        standings, refusal = [], None
        for row in rows:
            try:
                done = yield from self._entities_done(row)
            except _REFUSED as error:
                refusal = error  # the learner may have left the course meanwhile
            else:
                standings.append(Standing(row.learner_id, done=done))
        if refusal is not None and not standings:
            raise refusal
        return Snapshot(standings, populated=self._populated)

    def _rows(self, places: list[str | None], named: tuple[str, ...] | None) -> Rows:
        at_most = None if named is None or self._by_entities else len(named) * len(places)
        if at_most is None or self._pages_at_least <= at_most:
            whole: list[CourseProgress] = []
            complete = yield from self._whole(places, at_most, whole)
            self._populated = self._populated or bool(whole)
            if complete:
                return whole
            self._pages_at_least = (at_most or 0) + 1
        rows: list[CourseProgress] = []
        for learner in named or ():
            for place in places:
                try:
                    found = yield self._reading(place, learner_id=learner)
                except _REFUSED:
                    continue
                rows += found.kept
        return rows

    def _whole(
        self, places: list[str | None], at_most: int | None, rows: list[CourseProgress]
    ) -> Generator[Reading[CourseProgress], Read[CourseProgress], bool]:
        """Add everybody's rows; return whether these are all, since no more than ``at_most`` pages are read."""
        pages = 0
        for place in places:
            if pages == at_most:
                return False
            found = yield self._reading(place, None if at_most is None else at_most - pages)
            rows += found.kept
            pages += found.pages
            if not found.complete:
                return False
        return True

    def _reading(
        self, place: str | None, at_most: int | None = None, learner_id: str | None = None
    ) -> Reading[CourseProgress]:
        def pages(start: str | None) -> Iterator[Page[CourseProgress]]:
            return self._client.course_progress(self._course, batch_id=place, learner_id=learner_id, start=start or 0)

        return Reading(pages, lambda row: row, at_most)

    def _entities_done(self, row: CourseProgress) -> Plan[bool]:
        entities: list[EntityProgress] = []
        for number in self._types:

            def pages(start: str | None, number: int = number) -> Iterator[Page[EntityProgress]]:
                return self._client.entity_progress(
                    self._course, row.learner_id, number, batch_id=row.batch_id, start=start or 0
                )

            found = yield Reading(pages, lambda entity: entity)
            entities += found.kept
        # Where the LMS does not say, an entity is taken as mandatory.
        counted = [each for each in entities if each.is_mandatory is not False] or entities
        return bool(counted) and all((each.status or "").casefold() in self._completed for each in counted)

    def _check_cost(self, calls: int) -> None:
        needed = self._client.limits.seconds(calls)
        if self._most_seconds is not None and needed > self._most_seconds:
            raise ValueError(
                f"measure: 'entity_progress' takes {calls:,} calls, which are {needed:,.0f} s at the connection's "
                f"budget and more than the poke_interval of {self._most_seconds:,.0f} s. Name fewer learner_ids or "
                "entity_types, raise poke_interval, or take 'course_progress'."
            )


def _standing(row: CourseProgress) -> Standing:
    try:
        percentage = float(str(row.completion_percentage).removesuffix("%"))
    except ValueError:
        percentage = 0.0
    return Standing(row.learner_id, status=row.completion_status, done=percentage >= 100)
