"""What a caller can do about fields that are not declared."""

from __future__ import annotations

from typing import TypeVar

from airflow_provider_lms.lms.errors import LmsSchemaDrift
from airflow_provider_lms.lms.excerpt import excerpts
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record

R = TypeVar("R", bound=Record)


def refuse_new_fields(listing: str, page: Page[R]) -> None:
    """Refuse a page that has a field that is not declared.

    :param listing: the listing's name, for the error.
    :raises LmsSchemaDrift: the page has one.
    """
    if page.new_fields:
        raise LmsSchemaDrift(
            f"{listing}: the LMS sends fields that this version of the package does not declare: "
            f"{excerpts(page.new_fields)}. Upgrade the package, or set schema_contract='evolve' to keep them in "
            "'_extra'."
        )
