"""How far learners have come in a course, as an LMS tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeAlias

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.lms.parameters import parse_ids

IdKind: TypeAlias = str
"""What an id identifies. Every LMS has learner ids; further kinds are the LMS's own."""

LEARNER_ID: IdKind = "learner_id"

LearnerIds: TypeAlias = Mapping[IdKind, Iterable[str]]
"""The learners to read, by what their ids are."""


class State(IntEnum):
    """A learner's state, from the least done to the most. Missing: named by the sensor, but not in the course."""

    MISSING = -1
    OPEN = 0
    UNSUCCESSFUL = 1
    COMPLETED = 2


class LearnerProgress(msgspec.Struct, frozen=True):
    """A learner's progress in a course by one enrollment.

    :param learner_id: the learner.
    :param other_ids: further ids by which a sensor may name the learner, by their kind.
    :param status: the LMS's word; None if it has none.
    :param done: whether the course is completed, where the LMS has no word for it.
    :param access_date: when the learner was enrolled.
    :param overdue: whether the due date has passed.
    :param blocked: whether the account is blocked or terminated.
    :param uncertain: whether a value that matters could not be read. The learner counts as open then.
    """

    learner_id: str
    other_ids: dict[IdKind, str] = {}
    status: str | None = None
    done: bool = False
    access_date: datetime | None = None
    overdue: bool = False
    blocked: bool = False
    uncertain: bool = False

    def id_of(self, kind: IdKind) -> str | None:
        """The learner's id of one kind; None if the LMS tells none."""
        return self.learner_id if kind == LEARNER_ID else self.other_ids.get(kind)


class StatusMeanings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an LMS's status words mean. Upper and lower case are the same.

    :param completed: words for a completed course.
    :param unsuccessful: words for a failed one.
    :param known: all words that the LMS documents, if it does. Any other word counts as open, and is worth a warning.
    """

    completed: tuple[str, ...]
    unsuccessful: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def state_of(self, progress: LearnerProgress) -> State:
        """The state that a learner's progress stands for."""
        if progress.uncertain:
            return State.OPEN
        if progress.status is None:
            return State.COMPLETED if progress.done else State.OPEN
        word = progress.status.casefold()
        if word in self.completed:
            return State.COMPLETED
        return State.UNSUCCESSFUL if word in self.unsuccessful else State.OPEN

    def replaced_by(self, completed: object, unsuccessful: object = None) -> StatusMeanings:
        """These meanings, with a DAG author's own words in place of the usual ones.

        :param completed: ``completed_statuses``; None keeps the usual words. Undocumented words are allowed.
        :param unsuccessful: ``unsuccessful_statuses``, likewise.
        :raises ValueError: not a list of words.
        """
        return StatusMeanings(
            completed=_folded(parse_ids("completed_statuses", completed) or self.completed),
            unsuccessful=_folded(parse_ids("unsuccessful_statuses", unsuccessful) or self.unsuccessful),
            known=self.known,
        )

    def unknown(self, words: Iterable[str]) -> tuple[str, ...]:
        """The words that are neither documented nor given a meaning."""
        known = {*self.known, *self.completed, *self.unsuccessful}
        return tuple(sorted(word for word in words if word.casefold() not in known)) if self.known else ()


class CourseSnapshot:
    """The progress of a course's learners at the time of one reading.

    :param progress: every learner's, for all enrollments.
    :param populated: whether the course is known to have learners, whether or not they are in ``progress``.
    :param checked_at: when it was read.
    :param remembered: whether some of it was found earlier, and not now.
    """

    def __init__(
        self,
        progress: Iterable[LearnerProgress],
        *,
        populated: bool | None = None,
        checked_at: datetime | None = None,
        remembered: bool = False,
    ) -> None:
        self.remembered = remembered
        self.checked_at = (checked_at or clock.utcnow()).replace(microsecond=0)
        self._all = list(progress)
        self._by_kind: dict[IdKind, dict[str, list[LearnerProgress]]] = {}
        self.populated = bool(self._all) if populated is None else populated

    def joined(self, second: CourseSnapshot) -> CourseSnapshot:
        """What both snapshots tell. Of a learner whom both know, both entries count."""
        return CourseSnapshot(
            [*self._all, *second._all], populated=self.populated or second.populated, checked_at=second.checked_at
        )

    def learners(self, named: Iterable[str] | None, kind: IdKind) -> dict[str, list[LearnerProgress]]:
        """The progress of learners by id. Several entries mean several enrollments of the same date.

        :param named: the learners that matter; one who is not in the course has an empty list. None is everybody.
        :param kind: what these ids are.
        """
        found = self._latest(kind)
        if named is None:
            return {entries[0].learner_id: entries for entries in found.values()}
        spelled: dict[str, str] = {}
        for name in named:
            spelled.setdefault(name.casefold(), name)
        return {name: found.get(folded, []) for folded, name in spelled.items()}

    def _latest(self, kind: IdKind) -> dict[str, list[LearnerProgress]]:
        """For each id the latest enrollment, or several of the same date."""
        if kind not in self._by_kind:
            latest: dict[str, list[LearnerProgress]] = {}
            for entry in self._all:
                if (name := entry.id_of(kind)) is not None:
                    _keep_latest(latest, name.casefold(), entry)
            self._by_kind[kind] = latest
        return self._by_kind[kind]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _keep_latest(latest: dict[str, list[LearnerProgress]], name: str, entry: LearnerProgress) -> None:
    kept = latest.setdefault(name, [entry])
    if kept[0] is entry:
        return
    if entry.uncertain or kept[0].uncertain:
        # Which enrollment is the latest cannot be told, so all count.
        latest[name] = [entry, *kept] if entry.uncertain else [*kept, entry]
        return
    before, now = kept[0].access_date or _NEVER, entry.access_date or _NEVER
    if now > before:
        latest[name] = [entry]
    elif now == before:
        kept.append(entry)


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)
