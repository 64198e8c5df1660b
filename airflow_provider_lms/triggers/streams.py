"""The feed as a shared stream of Airflow 3.3, which tells when events are safe in its database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

if TYPE_CHECKING:
    from airflow_provider_lms.triggers.feed import Bulletin


class Feed(SharedStreamProducer):
    """One reading in an interval for all watchers of a course.

    :param source: the bulletins.
    """

    def __init__(self, source: AsyncIterator[Bulletin]) -> None:
        self._source = source

    async def open_stream(self) -> AsyncIterator[tuple[Bulletin, Bulletin]]:
        async for bulletin in self._source:
            yield bulletin, bulletin

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        for item in batch:
            # Where a watcher has failed, nobody remembers: the next bulletin tells the others' rest too.
            if not item.outcome.failed and not item.outcome.rejected:
                await item.broker_payload.confirm()
