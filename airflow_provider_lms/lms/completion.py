"""Whether the learners of a course have completed it: states, cohort, requirement, verdict; the same for every LMS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from airflow_provider_lms.lms.filters import ids, whole

SHOWN = 100
"""How many ids of each state a result holds at most: Airflow logs what a trigger sends."""

Choice: TypeAlias = Literal["wait", "fail", "ignore"]
CHOICES = get_args(Choice)
BlockedChoice: TypeAlias = Literal["count", "ignore"]
BLOCKED_CHOICES = get_args(BlockedChoice)
Key: TypeAlias = Literal["learner_id", "enrollment_id"]
Outcome: TypeAlias = Literal["met", "open", "impossible"]


class State(IntEnum):
    """Where a learner stands, from the least done to the most; missing is a named one who is not in the course."""

    MISSING = -1
    OPEN = 0
    UNSUCCESSFUL = 1
    COMPLETED = 2


class Standing(NamedTuple):
    """Where a learner stands in a course by one enrolment, as an LMS tells it.

    :param status: the LMS's word; None where it has none.
    :param done: whether it is completed, where there is no word for it.
    :param access_date: when the learner was assigned.
    :param overdue: whether the due date has passed.
    :param blocked: whether the account is blocked or terminated.
    """

    learner_id: str
    enrollment_id: str | None = None
    status: str | None = None
    done: bool = False
    access_date: datetime | None = None
    overdue: bool = False
    blocked: bool = False


class Statuses(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an LMS's words mean; case does not matter.

    :param known: all words that the LMS documents, if it does; another one is open, and worth a warning.
    """

    completed: tuple[str, ...]
    unsuccessful: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def state(self, standing: Standing) -> State:
        if standing.status is None:
            return State.COMPLETED if standing.done else State.OPEN
        word = standing.status.casefold()
        if word in self.completed:
            return State.COMPLETED
        return State.UNSUCCESSFUL if word in self.unsuccessful else State.OPEN

    def given(self, completed: object, unsuccessful: object = None) -> Statuses:
        """These, with an author's own words in place of the usual ones; they may be such as nobody documents.

        :raises ValueError: no list of words.
        """
        return Statuses(
            completed=_folded(ids("completed_statuses", completed) or self.completed),
            unsuccessful=_folded(ids("unsuccessful_statuses", unsuccessful) or self.unsuccessful),
            known=self.known,
        )

    def unknown(self, words: Iterable[str]) -> tuple[str, ...]:
        """Those words that nobody has documented or given a meaning."""
        known = {*self.known, *self.completed, *self.unsuccessful}
        return tuple(sorted(word for word in words if word.casefold() not in known)) if self.known else ()


