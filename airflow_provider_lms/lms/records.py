"""From rows to typed records. A field that the record type does not know widens the type, so that the field is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

import msgspec

from airflow_provider_lms.lms.answers import Answer

R = TypeVar("R", bound=msgspec.Struct)


class Record(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True, gc=False):
    """A row under the vendor's field names, as attributes in snake case.

    ``watermark`` is the date by which a listing of these can be read on from where an earlier one ended, if it has one.
    """

    watermark: ClassVar[str | None] = None


class RecordConverter(Generic[R]):
    """Makes records of one type, which grows with the fields it meets.

    :param record: the type to begin with.

    ``record`` is the type as it is now.
    """

    def __init__(self, record: type[R]) -> None:
        self._adopt(record)

    def convert(self, answer: Answer, rows: list[dict[str, Any]]) -> list[R]:
        """Records of all rows.

        :param answer: where the rows come from, for messages.
        :raises LmsBrokenPage: a row has not the declared shape.
        """
        try:
            return msgspec.convert(rows, list[self.record], strict=False)  # type: ignore[name-defined]
        except msgspec.ValidationError:
            self._widen({field for row in rows for field in row} - self._known)
        try:
            return msgspec.convert(rows, list[self.record], strict=False)  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            raise answer.broken(_row_fault(str(error))) from None

    def in_utc(self, records: list[R]) -> list[R]:
        """The records themselves, with their dates put into UTC; one without a zone is taken as UTC."""
        for field in self._dates:
            for record, moment in zip(records, map(attrgetter(field), records), strict=True):
                if moment is not None and moment.tzinfo is not UTC:
                    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                    setattr(record, field, aware.astimezone(UTC))
        return records

    def _adopt(self, record: type[R]) -> None:
        self.record = record
        self._known = frozenset(record.__struct_encode_fields__)
        self._dates = [field for field, hint in get_type_hints(record).items() if hint in (datetime, datetime | None)]

    def _widen(self, fields: set[str]) -> None:
        """Let the record type hold further fields, whatever their values."""
        if not fields:
            return
        extra = {f"extra_{number}": name for number, name in enumerate(sorted(fields), start=len(self._known))}
        known = dict(zip(self.record.__struct_fields__, self.record.__struct_encode_fields__, strict=True))
        wider: Any = msgspec.defstruct(
            self.record.__name__,
            [(attribute, Any, None) for attribute in extra],
            bases=(self.record,),
            rename=known | extra,
            kw_only=True,
        )
        self._adopt(wider)


def _row_fault(error: str) -> str:
    """The decoder's word on a row, with the row's number and without the path's syntax."""
    reason, _, path = error.partition(" - at `$")
    row = re.match(r"\[(\d+)\](?:\.(\w+))?", path)
    if row is None:
        return f"a row has not the declared shape ({reason})."
    field = f", field {row[2]!r}" if row[2] else ""
    return f"row {int(row[1]) + 1}{field} has not the declared shape ({reason})."
