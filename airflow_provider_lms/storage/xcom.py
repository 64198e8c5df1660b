"""Records as a task's return value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from airflow_provider_lms.lms.paging import Page


def collect(pages: Iterable[Page[Any]], at_most: int) -> list[dict[str, Any]]:
    """All records as plain dicts that XCom can hold.

    :param at_most: how many records may be returned.
    :raises ValueError: there are more.
    """
    records: list[dict[str, Any]] = []
    for page in pages:
        if len(records) + len(page.records) > at_most:
            raise ValueError(
                f"max_xcom_records: there are more than {at_most:,} records, too many for XCom. "
                "Set output_path to write them to object storage."
            )
        records += msgspec.to_builtins(page.records, str_keys=True)
    return records
