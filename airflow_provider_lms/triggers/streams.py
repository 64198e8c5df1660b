"""The feed as a shared stream of Airflow 3.3, which says when events are in Airflow's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

if TYPE_CHECKING:
    from airflow_provider_lms.triggers.completion_feed import Bulletin


class FeedStream(SharedStreamProducer):
    """One reading per interval for all watchers of a course.

    :param bulletins: the feed's bulletins.
    """

    def __init__(self, bulletins: AsyncIterator[Bulletin]) -> None:
        self._bulletins = bulletins

    async def open_stream(self) -> AsyncIterator[tuple[Bulletin, Bulletin]]:
        async for bulletin in self._bulletins:
            yield bulletin, bulletin

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        for item in batch:
            # If one watcher has failed, no watcher stores its progress: the next bulletin has everything again.
            item.broker_payload.persisted.set_result(not item.outcome.failed and not item.outcome.rejected)
