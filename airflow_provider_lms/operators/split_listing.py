"""Reads a listing for a dataset in splits, several of them at the same time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
from airflow_provider_lms.lms.listing.splits import Step, balanced
from airflow_provider_lms.lms.parallel import SPLITS_PER_THREAD, read_splits
from airflow_provider_lms.storage.source import WholeListing

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.splits import Split, Splitter

REJECTED = (LmsBadRequest, LmsNotFound, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What reading may raise if a position from a checkpoint is not accepted.

A position from a damaged checkpoint may fail in any way, and would fail every retry. Reading anew from the first page
shows whether the position was at fault."""


class SplitReader:
    """Divides keys into splits, and reads splits.

    :param client: the account to read.
    :param parallel_requests: how many requests may be in flight, if the account's connection allows as many.
    :param convert: makes of a page what the dataset is to hold.
    """

    def __init__(self, client: LmsClient, parallel_requests: int, convert: Callable[[Page[Any]], Page[Any]]) -> None:
        self.convert = convert
        self.parallel_requests = min(parallel_requests, client.parallel_requests)
        self._client = client

    def divide(self, keys: Sequence[str]) -> list[Sequence[str]]:
        """Splits with all of the keys."""
        return balanced(keys, SPLITS_PER_THREAD * self.parallel_requests)

    def read(self, splitter: Splitter[Any, Any], splits: Sequence[Split]) -> Generator[Step[Any]]:
        """Read splits to their end, as :func:`~airflow_provider_lms.lms.parallel.read_splits` does."""
        steps = read_splits(self._client, splitter, splits, self.parallel_requests, REJECTED)
        with closing(steps):
            for step in steps:
                yield step if step.page is None else step._replace(page=self.convert(step.page))


class SplitListing(WholeListing):
    """Reads a listing that can be split.

    The splits of an earlier attempt are kept, whatever ``parallel_requests`` is now.

    :param pages: see :class:`WholeListing`.
    :param splitter: how the listing is split.
    :param reader: reads the splits.
    """

    def __init__(
        self,
        pages: Callable[[str | None, int], Iterable[Page[Any]]],
        splitter: Splitter[Any, Any],
        reader: SplitReader,
    ) -> None:
        super().__init__(pages, REJECTED)
        self._splitter = splitter
        self._reader = reader

    def split(self, known: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        is_whole = not all(known) if known else self._reader.parallel_requests == 1
        if is_whole or (known and self._splitter.is_fixed):
            return super().split(known)
        planned = {key for keys in known for key in keys}
        new = [key for key in self._splitter.find_keys() if key not in planned]
        return self._reader.divide(new) or super().split(known)

    def read(self, splits: Sequence[Split]) -> Generator[Step[Any]]:
        if all(split.keys for split in splits):
            yield from self._reader.read(self._splitter, splits)
        else:
            yield from super().read(splits)
