"""The batches of a course. Zoho answers for a blended course only batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from airflow_provider_lms.lms.course.read_flow import ListingRequest, ReadFlow, observed, run_flow
from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.zoho_people.error_codes import UNKNOWN_ID
from airflow_provider_lms.lms.zoho_people.listings.courses import Batch
from airflow_provider_lms.lms.zoho_people.once_more import once_more


class ReadBatches(Protocol):
    """Reads the batches of a course."""

    def __call__(self, course_id: str, *, start: str | None) -> Iterator[Page[Batch]]: ...


def batches_flow(read: ReadBatches, course_id: str) -> ReadFlow[list[str | None]]:
    """Read the batches of a course, in the order of their ids.

    A course with batches is blended. A course without batches is self-paced: the result is None alone. What Zoho
    answers for the batches of a self-paced course is not documented; it may be an empty list or an error.

    :param read: the client's method.
    """
    try:
        result = yield ListingRequest(
            lambda start: once_more(lambda: read(course_id, start=start)), lambda batch: batch.batch_id
        )
    except UNKNOWN_ID:
        return [None]
    return [*sorted(set(result.kept))] or [None]


def list_batches(read: ReadBatches, course_id: str, listed: ListedFirst) -> list[str | None]:
    """The same batches, read by a worker, which may block.

    :param read: the client's method.
    :param listed: notes whether the batches were read in one piece.
    """
    found, listings = run_flow(observed(batches_flow(read, course_id)))
    listed.note(listings.consistent)
    return found
