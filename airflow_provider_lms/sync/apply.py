"""Applies a plan: nothing is sent that the plan does not show, and nothing twice.

For each request: read the people's state again, note in the journal what is about to be sent, send it, and read back
what came of it. A person whose state differs from the plan is skipped and reported. If the outcome of a request is
unknown, the state is read, and only what is still missing is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsError, LmsNotFound, LmsUnconfirmed
from airflow_provider_lms.lms.http.rate_limit import CoordinationError
from airflow_provider_lms.sync.changes import Action, AppliedChange, Change, Outcome
from airflow_provider_lms.sync.journal import Journal, Result
from airflow_provider_lms.sync.plan import Plan

log = logging.getLogger(__name__)

SubjectState: TypeAlias = Mapping[str, Any]

_READ_AGAIN_AFTER: tuple[float, ...] = (1.0, 3.0, 10.0)
"""An LMS may show a change some seconds late."""
_TIMES_SENT = 3
"""How often a change is sent at most, by all attempts together, if its outcome is unknown each time."""
_REFUSALS = (LmsBadRequest, LmsNotFound)
"""What the LMS may refuse for one person and not for the next. If the connection may not write, all of it fails."""
_SAID_DONE = "The LMS said that it was done, but reading back does not show it."
_NEITHER = "It was sent, but the state is neither the one before nor the wanted one."


class Target(Protocol):
    """What an LMS must offer so that a plan can be applied."""

    def chunks(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        """The changes, in their order, cut into what one request can do."""

    def states(self, changes: Sequence[Change]) -> Mapping[str, SubjectState]:
        """Read the state of each change's subject, by the id of the change. It has every name of the old values."""

    def is_fulfilled(self, change: Change, state: SubjectState) -> bool:
        """Whether a state is the one that a change leads to."""

    def send(self, changes: Sequence[Change]) -> None:
        """Send the request for one chunk.

        :raises LmsUnconfirmed: it was sent, and its outcome is unknown.
        :raises LmsError: it was not carried out.
        :raises CoordinationError: it was not sent.
        """


