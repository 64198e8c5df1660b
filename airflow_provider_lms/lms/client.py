"""What the clients of all LMSs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any, ClassVar, TypeVar, overload

from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.listing.decoder import PageDecoder
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.pagers import UnpagedPager
from airflow_provider_lms.lms.listing.reader import ListingReader
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.spec import Listing, Parent
from airflow_provider_lms.lms.listing.units import Unit, read_units
from airflow_provider_lms.lms.parameters import parse_choice, parse_ids

R = TypeVar("R", bound=Record)


class LmsClient(ABC):
    """Reads one account of an LMS. Its methods return lazy iterators of complete pages.

    :param transport: the account to read.
    :param page_size: rows per page where a call does not say; None leaves it to the LMS.

    ``prefetch`` requests each page while the page before is decoded and used. That is faster, and costs one request
    too many where a listing is not read to its end.

    ``hash_secret`` is the connection's key for hashed columns.
    """

    listings: ClassVar[Mapping[str, Listing[Any]]]
    """The declarations of the LMS's listings, by name."""

    def __init__(self, transport: Transport, *, page_size: int | None = None) -> None:
        self.prefetch = False
        self.hash_secret: str | None = None
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
        return self._transport.limits

    @overload
    def read(
        self, listing: Listing[R], *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Iterator[Page[R]]: ...

    @overload
    def read(
        self, listing: str, *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Iterator[Page[Any]]: ...

    def read(
        self, listing: Listing[Any] | str, *, page_size: int | None = None, start: str | None = None, **values: object
    ) -> Iterator[Page[Any]]:
        """Read a listing.

        A listing that has a parent, such as the tests of modules, is read for one record of the parent if its id is
        given (``module_id``). Otherwise it is read for all of them, or for those that the parent's own ids and filters
        choose (``course_id``, ``course_ids``). Parents are read in the order of their ids, so that a continuation names
        a parent and not a place in a list that may change. A parent that was deleted meanwhile is skipped.

        :param listing: its name, or its declaration.
        :param page_size: rows per page; None takes the client's.
        :param start: the ``next`` of an earlier page of the same query.
        :param values: path ids and filters by name; None leaves one out.
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
        reader = ListingReader(self._transport, found, query, self._decoder(found), prefetch=self.prefetch)
        return reader.pages(start)

    def read_child(
        self, listing: Listing[R], values: Mapping[str, Any], page_size: int | None, start: str | None
    ) -> Iterator[Page[R]]:
        """Read a child listing for one parent. An LMS with more to a parent, such as its batches, overrides this.

        :param values: path ids and filters by name.
        """
        return self.read(listing, page_size=page_size, start=start, **values)

    def _find(self, listing: Listing[Any] | str) -> Listing[Any]:
        if not isinstance(listing, str):
            return listing
        return self.listings[parse_choice("listing", listing, tuple(self.listings))]

    def _read_children(
        self,
        listing: Listing[R],
        parent: Parent,
        values: Mapping[str, object],
        page_size: int | None,
        start: str | None,
    ) -> Iterator[Page[R]]:
        names = {each.name for each in (*listing.path_ids, *listing.filters)} - parent.ids.keys()
        own = {name: value for name, value in values.items() if name in names}
        # What is invalid is to be refused now, and not after all parents have been read.
        listing.query({**own, **dict.fromkeys(parent.ids, "1")}, page_size=page_size)
        parents = self._parents(parent, {name: value for name, value in values.items() if name not in names})
        personal = any(each.personal for each in listing.path_ids if each.name in parent.ids)

        def unit(ids: Mapping[str, str | None]) -> Unit[R]:
            key = "/".join(each or "" for each in ids.values())
            read = partial(self.read_child, listing, {**own, **ids}, page_size)
            return Unit(self.disguise(key) if personal else key, read)

        def pages() -> Iterator[Page[R]]:
            units = {each.key: each for each in map(unit, parents)}
            yield from read_units([units[key] for key in sorted(units)], start, in_order=True)

        return pages()

    def _parents(self, parent: Parent, values: Mapping[str, Any]) -> Iterator[Mapping[str, str | None]]:
        """The ids of the parents. The parent listing is read only if its ids are not given."""
        if parent.listing.parent is None and len(parent.ids) == 1:
            (path_id,) = parent.ids
            given = parse_ids(f"{path_id}s", values.get(f"{path_id}s"), numeric=True)
            if given is not None and len(values) == 1:
                return ({path_id: each} for each in given)
        pages = self.read(parent.listing, **values)
        return (
            dict(zip(parent.ids, ids, strict=True))
            for page in pages
            for record in page.records
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

    def report_drift(self) -> None:
        """Log values that did not fit their fields, and fields that are new; each field once."""
        for decoder in self._decoders.values():
            decoder.report_drift()

    def close(self) -> None:
        """Close the connections to the LMS."""
        self.report_drift()
        self._transport.close()

    def _decoder(self, listing: Listing[R]) -> PageDecoder[R]:
        # One for all readings of a listing: what one page teaches it of new fields holds for the next.
        return self._decoders.setdefault(listing.name, PageDecoder(listing))


def _as_list(ids: str | list[str] | None) -> list[Any]:
    return ids if isinstance(ids, list) else [ids]
