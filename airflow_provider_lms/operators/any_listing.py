"""What the operators share that read any listing by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.operators.base import LmsExtractOperator

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading


class AnyListing(LmsExtractOperator["Any"]):
    """Reads one listing of an LMS by its name.

    :param listing: the name, as in the data dictionary (templated).
    :param filters: the filters of the listing by name, as the client's method takes them (templated). A date range is
        a pair of start and end. Of a listing with a parent, such as the modules of courses, the children of all parents
        are read, or of those that the parent's own filters choose, such as ``course_ids``.
    """

    conn_type: str
    template_fields: Sequence[str] = ("listing", "filters")

    def __init__(self, *, listing: str, filters: Mapping[str, Any] | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.listing = listing
        self.filters = filters

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.listing.spec import find_listing
        from airflow_provider_lms.vendors import VENDORS

        return find_listing(VENDORS[self.conn_type].listings(), self.listing)

    def query(self) -> Mapping[str, object]:
        return {**self._filters(), **super().query()}  # type: ignore[safe-super]

    def read(self, client: LmsClient, start: str | None) -> Reading[Any]:
        # A name that is no filter is an error of the author's, like an invalid value.
        try:
            pages: Reading[Any] = client.read(self.declaration(), start=start, **dict[str, Any](self.query()))
        except TypeError as error:
            raise ValueError(f"filters: {error}") from None
        return pages

    def _filters(self) -> Mapping[str, Any]:
        from airflow_provider_lms.lms.listing.filter_names import parse_filters

        return parse_filters("filters", self.filters)
