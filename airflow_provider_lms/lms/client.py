"""What the clients of all LMSs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from functools import cache, partial
from itertools import product
from typing import Any, ClassVar, Self, TypeVar, cast, overload

from airflow_provider_lms.lms.errors import LmsInvalidValue, LmsNotFound
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.http.rate_limit import Holding, RateLimits, Reservation
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.listing.decoder import PageDecoder
from airflow_provider_lms.lms.listing.filters import IdFilter
from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.pagers import UnpagedPager
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.reader import ListingReader
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.spec import Listing, Parent, find_listing
from airflow_provider_lms.lms.listing.splits import Reading, Splitter
from airflow_provider_lms.lms.listing.units import Unit, read_units
from airflow_provider_lms.lms.parameters import parse_ids

C = TypeVar("C", bound="LmsClient")
R = TypeVar("R", bound=Record)


class LmsClient(ABC):
    """Reads one account of an LMS. Its methods return lazy iterators of complete pages.

    :param transport: the account to read.
    :param page_size: rows per page where a call does not say; None leaves it to the LMS.

    ``prefetch`` requests each page while the page before is decoded and used. That is faster, and costs one request
    too many where a listing is not read to its end.

    ``hash_secret`` is the connection's key for hashed columns, and ``parallel_requests`` the most requests that one
    reading may have in flight. ``asset_root`` is the account as the beginning of a URI, such as
    ``ispring-learn://acme``, where a hook has made the client. ``on_read`` is then told the asset URI of each listing
    that is read, once.
    """

    listings: ClassVar[Mapping[str, Listing[Any]]]
    """The declarations of the LMS's listings, by name."""

    def __init__(self, transport: Transport, *, page_size: int | None = None) -> None:
        self.prefetch = False
        self.hash_secret: str | None = None
        self.parallel_requests = 1
        self.asset_root: str | None = None
        self.on_read: Callable[[str], None] = lambda _: None
        self._transport = transport
        self._page_size = page_size
        self._decoders: dict[str, PageDecoder[Any]] = {}

    @property
    def base_url(self) -> str:
        """Scheme, host and path prefix of the API."""
        return self._transport.base_url

    @property
    def limits(self) -> RateLimits:
        """The account's request limits."""
        return self._transport.rate_limiter.limits

    def asset_uri(self, listing: str) -> str:
        """The identity of a listing of this account, for assets and lineage.

        :param listing: its name.
        :raises ValueError: no hook has made this client, so nobody has named the account.
        """
        if self.asset_root is None:
            raise ValueError("asset_uri: only a client that a hook has made knows how its account is named.")
        return f"{self.asset_root}/{listing}"

    @overload
    def read(
        self, listing: Listing[R], *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Reading[R]: ...

    @overload
    def read(
        self, listing: str, *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Reading[Any]: ...

    def read(
        self, listing: Listing[Any] | str, *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Reading[Any]:
        """Read a listing.

        A listing that has a parent, such as the tests of modules, is read for one record of the parent if its id is
        given (``module_id``). Otherwise it is read for all of them, or for those that the parent's own ids and filters
        choose (``course_id``, ``course_ids``). Parents are read in the order of their ids, so that a continuation names
        a parent and not a place in a list that may change. A parent that was deleted meanwhile is skipped.

        :param listing: its name, or its declaration.
        :param page_size: rows per page; None takes the client's.
        :param start: the ``next`` of an earlier page of the same query.
        :param values: path ids and filters by name; None leaves one out.
        :return: lazy pages. The children of several parents, and the rows of several ids, can be read at the same time:
            see :func:`~airflow_provider_lms.lms.parallel.read_parallel`.
        :raises ValueError: a value is invalid, or there is no such listing; raised before the first request.
        :raises TypeError: the listing has no such filter.

        Example::

            for page in client.read("courses"):
                print(page.to_dicts())
        """
        found = self._find(listing)
        given = {name: value for name, value in values.items() if value is not None}
        if found.parent is not None and [*found.parent.ids][-1] not in given:
            return self._read_children(found, found.parent, given, page_size, start)
        if page_size is None and not isinstance(found.pager, UnpagedPager):
            page_size = self._page_size
        query = found.query(given, page_size=page_size)

        def read(client: LmsClient, query: Query, start: str | None) -> Iterator[Page[Any]]:
            return client._reader(found, query).pages(start)

        return self._read_query(found, query, read, start)

    def read_child(
        self, listing: Listing[R], values: Mapping[str, Any], page_size: int | None, start: str | None
    ) -> Iterator[Page[R]]:
        """Read a child listing for one parent. An LMS with more to a parent, such as its batches, overrides this.

        :param values: path ids and filters by name.
        """
        return self.read(listing, page_size=page_size, start=start, **values)

    def _read_listed(
        self,
        listed: ListedFirst,
        listing: Listing[R],
        values: Mapping[str, Any],
        page_size: int | None,
        start: str | None,
    ) -> Iterator[Page[R]]:
        try:
            yield from self.read_child(listing, values, page_size, start)
        except (LmsNotFound, LmsInvalidValue) as error:
            if listed.is_used:
                error.is_refusal = False  # the parent has gone meanwhile, and the next attempt lists them anew
            raise

    def _find(self, listing: Listing[Any] | str) -> Listing[Any]:
        if not isinstance(listing, str):
            return listing
        return find_listing(self.listings, listing)

    def _read_children(
        self,
        listing: Listing[R],
        parent: Parent,
        values: Mapping[str, object],
        page_size: int | None,
        start: str | None,
    ) -> Reading[R]:
        names = {each.name for each in (*listing.path_ids, *listing.filters)} - parent.ids.keys()
        own = {name: value for name, value in values.items() if name in names}
        # What is invalid is to be refused now, and not after all parents have been read.
        listing.query({**own, **dict.fromkeys(parent.ids, "1")}, page_size=page_size)
        chosen = {name: value for name, value in values.items() if name not in names}
        listed = ListedFirst()
        self._parents(parent, chosen, listed)
        personal = any(each.personal for each in listing.path_ids if each.name in parent.ids)

        @cache
        def ids_by_key() -> Mapping[str, Mapping[str, str | None]]:
            # Asked anew where listing them has failed before: the rest of that listing would pass for all of it.
            found = {
                "/".join(each or "" for each in ids.values()): ids for ids in self._parents(parent, chosen, listed)
            }
            return {self.disguise(key) if personal else key: found[key] for key in found}

        def read(client: LmsClient, keys: Iterable[str], start: str | None) -> Iterator[Page[R]]:
            known = ids_by_key()
            units = [
                Unit(key, partial(client._read_listed, listed, listing, {**own, **known[key]}, page_size))
                for key in sorted(keys)
                if key in known
            ]
            return listed.mark(read_units(units, start, in_order=True))

        def pages() -> Iterator[Page[R]]:
            yield from read(self, ids_by_key(), start)

        return Reading(pages(), Splitter(lambda: sorted(ids_by_key()), read, calls_per_key=1))

    def _parents(
        self, parent: Parent, values: Mapping[str, Any], listed: ListedFirst
    ) -> Iterator[Mapping[str, str | None]]:
        """The ids of the parents. The parent listing is read only if its ids are not given."""
        if parent.listing.parent is None and len(parent.ids) == 1:
            (path_id,) = parent.ids
            given = parse_ids(f"{path_id}s", values.get(f"{path_id}s"), numeric=True)
            if given is not None and len(values) == 1:
                return ({path_id: each} for each in given)
        pages = self.read(parent.listing, **values)
        return (
            dict(zip(parent.ids, ids, strict=True))
            for record in listed.records(pages)
            if parent.where is None or parent.where(record)
            for ids in product(*(_as_list(getattr(record, attribute)) for attribute in parent.ids.values()))
        )

    @abstractmethod
    def check(self) -> None:
        """Make one small call, to see whether the account can be read.

        :raises LmsError: why it cannot.
        """

    def disguise(self, text: str) -> str:
        """Stands for a person's id in a continuation, which goes into checkpoints."""
        return self._transport.disguise(text)

    def lock_seconds_left(self) -> float:
        """How long the account is still locked for all tasks, in seconds; 0 if it is not."""
        return self._transport.lock_seconds_left()

    def lift_lock(self) -> None:
        """End the account's lock, for all tasks."""
        self._transport.lift_lock()

    def holders(self) -> Sequence[Holding]:
        """Who has requests to the account in flight, and then who is in the queue, in its order."""
        return self._transport.rate_limiter.holders()

    @property
    def observer(self) -> Observer:
        """Is told what happens to the account's requests."""
        return self._transport.observer

    @property
    def has_answered(self) -> bool:
        """Whether the LMS has answered a call of this client, or of a sibling."""
        return self._transport.has_answered

    def reserve(self) -> tuple[float, Reservation]:
        """Reserve requests, for a task that comes back for them. Tells in how many seconds to come back."""
        return self._transport.rate_limiter.reserve()

    def report_drift(self) -> None:
        """Log values that did not fit their fields, and fields that are new; each field once."""
        for decoder in self._decoders.values():
            decoder.report_drift()

    def close(self) -> None:
        """Close the connections to the LMS."""
        self.report_drift()
        self._transport.close()

    def sibling(
        self,
        request_slot: Callable[[], AbstractContextManager[None]],
        sleep: Callable[[float], None],
        on_token: Callable[[str], None],
    ) -> Self:
        """A client of the same account for another thread. A client serves one thread at a time.

        Parameters are those of :meth:`Transport.sibling`.
        """
        sibling = copy(self)
        sibling._transport = self._transport.sibling(request_slot, sleep, on_token)
        sibling.prefetch = False
        return sibling

    def authenticate(self) -> None:
        """Make sure that there is an access token.

        :raises LmsError: none was issued.
        """
        self._transport.authenticate()

    def report_token(self, token: str) -> None:
        """Tell of an access token that a sibling uses, so that a log can mask it."""
        self._transport.report_token(token)

    def abort(self) -> None:
        """End the request that another thread is waiting for."""
        self._transport.abort()

    def _read_query(
        self,
        listing: Listing[R],
        query: Query,
        read: Callable[[C, Query, str | None], Iterator[Page[R]]],
        start: str | None,
    ) -> Reading[R]:
        """Read a query. If a filter has several ids, the reading can be split by them.

        :param read: reads a query with a client.
        """
        name = max(query.id_lists, key=lambda each: len(query.ids(each)), default="")
        ids = dict.fromkeys(query.ids(name))
        if len(ids) < 2:
            return Reading(read(cast("C", self), query, start))
        personal = any(isinstance(each, IdFilter) and each.name == name and each.personal for each in listing.filters)
        by_key = {self.disguise(each) if personal else each: each for each in ids}

        def read_some(client: C, keys: Sequence[str], start: str | None) -> Iterator[Page[R]]:
            return read(client, query.with_ids(name, [by_key[key] for key in keys]), start)

        return Reading(read(cast("C", self), query, start), Splitter(lambda: [*by_key], read_some))

    def _reader(self, listing: Listing[R], query: Query) -> ListingReader[R]:
        return ListingReader(self._transport, listing, query, self._decoder(listing), prefetch=self.prefetch)

    def _decoder(self, listing: Listing[R]) -> PageDecoder[R]:
        # One for all readings of a listing: what one page teaches it of new fields holds for the next.
        if listing.name not in self._decoders and self.asset_root is not None:
            self.on_read(self.asset_uri(listing.name))
        return self._decoders.setdefault(listing.name, PageDecoder(listing))


def _as_list(ids: str | list[str] | None) -> list[Any]:
    return ids if isinstance(ids, list) else [ids]
