"""Polls that triggers share: one reading of a course per interval, for all triggers on one event loop."""

from __future__ import annotations

import asyncio
import contextvars
import random
import weakref
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import IdKind, LearnerIds
from airflow_provider_lms.lms.course.readers import CourseReader
from airflow_provider_lms.lms.course.reading import CourseReading, reading_flow
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.flow_runner import run_flow_async
from airflow_provider_lms.triggers.threads import in_thread

_Outcome: TypeAlias = "CourseReading | Exception"


class Subscription:
    """One trigger's share in a poll.

    :param poll: the poll.
    :param learners: the learners it waits for; None is everybody.
    :param interval: seconds between two readings.
    """

    def __init__(self, poll: _Poll, learners: LearnerIds | None, interval: float) -> None:
        self._poll = poll
        self.learners = learners
        self.interval = interval
        self._outcomes: asyncio.Queue[_Outcome] = asyncio.Queue()

    async def next(self) -> CourseReading:
        """The next reading that began after this subscription.

        :raises Exception: what the reading raised.
        """
        outcome = await self._outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def confirm(self, first: CourseReading, criteria: Criteria) -> CourseReading:
        """A reading together with the next one, which all subscriptions share and which begins at once.

        :param criteria: what the first reading seems to meet.
        :raises Exception: what the second reading raised.
        """
        self._poll.read_at_once()
        second = await self.next()
        while first.evaluate(criteria).missing and not second.again:
            second = await self.next()
        return first.confirmed_by(second)

    def publish(self, outcome: _Outcome) -> None:
        """Hand over a reading, or the error in place of one."""
        self._outcomes.put_nowait(outcome)


class _Poll:
    """Reads in a task of its own, which belongs to no trigger, as long as there is a subscription."""

    def __init__(self, account: Account, make_reader: Callable[[], CourseReader]) -> None:
        self._account = account
        self._make_reader = make_reader
        self._reader: CourseReader | None = None
        self._at_once = False
        self._subscriptions: set[Subscription] = set()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="lms-poll", context=contextvars.Context())

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.add(subscription)
        self._changed.set()

    def remove(self, subscription: Subscription) -> bool:
        """Return whether nobody is left. Then the poll ends."""
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._task.cancel()
        return not self._subscriptions

    def read_at_once(self) -> None:
        """Begin the next reading as soon as the present one is over. It asks again for learners who were not known."""
        self._at_once = True
        self._changed.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._until_due()
                subscribed = list(self._subscriptions)
                outcome: _Outcome
                try:
                    outcome = await self._read(subscribed, again=self._at_once)
                except Exception as error:  # noqa: BLE001  # each trigger decides what it means for its task
                    outcome = error
                _publish(subscribed, outcome)
        finally:
            if self._reader is not None:
                await asyncio.shield(in_thread(self._reader.close))

    async def _read(self, subscribed: Iterable[Subscription], *, again: bool) -> CourseReading:
        self._at_once = False
        if self._reader is None:
            self._reader = await in_thread(self._make_reader)
        learners = await in_thread(_union, [each.learners for each in subscribed])
        flow = reading_flow(self._reader, learners, again=again)
        # A subscriber may have a deadline before a long wait ends.
        return await run_flow_async(flow, self._account, partial(_publish, subscribed))

    async def _until_due(self) -> None:
        begun = clock.monotonic()
        # Never later than asked for, and not in step with other polls.
        share = random.uniform(0.9, 1.0)  # noqa: S311
        while True:
            self._changed.clear()
            interval = min((each.interval for each in self._subscriptions), default=1.0)
            left = begun + share * interval - clock.monotonic()
            if (left <= 0 or self._at_once) and self._subscriptions:
                return
            await clock.wait_async(self._changed, max(left, 0.01))


_POLLS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Poll]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def subscribe(
    key: Hashable,
    account: Account,
    make_reader: Callable[[], CourseReader],
    learners: LearnerIds | None,
    interval: float,
) -> AsyncIterator[Subscription]:
    """Share in the poll with this key on this event loop. The first subscription starts it, the last one ends it.

    :param key: identifies the account and what is read of it.
    :param account: whose requests these are.
    :param make_reader: builds the reader; it is called in a thread.
    :param learners: the learners to read; None is everybody.
    :param interval: seconds between two readings.
    """
    polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    poll = polls.get(key)
    if poll is None:
        poll = polls[key] = _Poll(account, make_reader)
    subscription = Subscription(poll, learners, interval)
    poll.add(subscription)
    try:
        yield subscription
    finally:
        if poll.remove(subscription):
            del polls[key]


def _publish(subscriptions: Iterable[Subscription], outcome: _Outcome) -> None:
    for subscription in subscriptions:
        subscription.publish(outcome)


def _union(all_learners: Iterable[LearnerIds | None]) -> dict[IdKind, set[str]] | None:
    """The learners that anybody waits for; None is everybody."""
    union: dict[IdKind, set[str]] = {}
    for learners in all_learners:
        if learners is None:
            return None
        for kind, ids in learners.items():
            union.setdefault(kind, set()).update(ids)
    return union
