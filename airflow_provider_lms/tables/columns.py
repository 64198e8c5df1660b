"""Records as columns: one for each declared field, and one with everything else as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, get_type_hints

import msgspec
from msgspec import UNSET

EXTRA = "_extra"
"""The column for what no other column can hold: a JSON object by field name."""

READ_AT = "readAt"
"""The column that tells when the LMS was asked for a row, where a table has one. It is not about what the row says."""

_TYPES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "timestamp",
    int | float | str: "number or text",
}
COLUMN_TYPES = frozenset({*_TYPES.values(), "any"})
_encode = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """A declared field.

    :param attribute: its name in the record type.
    :param name: the vendor's name.
    :param type: ``string``, ``integer``, ``number``, ``boolean``, ``timestamp``, ``number or text`` for a number column
        whose texts are kept in the extra column, or ``any`` for what is kept as JSON.
    :param metadata: what the record type says about the field.
    """

    attribute: str
    name: str
    type: str
    metadata: Mapping[str, str]


class Columns:
    """The columns of a record type.

    :param record: the type whose fields are declared.
    """

    def __init__(self, record: type[msgspec.Struct]) -> None:
        hints, described = get_type_hints(record), get_type_hints(record, include_extras=True)
        self.declared = [
            Column(
                attribute,
                name,
                next((word for kind, word in _TYPES.items() if hints[attribute] in (kind, kind | None)), "any"),
                _metadata(described[attribute]),
            )
            for attribute, name in zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
            if name != EXTRA
        ]
        self._mixed = [column for column in self.declared if column.type == "number or text"]

    def name_of(self, attribute: str) -> str:
        """The vendor's name of an attribute."""
        return next(column.name for column in self.declared if column.attribute == attribute)

    def schema(self) -> list[dict[str, str]]:
        """Name and type of each declared field."""
        return [{"name": column.name, "type": column.type} for column in self.declared]

    def values(self, column: Column, records: Sequence[Any]) -> list[Any]:
        """A column's values: of its type, JSON text for ``any``, or None."""
        values = list(map(attrgetter(column.attribute), records))
        if column.type == "any":
            return [None if value is None else _encode(value).decode() for value in values]
        if column.type == "number or text":
            return [None if isinstance(value, str) else value for value in values]
        return values

    def extra_json(self, records: Sequence[Any]) -> list[str | None]:
        """For each record the JSON of what has no column: undeclared fields, values that do not fit their field, and
        texts in number columns. None if there is nothing of the kind.
        """
        found = []
        for record in records:
            fields = {
                column.name: value
                for column in self._mixed
                if isinstance(value := getattr(record, column.attribute), str)
            }
            fields |= record.extra or {}
            found.append(_encode(fields).decode() if fields else None)
        return found


class RowType:
    """A record type for rows that were read back.

    :param name: the name of the type.
    :param schema: name and type of each column, from the manifest.
    :param attributes: the attributes by column; None numbers them.
    """

    def __init__(
        self, name: str, schema: Sequence[Mapping[str, str]], attributes: Mapping[str, str] | None = None
    ) -> None:
        self._names = {field["name"] for field in schema}
        types = {word: kind for kind, word in _TYPES.items()} | {"any": Any}
        if attributes is None:
            attributes = {field["name"]: f"column_{number}" for number, field in enumerate(schema)}
        fields = [(attributes[field["name"]], types[field["type"]] | None, None) for field in schema]
        self.record: type[msgspec.Struct] = msgspec.defstruct(
            name,
            [*fields, ("extra", Any, UNSET)],
            rename={attributes[field["name"]]: field["name"] for field in schema} | {"extra": EXTRA},
            kw_only=True,
        )

    def records(self, rows: Iterable[dict[str, Any]]) -> list[Any]:
        """The rows as records. What has no column is kept in ``extra``."""
        whole = []
        for row in rows:
            rest = {name: value for name, value in row.items() if name not in self._names and name != EXTRA}
            whole.append({**row, EXTRA: {**row.get(EXTRA, {}), **rest}} if rest else row)
        return msgspec.convert(whole, list[self.record])  # type: ignore[name-defined]


def _metadata(hint: Any) -> Mapping[str, str]:
    metas = [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, msgspec.Meta) and item.description]
    return {"description": metas[0].description or "", **(metas[0].extra or {})} if metas else {}


def merged(row: dict[str, Any], schema: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row that was read back, as JSON lines have it.

    JSON columns are decoded, and a text that its number column could not hold is in its field again.
    """
    extra = row.pop(EXTRA, None)
    mixed = {field["name"] for field in schema if field["type"] == "number or text"}
    for field in schema:
        if field["type"] == "any" and row.get(field["name"]) is not None:
            row[field["name"]] = msgspec.json.decode(row[field["name"]])
    rest: dict[str, Any] = {}
    for name, value in (msgspec.json.decode(extra) if extra is not None else {}).items():
        (row if name in mixed and isinstance(value, str) else rest)[name] = value
    return {**row, EXTRA: rest} if rest else row
