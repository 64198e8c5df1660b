"""The desired state as DAG authors give it: a dataset, a file, or rows of another task."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from airflow_provider_lms.lms.parameters import parse_object
from airflow_provider_lms.storage.files import folder, open_to_read
from airflow_provider_lms.storage.manifest import load_manifest
from airflow_provider_lms.storage.reader import read_parts

if TYPE_CHECKING:
    from airflow_provider_lms.storage.files import Location

log = logging.getLogger(__name__)

Row: TypeAlias = Mapping[str, Any]
Columns: TypeAlias = Mapping[str, "str | int"]

_YES, _NO = ("true", "yes", "y", "1", "active"), ("false", "no", "n", "0", "inactive")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_FILE = re.compile(r"\.(csv|jsonl|parquet)\Z", re.IGNORECASE)


def read_desired(
    source: object, columns: object, known: Sequence[str], required: Sequence[str], defaults: Columns
) -> Iterator[dict[str, Any]]:
    """The rows of the desired state, by our names. Columns that are not asked for are left out.

    :param source: the folder or the summary of a dataset; the path or URL of a file (``.csv`` with a header,
        ``.jsonl``, ``.parquet``); or rows: objects, or sequences such as those of a SQL query.
    :param columns: how the columns are called, by our name: a name, or a place counted from 0 if rows are sequences.
        None, and what is not in it, takes our own names.
    :param known: our names.
    :param required: those that every row must have as a column.
    :param defaults: how columns are called if ``columns`` does not say so.
    :raises ValueError: the source is nothing of the kind, it is empty, or a column is missing; the message names it.
        Whether a table has each column that ``columns`` names is only known at its end.
    """
    given = parse_object("columns", columns) or {}
    mapping = _mapping(given, known, defaults)
    found, unseen = False, {*given}
    for number, row in enumerate(_rows(source), 1):
        found = True
        chosen = _chosen(row, mapping, required, number)
        unseen -= chosen.keys()
        yield chosen
    if found and unseen:
        name = min(unseen)
        message = f"columns: no row has {mapping[name]!r} for {name}."
        if _is_table(source):
            raise ValueError(f"{message} Correct the name, or leave the entry out.")
        log.warning("%s", message)  # objects may leave out what has no value
    if not found:
        raise ValueError(
            "desired: there are no rows. An empty file or an empty result of a query would mean that nobody is wanted, "
            "so it is refused."
        )


def as_text(value: object) -> str | None:
    """A value as a text without spaces around it; None if there is nothing.

    A number as spreadsheets and databases give it is an id: 17.0 is ``17``.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None or value != value else str(value).strip()  # not a number
    return text or None


def as_day(name: str, value: object) -> date | None:
    """A day; None if there is nothing. Of a date with a time, it is the day that is written there, in whatever zone.

    :raises ValueError: it is no date. The message does not have the value: a misplaced column may be about a person.
    """
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    text = as_text(value)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"{name}: expected a day such as 2026-12-31.") from None


def as_bool(name: str, value: object) -> bool | None:
    """Yes or no; None if there is nothing.

    :raises ValueError: it is neither.
    """
    text = as_text(value)
    if text is None:
        return None
    word = text.casefold()
    if word not in (*_YES, *_NO):
        raise ValueError(f"{name}: expected {', '.join(_YES)} or {', '.join(_NO)}.")
    return word in _YES


def _mapping(given: Mapping[str, Any], known: Sequence[str], defaults: Columns) -> dict[str, str | int]:
    found: dict[str, str | int] = {name: defaults.get(name, name) for name in known}
    for name, column in given.items():
        if name not in found:
            raise ValueError(f"columns: {name!r} is not one of {', '.join(known)}.")
        if not isinstance(column, str | int) or isinstance(column, bool):
            raise ValueError(f"columns: expected a name or a number for {name!r}, got {column!r}.")
        found[name] = column
    return found


