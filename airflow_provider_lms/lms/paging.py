"""A page as the caller sees it, and the guard that a listing moves on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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
    :param resumable: whether ``next`` still means the same later, when records may have come and gone.
    """

    records: list[R]
    number: int
    next: str | None
    resumable: bool = True


@dataclass(frozen=True)
class OffsetRows(Generic[R]):
    """One page's content.

    :param call: the page's name in messages.
    :param received: rows as they came, before any was dropped.
    :param more: whether the LMS says that more follow; None where it says nothing.
    """

    call: str
    records: list[R]
    received: list[Any]
    more: bool | None


def by_offset(fetch: Callable[[int], OffsetRows[R]], start: int) -> Iterator[tuple[OffsetRows[R], int | None]]:
    """Pages by the number of the first record, each with the next page's number, None after the last.

    :param fetch: reads the page that begins at a record.
    :param start: the first record, counted from 0.
    :raises LmsBrokenPage: more records are announced and none come, or a page comes again.
    """
    seen: set[bytes] = set()
    offset = start
    while True:
        rows = fetch(offset)
        if rows.more and not rows.received:
            raise LmsBrokenPage(f"{rows.call}: it holds no record, and yet says that more follow.")
        if rows.received:
            page = hashlib.sha256(msgspec.json.encode(rows.received)).digest()
            if page in seen:
                raise LmsBrokenPage(
                    f"{rows.call}: it holds the same records as an earlier page, so the LMS ignores where to start. "
                    "Nothing of this page was kept."
                )
            seen.add(page)
        offset += len(rows.received)
        done = not rows.received or rows.more is False
        yield rows, None if done else offset
        if done:
            return


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
