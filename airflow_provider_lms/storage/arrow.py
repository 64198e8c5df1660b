"""The Arrow schema of a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_lms.tables.arrow import ArrowTable

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_lms.lms.listing.records import Record
    from airflow_provider_lms.lms.listing.spec import Listing


def arrow_schema(listing: Listing[Any] | type[Record]) -> pa.Schema:
    """The Arrow schema of a listing's rows, which is that of its Parquet files.

    Timestamps are in microseconds and UTC. An object or a list is a string with its JSON. The metadata of a field tells
    what it means (``description``), whether it is about a person (``personal``) and how surely it is known (``known``).

    :param listing: a listing, or the type of its records.
    :raises ImportError: pyarrow is not installed.

    Example::

        schema = arrow_schema(LISTINGS["course_results"])
        print(schema.field("dueDate").metadata[b"description"])
    """
    return ArrowTable(listing if isinstance(listing, type) else listing.record).schema
