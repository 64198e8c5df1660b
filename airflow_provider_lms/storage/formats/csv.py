"""CSV as in RFC 4180, with a rule for null: nothing at all between the commas. An empty text is ``""``.

Texts and dates are quoted, numbers and booleans (``true``, ``false``) are not.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from airflow_provider_lms.storage.formats.encoder import Row, Sink
from airflow_provider_lms.tables.columns import EXTRA, Column, Columns, merged

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.records import Record


class _Null(int):
    """A number that is written as nothing: the csv module of Python 3.11 quotes None as it quotes a text."""

    def __str__(self) -> str:
        return ""


_NULL = _Null()
_FIELD = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^,"\r\n]*))')
_decode = msgspec.json.Decoder().decode


class Csv:
    """A header, and one row a record."""

    suffix = ".csv"

    def __init__(self, file: Sink, record: type[Record]) -> None:
        self._file = file
        self._columns = Columns(record)
        self._write([[*(column.name for column in self._columns.declared), EXTRA]])

    def write(self, records: Sequence[Record]) -> None:
        columns = [_texts(column, self._columns.values(column, records)) for column in self._columns.declared]
        extra = [_NULL if each is None else each for each in self._columns.extra_json(records)]
        self._write(zip(*columns, extra, strict=True))

    def close(self) -> None:
        """Nothing ends a CSV file."""

    @staticmethod
    def read(file: BinaryIO, schema: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        types = {field["name"]: field["type"] for field in schema}
        rows = _rows(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        names = [str(name) for name in next(rows)]
        for row in rows:
            yield merged(
                {name: _value(types.get(name, "string"), cell) for name, cell in zip(names, row, strict=True)}, schema
            )

    def _write(self, rows: Any) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
        self._file.write(text.getvalue().encode())


def _texts(column: Column, values: list[Any]) -> list[Any]:
    """Values as the csv module is to write them: whatever is no text goes unquoted."""
    if column.type == "timestamp":
        return [_NULL if value is None else value.isoformat().replace("+00:00", "Z") for value in values]
    if column.type == "boolean":
        return [_NULL if value is None else _Word(value) for value in values]
    return [_NULL if value is None else value for value in values]


class _Word(int):
    """A boolean that is written as ``true`` or ``false``, unquoted."""

    def __str__(self) -> str:
        return "true" if self else "false"


def _rows(file: io.TextIOWrapper) -> Iterator[list[str | None]]:
    """Rows of texts, and of None where there is nothing: the csv module reads both as the empty text."""
    row = ""
    for line in file:
        row += line
        if row.count('"') % 2 == 0:
            yield [_unquoted(*match.groups()) for match in _FIELD.finditer(row.rstrip("\r\n"))]
            row = ""


def _unquoted(quoted: str | None, bare: str | None) -> str | None:
    return (bare or None) if quoted is None else quoted.replace('""', '"')


def _value(kind: str, cell: str | None) -> Any:
    if cell is None or kind in ("string", "timestamp", "any"):
        return cell
    return _decode(cell)
