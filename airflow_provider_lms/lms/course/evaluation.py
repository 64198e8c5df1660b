"""Whether the learners of a course have completed it. The same rules for every LMS."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from airflow_provider_lms.lms.course.criteria import Choice, Criteria
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerProgress, State
from airflow_provider_lms.lms.excerpt import excerpts

MAX_IDS = 100
"""How many ids of each state a sensor's result holds at most: Airflow logs every event of a trigger."""

Outcome: TypeAlias = Literal["met", "open", "impossible"]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The result of holding a snapshot against criteria.

    :param outcome: ``met``; ``open``; or ``impossible`` if the criteria cannot be met any more.
    :param cohort: how many learners count.
    :param failed: how many of them will not complete, by the ``on_...`` choices of the criteria.
    :param unknown_statuses: status words that the LMS does not document.
    :param no_id_matched: whether none of the named learners is in a course that has others.
    """

    outcome: Outcome
    cohort: int
    required: int
    completed: list[str]
    pending: list[str]
    unsuccessful: list[str]
    missing: list[str]
    overdue: int
    failed: int
    checked_at: datetime
    unknown_statuses: tuple[str, ...] = ()
    no_id_matched: bool = False

    def describe(self) -> str:
        """One line for the log. It names nobody."""
        further = {"failed": len(self.unsuccessful), "missing": len(self.missing), "overdue": self.overdue}
        counts = ", ".join(f"{count:,} {name}" for name, count in further.items() if count)
        line = f"{len(self.completed):,} of {self.cohort:,} completed, {self.required:,} required"
        return f"{line}; {counts}" if counts else line

    def describe_failure(self) -> str:
        """Why the criteria cannot be met. It names nobody."""
        if self.no_id_matched:
            return "None of the named learners is in the course, which has others. Are these ids of another kind?"
        return f"The requirement cannot be met any more: {self.describe()}."

    def warning(self, told: set[str]) -> str | None:
        """What the log should tell, if there is anything new.

        :param told: the status words that the log has told before; new ones are added.
        """
        fresh = set(self.unknown_statuses) - told
        if not fresh:
            return None
        told |= fresh
        return f"The LMS sent statuses that it does not document: {excerpts(fresh)}. They count as not completed."

    def result(self, course_id: str) -> dict[str, Any]:
        """The result of a sensor: counts, and up to 100 ids of each state."""
        people = {
            "completed": self.completed,
            "pending": self.pending,
            "unsuccessful": self.unsuccessful,
            "missing": self.missing,
        }
        return {
            "course_id": course_id,
            "cohort": self.cohort,
            "required": self.required,
            **{name: len(ids) for name, ids in people.items()},
            "checked_at": msgspec.to_builtins(self.checked_at),
            **{f"{name}_ids": ids[:MAX_IDS] for name, ids in people.items()},
        }


def evaluate(criteria: Criteria, snapshot: CourseSnapshot) -> Evaluation:
    """Hold a snapshot against criteria."""
    learners = snapshot.learners(criteria.named, criteria.id_kind)
    groups: dict[State, list[str]] = {state: [] for state in State}
    failed = overdue = 0
    words: set[str] = set()
    for name, enrollments in learners.items():
        state = _state(criteria, enrollments)
        late = any(each.overdue and criteria.statuses.state_of(each) is not State.COMPLETED for each in enrollments)
        blocked = bool(enrollments) and all(each.blocked for each in enrollments)
        choice = _choice(criteria, state, late=late, blocked=blocked)
        words.update(each.status for each in enrollments if each.status is not None)
        if choice != "ignore":
            groups[state].append(name)
            failed += choice == "fail"
            overdue += late
    cohort = sum(map(len, groups.values()))
    required = criteria.required(cohort)
    no_id_matched = criteria.fail_if_no_id_matches and snapshot.populated and not any(learners.values())
    completed = len(groups[State.COMPLETED])
    return Evaluation(
        outcome="impossible" if no_id_matched else _outcome(criteria, cohort, required, completed, failed),
        cohort=cohort,
        required=required,
        completed=groups[State.COMPLETED],
        pending=groups[State.OPEN],
        unsuccessful=groups[State.UNSUCCESSFUL],
        missing=groups[State.MISSING],
        overdue=overdue,
        failed=failed,
        checked_at=snapshot.checked_at,
        unknown_statuses=criteria.statuses.unknown(words),
        no_id_matched=no_id_matched,
    )


def _state(criteria: Criteria, enrollments: list[LearnerProgress]) -> State:
    """Of several enrollments of the same date, the least done counts."""
    return min(map(criteria.statuses.state_of, enrollments), default=State.MISSING)


def _choice(criteria: Criteria, state: State, *, late: bool, blocked: bool) -> Choice:
    if blocked and criteria.on_blocked == "ignore":
        return "ignore"
    choice: Choice = "wait"
    if state is State.MISSING:
        choice = criteria.on_missing
    elif state is State.UNSUCCESSFUL:
        choice = criteria.on_unsuccessful
    return criteria.on_overdue if late and choice == "wait" else choice


def _outcome(criteria: Criteria, cohort: int, required: int, completed: int, failed: int) -> Outcome:
    if cohort < criteria.min_cohort:
        return "open"
    if completed >= required:
        return "met"
    # A cohort that is too small for the count may still grow. One in which too many have failed will not recover.
    return "impossible" if failed and cohort - failed < required <= cohort else "open"