class Applier:
    """Applies one plan.

    :param target: the LMS.
    :param journal: of this plan, perhaps with what earlier attempts have done.
    """

    def __init__(self, target: Target, journal: Journal) -> None:
        self._target = target
        self._journal = journal

    def apply(self, plan: Plan) -> list[AppliedChange]:
        """Apply what is left of the plan.

        :return: every change of the plan with its outcome.
        :raises LmsError: the LMS cannot be read, or cannot be written at all. A retry resumes from the journal.
        :raises CoordinationError: the store that tasks share cannot be used. Likewise.
        :raises PlanRefused: another task applies the same plan.
        """
        try:
            for chunk in self._target.chunks(self.left(plan)):
                self._wait_for_earlier(chunk)
                self._apply(chunk)
        finally:
            self._journal.close()
        return self.report(plan)

    def left(self, plan: Plan) -> list[Change]:
        """The changes of the plan whose outcome is not known yet."""
        return [each for each in plan.changes if each.action != Action.SKIP and not self._is_final(each)]

    def report(self, plan: Plan) -> list[AppliedChange]:
        """Every change of the plan with its outcome, as far as it was applied."""
        return [_applied(each, self._journal.results.get(each.change_id)) for each in plan.changes]

    def _is_final(self, change: Change) -> bool:
        # What could not be confirmed is read again: perhaps the LMS shows it by now.
        result = self._journal.results.get(change.change_id)
        return result is not None and result.outcome != Outcome.UNCONFIRMED

    def _apply(self, chunk: Sequence[Change]) -> None:
        todo = self._still_to_do(chunk, self._target.states(chunk))
        while todo:
            self._journal.intend(each.change_id for each in todo)
            unknown = Result(Outcome.UNCONFIRMED, _SAID_DONE, answered=True)
            try:
                self._target.send(todo)
            except LmsUnconfirmed as error:
                log.info("%s Reading the state.", error)
                # A success that is not the documented one may mean "later".
                answered = error.status is not None and 200 <= error.status < 300
                unknown = Result(Outcome.UNCONFIRMED, str(error), answered)
            except (LmsError, CoordinationError) as error:
                if isinstance(error, _REFUSALS) and error.is_refusal:
                    self._refused(todo, error)
                    return
                # It did nothing. A refusal that is not in the LMS's own words may come from a gateway: try again later.
                self._journal.withdraw(each.change_id for each in todo)
                raise
            missing = self._not_shown(todo)
            self._journal.record({each.change_id: unknown for each in missing})
            todo = self._still_to_do(missing, self._target.states(missing)) if missing else []

    def _wait_for_earlier(self, chunk: Sequence[Change]) -> None:
        """Give the LMS time to show what an attempt has sent that was killed just now."""
        recent = [
            each
            for each in chunk
            if (at := self._journal.last_sent.get(each.change_id)) is not None
            and (clock.utcnow() - at).total_seconds() < sum(_READ_AGAIN_AFTER)
        ]
        if recent:
            self._not_shown(recent)

    def _still_to_do(self, chunk: Sequence[Change], states: Mapping[str, SubjectState]) -> list[Change]:
        """The changes of a chunk that are to be sent. What is to be said of the others is recorded."""
        todo = []
        for each in chunk:
            was_sent = self._journal.sent[each.change_id]
            state = states[each.change_id]
            differing = [name for name, value in each.old_values.items() if state.get(name) != value]
            if self._is_done(each, states):
                self._record(each, Outcome.DONE if was_sent else Outcome.ALREADY)
            elif differing and was_sent:
                self._record(each, Outcome.UNCONFIRMED, _NEITHER)
            elif differing:
                self._record(each, Outcome.CHANGED, f"{', '.join(sorted(differing))}: not as in the plan.")
            elif self._may_be_sent(each):
                todo.append(each)
        return todo

    def _may_be_sent(self, change: Change) -> bool:
        result = self._journal.results.get(change.change_id)
        if result is not None and result.answered:
            return False
        if self._journal.sent[change.change_id] < _TIMES_SENT:
            return True
        if result is None:
            self._record(change, Outcome.UNCONFIRMED, "Its outcome was unknown each time that it was sent.")
        return False

    def _not_shown(self, sent: Sequence[Change]) -> list[Change]:
        """The changes that reading back does not show, even after some time. The others are done."""
        missing = [*sent]
        for pause in (0.0, *_READ_AGAIN_AFTER):
            if pause:
                clock.sleep(pause)
            states = self._target.states(missing)
            done = {each.change_id: Result(Outcome.DONE) for each in missing if self._is_done(each, states)}
            self._journal.record(done)
            missing = [each for each in missing if each.change_id not in done]
            if not missing:
                break
        return missing

    def _is_done(self, change: Change, states: Mapping[str, SubjectState]) -> bool:
        return self._target.is_fulfilled(change, states[change.change_id])

    def _refused(self, changes: Sequence[Change], error: LmsError) -> None:
        """Find out whom the refusal is about. One unknown person must not keep the others from it."""
        if len(changes) > 1:
            log.info("%s Trying the %d changes of this request one by one.", error, len(changes))
            for each in changes:
                self._apply([each])
            return
        self._record(changes[0], Outcome.REFUSED, str(error))

    def _record(self, change: Change, outcome: Outcome, detail: str | None = None) -> None:
        self._journal.record({change.change_id: Result(outcome, detail)})


def _applied(change: Change, result: Result | None) -> AppliedChange:
    fields = {name: getattr(change, name) for name in Change.__struct_fields__}
    if result is None:
        result = Result(Outcome.SKIPPED if change.action == Action.SKIP else Outcome.OPEN)
    return AppliedChange(**fields, outcome=result.outcome, detail=result.detail)
