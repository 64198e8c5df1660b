"""Records as the tests compare them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.tables.columns import EXTRA, READ_AT


def rows(pages: Iterable[Page[Any]]) -> list[dict[str, Any]]:
    """All records of the pages as they are delivered, fields without a value left out."""
    return present(msgspec.to_builtins([record for page in pages for record in page.records]))


def present(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with only those fields that have a value, and what is in ``_extra`` where the vendor has it.

    When they were read is left out.
    """
    flat = ({**record, **record.get("_extra", {})} for record in records)
    left_out = {EXTRA, READ_AT}
    return [{name: value for name, value in row.items() if value is not None and name not in left_out} for row in flat]


def delivered(vendor_rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The vendor's rows as this package delivers them: dates end with Z in place of +00:00."""
    return [
        {name: value.replace("+00:00", "Z") if name.endswith("Date") else value for name, value in row.items()}
        for row in vendor_rows
    ]


def ordered(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records in an order of their own, to compare what may come in any."""
    names = ("courseId", "userId", "moduleId", "enrollmentId")
    return sorted(records, key=lambda row: [row.get(name, "") for name in names])
