"""Polls that triggers share: one reading of a course per interval, for all triggers on one event loop."""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import weakref
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import IdKind, LearnerIds
from airflow_provider_lms.lms.course.readers import CourseReader
from airflow_provider_lms.lms.course.reading import CourseReading, reading_flow
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.http.retry import Failure
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.flow_runner import run_flow_async
from airflow_provider_lms.triggers.threads import in_thread

Outcome: TypeAlias = "CourseReading | Exception"

# After so many triggers, others on the event loop have a turn. Logging takes about 0.1 ms for each of them.
_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Waiter:
    """What a trigger waits for.

    :param criteria: who must have completed the course.
    :param interval: seconds between two readings.
    :param deadline: in seconds since 1970. From then on the trigger must act upon every outcome.
    :param note: called with each outcome that lets the trigger wait on: on the event loop, in the context of the
        trigger's task, so that Airflow finds the task's log. It must not block.
    """

    criteria: Criteria
    interval: float
    deadline: float
    note: Callable[[Outcome], None]


class Subscription:
    """One trigger's share in a poll.

    A trigger is woken only if it must act. Waking each of 10,000 triggers after every reading would leave so many new
    objects behind that Python's garbage collector visits all objects of the triggerer again and again. That blocks the
    event loop for more than 0.5 s each time.

    :param poll: the poll.
    :param waiter: what the trigger waits for.
    """

    def __init__(self, poll: _Poll, waiter: Waiter) -> None:
        self._poll = poll
        self.waiter = waiter
        self._context = contextvars.copy_context()
        self._is_confirming = False
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    async def next(self) -> CourseReading:
        """The next reading that the trigger must act upon. It began after this subscription.

        :raises Exception: what the reading raised.
        """
        outcome = await self._outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def confirm(self, first: CourseReading) -> CourseReading:
        """A reading together with the next one, which all subscriptions share and which begins at once.

        :param first: a reading that seems to decide.
        :raises Exception: what the second reading raised.
        """
        criteria = self.waiter.criteria
        self._is_confirming = True
        try:
            self._poll.read_at_once()
            second = await self.next()
            while first.evaluate(criteria).missing and not second.again:
                second = await self.next()
        finally:
            self._is_confirming = False
        both = await in_thread(first.confirmed_by, second)
        await in_thread(both.evaluate, criteria)
        return both

    def publish(self, outcome: Outcome) -> None:
        """Hand over a reading that was evaluated, or the error in place of one. Wake the trigger if it must act."""
        try:
            if self._is_confirming or self._is_decisive(outcome):
                self._outcomes.put_nowait(outcome)
            else:
                self._context.run(self.waiter.note, outcome)
        except Exception as error:  # noqa: BLE001  # it ends this trigger, and must not end the poll of the others
            self._outcomes.put_nowait(error)

    def _is_decisive(self, outcome: Outcome) -> bool:
        if clock.timestamp() >= self.waiter.deadline:
            return True
        if isinstance(outcome, LmsError | CoordinationError):
            return not outcome.transient
        return isinstance(outcome, Exception) or outcome.evaluate(self.waiter.criteria).outcome != "open"


