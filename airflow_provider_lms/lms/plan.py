"""Plans: which listings are to be read, one depending on the other, without saying who reads them or how one waits.

A plan is a generator: it yields a :class:`Reading`, is sent what was :class:`Read`, and returns its result. An
:class:`LmsError` of a reading is raised where the plan yielded it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.paging import Page

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """A listing to read.

    :param pages: its pages from a continuation on; None is the beginning.
    :param keep: what to keep of a record.
    :param at_most: how many pages may be read.
    """

    pages: Callable[[str | None], Iterator[Page[Any]]]
    keep: Callable[[Any], T]
    at_most: int | None = None


@dataclass(frozen=True)
class Read(Generic[T]):
    """What was read.

    :param kept: of each record what was to be kept.
    :param pages: how many pages were read.
    :param complete: whether the listing ended within the pages that might be read.
    """

    kept: list[T]
    pages: int
    complete: bool


Plan: TypeAlias = Generator[Reading[Any], Read[Any], V]


def carry_out(plan: Plan[V]) -> V:
    """Read what a plan asks for; the client's own patience waits.

    :return: the plan's result.
    :raises LmsError: of a reading, unless the plan goes on without it.
    """
    try:
        reading = next(plan)
        while True:
            try:
                found = _read(reading)
            except LmsError as error:
                reading = plan.throw(error)
            else:
                reading = plan.send(found)
    except StopIteration as end:
        result: V = end.value
        return result


def _read(reading: Reading[T]) -> Read[T]:
    kept: list[T] = []
    number = 0
    for number, page in enumerate(reading.pages(None), start=1):
        kept += map(reading.keep, page.records)
        if number == reading.at_most:
            return Read(kept, number, page.next is None)
    return Read(kept, number, complete=True)
