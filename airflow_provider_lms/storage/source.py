"""Where a dataset gets its pages from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_lms.lms.listing.splits import steps

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.splits import Split, Step
    from airflow_provider_lms.storage.states import State


class Source(Protocol):
    """Splits a listing and reads the splits."""

    def split(self, known: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        """The keys of splits to read beside those that are known.

        :param known: the keys of the splits that an earlier attempt has made; empty at the beginning.
        :return: one or more splits at the beginning; later those that have been added to the listing since. A split
            without keys is the whole listing.
        """

    def read(self, splits: Sequence[Split]) -> Generator[Step[Any]]:
        """Read splits to their end: those of one split in its order, those of different splits as they come.

        Who takes a page takes its records out of it.
        """

    def states(self, splits: Sequence[Sequence[str]], started_at: datetime) -> Sequence[State] | None:
        """What a later run needs to carry rows over; None if it cannot. Asked when everything was read.

        :param splits: the keys of all splits.
        :param started_at: when the first attempt began.
        """


class WholeListing:
    """Reads a listing as one split.

    :param pages: reads pages from a continuation on, after so many pages of earlier attempts.
    :param rejected: what ``pages`` raises if a continuation is no longer accepted. Then everything is read again.
    """

    def __init__(
        self, pages: Callable[[str | None, int], Iterable[Page[Any]]], rejected: tuple[type[Exception], ...] = ()
    ) -> None:
        self._pages = pages
        self._rejected = rejected

    def split(self, known: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        return [] if known else [()]

    def read(self, splits: Sequence[Split]) -> Generator[Step[Any]]:
        for split in splits:

            def pages(start: str | None, split: Split = split) -> Iterable[Page[Any]]:
                return self._pages(start, 0 if start is None else split.pages)

            yield from steps(split, pages, self._rejected)

    def states(self, splits: Sequence[Sequence[str]], started_at: datetime) -> None:  # noqa: ARG002
        return None
