"""Reads a query of a listing page by page: splits it, sends it, prefetches, decodes and checks each page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from airflow_provider_lms import clock
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.listing.decoder import PageDecoder
from airflow_provider_lms.lms.listing.filters import Pairs
from airflow_provider_lms.lms.listing.guard import FilterGuard
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.pagers import DecodedPage
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import READ_AT_ATTRIBUTE, Record
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.listing.units import Unit, read_units

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

# No LMS documents how long a URL may be; 4,000 characters pass the usual servers and proxies.
_URL_LENGTH = 4_000
_TOKEN_LENGTH = 500
# No LMS documents how many ids a body may have either. 1,000 ids are 40 kB, below the limits that servers come with,
# and as many as an LMS's default page has rows.
_IDS_PER_BODY = 1_000


class ListingReader(Generic[R]):
    """Reads one query of one listing.

    :param transport: the account to read.
    :param listing: what to read.
    :param query: what to ask for.
    :param decoder: decodes the listing's pages.
    :param prefetch: request each page as soon as its token is known, while the page before is decoded and used.
    """

    def __init__(
        self,
        transport: Transport,
        listing: Listing[R],
        query: Query,
        decoder: PageDecoder[R],
        *,
        prefetch: bool = False,
    ) -> None:
        self.listing = listing
        self.query = query
        self._transport = transport
        self._decoder = decoder
        self._prefetch = prefetch
        self._room = _room(query, transport.base_url)
        self._by_post = listing.method == "POST" or (listing.long_by_post and not query.fits(self._room))
        self._guard = FilterGuard(listing, query)
        self._has_read_at = READ_AT_ATTRIBUTE in listing.record.__struct_fields__
        self._pages = 0

    def pages(self, start: str | None = None) -> Iterator[Page[R]]:
        """Every page, lazily.

        :param start: the ``next`` of an earlier page of the same query.
        :raises ValueError: not such a continuation; raised before the first request.
        :raises LmsError: a page could not be read; the pages before it were complete.
        """
        parts = self.query.split_by_number(_IDS_PER_BODY) if self._by_post else self.query.split(self._room)
        if not self.query.id_lists:
            return self._walk(parts[0], self.listing.pager.check(start))
        # A page token may mean something else in a URL than in a body, and the parts are others.
        kind = "body" if self._by_post else ""
        return read_units(
            [Unit(f"{kind}{index}", partial(self._part, each)) for index, each in enumerate(parts)], start
        )

    def fetch(self, query: Query, position: str) -> DecodedPage[R]:
        """The page at a position. A response that is damaged on its way is asked for again."""
        return self._transport.retrying(partial(self._attempt, query, position))

    def _attempt(self, query: Query, position: str) -> DecodedPage[R]:
        path, shown, endpoint, page = query.path, query.shown_path, query.endpoint, self._pages + 1
        params, body = self._contents(query, position)
        if body is None:
            response = self._transport.get(path, params, page=page, shown_path=shown, endpoint=endpoint, retry=False)
        else:
            response = self._transport.post(path, body, page=page, shown_path=shown, endpoint=endpoint)
        if self._prefetch and (following := self.listing.pager.peek(response)) is not None:
            params, body = self._contents(query, following)
            self._transport.prefetch(path, params, body=body, page=page + 1, shown_path=shown, endpoint=endpoint)
        return self._decoder.decode(response, query)

    def _contents(self, query: Query, position: str) -> tuple[Pairs, dict[str, Any] | None]:
        """The query parameters that ask for the page at a position, and the body: either is empty."""
        pager = self.listing.pager
        if self._by_post:
            return (), query.body(pager.params(position), numbers=pager.numbers)
        return (*query.params(), *pager.params(position)), None

    def _part(self, query: Query, start: str | None) -> Iterator[Page[R]]:
        return self._walk(query, self.listing.pager.check(start))

    def _walk(self, query: Query, position: str) -> Iterator[Page[R]]:
        pager = self.listing.pager
        read_at = clock.utcnow()  # before the first request: an answer may lack what happened since
        for page, following in pager.walk(partial(self.fetch, query), position, self.listing.identify):
            self._pages += 1
            if page.again:
                self._transport.observer.pages_reread("moved")
            if not page.consistent:
                log.warning(
                    "%s: records came or went while the listing was read, also when it was read once more. It may lack "
                    "some of them.",
                    page.call,
                )
            records = self._guard.check(page.call, page.records, query)
            if self.listing.refine is not None:
                records = self.listing.refine(records)
            if self._has_read_at:
                for record in records:
                    setattr(record, READ_AT_ATTRIBUTE, read_at)
            yield Page(
                records,
                self._pages,
                following,
                resumable=pager.resumable or following is None,
                misfits=page.misfits,
                new_fields=page.new_fields,
                consistent=page.consistent,
                record=self.listing.record,
            )


def split_query(query: Query, base_url: str) -> list[Query]:
    """The queries that a query is split into, so that each fits into one URL.

    :raises ValueError: the parameters that cannot be split do not fit; the longest is named.
    """
    return query.split(_room(query, base_url))


def _room(query: Query, base_url: str) -> int:
    """How many characters the query string may have."""
    return _URL_LENGTH - _TOKEN_LENGTH - len(base_url + query.path)
