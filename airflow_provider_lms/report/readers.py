"""Reads datasets of any LMS for the report: each LMS has a module here that knows its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TypeVar

from airflow_provider_lms.report.rows import Row, RowReader, RowReaders
from airflow_provider_lms.vendors import VENDORS

T = TypeVar("T")


def all_readers() -> list[RowReaders]:
    """Those of every LMS."""
    return [import_module(f"airflow_provider_lms.report.{vendor.module}").READERS for vendor in VENDORS.values()]


def read_rows(parameter: str, readers: Sequence[RowReader[T] | None], rows: Iterable[Row]) -> Iterator[T]:
    """What the report needs of rows.

    :param parameter: where the rows were given, for the error.
    :param readers: of the kinds of rows that may be given; None are left out.
    :raises ValueError: a row is of another kind, or lacks a column.
    """
    known = [reader for reader in readers if reader is not None]
    for row in rows:
        reader = next((reader for reader in known if reader.fits(row)), None)
        if reader is None:
            kinds = [f"{reader.what} with {', '.join(sorted(reader.columns))}" for reader in known]
            raise ValueError(f"{parameter}: expected a dataset of {', or of '.join(kinds)}.")
        if (found := reader.read(row)) is not None:
            yield found