class Goal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who must have completed a course, and how many of them. Plain JSON can hold it.

    :param named: ids of those who are waited for; None is everybody in the course.
    :param key: what these ids are.
    :param statuses: what the LMS's words mean.
    :param share: the share that must be completed, as text; None where ``count`` says how many.
    :param count: how many must have completed.
    :param min_cohort: a smaller cohort is open.
    :param on_unsuccessful: ``wait`` (another attempt may follow), ``fail`` (they count as lost), ``ignore`` (they leave
        the cohort).
    :param on_missing: the same for named learners who are not in the course.
    :param on_overdue: the same for those past their due date who have not completed.
    :param on_blocked: ``count``, or ``ignore``: blocked and terminated accounts leave the cohort.
    :param knows_somebody: none of the named learners in a course that has learners is a failure: wrong ids.
    """

    named: tuple[str, ...] | None = None
    key: Key = "learner_id"
    statuses: Statuses
    share: str | None = "1"
    count: int | None = None
    min_cohort: int = 1
    on_unsuccessful: Choice = "wait"
    on_missing: Choice = "wait"
    on_overdue: Choice = "wait"
    on_blocked: BlockedChoice = "count"
    knows_somebody: bool = False

    @property
    def wanted(self) -> dict[Key, tuple[str, ...]] | None:
        """Who must be read."""
        return None if self.named is None else {self.key: self.named}

    def required(self, cohort: int) -> int:
        """How many of a cohort must have completed."""
        return self.count if self.count is not None else math.ceil(Fraction(self.share or "1") * cohort)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal comes to.

    :param outcome: ``met``, ``open``, or ``impossible`` where it cannot be met any more.
    :param cohort: how many learners count.
    :param lost: how many of them will not complete, by the goal's choices.
    :param unknown_statuses: words that the LMS does not document.
    :param stranger: whether none of the named learners is in a course that has others.
    """

    outcome: Outcome
    cohort: int
    required: int
    completed: list[str]
    pending: list[str]
    unsuccessful: list[str]
    missing: list[str]
    overdue: int
    lost: int
    checked_at: datetime
    unknown_statuses: tuple[str, ...] = ()
    stranger: bool = False

    def progress(self) -> str:
        """One line for the log; it names nobody."""
        further = {"failed": len(self.unsuccessful), "missing": len(self.missing), "overdue": self.overdue}
        told = ", ".join(f"{count:,} {name}" for name, count in further.items() if count)
        line = f"{len(self.completed):,} of {self.cohort:,} completed, {self.required:,} required"
        return f"{line}; {told}" if told else line

    def failure(self) -> str:
        """Why it is impossible; it names nobody."""
        if self.stranger:
            return "None of the named learners is in the course, which has others. Is it another kind of id?"
        return f"The requirement cannot be met any more: {self.progress()}."

    def warnings(self) -> list[str]:
        """What the log should tell once."""
        return [
            f"The LMS tells a status that it does not document, {word!r}; it counts as not completed."
            for word in self.unknown_statuses
        ]

    def result(self, course_id: str) -> dict[str, Any]:
        """The result of a sensor: counts, and up to 100 ids of each state."""
        people = {name: getattr(self, name) for name in ("completed", "pending", "unsuccessful", "missing")}
        return {
            "course_id": course_id,
            "cohort": self.cohort,
            "required": self.required,
            **{name: len(found) for name, found in people.items()},
            "checked_at": msgspec.to_builtins(self.checked_at),
            **{f"{name}_ids": found[:SHOWN] for name, found in people.items()},
        }


class Snapshot:
    """Where the learners of a course stood when they were read.

    :param standings: each learner's, of all enrolments.
    :param populated: whether the course is known to have learners, be they among the standings or not.
    :param checked_at: when they were read.
    """

    def __init__(
        self, standings: Iterable[Standing], *, populated: bool | None = None, checked_at: datetime | None = None
    ) -> None:
        self.checked_at = (checked_at or datetime.now(UTC)).replace(microsecond=0)
        self._by: dict[Key, dict[str, list[Standing]]] = {"learner_id": {}, "enrollment_id": {}}
        for standing in standings:
            self._add("learner_id", standing.learner_id, standing)
            if standing.enrollment_id is not None:
                self._add("enrollment_id", standing.enrollment_id, standing)
        self.populated = bool(self._by["learner_id"]) if populated is None else populated
        self._verdicts: dict[Goal, Verdict] = {}

    def judge(self, goal: Goal) -> Verdict:
        """What a goal comes to. The same goal is judged once, however many wait for it."""
        if goal not in self._verdicts:
            self._verdicts[goal] = _judge(goal, self)
        return self._verdicts[goal]

    def of(self, goal: Goal) -> dict[str, list[Standing]]:
        """The standings of a goal's learners by id; none for a named one who is not in the course."""
        found = self._by[goal.key]
        if goal.named is None:
            return {standings[0].learner_id: standings for standings in found.values()}
        named: dict[str, str] = {}
        for name in goal.named:
            named.setdefault(name.casefold(), name)
        return {name: found.get(folded, []) for folded, name in named.items()}

    def _add(self, key: Key, name: str, standing: Standing) -> None:
        """Keep the latest enrolment, or all of them where several are equally late."""
        name = name.casefold()
        kept = self._by[key].setdefault(name, [standing])
        if kept[0] is standing:
            return
        before, now = kept[0].access_date or _NEVER, standing.access_date or _NEVER
        if now > before:
            self._by[key][name] = [standing]
        elif now == before:
            kept.append(standing)