def _chosen(row: object, mapping: Columns, required: Sequence[str], number: int) -> dict[str, Any]:
    """A row by our names."""
    if isinstance(row, Mapping):
        found = {name: row[column] for name, column in mapping.items() if column in row}
        # Not their names: without a header, these would be the first person's data.
        has = f"Number of columns: {len(row)}. A CSV file needs a header, and commas between its columns."
    elif isinstance(row, Sequence) and not isinstance(row, str | bytes):
        places = {name: column for name, column in mapping.items() if isinstance(column, int)}
        found = {name: row[place] for name, place in places.items() if place < len(row)}
        has = f"It has {len(row)} values without names: give their places, such as columns={{'course_id': 1}}."
    else:
        raise ValueError(f"desired: row {number} is {type(row).__name__}, and not an object or a sequence.")
    for name in required:
        if name not in found:
            raise ValueError(f"desired: row {number} has no column {mapping[name]!r} for {name}. {has}")
    return found


def _is_table(source: object) -> bool:
    """Whether all rows have the same columns: a dataset, or a file that is not of JSON lines."""
    if isinstance(source, Mapping):
        return True
    text = str(source).strip() if isinstance(source, str) or hasattr(source, "protocol") else ""
    return bool(text) and text[0] not in "[{" and not text.lower().endswith(".jsonl")


def _rows(source: object) -> Iterable[object]:
    if isinstance(source, Mapping):
        if not _is_summary(source):
            raise ValueError("desired: this object is not the summary of a dataset. Give rows as a list.")
        return _dataset_rows(source["uri"])
    if isinstance(source, str) and source.lstrip()[:1] in ("[", "{"):
        try:
            return _rows(msgspec.json.decode(source))
        except msgspec.DecodeError:
            raise ValueError(
                "desired: the text starts like JSON but is not. In a template, end the expression with '| tojson', or "
                "give the output of the task itself."
            ) from None
    if isinstance(source, str) or hasattr(source, "protocol"):
        text = str(source).strip()
        if (kind := _FILE.search(text)) is not None:
            return _file_rows(folder("desired", text), kind[1].lower())
        return _dataset_rows(source)
    if isinstance(source, Iterable):
        # The summaries of a mapped task are a list of datasets.
        return chain.from_iterable(_dataset_rows(each["uri"]) if _is_summary(each) else (each,) for each in source)
    raise ValueError(
        "desired: expected a dataset, a .csv, .jsonl or .parquet file, or rows of another task, got "
        f"{type(source).__name__}."
    )


@contextmanager
def _named_errors(path: Location) -> Iterator[None]:
    """Errors that name the file. The libraries' own may quote what they could not read."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"desired: there is no file {path}.") from None
    except (ValueError, msgspec.DecodeError, csv.Error) as error:
        if isinstance(error, ValueError) and str(error).startswith("desired"):
            raise
        raise ValueError(
            f"desired: {path} cannot be read ({type(error).__name__}). CSV and JSON lines must be in UTF-8."
        ) from None


def _is_summary(value: object) -> bool:
    return isinstance(value, Mapping) and {"uri", "manifest"} <= value.keys()


def _dataset_rows(location: Any) -> Iterator[object]:
    directory = folder("desired", location)
    try:
        manifest = load_manifest(directory)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"desired: {directory} is neither the folder of a dataset nor a .csv, .jsonl or .parquet file."
        ) from None
    if not (manifest.complete and manifest.consistent):
        raise ValueError(
            f"desired: the dataset in {directory} may lack rows, and whoever is missing would be taken for not wanted. "
            "Read it anew: without max_pages, and until it is consistent."
        )
    return read_parts(directory, manifest)


def _file_rows(path: Location, kind: str) -> Iterator[object]:
    with _named_errors(path), open_to_read(path) as file:  # type: ignore[arg-type]
        if kind == "csv":
            # A byte order mark, as spreadsheets write it, is no part of the first column's name.
            yield from csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
        elif kind == "jsonl":
            yield from (msgspec.json.decode(line) for line in file if line.strip())
        else:
            from pyarrow import parquet

            for batch in parquet.ParquetFile(file).iter_batches():
                yield from batch.to_pylist()
