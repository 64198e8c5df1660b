"""Records as the return value of a task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.page import Page


def collect(pages: Iterable[Page[Any]], max_records: int) -> list[dict[str, Any]]:
    """All records as plain dicts that XCom can hold.

    :param max_records: how many records may be returned.
    :raises ValueError: there are more.
    """
    records: list[dict[str, Any]] = []
    for page in pages:
        if len(records) + len(page.records) > max_records:
            raise ValueError(
                f"max_xcom_records: there are more than {max_records:,} records, too many for XCom. "
                "Set output_path to write them to object storage."
            )
        records += msgspec.to_builtins(page.records, str_keys=True)
    return records
