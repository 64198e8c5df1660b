"""Crawls over courses of Zoho People: every batch, learner and entity type, one call after the other.

Zoho tells progress in entities only for one learner and one entity type at a time. A crawl logs its cost before it
begins.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import Literal, NamedTuple, TypeAlias, TypeVar, get_args

import msgspec

from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Reading, Splitter
from airflow_provider_lms.lms.listing.units import Unit, read_units
from airflow_provider_lms.lms.parameters import parse_choice, parse_id, parse_ids
from airflow_provider_lms.lms.zoho_people.batches import list_batches
from airflow_provider_lms.lms.zoho_people.client import Id, ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.lms.zoho_people.listings.courses import COURSE_MODULES, CourseModule
from airflow_provider_lms.lms.zoho_people.listings.progress import CourseProgress, EntityProgress, parse_entity_types
from airflow_provider_lms.lms.zoho_people.once_more import once_more

log = logging.getLogger(__name__)

R = TypeVar("R", bound=msgspec.Struct)
OnUnknownLearner: TypeAlias = Literal["fail", "skip"]

_START = re.compile(r"[^/:]*/[^/:]+/\d+:(\d+(-[0-9a-f]{16})?)?")


class Enrolled(NamedTuple):
    """A learner in a course, or in a batch of it.

    :param key: stands for the learner in the batch, without telling who that is.
    :param state: changes with what Zoho tells of the learner's progress in the whole course; empty if nobody has asked.
        Only with the account's credentials can it be computed.
    """

    batch_id: str | None
    learner_id: str
    key: str
    state: str = ""


class _Step(NamedTuple):
    """One listing of an entity progress crawl."""

    enrolled: Enrolled
    entity_type: int

    @property
    def key(self) -> str:
        """Its name in a continuation."""
        return f"{self.enrolled.key}/{self.entity_type}"


class EntityProgressCrawl:
    """Reads the progress of learners in the entities of a course. Iterate over it; nothing is sent before.

    :param client: the account to read.
    :param course_id: the course.
    :param learner_ids: learners; None is every learner of the course.
    :param entity_types: entity types by number or name; None is all of them.
    :param batch_id: the batch of a blended course; None is all its batches.
    :param on_unknown_learner: ``fail``, or ``skip`` to read the others if Zoho does not know some learners.
    :param with_states: ask for everybody's progress in the whole course first, also if ``learner_ids`` are given, so
        that :attr:`enrolled` has states.
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
        with_states: bool = False,
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
        self._with_states = with_states
        self._start = start
        self._unknown: set[str] = set()
        self._listed = ListedFirst()
        self._listing_calls = 0

    def __iter__(self) -> Iterator[Page[EntityProgress]]:
        self.log_cost()
        yield from self._read_steps(self._client, self._steps, self._start)

    def reading(self) -> Reading[EntityProgress]:
        """The pages of the crawl. Several learners can be read at the same time."""

        def keys() -> Sequence[str]:
            self.log_cost()
            return [each.key for each in self.enrolled]

        return Reading(self, Splitter(keys, self.read_enrolled, calls_per_key=len(self._types), keys_are="learners"))

    def read_enrolled(
        self, client: ZohoPeopleClient, keys: Collection[str], start: str | None
    ) -> Iterator[Page[EntityProgress]]:
        """Read some learners.

        :param client: the client to read with.
        :param keys: those of :attr:`enrolled`. A learner who is no longer there has no rows.
        :param start: the ``next`` of an earlier page of the same keys.
        """
        wanted = frozenset(keys)
        return self._read_steps(client, [step for step in self._steps if step.enrolled.key in wanted], start)

    def log_saving(self, changed: int, due: int) -> None:
        """Log how many calls are saved if only some learners are read.

        :param changed: how many learners are read since they have changed, or are new.
        :param due: how many others are read since it is their turn.
        """
        each, limits, count = len(self._types), self._client.limits, len(self.enrolled)
        calls, all_calls = (changed + due) * each + self._listing_calls, count * each
        in_turn = f", plus {due:,} whose turn it is" if due else ""
        times = f", {_duration(limits, calls)} instead of {_duration(limits, all_calls)}" if limits.requests else ""
        log.info(
            "Course %s: %s of %s learners changed%s: %s calls instead of %s%s.",
            self._course,
            f"{changed:,}",
            f"{count:,}",
            in_turn,
            f"{calls:,}",
            f"{all_calls:,}",
            times,
        )

    def _read_steps(
        self, client: ZohoPeopleClient, steps: Sequence[_Step], start: str | None
    ) -> Iterator[Page[EntityProgress]]:
        units = [Unit(step.key, partial(self._read, client, step)) for step in steps]
        return self._listed.mark(read_units(units, start))

    def _read(self, client: ZohoPeopleClient, step: _Step, start: str | None) -> Iterator[Page[EntityProgress]]:
        batch, learner = step.enrolled.batch_id, step.enrolled.learner_id
        if learner in self._unknown:
            return

        def pages() -> Iterator[Page[EntityProgress]]:
            return client.entity_progress(self._course, learner, step.entity_type, batch_id=batch, start=start)

        known = step.entity_type != self._types[0]
        try:
            for page in once_more(pages):
                known = True
                yield page
        except UNKNOWN_ID as error:
            if known or self._given is None:
                error.is_refusal = False  # the learner has left meanwhile, and the next attempt lists them anew
                raise
            self._report_unknown([learner], type(error))

    @cached_property
    def enrolled(self) -> Sequence[Enrolled]:
        """The learners to read. Those of a batch are sorted, so that a continuation means the same later on."""
        batches = [self._batch] if self._batch else list_batches(self._client.batches, self._course, self._listed)
        if self._given is not None and len(batches) == 1 and not self._with_states:
            return [self._enroll(batches[0], learner) for learner in self._given]
        found = [each for batch in batches for each in self._list_batch(batch)]
        if self._given is None:
            return found
        given, known = set(self._given), {each.learner_id for each in found}
        self._report_unknown([learner for learner in self._given if learner not in known], LmsNotFound)
        return [each for each in found if each.learner_id in given]

    @cached_property
    def _steps(self) -> list[_Step]:
        return [_Step(each, kind) for each in self.enrolled for kind in self._types]

    def _list_batch(self, batch: str | None) -> list[Enrolled]:
        """Everybody in a batch, in the order of their ids."""
        contents: dict[str, bytes] = {}
        pages = self._counted(self._client.course_progress(self._course, batch_id=batch))
        for row in self._listed.records(pages):
            content = msgspec.json.encode(row, order="deterministic")
            contents[row.learner_id] = contents.get(row.learner_id, b"") + content
        return [self._enroll(batch, learner, contents[learner]) for learner in sorted(contents)]

    def _counted(self, pages: Iterator[Page[CourseProgress]]) -> Iterator[Page[CourseProgress]]:
        for page in pages:
            self._listing_calls += 1
            yield page

    def _enroll(self, batch: str | None, learner: str, content: bytes = b"") -> Enrolled:
        key, state = f"{batch or ''}/{self._client.disguise(learner)}", self._client.disguise(content.decode())
        return Enrolled(batch, learner, key, state if content else "")

    def _report_unknown(self, learners: Sequence[str], kind: type[LmsNotFound | LmsBadRequest]) -> None:
        if not learners:
            return
        self._unknown.update(learners)
        named = ", ".join(learners)
        if not self._skips:
            raise kind(
                f"learner_ids: Zoho knows no learner {named} in course {self._course}, or no such course. "
                "Remove the learner, or set on_unknown_learner='skip'.",
                is_refusal=True,
            )
        if self._unknown.issuperset(self._given or ()):
            raise kind(
                f"learner_ids: Zoho knows none of these learners in course {self._course}. Are these ids of another "
                "kind? The learnerId of course progress is the right one.",
                is_refusal=True,
            )
        log.warning("learner_ids: skipping %s, unknown to Zoho in course %s.", named, self._course)

    def mark(self, pages: Iterator[Page[R]]) -> Iterator[Page[R]]:
        """Pages about :attr:`enrolled`. They are not consistent if learners came or went while these were listed."""
        return self._listed.mark(pages)

    def log_cost(self) -> None:
        """Log how many calls it takes to read everybody."""
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
    listed = ListedFirst()

    @cache
    def batches() -> Mapping[str, str | None]:
        return {batch or "": batch for batch in list_batches(client.batches, course, listed)}

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
        return listed.mark(read_units(units, start))

    def pages() -> Iterator[Page[CourseProgress]]:
        yield from read(client, batches().keys(), start)

    return Reading(pages(), Splitter(lambda: [*batches()], read, calls_per_key=1, keys_are="batches"))


def _time_needed(limits: RateLimits, calls: int) -> str:
    """How long calls take, in words; nothing where there is no limit."""
    if limits.requests is None:
        return ""
    day = limits.requests_per_day
    over = "" if day is None or calls <= day else f", and more than the {day:,} that are allowed in a day"
    limit = f"{limits.requests} calls in {limits.window_seconds:g} s"
    return f", {_duration(limits, calls)} at the rate limit of {limit}{over}"


def _duration(limits: RateLimits, calls: int) -> str:
    return describe_duration(limits.seconds_for(calls))
