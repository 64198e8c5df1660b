"""A page of a listing, as callers see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from airflow_provider_lms.tables.arrow import ArrowTable

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Page(Generic[R]):
    """A complete page of a listing.

    :param records: the typed records in the LMS's order; may be empty although more pages follow.
    :param number: 1 for the first page that this iterator has read.
    :param next: where the listing continues: pass it to the same call as ``start``. None after the last page.
    :param resumable: whether ``next`` will mean the same later, when records may have come and gone.
    :param misfits: the attributes that are None in a record because its value does not fit the field.
    :param new_fields: the fields of this and earlier pages that are not declared, fit for a log. The records have them
        in ``extra``.
    :param consistent: False if records came or went while the listing was read, so that it may lack some.
    :param unit: which part of a larger reading the page belongs to, counted from 1.
    :param units: how many such parts there are, for example the children of a parent; 1 for a plain listing.
    :param record: the declared type of the records.
    :param carried: whether the records come from an earlier dataset, and not from the LMS.

    Example::

        for page in client.course_results(course_ids="f0e7400a-ca31-11e9-b6fc-0a580af40a22"):
            print(page.number, len(page.records))
    """

    records: list[R]
    number: int
    next: str | None
    resumable: bool = True
    misfits: frozenset[str] = frozenset()
    new_fields: frozenset[str] = frozenset()
    consistent: bool = True
    unit: int = 1
    units: int = 1
    record: type[msgspec.Struct] = msgspec.Struct
    carried: bool = False

    def to_dicts(self) -> list[dict[str, Any]]:
        """The records as plain dicts by the vendor's names; dates are RFC 3339 texts in UTC."""
        found: list[dict[str, Any]] = msgspec.to_builtins(self.records, str_keys=True)
        return found

    def to_arrow(self) -> pa.RecordBatch:
        """The records as an Arrow batch with real types. Its schema is the listing's, as in Parquet files.

        :raises ImportError: pyarrow is not installed.
        """
        return ArrowTable(self.record).batch(self.records)
