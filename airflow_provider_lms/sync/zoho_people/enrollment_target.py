"""Applies changes of enrollments to Zoho People's LMS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.sync.changes import Action, Change
from airflow_provider_lms.sync.chunks import in_chunks
from airflow_provider_lms.sync.zoho_people.enrollments import Place, learners_of

if TYPE_CHECKING:
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient


class ZohoEnrollmentTarget:
    """The enrollments of an account.

    :param client: of the account.
    :param allow_undocumented: whether to unenroll although Zoho's page names two parameters for it.
    """

    def __init__(self, client: ZohoPeopleClient, *, allow_undocumented: bool) -> None:
        self._client = client
        self._allow_undocumented = allow_undocumented

    def chunks(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        """Those of a course or batch go into one request."""
        return in_chunks(changes, lambda each: (each.action, _place(each)))

    def states(self, changes: Sequence[Change]) -> Mapping[str, Mapping[str, Any]]:
        learners = learners_of(self._client, {_place(each) for each in changes})
        return {each.change_id: _state(each, learners[_place(each)]) for each in changes}

    def is_fulfilled(self, change: Change, state: Mapping[str, Any]) -> bool:
        return bool(state["enrolled"] == change.new_values["enrolled"])

    def send(self, changes: Sequence[Change]) -> None:
        course_id, batch_id = _place(changes[0])
        record_ids = [each.person_id or "" for each in changes]
        if changes[0].action == Action.ENROLL:
            self._client.enroll(course_id, record_ids, batch_id=batch_id)
        else:
            allowed = self._allow_undocumented
            self._client.unenroll(course_id, record_ids, batch_id=batch_id, allow_undocumented=allowed)


def _place(change: Change) -> Place:
    return change.course_id or "", change.batch_id


def _state(change: Change, learners: set[str]) -> Mapping[str, Any]:
    learner_id = change.old_values["learner_id"]
    return {"learner_id": learner_id, "enrolled": learner_id in learners}
