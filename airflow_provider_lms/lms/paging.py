"""A page as the caller sees it, and the guard that a listing moves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from airflow_provider_lms.lms.documents import Rows
from airflow_provider_lms.lms.errors import LmsBrokenPage

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Page(Generic[R]):
    """A whole page of a listing.

    :param records: the typed records, in the order of the LMS; may be empty although more pages follow.
    :param number: 1 for the first page that this iterator read.
    :param next: where to go on: hand it to the same call as ``start``; None after the last page.
    """

    records: list[R]
    number: int
    next: str | None


def by_token(fetch: Callable[[str | None], Rows[R]], start: str | None) -> Iterator[Rows[R]]:
    """Pages that each name the token of the next.

    :param fetch: reads the page of a token.
    :param start: the first page's token; None for the beginning.
    :raises LmsBrokenPage: a page names a token that was already used, so the listing would never end.
    """
    seen = {start}
    token = start
    while True:
        rows = fetch(token)
        if rows.next is not None and rows.next in seen:
            raise LmsBrokenPage(
                f"{rows.call}: it names a page token that was already used, so the listing would never end. "
                "Nothing of this page was kept. Try again; if it stays so, the LMS is at fault."
            )
        yield rows
        token = rows.next
        if token is None:
            return
        seen.add(token)
