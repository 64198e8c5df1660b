"""Paging by the number of a record. Records that come and go shift those numbers, which must not go unnoticed."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.listing.filters import Pairs
from airflow_provider_lms.lms.listing.pagers import DecodedPage, Fetch, Identify
from airflow_provider_lms.lms.parameters import parse_int

log = logging.getLogger(__name__)

R = TypeVar("R", bound=msgspec.Struct)

_POSITION = re.compile(r"(\d+)(?:-([0-9a-f]{16}))?")
_MORE = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class OffsetPager:
    """A page begins at the number of a record, counted from 0. A field may say whether more records follow.

    When a record is removed while a listing is read, all records after it move up, and the next page would begin one
    record too late. So pages overlap by one record: each must begin with the last one of the page before. If it does
    not, the listing is read once more, and only records that were not delivered yet are delivered. If that fails as
    well, the pages say that they are not consistent.

    :param offset_param: the query parameter for the number.
    :param more_field: the field that says whether more records follow; empty if there is none. Where it is absent,
        reading ends at a page without new records: the page size is not documented, so a short page proves nothing.
    :param first: the number that the LMS gives to the first record. Positions begin at 0 all the same.
    """

    offset_param: str
    more_field: str
    first: int = 0

    resumable = False
    """A record that is added or removed shifts the records after it."""

    @property
    def marker_field(self) -> str:
        return self.more_field

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset((self.offset_param,))

    def page_size(self, size: int | None) -> Pairs:
        if size is not None:
            raise ValueError("page_size: this LMS sets the page size itself. Leave the parameter out.")
        return ()

    def check(self, position: str | None) -> str:
        if position and _POSITION.fullmatch(position):
            return position
        return str(parse_int("start", position or 0, minimum=0))

    def params(self, position: str) -> Pairs:
        return ((self.offset_param, str(int(position.partition("-")[0]) + self.first)),)

    def marker(self, response: Response, value: object) -> bool | None:
        text = str(value).lower()
        if text not in _MORE:
            raise response.broken_page(f"{self.more_field!r} is neither true nor false.")
        return _MORE[text]

    def peek(self, response: Response) -> str | None:  # noqa: ARG002
        return None

    def walk(
        self, fetch: Fetch[R], position: str, identify: Identify[R]
    ) -> Iterator[tuple[DecodedPage[R], str | None]]:
        delivered: set[str] = set()
        pages = 0
        try:
            for page, following in self._read(fetch, position, identify):
                pages += 1
                delivered.update(_digest(identify(record)) for record in page.records)
                yield page, following
            return
        except _RecordsMoved as moved:
            log.info("%s: records came or went while the listing was read. Reading it once more.", moved)
        for number, (page, following) in enumerate(self._read(fetch, position, identify, once_more=True)):
            by_digest = {_digest(identify(record)): record for record in page.records}
            fresh = [record for digest, record in by_digest.items() if digest not in delivered]
            delivered.update(by_digest)
            yield replace(page, records=fresh, again=number < pages), following

    def _read(
        self, fetch: Fetch[R], position: str, identify: Identify[R], *, once_more: bool = False
    ) -> Iterator[tuple[DecodedPage[R], str | None]]:
        """Every page, without the record that it shares with the page before.

        :param once_more: mark pages that do not begin where the page before has ended.
        :raises _RecordsMoved: a page does not begin there, unless this is the second reading.
        """
        number, _, last = position.partition("-")
        offset, seen = int(number), set[str]()
        # Whoever continues a listing cannot read its beginning once more.
        once_more = once_more or bool(last)
        while True:
            page = fetch(str(offset))
            if page.marker and not page.records:
                raise LmsBrokenPage(f"{page.call}: the page is empty, and yet it says that more records follow.")
            digests = [_digest(identify(record)) for record in page.records]
            whole = " ".join(digests)
            if whole in seen and digests != [last]:
                raise LmsBrokenPage(
                    f"{page.call}: it repeats an earlier page, so the LMS ignores {self.offset_param}. "
                    "Nothing from this page was kept."
                )
            if digests:
                seen.add(whole)
            if last and digests[:1] == [last]:
                page = replace(page, records=page.records[1:])
            elif last and not once_more:
                raise _RecordsMoved(page.call)
            elif last:
                page = replace(page, consistent=False)
            if page.marker and not page.records:
                raise LmsBrokenPage(f"{page.call}: it has no new record, and yet it says that more follow.")
            if page.marker is False or not page.records:
                yield page, None
                return
            # A page of one record cannot overlap with the next.
            overlap = 1 if len(digests) > 1 else 0
            offset += len(digests) - overlap
            last = digests[-1] if overlap else ""
            yield page, f"{offset}-{last}" if last else str(offset)


class _RecordsMoved(Exception):
    """A page does not begin with the last record of the page before."""


def _digest(identity: object) -> str:
    return hashlib.sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()[:16]
