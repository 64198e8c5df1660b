"""Records as columns: the declared fields by their types, and all else in one column as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, get_type_hints

import msgspec

EXTRA = "_extra"
"""The column of what no other column can hold: a JSON object by field name."""

_TYPES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "timestamp",
    int | float | str: "number",
}
_encode = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """A declared field.

    :param attribute: its name in the record type.
    :param name: the vendor's name.
    :param type: ``string``, ``integer``, ``number``, ``boolean``, ``timestamp``, or ``any`` for what is kept as JSON.
    """

    attribute: str
    name: str
    type: str


class Columns:
    """The columns of a record type.

    :param record: the type whose fields are declared.
    """

    def __init__(self, record: type[msgspec.Struct]) -> None:
        hints = get_type_hints(record)
        self.declared = [
            Column(attribute, name, next((word for kind, word in _TYPES.items() if hint in (kind, kind | None)), "any"))
            for attribute, name in zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
            for hint in (hints[attribute],)
        ]
        self._numbers = [column for column in self.declared if column.type == "number"]
        self._further: dict[type[msgspec.Struct], list[tuple[str, str]]] = {record: []}

    def schema(self) -> list[dict[str, str]]:
        """Name and type of each declared field."""
        return [{"name": column.name, "type": column.type} for column in self.declared]

    def values(self, column: Column, records: Sequence[msgspec.Struct]) -> list[Any]:
        """A column's values: of its type, JSON text for ``any``, or None."""
        values = list(map(attrgetter(column.attribute), records))
        if column.type == "any":
            return [None if value is None else _encode(value).decode() for value in values]
        if column.type == "number" and any(map(str.__instancecheck__, values)):
            return [None if isinstance(value, str) else value for value in values]
        return values

    def beyond(self, records: Sequence[msgspec.Struct]) -> list[str | None]:
        """JSON of fields that are not declared and of texts where a number is; None where there is neither."""
        found = []
        for record in records:
            fields = {name: getattr(record, attribute) for attribute, name in self._fields_beyond(type(record))}
            fields |= {
                column.name: value
                for column in self._numbers
                if isinstance(value := getattr(record, column.attribute), str)
            }
            present = {name: value for name, value in fields.items() if value is not None}
            found.append(_encode(present).decode() if present else None)
        return found

    def _fields_beyond(self, record: type[msgspec.Struct]) -> list[tuple[str, str]]:
        if record not in self._further:
            declared = {column.attribute for column in self.declared}
            fields = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
            self._further[record] = [(attribute, name) for attribute, name in fields if attribute not in declared]
        return self._further[record]


def merged(row: dict[str, Any], schema: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row that was read back, with JSON columns decoded and the fields of the extra column in their places."""
    extra = row.pop(EXTRA, None)
    for field in schema:
        if field["type"] == "any" and row[field["name"]] is not None:
            row[field["name"]] = msgspec.json.decode(row[field["name"]])
    return row if extra is None else {**row, **msgspec.json.decode(extra)}
