"""Carries out read flows on an event loop: one exchange at a time in a thread, and no thread that waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from airflow_provider_lms.lms.course.read_flow import ListingRequest, ListingResult, ReadFlow
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.http.rate_limit import CoordinationError
from airflow_provider_lms.lms.http.retry import LONG_WAIT, Failure, RetryPolicy
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.threads import in_thread

V = TypeVar("V")

# A limit is waited for however long it takes, since waiting costs nothing here. An outage soon counts as "not yet":
# the next poll tries again.
_RETRY = RetryPolicy(max_wait=math.inf, outage_seconds=15.0)


async def run_flow_async(
    flow: ReadFlow[V], account: Account, on_long_wait: Callable[[Failure], None] = lambda _: None
) -> V:
    """Carry out a flow. After a limit, reading resumes at the page where it stopped.

    :param account: whose requests these are.
    :param on_long_wait: called with the error before a long wait.
    :return: what the flow returns.
    :raises LmsError: of a listing, unless the flow handles it.
    """
    ended: list[V] = []

    def advance(result: ListingResult[Any] | LmsError | None) -> ListingRequest[Any] | None:
        try:
            return flow.throw(result) if isinstance(result, LmsError) else flow.send(result)  # type: ignore[arg-type]
        except StopIteration as end:
            ended.append(end.value)
            return None

    request = await in_thread(advance, None)
    while request is not None:
        result: ListingResult[Any] | LmsError
        try:
            result = await _read(request, account, on_long_wait)
        except LmsError as error:
            result = error
        request = await in_thread(advance, result)
    return ended[0]


async def _read(
    request: ListingRequest[Any], account: Account, on_long_wait: Callable[[Failure], None]
) -> ListingResult[Any]:
    kept: list[Any] = []
    number, start, consistent = 0, None, True
    pages = await in_thread(request.pages, start)

    async def next_page() -> Page[Any] | None:
        nonlocal pages
        try:
            return await account.run(_take_page, pages, request, kept)
        except (LmsError, CoordinationError):
            # An iterator that has raised is finished, but its page can be requested again.
            pages = await in_thread(request.pages, start)
            raise

    def on_wait(error: Failure, seconds: float) -> None:
        account.observer.retries(error, seconds, in_triggerer=True)
        if seconds >= LONG_WAIT:
            on_long_wait(error)

    while True:
        page = await _RETRY.run_async(next_page, on_wait)
        if page is None:
            return ListingResult(kept, number, complete=True, consistent=consistent)
        number, start, consistent = number + 1, page.next, consistent and page.consistent
        if number == request.max_pages or start is None:
            return ListingResult(kept, number, complete=start is None, consistent=consistent)


def _take_page(pages: Iterator[Page[Any]], request: ListingRequest[Any], kept: list[Any]) -> Page[Any] | None:
    page = next(pages, None)
    if page is not None:
        kept += map(request.keep, page.records)
    return page
