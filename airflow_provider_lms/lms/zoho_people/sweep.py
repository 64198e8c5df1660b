"""Sweeps over a course in Zoho People: every batch, learner and entity type, one call after the other.

Zoho tells progress in entities for one learner and one type at a time. A sweep says in the log what it costs before it
begins.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple, TypeAlias, get_args

from airflow_provider_lms.lms.budget import Limits
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
from airflow_provider_lms.lms.filters import ids, one_id, one_of
from airflow_provider_lms.lms.paging import Page
from airflow_provider_lms.lms.plan import carry_out
from airflow_provider_lms.lms.zoho_people.client import Id, ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.course import batches_of
from airflow_provider_lms.lms.zoho_people.records import CourseProgress, EntityProgress, entity_type_numbers

log = logging.getLogger(__name__)

OnUnknownLearner: TypeAlias = Literal["fail", "skip"]
_Refused = (LmsNotFound, LmsBadRequest)


class _Unit(NamedTuple):
    """What one listing of a sweep reads."""

    batch_id: str | None
    learner_id: str
    entity_type: int

    def continuation(self, offset: str) -> str:
        return f"{self.batch_id or ''}/{self.learner_id}/{self.entity_type}/{offset}"


class EntityProgressSweep:
    """Progress of learners in the entities of a course. Iterating it reads it; nothing is sent before.

    :param client: the account to read.
    :param course_id: the course.
    :param learner_ids: learners; None is every learner of the course.
    :param entity_types: entity types by number or name; None is all of them.
    :param batch_id: the batch of a blended course; None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to go on without learners that Zoho does not know in the course.
    :param start: the ``next`` of an earlier page of the same sweep.
    :raises ValueError: a parameter cannot be meant as it is given.
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
        self._course = one_id("course_id", course_id)
        self._given = ids("learner_ids", learner_ids, numeric=True)
        self._types = entity_type_numbers("entity_types", entity_types)
        self._batch = None if batch_id is None else one_id("batch_id", batch_id)
        self._skips = one_of("on_unknown_learner", on_unknown_learner, get_args(OnUnknownLearner)) == "skip"
        self._unit, self._offset = _position(start)
        self._unknown: set[str] = set()

    def __iter__(self) -> Iterator[Page[EntityProgress]]:
        units = self._units()
        first = self._first(units)
        self._tell(len(units) - first)
        number, offset = 0, self._offset
        for index in range(first, len(units)):
            unit = units[index]
            following = units[index + 1].continuation("0") if index + 1 < len(units) else None
            for page in self._read(unit, offset):
                number += 1
                rest = following if page.next is None else unit.continuation(page.next)
                yield Page(page.records, number, rest, resumable=page.next is None)
            offset = "0"

    def _read(self, unit: _Unit, offset: str) -> Iterator[Page[EntityProgress]]:
        if unit.learner_id in self._unknown:
            return
        pages = self._client.entity_progress(
            self._course, unit.learner_id, unit.entity_type, batch_id=unit.batch_id, start=offset
        )
        begun = unit.entity_type != self._types[0]
        try:
            for page in pages:
                begun = True
                yield page
        except _Refused as error:
            if begun or self._given is None:
                raise
            self._miss([unit.learner_id], type(error))

    def _units(self) -> list[_Unit]:
        batches = [self._batch] if self._batch else carry_out(batches_of(self._client, self._course))
        if self._given is not None and len(batches) == 1:
            enrolled = [(batches[0], learner) for learner in self._given]
        else:
            enrolled = [(batch, learner) for batch in batches for learner in self._learners(batch)]
            if self._given is not None:
                given, known = set(self._given), {learner for _, learner in enrolled}
                self._miss([learner for learner in self._given if learner not in known], LmsNotFound)
                enrolled = [(batch, learner) for batch, learner in enrolled if learner in given]
        return [_Unit(batch, learner, kind) for batch, learner in enrolled for kind in self._types]

    def _learners(self, batch: str | None) -> list[str]:
        """In an order of their own, so that a continuation means the same when they are listed again."""
        pages = self._client.course_progress(self._course, batch_id=batch)
        return sorted({row.learner_id for page in pages for row in page.records})

    def _miss(self, learners: Sequence[str], kind: type[LmsNotFound | LmsBadRequest]) -> None:
        if not learners:
            return
        self._unknown.update(learners)
        named = ", ".join(learners)
        if not self._skips:
            raise kind(
                f"learner_ids: Zoho knows no learner {named} in course {self._course}, or no such course. "
                "Take it out, or set on_unknown_learner='skip'."
            )
        if self._unknown.issuperset(self._given or ()):
            raise kind(
                f"learner_ids: Zoho knows none of these learners in course {self._course}. Is it another kind of id? "
                "The learnerId of course progress is the right one."
            )
        log.warning("learner_ids: skipping %s, whom Zoho does not know in course %s.", named, self._course)

    def _first(self, units: Sequence[_Unit]) -> int:
        if self._unit is None:
            return 0
        if self._unit not in units:
            raise ValueError("start: it names a learner who is no longer in the course. Begin without it.")
        return units.index(self._unit)

    def _tell(self, calls: int) -> None:
        learners, types = -(-calls // len(self._types)), len(self._types)
        log.info(
            "Course %s: %s learners, %d entity types: %s calls%s.",
            self._course,
            f"{learners:,}",
            types,
            f"{calls:,}",
            _at_budget(self._client.limits, calls),
        )


def course_progress(
    client: ZohoPeopleClient,
    course_id: Id | None = None,
    *,
    batch_id: Id | None = None,
    learner_id: Id | None = None,
    start: str | None = None,
) -> Iterator[Page[CourseProgress]]:
    """Progress in whole courses; a blended course is read batch by batch where none is given.

    Parameters and errors are those of :meth:`ZohoPeopleClient.course_progress`.

    :param start: the ``next`` of an earlier page of the same call.
    :raises ValueError: it names a batch that is no longer there.
    """
    if course_id is None or batch_id is not None:
        return client.course_progress(course_id, batch_id=batch_id, learner_id=learner_id, start=start or 0)
    course = one_id("course_id", course_id)
    learner = None if learner_id is None else one_id("learner_id", learner_id)
    return _over_batches(client, course, learner, start)


def _over_batches(
    client: ZohoPeopleClient, course: str, learner: str | None, start: str | None
) -> Iterator[Page[CourseProgress]]:
    batches = carry_out(batches_of(client, course))
    left, offset = batches, "0"
    if start is not None:
        first, _, offset = start.partition("/")
        if (first or None) not in batches:
            raise ValueError("start: it names a batch that is no longer in the course. Begin without it.")
        left = batches[batches.index(first or None) :]
    number, missing = 0, 0
    for batch, following in zip_longest(left, left[1:]):
        after = None if following is None else f"{following}/0"
        try:
            for page in client.course_progress(course, batch_id=batch, learner_id=learner, start=offset):
                number += 1
                rest = after if page.next is None else f"{batch or ''}/{page.next}"
                yield Page(page.records, number, rest, resumable=page.next is None)
        except _Refused:
            # A learner is in one batch, and the others do not know them.
            missing += 1
            if learner is None or missing == len(batches):
                raise
        offset = "0"


def _position(start: str | None) -> tuple[_Unit | None, str]:
    if start is None:
        return None, "0"
    parts = start.split("/")
    if len(parts) != 4 or not parts[2].isdigit() or not parts[3].isdigit():
        raise ValueError("start: expected the 'next' of an earlier page of the same sweep.")
    return _Unit(parts[0] or None, parts[1], int(parts[2])), parts[3]


def _at_budget(limits: Limits, calls: int) -> str:
    """How long calls take, in words; nothing where there is no limit."""
    if limits.requests is None:
        return ""
    hours, minutes = divmod(round(limits.seconds(calls) / 60), 60)
    length = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else "less than a minute"
    day = limits.requests_per_day
    over = "" if day is None or calls <= day else f", and more than the {day:,} that a day has"
    return f", {length} at the budget of {limits.requests} calls in {limits.window_seconds:g} s{over}"
