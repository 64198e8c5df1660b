"""Reads listings for a plan. A plan may only be made of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_lms.lms.listing.records import Record

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.page import Page

R = TypeVar("R", bound=Record)


class InconsistentRead(Exception):
    """Records came or went while they were read, so that some may be missing. A retry may find all of them."""


def records(pages: Iterable[Page[R]]) -> Iterator[R]:
    """All records of a listing.

    :raises InconsistentRead: it cannot be told whether these are all.
    """
    for page in pages:
        if not page.consistent:
            raise InconsistentRead(
                "Records came or went while the LMS was read, so a plan made of them could be wrong."
            )
        yield from page.records
