"""Reading several listings as one: the parts of a split query, the children of a parent, the steps of a crawl."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Generic, NamedTuple, TypeVar

import msgspec

from airflow_provider_lms.lms.listing.page import Page

R = TypeVar("R", bound=msgspec.Struct)

_SEPARATOR = ":"


class Unit(NamedTuple, Generic[R]):
    """One listing among several.

    :param key: identifies the unit in a continuation, so it must mean the same in a later attempt. No colon in it.
    :param pages: reads the unit's pages from a continuation of its own; None is the beginning.
    """

    key: str
    pages: Callable[[str | None], Iterator[Page[R]]]


def read_units(units: Sequence[Unit[R]], start: str | None = None, *, in_order: bool = False) -> Iterator[Page[R]]:
    """Read one unit after the other.

    A continuation is ``key:position``, so reading resumes at the unit of that name, wherever it stands by then. After
    the last page of a unit, reading can always resume at the next unit.

    :param start: the ``next`` of an earlier page of the same units.
    :param in_order: the units are sorted by key. Then reading resumes behind a unit that is no longer there.
    :raises ValueError: ``start`` names a unit that is no longer there; raised before anything is read.
    """
    return _read_from(units, *_find(units, start, in_order))


def _read_from(units: Sequence[Unit[R]], first: int, position: str | None) -> Iterator[Page[R]]:
    number, ended = 0, first == 0
    for index, (unit, following) in enumerate(zip_longest(units[first:], units[first + 1 :]), start=first + 1):
        after = None if following is None else f"{following.key}{_SEPARATOR}"
        for page in unit.pages(position):
            number += 1
            ended = page.next is after is None
            here = after if page.next is None else f"{unit.key}{_SEPARATOR}{page.next}"
            yield replace(page, number=number, next=here, unit=index, units=len(units))
        position = None
    if not ended:
        # The last units had no page, and yet the page before them said that more follows.
        yield Page([], number, None, unit=len(units), units=len(units))


def _find(units: Sequence[Unit[R]], start: str | None, in_order: bool) -> tuple[int, str | None]:
    if start is None:
        return 0, None
    key, separator, position = start.partition(_SEPARATOR)
    if not separator:
        raise ValueError("start: expected the 'next' of an earlier page of the same query.")
    for index, unit in enumerate(units):
        if unit.key == key:
            return index, position or None
    if in_order:
        return sum(unit.key < key for unit in units), None
    raise ValueError("start: it names a part of the listing that is no longer there. Read it from the beginning.")
