"""Carrying out a plan on an event loop: one exchange at a time in a thread, and no thread that waits."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited
from airflow_provider_lms.lms.paging import Page
from airflow_provider_lms.lms.plan import Plan, Read, Reading
from airflow_provider_lms.triggers.threads import in_thread

log = logging.getLogger(__name__)

V = TypeVar("V")

_TRIES = 4
_LONG_WAIT = 10.0


async def carry_out(plan: Plan[V], tell: Callable[[LmsError], None] = lambda _: None) -> V:
    """Read what a plan asks for. A rate limit or lock is slept out, and reading goes on at the page it came to.

    :param tell: called with what is slept out, if that takes long.
    :return: the plan's result.
    :raises LmsError: of a reading, unless the plan goes on without it.
    """
    ended: list[V] = []

    def step(found: Read[Any] | LmsError | None) -> Reading[Any] | None:
        try:
            return plan.throw(found) if isinstance(found, LmsError) else plan.send(found)  # type: ignore[arg-type]
        except StopIteration as end:
            ended.append(end.value)
            return None

    reading = await in_thread(step, None)
    while reading is not None:
        try:
            found: Read[Any] | LmsError = await _read(reading, tell)
        except LmsError as error:
            found = error
        reading = await in_thread(step, found)
    return ended[0]


async def _read(reading: Reading[Any], tell: Callable[[LmsError], None]) -> Read[Any]:
    kept: list[Any] = []
    number, start, failures = 0, None, 0
    pages = await in_thread(reading.pages, start)
    while True:
        try:
            page = await in_thread(_next, pages, reading, kept)
        except LmsError as error:
            failures += not isinstance(error, LmsRateLimited)
            if not error.transient or failures == _TRIES:
                raise
            await _sleep(error, failures, tell)
            # What has failed cannot be gone on with; the page it came to can be asked for again.
            pages = await in_thread(reading.pages, start)
            continue
        if page is None:
            return Read(kept, number, complete=True)
        number, start, failures = number + 1, page.next, 0
        if number == reading.at_most or start is None:
            return Read(kept, number, complete=start is None)


def _next(pages: Iterator[Page[Any]], reading: Reading[Any], kept: list[Any]) -> Page[Any] | None:
    page = next(pages, None)
    if page is not None:
        kept += map(reading.keep, page.records)
    return page


async def _sleep(error: LmsError, failures: int, tell: Callable[[LmsError], None]) -> None:
    asked = getattr(error, "retry_after", None)
    seconds = float(2**failures if asked is None else asked)
    if seconds >= _LONG_WAIT:
        log.info("%s Going on in %.0f s.", error, seconds)
        tell(error)
    await asyncio.sleep(seconds + random.uniform(0.0, min(5.0, seconds / 10)))  # noqa: S311
