"""Applies a plan: nothing is sent that the plan does not show, and nothing twice.

For each request: read the people's state again, note in the journal what is about to be sent, send it, and read back
what came of it. Whoever is not as the plan has found them is left alone and reported. A request of which nobody knows
whether it was carried out is followed by reading, and only what is still missing is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsError,
    LmsNotFound,
    LmsUnconfirmed,
    LmsUnknownError,
)
from airflow_provider_lms.sync.changes import Action, AppliedChange, Change, Outcome
from airflow_provider_lms.sync.journal import Journal, Result
from airflow_provider_lms.sync.plan import Plan

log = logging.getLogger(__name__)

State: TypeAlias = Mapping[str, Any]

_READ_AGAIN_AFTER = (1.0, 3.0, 10.0)
"""An LMS may show a change some seconds late."""
_TIMES_SENT = 3
"""How often a change is sent at most, if nobody knows whether it was carried out and reading does not show it."""
_REFUSALS = (LmsBadRequest, LmsNotFound, LmsUnknownError)
"""What the LMS may refuse for one person and not for the next. If the connection may not write, all of it fails."""


class Target(Protocol):
    """What an LMS must offer so that a plan can be applied."""

    def batches(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        """The changes, in their order, cut into what one request can do."""

    def states(self, changes: Sequence[Change]) -> Mapping[str, State]:
        """Read how things stand, by the ids of the changes. A state has every name of the change's old values."""

    def is_fulfilled(self, change: Change, state: State) -> bool:
        """Whether a state is the one that a change leads to."""

    def send(self, changes: Sequence[Change]) -> None:
        """Send the request for one batch.

        :raises LmsUnconfirmed: it was sent, and nobody knows whether it was carried out.
        :raises LmsError: it was not carried out.
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
        :raises LmsError: the LMS cannot be read or written at all. What was done is in the journal, and a retry goes
            on from there.
        """
        left = [
            each
            for each in plan.changes
            if each.action != Action.SKIP and not self._is_final(self._journal.results.get(each.change_id))
        ]
        try:
            for batch in self._target.batches(left):
                self._apply(batch)
        finally:
            self._journal.close()
        return [_applied(each, self._journal.results.get(each.change_id)) for each in plan.changes]

    def _is_final(self, result: Result | None) -> bool:
        # What could not be confirmed is looked at again: perhaps the LMS shows it by now.
        return result is not None and result.outcome != Outcome.UNCONFIRMED

    def _apply(self, batch: Sequence[Change]) -> None:
        todo = self._still_to_do(batch, self._target.states(batch))
        for _ in range(_TIMES_SENT):
            if not todo:
                return
            self._journal.intend(each.change_id for each in todo)
            detail = "The LMS said that it was done, but reading back does not show it."
            may_be_sent_again = False
            try:
                self._target.send(todo)
            except LmsUnconfirmed as error:
                log.info("%s Reading how things stand.", error)
                detail, may_be_sent_again = str(error), True
            except _REFUSALS as error:
                self._refused(todo, error)
                return
            missing = self._not_shown(todo)
            self._journal.record({each.change_id: Result(Outcome.UNCONFIRMED, detail) for each in missing})
            if not may_be_sent_again:
                return
            todo = self._still_to_do(missing, self._target.states(missing)) if missing else []

    def _still_to_do(self, batch: Sequence[Change], states: Mapping[str, State]) -> list[Change]:
        """The changes of a batch that are neither fulfilled nor overtaken."""
        todo = []
        for each in batch:
            state = states[each.change_id]
            if self._is_done(each, states):
                # An earlier attempt may have sent it, and was killed before it could read back.
                ours = each.change_id in self._journal.intended
                self._journal.record({each.change_id: Result(Outcome.DONE if ours else Outcome.ALREADY)})
            elif differing := [name for name, value in each.old_values.items() if state.get(name) != value]:
                detail = f"{', '.join(sorted(differing))}: not as it was when the plan was made."
                self._journal.record({each.change_id: Result(Outcome.CHANGED, detail)})
            else:
                todo.append(each)
        return todo

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

    def _is_done(self, change: Change, states: Mapping[str, State]) -> bool:
        return self._target.is_fulfilled(change, states[change.change_id])

    def _refused(self, changes: Sequence[Change], error: LmsError) -> None:
        """Find out whom the refusal is about. One person who is gone must not keep the others from it."""
        if len(changes) > 1:
            log.info("%s Trying the %d changes of this request one by one.", error, len(changes))
            for each in changes:
                self._apply([each])
            return
        self._journal.record({changes[0].change_id: Result(Outcome.REFUSED, str(error))})


def _applied(change: Change, result: Result | None) -> AppliedChange:
    fields = {name: getattr(change, name) for name in Change.__struct_fields__}
    if result is None:
        result = Result(Outcome.SKIPPED, None)
    return AppliedChange(**fields, outcome=result.outcome, detail=result.detail)