def requirement(
    required_share: object, required_count: object, min_cohort: object, named: Sequence[str] | None = None
) -> dict[str, Any]:
    """How many must have completed, as a goal has it.

    :param named: those who are waited for; None is everybody.
    :raises ValueError: a parameter cannot be meant as it is, share and count are both given, or more learners are
        asked for than named.
    """
    least, part = whole("min_cohort", min_cohort), share("required_share", required_share)
    for name, number in (("min_cohort", least), ("required_count", required_count)):
        if named is not None and number is not None and whole(name, number) > len(named):
            raise ValueError(f"{name}: it asks for more learners than the {len(named)} that are named.")
    if required_count is None:
        return {"share": part, "min_cohort": least}
    if part != "1":
        raise ValueError("required_count: it goes in place of required_share. Give one of them.")
    return {"share": None, "count": whole("required_count", required_count), "min_cohort": least}


def share(name: str, value: object) -> str:
    """A share as text: above 0 and up to 1, given as a number, as text, or in percent (``"80%"``).

    :param name: the parameter's name, for the error.
    :raises ValueError: anything else.
    """
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        # By way of text, so that 0.55 of 100 is 55 and not 56.
        found = Fraction(text.removesuffix("%").strip()) / (100 if percent else 1)
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if isinstance(value, bool) or not 0 < found <= 1:
        raise ValueError(f"{name}: expected a share above 0 and up to 1, such as 0.8 or '80%', got {value!r}.")
    return str(found)


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _judge(goal: Goal, snapshot: Snapshot) -> Verdict:
    groups: dict[State, list[str]] = {state: [] for state in State}
    lost = overdue = 0
    words: set[str] = set()
    for name, standings in snapshot.of(goal).items():
        state = _state(goal, standings)
        late = any(each.overdue and goal.statuses.state(each) is not State.COMPLETED for each in standings)
        choice = _choice(goal, state, late=late, blocked=bool(standings) and all(each.blocked for each in standings))
        words.update(each.status for each in standings if each.status is not None)
        if choice != "ignore":
            groups[state].append(name)
            lost += choice == "fail"
            overdue += late
    cohort = sum(map(len, groups.values()))
    required = goal.required(cohort)
    stranger = goal.knows_somebody and snapshot.populated and not any(snapshot.of(goal).values())
    return Verdict(
        outcome=_outcome(goal, cohort, required, len(groups[State.COMPLETED]), lost, stranger=stranger),
        cohort=cohort,
        required=required,
        completed=groups[State.COMPLETED],
        pending=groups[State.OPEN],
        unsuccessful=groups[State.UNSUCCESSFUL],
        missing=groups[State.MISSING],
        overdue=overdue,
        lost=lost,
        checked_at=snapshot.checked_at,
        unknown_statuses=goal.statuses.unknown(words),
        stranger=stranger,
    )


def _state(goal: Goal, standings: list[Standing]) -> State:
    """Of several enrolments that are equally late, the least done counts."""
    return min(map(goal.statuses.state, standings), default=State.MISSING)


def _choice(goal: Goal, state: State, *, late: bool, blocked: bool) -> Choice:
    if blocked and goal.on_blocked == "ignore":
        return "ignore"
    choice: Choice = "wait"
    if state is State.MISSING:
        choice = goal.on_missing
    elif state is State.UNSUCCESSFUL:
        choice = goal.on_unsuccessful
    return goal.on_overdue if late and choice == "wait" else choice


def _outcome(goal: Goal, cohort: int, required: int, completed: int, lost: int, *, stranger: bool) -> Outcome:
    if stranger:
        return "impossible"
    if cohort < goal.min_cohort:
        return "open"
    if completed >= required:
        return "met"
    # A cohort that is too small for the count may still grow; one that has lost too many is no use.
    return "impossible" if lost and cohort - lost < required <= cohort else "open"
