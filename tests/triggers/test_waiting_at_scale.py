"""However many triggers wait, a reading that decides nothing wakes none of them, and never holds the event loop long.

Nothing here measures time: what is counted is how much work is done, and how often others have a turn meanwhile.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_lms import clock
from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerIds, LearnerProgress, StatusMeanings
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ReadFlow
from airflow_provider_lms.lms.course.reading import CourseReading
from airflow_provider_lms.lms.errors import LmsNotFound, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.testing import fake_clock
from airflow_provider_lms.triggers.accounts import Account
from airflow_provider_lms.triggers.shared_polls import Outcome, Subscription, Waiter, subscribe
from tests.triggers.test_shared_polls import until

MANY = 400
AT_MOST = 50
"""So many triggers may be told of an outcome before others have a turn."""
STATUSES = StatusMeanings(completed=("passed",))


class Reader:
    """Learners who have not completed the course, unless told otherwise.

    :param error: raised by every reading.
    :param locked: a reading finds the account locked once.
    :param held: readings that do not end before their event is set.
    """

    def __init__(
        self,
        error: Exception | None = None,
        locked: bool = False,
        held: Mapping[int, threading.Event] = MappingProxyType({}),
    ) -> None:
        self.error = error
        self.locked = locked
        self.held = held
        self.readings = 0

    def read_flow(self, _: LearnerIds | None, *, again: bool = False) -> ReadFlow[CourseSnapshot]:
        self.readings += 1
        if self.error is not None:
            raise self.error
        yield ListingRequest(self._pages, lambda row: row)
        return CourseSnapshot([LearnerProgress(f"u{n}", status="open") for n in range(MANY)])

    def _pages(self, _: str | None) -> Iterator[Page[Any]]:
        if self.locked:
            self.locked = False
            raise LmsRateLimited("Locked.", retry_after=100.0)
        if self.readings in self.held:
            self.held[self.readings].wait(60)
        yield from ()

    def close(self) -> None:
        pass


class Crowd:
    """Subscriptions to one poll, and what they were told, in order. ``None`` is a turn of somebody else."""

    def __init__(self) -> None:
        self.told: list[int | None] = []
        self.outcomes: list[Outcome] = []
        self.subscriptions: list[Subscription] = []

    @property
    def longest(self) -> int:
        """The most triggers that were told of an outcome between two turns of somebody else."""
        longest = run = 0
        for each in self.told:
            run = 0 if each is None else run + 1
            longest = max(longest, run)
        return longest

    def times(self, number: int = 0) -> int:
        return self.told.count(number)


@asynccontextmanager
async def crowd(
    reader: Reader, number: int = MANY, interval: float = 0.05, note: Callable[[int], None] = lambda _: None
) -> AsyncIterator[Crowd]:
    found = Crowd()

    def noting(number: int) -> Callable[[Outcome], None]:
        def noted(outcome: Outcome) -> None:
            found.told.append(number)
            found.outcomes.append(outcome)
            note(number)

        return noted

    async def take_turns() -> None:
        while True:
            await asyncio.sleep(0)
            found.told.append(None)

    async with AsyncExitStack() as stack:
        account = Account()
        for each in range(number):
            criteria = Criteria(statuses=STATUSES, named=(f"u{each}",))
            waiter = Waiter(criteria, interval, math.inf, noting(each))
            found.subscriptions.append(
                await stack.enter_async_context(subscribe("course", account, lambda: reader, waiter))
            )
        turns = asyncio.create_task(take_turns())
        try:
            yield found
        finally:
            turns.cancel()


def test_a_reading_that_decides_nothing_wakes_no_trigger() -> None:
    async def main() -> None:
        async with crowd(Reader()) as found:
            tasks = [asyncio.create_task(each.next()) for each in found.subscriptions]
            await until(lambda: found.times() >= 3 and found.times(MANY - 1) >= 3)
            futures = {id(task.get_coro().cr_await) for task in tasks}  # type: ignore[union-attr]
            assert not any(task.done() for task in tasks)
            assert len(futures) == MANY
            for task in tasks:
                task.cancel()

    asyncio.run(main())


def test_a_reading_that_decides_nothing_leaves_nothing_behind() -> None:
    """What is left behind makes the garbage collector visit all objects of the triggerer."""

    async def main() -> list[int]:
        reader = Reader(held={3: threading.Event(), 7: threading.Event()})
        counts = []
        async with crowd(reader) as found:
            tasks = [asyncio.create_task(each.next()) for each in found.subscriptions]
            for number, event in reader.held.items():
                await until(lambda number=number: reader.readings == number)  # type: ignore[misc]
                found.outcomes.clear()
                counts.append(_container_objects())
                event.set()
            for task in tasks:
                task.cancel()
        return counts

    before, after = asyncio.run(main())
    # Four readings later. One object for each trigger and reading would be 1,600.
    assert after - before < MANY


def test_a_reading_that_confirms_serves_those_who_ask_late_too() -> None:
    """Of many triggers, the last ones hear of a reading when the next one, which confirms it, has begun already."""

    async def main() -> None:
        reader = Reader(held={2: threading.Event()})
        async with crowd(reader, number=2, interval=3_600) as found:
            poll = found.subscriptions[0]._poll
            poll.read_at_once()
            await until(lambda: found.times(0) == found.times(1) == 1)
            poll.read_at_once()
            await until(lambda: reader.readings == 2)
            poll.read_at_once()
            reader.held[2].set()
            await until(lambda: found.times(0) == found.times(1) == 2)
            await asyncio.sleep(0.3)
            assert reader.readings == 2
            poll.read_at_once()
            await until(lambda: reader.readings == 3)

    asyncio.run(main())


def _container_objects() -> int:
    gc.disable()  # whatever only a collection would remove counts
    try:
        return len(gc.get_objects())
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "reader",
    [Reader(), Reader(LmsUnavailable("Down.")), Reader(LmsNotFound("Gone."))],
    ids=["a reading", "an error that passes", "an error that is final"],
)
def test_others_have_a_turn_while_many_triggers_are_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Crowd] = []
    publish = Subscription.publish

    def published_to(self: Subscription, outcome: Outcome) -> None:
        published[0].told.append(published[0].subscriptions.index(self))
        publish(self, outcome)

    async def main() -> None:
        async with crowd(reader) as found:
            published.append(found)
            monkeypatch.setattr(Subscription, "publish", published_to)
            await until(lambda: all(found.times(number) for number in (0, MANY - 1)))
            assert 1 <= found.longest <= 2 * AT_MOST  # a note and its publishing are two entries

    asyncio.run(main())


def test_others_have_a_turn_while_many_triggers_are_told_of_a_lock() -> None:
    async def main() -> None:
        with fake_clock():
            async with crowd(Reader(locked=True), interval=60.0) as found:
                await until(lambda: len([each for each in found.outcomes if isinstance(each, LmsRateLimited)]) == MANY)
                assert found.longest <= AT_MOST

    asyncio.run(main())


def test_thousands_who_come_one_by_one_do_not_wake_the_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    wait = clock.wait_async

    async def counted(event: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)
        await wait(event, seconds)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(MANY):
                await stack.enter_async_context(subscribe("course", Account(), Reader, waiter(100.0)))
                await asyncio.sleep(0)
            assert len(waits) == 1
            # A shorter interval counts at once.
            await stack.enter_async_context(subscribe("course", Account(), Reader, waiter(10.0)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await until(lambda: len(waits) == 2)
            assert waits[1] <= 10.0

    def waiter(interval: float) -> Waiter:
        return Waiter(Criteria(statuses=STATUSES), interval, math.inf, lambda _: None)

    monkeypatch.setattr(clock, "wait_async", counted)
    asyncio.run(main())


def test_a_trigger_is_told_in_the_context_of_its_task() -> None:
    """Airflow finds the log of a task by it."""
    task_of = contextvars.ContextVar[str]("task_of", default="nobody's")
    seen: list[str] = []

    async def wait(name: str) -> None:
        task_of.set(name)
        criteria = Criteria(statuses=STATUSES, named=("u0",))
        note: Callable[[Outcome], None] = lambda _: seen.append(task_of.get())  # noqa: E731
        async with subscribe("course", Account(), Reader, Waiter(criteria, 0.05, math.inf, note)) as subscription:
            await subscription.next()

    async def main() -> None:
        tasks = [asyncio.create_task(wait(name)) for name in ("first", "second")]
        await until(lambda: len(seen) >= 4)
        for task in tasks:
            task.cancel()

    asyncio.run(main())
    assert {*seen} == {"first", "second"}


def test_a_trigger_that_cannot_be_told_fails_alone() -> None:
    def fail(number: int) -> None:
        if number == 1:
            raise RuntimeError("Ada")

    async def main() -> None:
        async with crowd(Reader(), number=3, note=fail) as found:
            with pytest.raises(RuntimeError, match="Ada"):
                await asyncio.wait_for(found.subscriptions[1].next(), 20)
            before = found.times(2)
            await until(lambda: found.times(2) >= before + 2)

    asyncio.run(main())


def test_a_trigger_past_its_deadline_is_woken_by_any_outcome() -> None:
    async def main() -> CourseReading:
        waiter = Waiter(Criteria(statuses=STATUSES), 0.05, 0.0, lambda _: None)
        async with subscribe("course", Account(), Reader, waiter) as subscription:
            return await asyncio.wait_for(subscription.next(), 20)

    assert asyncio.run(main()).evaluate(Criteria(statuses=STATUSES)).outcome == "open"


def test_all_whose_criteria_are_met_at_once_share_the_confirmed_reading() -> None:
    def reading() -> CourseReading:
        return CourseReading(CourseSnapshot([LearnerProgress("a")]), one_page=False, consistent=True)

    first, second, third = reading(), reading(), reading()
    both = first.confirmed_by(second)
    assert first.confirmed_by(second) is both
    assert first.confirmed_by(third) is not both
