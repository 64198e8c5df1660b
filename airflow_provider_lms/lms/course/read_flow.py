"""Read flows: which listings are read to learn about a course, without saying who reads them or how one waits.

A read flow is a generator. It yields a :class:`ListingRequest`, receives a :class:`ListingResult`, and returns what it
has learned. An :class:`LmsError` of a listing is raised where the flow yielded it. So one flow serves a worker, which
may block, and the triggerer, which may not::

    def flow(self) -> ReadFlow[bool]:
        try:
            batches = yield ListingRequest(read_batches, keep=lambda batch: batch.batch_id)
        except LmsNotFound:
            return False
        return len(batches.kept) > 0

    run_flow(flow())                      # on a worker
    await run_flow_async(flow())          # in the triggerer
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.listing.page import Page

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class ListingRequest(Generic[T]):
    """A listing to read.

    :param pages: its pages from a continuation on; None is the beginning.
    :param keep: what to keep of a record.
    :param max_pages: how many pages may be read; None is all.
    """

    pages: Callable[[str | None], Iterator[Page[Any]]]
    keep: Callable[[Any], T]
    max_pages: int | None = None


@dataclass(frozen=True)
class ListingResult(Generic[T]):
    """What was read.

    :param kept: what was kept of each record.
    :param pages: how many pages were read.
    :param complete: whether the listing ended within ``max_pages``.
    :param consistent: False if records came or went while it was read.
    """

    kept: list[T]
    pages: int
    complete: bool
    consistent: bool = True


@dataclass
class ListingsRead:
    """What a flow has read in all.

    :param pages: how many pages.
    :param consistent: False if records came or went while one of its listings was read.
    """

    pages: int = 0
    consistent: bool = True


ReadFlow: TypeAlias = Generator[ListingRequest[Any], ListingResult[Any], V]


def observed(flow: ReadFlow[V]) -> ReadFlow[tuple[V, ListingsRead]]:
    """The same flow, which also returns what it has read in all."""
    read = ListingsRead()
    try:
        request = next(flow)
        while True:
            try:
                result = yield request
            except LmsError as error:
                request = flow.throw(error)
            else:
                read.pages += result.pages
                read.consistent = read.consistent and result.consistent
                request = flow.send(result)
    except StopIteration as end:
        return end.value, read


def run_flow(flow: ReadFlow[V]) -> V:
    """Carry out a flow. The client itself waits for limits and outages.

    :return: what the flow returns.
    :raises LmsError: of a listing, unless the flow handles it.
    """
    try:
        request = next(flow)
        while True:
            try:
                result = _read(request)
            except LmsError as error:
                request = flow.throw(error)
            else:
                request = flow.send(result)
    except StopIteration as end:
        value: V = end.value
        return value


def _read(request: ListingRequest[T]) -> ListingResult[T]:
    kept: list[T] = []
    number, consistent = 0, True
    for number, page in enumerate(request.pages(None), start=1):
        kept += map(request.keep, page.records)
        consistent = consistent and page.consistent
        if number == request.max_pages:
            return ListingResult(kept, number, page.next is None, consistent)
    return ListingResult(kept, number, complete=True, consistent=consistent)
