"""What a caller can do about fields that are not declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from airflow_provider_lms.lms.errors import LmsSchemaDrift
from airflow_provider_lms.lms.excerpt import excerpts
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record

R = TypeVar("R", bound=Record)


def refuse_new_fields(listing: str, pages: Iterable[Page[R]]) -> Iterator[Page[R]]:
    """The same pages, up to the first with a field that is not declared.

    :param listing: the listing's name, for the error.
    :raises LmsSchemaDrift: a page has such a field.
    """
    for page in pages:
        if page.new_fields:
            raise LmsSchemaDrift(
                f"{listing}: the LMS sends fields that this version of the package does not declare: "
                f"{excerpts(page.new_fields)}. Upgrade the package, or set schema_contract='evolve' to keep them in "
                "'_extra'."
            )
        yield page
