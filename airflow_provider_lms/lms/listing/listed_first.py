"""Listings that are read to know what to read: parents of children, learners of a crawl, ids to split by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import msgspec

from airflow_provider_lms.lms.listing.page import Page

R = TypeVar("R", bound=msgspec.Struct)


class ListedFirst:
    """Notes whether such listings were read in one piece.

    If records came or went meanwhile, a listing may lack some. Then everything that is read for those that it named may
    lack what belongs to the others, and says so.
    """

    def __init__(self) -> None:
        self.is_used = False
        """Whether anything was listed."""
        self._consistent = True

    def records(self, pages: Iterable[Page[R]]) -> Iterator[R]:
        """The records of a listing that is read first."""
        self.is_used = True
        for page in pages:
            self.note(page.consistent)
            yield from page.records

    def note(self, consistent: bool) -> None:
        """Note whether something was read in one piece."""
        self._consistent = self._consistent and consistent

    def mark(self, pages: Iterable[Page[R]]) -> Iterator[Page[R]]:
        """The pages that are read afterwards."""
        is_empty = True
        for page in pages:
            is_empty = False
            yield page if self._consistent else replace(page, consistent=False)
        if is_empty and not self._consistent:
            yield Page([], 1, None, consistent=False)
