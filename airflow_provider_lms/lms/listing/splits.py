"""Readings that can be split, so that the splits can be read at the same time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from airflow_provider_lms.lms.listing.page import Page

log = logging.getLogger(__name__)

C = TypeVar("C")
R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Splitter(Generic[C, R]):
    """Splits a reading by keys, such as the ids of courses. Every row belongs to exactly one key.

    :param find_keys: finds all keys, in an order of their own. It may read from the LMS. A key goes into checkpoints,
        so it must not identify a person.
    :param read: reads the rows of some of the keys with a client, from a continuation of the same keys on. A key that
        is no longer there has no rows.
    :param is_fixed: whether no key can be added while the listing is read, in this attempt or a later one.
    :param calls_per_key: how many calls each key takes at least, where it is read by calls of its own; None where one
        call may read several keys.
    :param keys_are: what the keys stand for, in the plural.
    :param finish: called with a client when all splits were read, for a check of the whole reading.
    """

    find_keys: Callable[[], Sequence[str]]
    read: Callable[[C, Sequence[str], str | None], Iterator[Page[R]]]
    is_fixed: bool = False
    calls_per_key: int | None = None
    keys_are: str = "parents"
    finish: Callable[[C], None] = lambda _: None


class Reading(Iterator[Page[R]]):
    """The pages of a listing, lazily.

    :param pages: the pages, one after the other.
    :param splitter: splits the same reading; None if it cannot be split.

    Example::

        reading = client.read("course_modules")
        print(sum(len(page.records) for page in reading))
    """

    def __init__(self, pages: Iterable[Page[R]], splitter: Splitter[Any, R] | None = None) -> None:
        self._pages = iter(pages)
        self.splitter = splitter

    def __next__(self) -> Page[R]:
        return next(self._pages)


class Split(NamedTuple):
    """What is left to read of a split.

    :param number: its place among the splits of the reading, counted from 0.
    :param keys: its keys; none stand for the whole listing.
    :param start: the continuation of an earlier attempt; None is the beginning.
    :param pages: how many pages earlier attempts have read.
    """

    number: int
    keys: Sequence[str] = ()
    start: str | None = None
    pages: int = 0


class Step(NamedTuple, Generic[R]):
    """What happens to a split: a page, a new beginning, or its end.

    :param split: the number of the split.
    :param page: the next page; None for the other two.
    :param begins_anew: whether all pages of the split so far are void, those of earlier attempts too.
    """

    split: int
    page: Page[R] | None = None
    begins_anew: bool = False


def steps(
    split: Split, read: Callable[[str | None], Iterable[Page[R]]], rejected: tuple[type[Exception], ...] = ()
) -> Generator[Step[R]]:
    """Read one split to its end.

    :param read: reads the split from a continuation on.
    :param rejected: what ``read`` raises if a continuation is no longer accepted. Then the split begins anew.
    """
    pages: Iterator[Page[R]] | None = None
    page: Page[R] | None = None
    try:
        pages = iter(read(split.start))
        page = next(pages, None)
    except rejected as error:
        if split.start is None:
            raise
        log.warning("The LMS rejected the place where the last attempt stopped (%s). Reading again.", error)
        pages = None
    if pages is None:
        yield Step(split.number, begins_anew=True)
        pages = iter(read(None))
        page = next(pages, None)
    while page is not None:
        yield Step(split.number, page)
        page = next(pages, None)
    yield Step(split.number)


def balanced(keys: Sequence[str], count: int) -> list[Sequence[str]]:
    """Runs of neighboring keys, as many as wanted and at most one for each key. Their lengths differ by one at most."""
    count = min(count, len(keys))
    ends = [len(keys) * number // count for number in range(count + 1)] if count else []
    return [keys[start:end] for start, end in pairwise(ends)]
