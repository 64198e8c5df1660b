"""A rejected value is asked for once more, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from airflow_provider_lms.lms.errors import LmsInvalidValue
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record

R = TypeVar("R", bound=Record)


def once_more(read: Callable[[], Iterator[Page[R]]]) -> Iterator[Page[R]]:
    """Yield the pages of a listing. If Zoho rejects a value before the first page, ask a second time.

    An HTTP 400 without an explanation may pass. A single one must not make a learner unknown, or a blended course
    self-paced.

    :param read: begins to read the listing.
    :raises LmsInvalidValue: it was rejected twice.
    """
    pages = read()
    try:
        first = next(pages, None)
    except LmsInvalidValue:
        yield from read()
        return
    if first is not None:
        yield first
        yield from pages
