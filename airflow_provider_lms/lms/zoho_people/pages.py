"""From an answer of Zoho People to a page of records: the envelope, and what a row does not say itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from airflow_provider_lms.lms.answers import Answer
from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.paging import OffsetRows
from airflow_provider_lms.lms.records import Record, RecordConverter
from airflow_provider_lms.lms.transport import Params, Transport
from airflow_provider_lms.lms.zoho_people.answers import NO_RECORDS, content, error_code
from airflow_provider_lms.lms.zoho_people.records import ENTITY_TYPES, minutes, with_texts

R = TypeVar("R", bound=Record)
Row: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[Answer, Row, Row], Row]
"""Given an answer, its envelope and a row of it, the row with more fields."""

LEARNER = "{learnerId}"
_ENVELOPE = frozenset(("code", "message", "status", "hasMoreRecords", "courseId", "batchId", "learnerId", "entityType"))
_MORE = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class Listing(Generic[R]):
    """A paged listing.

    :param path: the endpoint, below the base URL; the learner's place in it is ``{learnerId}``.
    :param rows: the name of the list.
    :param record: the type of a row.
    :param complete: adds to a row what it does not say itself.
    :param params: what is sent with every page.
    :param learner: the learner, whom messages do not name.
    """

    path: str
    rows: str
    record: type[R]
    complete: Step
    params: Params = ()
    learner: str = ""

    def fetch(self, transport: Transport, offset: int, page: int) -> Answer:
        """The answer with the page that begins at a record."""
        path = self.path.replace(LEARNER, quote(self.learner, safe=""))
        params = (*self.params, ("startIndex", str(offset)))
        return transport.get(path, params, page=page, shown=self.path)

    def read(self, answer: Answer, converter: RecordConverter[R]) -> OffsetRows[R]:
        """One page's records.

        :raises LmsBrokenPage: the body is not a whole page of this shape.
        """
        envelope = with_texts(content(answer))
        if error_code(envelope) == NO_RECORDS:
            return OffsetRows(answer.call, [], [], False)
        if not isinstance(envelope, dict):
            raise answer.broken(f"expected an object with {self.rows!r}.")
        if self.rows not in envelope and not envelope.keys() <= _ENVELOPE:
            raise answer.broken(f"the object has no {self.rows!r}; it has {_keys(envelope)}.")
        found = envelope.get(self.rows) or []
        received = [found] if isinstance(found, dict) else found
        if not isinstance(received, list) or not all(isinstance(row, dict) for row in received):
            raise answer.broken(f"{self.rows!r} is not a list of objects.")
        more = str(envelope.get("hasMoreRecords")).lower()
        if more not in _MORE:
            raise answer.broken("'hasMoreRecords' is neither true nor false.")
        completed = [self.complete(answer, envelope, row) for row in received]
        return OffsetRows(answer.call, converter.convert(answer, completed), received, _MORE[more])


def chained(*steps: Step) -> Step:
    """One step after the other."""

    def complete(answer: Answer, envelope: Row, row: Row) -> Row:
        for step in steps:
            row = step(answer, envelope, row)
        return row

    return complete


def named(kind: str) -> Step:
    """Id and name, which Zoho may call by the kind of row or just ``id`` and ``name``."""

    def complete(answer: Answer, _: Row, row: Row) -> Row:
        key = f"{kind}Id" if row.get(f"{kind}Id") else "id"
        if not row.get(key):
            raise _without(answer, row, f"neither '{kind}Id' nor 'id'")
        return {**row, f"{kind}Id": row[key], f"{kind}Name": row.get(f"{kind}Name", row.get("name"))}

    return complete


def within(asked: Mapping[str, str]) -> Step:
    """The course and the batch that were asked for; a row of another means that Zoho ignored the path."""

    def complete(answer: Answer, _: Row, row: Row) -> Row:
        places = {name: asked[name] for name in ("courseId", "batchId") if name in asked}
        for name, place in places.items():
            if row.get(name) not in (place, None):
                raise answer.broken(f"a row has another {name!r} than the one that was asked for.")
        if not (row.get("courseId") or places):
            raise _without(answer, row, "no 'courseId'")
        return {**row, **places}

    return complete


def learner(asked: Mapping[str, str]) -> Step:
    """The learner who was asked for. The vendor's own sample answers with another id, so that is kept beside it."""

    def complete(answer: Answer, envelope: Row, row: Row) -> Row:
        wanted = asked.get("learnerId")
        answered = row.get("learnerId") or (envelope.get("learnerId") if wanted else None)
        if not (wanted or answered):
            raise _without(answer, row, "no 'learnerId'")
        other = {"responseLearnerId": answered} if wanted and answered not in (None, wanted) else {}
        return {**row, "learnerId": wanted or answered, **other}

    return complete


def entity(number: int) -> Step:
    """The entity's type, and its duration as a number."""

    def complete(answer: Answer, envelope: Row, row: Row) -> Row:
        for found in (envelope.get("entityType"), row.get("entityType")):
            if found is not None and str(found) != str(number):
                raise answer.broken("it holds another 'entityType' than the one that was asked for.")
        return {
            **row,
            "entityType": number,
            "entityTypeName": ENTITY_TYPES[number],
            "durationMinutes": minutes(row.get("duration")),
        }

    return complete


def _without(answer: Answer, row: Row, missing: str) -> LmsBrokenPage:
    return answer.broken(f"a row has {missing}; it has {_keys(row)}.")


def _keys(found: Row) -> str:
    return ", ".join(sorted(found)) or "nothing"
