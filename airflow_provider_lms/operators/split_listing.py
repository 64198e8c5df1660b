"""Reads a listing for a dataset in splits, several of them at the same time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms.listing.splits import Step, balanced
from airflow_provider_lms.lms.parallel import SPLITS_PER_THREAD, read_splits
from airflow_provider_lms.storage.source import WholeListing

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.splits import Split, Splitter


class SplitListing(WholeListing):
    """Reads a listing that can be split. Parameters that are not named here are those of :class:`WholeListing`.

    The splits of an earlier attempt are kept, whatever ``parallel_requests`` is now.

    :param client: the account to read.
    :param splitter: how the listing is split.
    :param parallel_requests: how many requests may be in flight.
    :param convert: makes of a page of a split what the dataset is to hold.
    """

    def __init__(
        self,
        pages: Callable[[str | None, int], Iterable[Page[Any]]],
        rejected: tuple[type[Exception], ...],
        *,
        client: LmsClient,
        splitter: Splitter[Any, Any],
        parallel_requests: int,
        convert: Callable[[Page[Any]], Page[Any]],
    ) -> None:
        super().__init__(pages, rejected)
        self._client = client
        self._splitter = splitter
        self._parallel_requests = parallel_requests
        self._convert = convert

    def split(self, known: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        is_whole = not all(known) if known else self._parallel_requests == 1
        if is_whole or (known and self._splitter.is_fixed):
            return super().split(known)
        planned = {key for keys in known for key in keys}
        new = [key for key in self._splitter.find_keys() if key not in planned]
        return balanced(new, SPLITS_PER_THREAD * self._parallel_requests) or super().split(known)

    def read(self, splits: Sequence[Split]) -> Generator[Step[Any]]:
        if not all(split.keys for split in splits):
            yield from super().read(splits)
            return
        steps = read_splits(self._client, self._splitter, splits, self._parallel_requests, self._rejected)
        with closing(steps):
            for step in steps:
                yield step if step.page is None else step._replace(page=self._convert(step.page))
