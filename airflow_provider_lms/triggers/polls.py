"""Polls that triggers share: one reading of a course in an interval, for all on one event loop that wait for it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
import weakref
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, TypeAlias

from airflow_provider_lms.lms.completion import Key, Snapshot
from airflow_provider_lms.lms.plan import Plan
from airflow_provider_lms.triggers.reading import carry_out
from airflow_provider_lms.triggers.threads import in_thread

log = logging.getLogger(__name__)

Wanted: TypeAlias = Mapping[Key, Iterable[str]]
Outcome: TypeAlias = "Snapshot | Exception"


class Reader(Protocol):
    """Reads a course again and again."""

    def plan(self, wanted: Wanted | None) -> Plan[Snapshot]: ...

    def close(self) -> None: ...


class Subscription:
    """One trigger's part in a poll.

    :param wanted: the learners it waits for; None is everybody.
    :param interval: seconds between two readings.
    """

    def __init__(self, wanted: Wanted | None, interval: float) -> None:
        self.wanted = wanted
        self.interval = interval
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    async def next(self) -> Snapshot:
        """The next reading that was begun after this subscription.

        :raises Exception: what reading it has raised.
        """
        outcome = await self._outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def offer(self, outcome: Outcome) -> None:
        self._outcomes.put_nowait(outcome)


class _Poll:
    """Reads in a task of its own, which belongs to no trigger, for as long as anybody subscribes."""

    def __init__(self, make: Callable[[], Reader]) -> None:
        self._make = make
        self._subscriptions: set[Subscription] = set()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="lms-poll", context=contextvars.Context())

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.add(subscription)
        self._changed.set()

    def remove(self, subscription: Subscription) -> bool:
        """Return whether nobody is left; the poll is over then."""
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._task.cancel()
        return not self._subscriptions

    async def _run(self) -> None:
        reader: Reader | None = None
        try:
            while True:
                await self._until_due()
                here = list(self._subscriptions)
                outcome: Outcome
                try:
                    if reader is None:
                        reader = await in_thread(self._make)
                    wanted = await in_thread(_union, [each.wanted for each in here])
                    outcome = await carry_out(reader.plan(wanted), partial(_tell, here))
                except Exception as error:  # noqa: BLE001  # each trigger says what it means for its task
                    outcome = error
                _tell(here, outcome)
        finally:
            if reader is not None:
                await asyncio.shield(in_thread(reader.close))

    async def _until_due(self) -> None:
        begun = time.monotonic()
        # Never later than asked for, and not in step with other polls.
        share = random.uniform(0.9, 1.0)  # noqa: S311
        while True:
            self._changed.clear()
            interval = min((each.interval for each in self._subscriptions), default=1.0)
            left = begun + share * interval - time.monotonic()
            if left <= 0 and self._subscriptions:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), max(left, 0.01))
            except TimeoutError:
                continue


_POLLS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Poll]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def subscribed(
    key: Hashable, make: Callable[[], Reader], wanted: Wanted | None, interval: float
) -> AsyncIterator[Subscription]:
    """A part in the poll of that key, on this event loop; the first one begins it, the last one ends it.

    :param key: the account and what is read of it.
    :param make: builds the reader, in a thread.
    """
    polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    subscription = Subscription(wanted, interval)
    poll = polls.get(key)
    if poll is None:
        poll = polls[key] = _Poll(make)
    poll.add(subscription)
    try:
        yield subscription
    finally:
        if poll.remove(subscription):
            del polls[key]


def _tell(subscriptions: Iterable[Subscription], outcome: Outcome) -> None:
    for subscription in subscriptions:
        subscription.offer(outcome)


def _union(each: Iterable[Wanted | None]) -> dict[Key, set[str]] | None:
    """All who are wanted by anybody; None is everybody."""
    union: dict[Key, set[str]] = {}
    for wanted in each:
        if wanted is None:
            return None
        for key, ids in wanted.items():
            union.setdefault(key, set()).update(ids)
    return union