class _Poll:
    """Reads in a task of its own, which belongs to no trigger, as long as there is a subscription."""

    def __init__(self, account: Account, make_reader: Callable[[], CourseReader]) -> None:
        self._account = account
        self._make_reader = make_reader
        self._reader: CourseReader | None = None
        self._at_once = False
        self._reads_again = False
        self._subscriptions: set[Subscription] = set()
        self._interval = math.inf
        self._changed = asyncio.Event()
        self._announcement: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run(), name="lms-poll", context=contextvars.Context())

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.add(subscription)
        # Not for every subscription: the poll looks at all of them, and thousands may come one by one.
        if subscription.waiter.interval < self._interval:
            self._changed.set()

    def remove(self, subscription: Subscription) -> bool:
        """Return whether nobody is left. Then the poll ends."""
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._task.cancel()
        return not self._subscriptions

    def read_at_once(self) -> None:
        """Begin the next reading as soon as the present one is over. It asks again for learners who were not known.

        If the present one does that already, it will do: who asks for it has seen the reading before.
        """
        if not self._reads_again:
            self._at_once = True
            self._changed.set()

    async def _run(self) -> None:
        try:
            with self._account.poll_reports.reported(lambda: len(self._subscriptions)) as poll:
                while True:
                    await self._until_due()
                    if await self._read_and_publish(list(self._subscriptions)):
                        poll.succeeded()
        finally:
            if self._announcement is not None:
                self._announcement.cancel()
            if self._reader is not None:
                await asyncio.shield(in_thread(self._reader.close))

    async def _read_and_publish(self, subscribed: Sequence[Subscription]) -> bool:
        """Return whether the course could be read."""
        outcome: Outcome
        self._reads_again, self._at_once = self._at_once, False
        try:
            outcome = await self._read(subscribed, again=self._reads_again)
        except Exception as error:  # noqa: BLE001  # each trigger decides what it means for its task
            outcome = error
        finally:
            self._reads_again = False
        if self._announcement is not None:
            await self._announcement
        await self._publish(subscribed, outcome)
        return isinstance(outcome, CourseReading)

    async def _read(self, subscribed: Sequence[Subscription], *, again: bool) -> CourseReading:
        if self._reader is None:
            self._reader = await in_thread(self._make_reader)
        learners = await in_thread(_union, [each.waiter.criteria.learner_ids for each in subscribed])
        flow = reading_flow(self._reader, learners, again=again)

        def announce(error: Failure) -> None:
            # A subscriber may have a deadline before a long wait ends.
            self._announcement = asyncio.create_task(self._publish(subscribed, error))

        return await run_flow_async(flow, self._account, announce)

    async def _publish(self, subscribed: Sequence[Subscription], outcome: Outcome) -> None:
        for first in range(0, len(subscribed), _AT_ONCE):
            some = subscribed[first : first + _AT_ONCE]
            if isinstance(outcome, CourseReading):
                await in_thread(_evaluate, outcome, [each.waiter.criteria for each in some])
            else:
                await asyncio.sleep(0)
            for each in some:
                if each in self._subscriptions:
                    each.publish(outcome)

    async def _until_due(self) -> None:
        begun = clock.monotonic()
        # Never later than asked for, and not in step with other polls.
        share = random.uniform(0.9, 1.0)  # noqa: S311
        while True:
            self._changed.clear()
            self._interval = min((each.waiter.interval for each in self._subscriptions), default=1.0)
            left = begun + share * self._interval - clock.monotonic()
            if (left <= 0 or self._at_once) and self._subscriptions:
                return
            await clock.wait_async(self._changed, max(left, 0.01))


_POLLS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Poll]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def subscribe(
    key: Hashable,
    account: Account,
    make_reader: Callable[[], CourseReader],
    waiter: Waiter,
) -> AsyncIterator[Subscription]:
    """Share in the poll with this key on this event loop. The first subscription starts it, the last one ends it.

    :param key: identifies the account and what is read of it.
    :param account: whose requests these are.
    :param make_reader: builds the reader; it is called in a thread.
    :param waiter: what the trigger waits for.
    """
    polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    poll = polls.get(key)
    if poll is None:
        poll = polls[key] = _Poll(account, make_reader)
    subscription = Subscription(poll, waiter)
    poll.add(subscription)
    try:
        yield subscription
    finally:
        if poll.remove(subscription):
            del polls[key]


def _evaluate(reading: CourseReading, all_criteria: Iterable[Criteria]) -> None:
    """Evaluate a reading, which keeps the evaluations."""
    for criteria in all_criteria:
        with suppress(Exception):  # raised again where the trigger's evaluation is needed
            reading.evaluate(criteria)


def _union(all_learners: Iterable[LearnerIds | None]) -> dict[IdKind, set[str]] | None:
    """The learners that anybody waits for; None is everybody."""
    union: dict[IdKind, set[str]] = {}
    for learners in all_learners:
        if learners is None:
            return None
        for kind, ids in learners.items():
            union.setdefault(kind, set()).update(ids)
    return union
