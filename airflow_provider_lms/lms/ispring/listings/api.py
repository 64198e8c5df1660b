"""What all listings of iSpring Learn have in common."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms.lms.listing.pagers import CursorPager, UnpagedPager
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Row
from airflow_provider_lms.lms.listing.spec import Envelope

PAGES = CursorPager(token_field="nextPageToken", token_param="pageToken", size_param="pageSize")  # noqa: S106
"""The last page has no ``nextPageToken``. Without ``pageSize`` a page has 1,000 rows."""

ONE_PIECE = UnpagedPager("nextPageToken")
"""For listings without ``pageSize`` and ``pageToken``."""


def _is_empty(content: Any) -> bool:
    """Third-party code guards against an empty listing that comes without its list, and against a ``null`` body."""
    return content in (None, []) or (isinstance(content, dict) and content.keys() <= {PAGES.token_field})


def _is_error(content: Any) -> bool:
    """The vendor's error document holds a code and a message."""
    return any(content.get(name) for name in ("error", "errors", "code"))


ENVELOPE = Envelope(is_empty=_is_empty, is_error=_is_error)


def unwrap(row: Row, query: Query) -> Row:  # noqa: ARG001
    """An object without the ``response`` around it.

    The OpenAPI document shows single objects within it in JSON, but third-party code reads their fields directly.
    """
    inner = row.get("response")
    if not isinstance(inner, dict):
        return row
    return {**{name: value for name, value in row.items() if name != "response"}, **inner}
