"""The addresses of courses for a browser, as far as they are known without asking for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from airflow_provider_lms.lms.http.documents import parse_document
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.ispring.listings.content import Course
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Reading


class CourseLinks(Protocol):
    """Keeps addresses for everybody who uses the account. No method raises: a link is only a convenience."""

    def find(self, course_id: str) -> str | None:
        """The address of a course; empty if iSpring has none for it, None if that is not known."""

    def put(self, links: Mapping[str, str]) -> None:
        """Keep addresses.

        :param links: by course id; empty if iSpring has none.
        """


def keep_links_of(reading: Reading[Course], links: CourseLinks) -> Reading[Course]:
    """The same pages of the course listing. The addresses in them are kept."""

    def pages() -> Iterator[Page[Course]]:
        for page in reading:
            links.put({each.content_item_id: each.view_url for each in page.records if each.view_url})
            yield page

    return Reading(pages(), reading.splitter)


def link_of(response: Response) -> str | None:
    """The address in a response of ``GET /content/{contentId}``; empty if there is none, None if it is no content item.

    An address cannot be derived from the course id: the vendor's samples end in an id of another kind.

    :raises LmsBrokenPage: the response cannot be read.
    """
    found = parse_document(response)
    item = found.get("contentItem", found) if isinstance(found, dict) else None
    if not isinstance(item, dict) or "contentItemId" not in item:
        return None
    url = item.get("viewUrl")
    return url if isinstance(url, str) else ""
