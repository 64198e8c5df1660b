"""The feed of a course's completions, for all event triggers of one triggerer that watch it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.news import Completion
from airflow_provider_lms.triggers.accounts import account, completions_reader
from airflow_provider_lms.triggers.reading import carry_out
from airflow_provider_lms.triggers.threads import in_thread

log = logging.getLogger(__name__)

_FIRST_SECONDS = 2.0


@dataclass
class Bulletin:
    """What one reading of a course has found.

    :param since: completions from then on; an LMS without dates tells all.
    :param read_at: when reading began.
    :param dated: whether completions have dates.
    :param confirmed: to be called when all events made of this bulletin are safe in Airflow's database.
    """

    since: datetime
    read_at: datetime
    completions: Sequence[Completion]
    dated: bool
    confirmed: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def confirm(self) -> None:
        """Let whoever has made events of it remember that they are told."""
        for remember in self.confirmed:
            try:
                await remember()
            except Exception as error:  # noqa: BLE001  # the next bulletin remembers this one's too
                log.warning("What has been told could not be kept (%s).", type(error).__name__)


async def bulletins(
    conn_type: str,
    conn_id: str,
    course: dict[str, Any],
    interval: float,
    floor: Callable[[], datetime | None],
) -> AsyncIterator[Bulletin]:
    """One bulletin in each interval. What goes wrong is logged, and tried again an interval later.

    :param course: the parameters of the LMS's ``CompletionsReader``.
    :param floor: from when on completions are asked for; None while nobody listens.
    """
    reader: Any = None
    pause = min(_FIRST_SECONDS, interval)
    try:
        while True:
            await asyncio.sleep(pause * random.uniform(0.9, 1.0))  # noqa: S311
            since = floor()
            if since is None:
                continue
            pause, now = interval, datetime.now(UTC)
            try:
                if reader is None:
                    reader = await in_thread(completions_reader, conn_type, await account(conn_id), course)
                completions = await carry_out(reader.plan(since))
            except Exception as error:  # noqa: BLE001  # Airflow would begin this trigger anew at once, and again
                log.log(
                    logging.WARNING if getattr(error, "transient", False) else logging.ERROR,
                    "Course %s: %s Trying again in %.0f s.",
                    course["course_id"],
                    error if isinstance(error, LmsError | CoordinationError | ValueError) else type(error).__name__,
                    interval,
                )
                await _close(reader)
                reader = None  # the connection may have been mended by then
                continue
            yield Bulletin(since, now, completions, reader.dated)
    finally:
        await _close(reader)


async def _close(reader: Any) -> None:
    if reader is not None:
        await asyncio.shield(in_thread(reader.close))
