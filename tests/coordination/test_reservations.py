"""Tasks that give their worker slot back reserve requests, and come back for them."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.coordination.queue import renew
from airflow_provider_lms.coordination.rate_limit_state import RateLimitState
from airflow_provider_lms.lms.http.rate_limit import RateLimits, Reservation
from airflow_provider_lms.testing import FakeClock, fake_clock

SPAN = 60.3
NEW = Reservation("")


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


class Account:
    """An account that allows 10 requests a minute. Each client is a process of its own."""

    def __init__(self, requests: int | None = 10, per_day: int | None = None) -> None:
        self.store = MemoryStore()
        self.limits = RateLimits(requests, requests_per_day=per_day)
        self._names = itertools.count(1)

    def waiting(self) -> SharedRateLimiter:
        """A client that waits for its turn."""
        return SharedRateLimiter(self.store, "people.zoho.eu", "client", self.limits)

    def coming_back(self, reservation: Reservation = NEW) -> SharedRateLimiter:
        """A client of a task that comes back for its turn."""
        if not reservation.id:
            reservation = Reservation(f"task {next(self._names)}")
        return SharedRateLimiter(self.store, "people.zoho.eu", "client", self.limits, reservation=reservation)

    def fill(self) -> None:
        """Use up what is allowed at the moment."""
        client = self.waiting()
        assert sends(client) == self.limits.requests
        client.close()

    def places(self) -> list[int]:
        """The requests that are queued up for, in order."""
        (key,) = self.store._states
        return [place.calls for place in self.store.read(key, RateLimitState)[0].queue]


def send(limiter: SharedRateLimiter) -> float:
    """Acquire and get a response at once; else the seconds to wait."""
    if (wait := limiter.acquire()) is not None:
        return wait.seconds
    limiter.release()
    return 0.0


def sends(limiter: SharedRateLimiter) -> int:
    """How many requests may be sent at once."""
    return next(count for count in itertools.count() if send(limiter) > 0)


def test_tasks_get_a_window_each_in_the_order_they_have_reserved(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    found = [account.coming_back().reserve() for _ in range(3)]
    assert [seconds for seconds, _ in found] == pytest.approx([SPAN, 2 * SPAN, 3 * SPAN])
    for _, reservation in found:
        clock.advance(SPAN + 0.01)
        task = account.coming_back(reservation)
        assert sends(task) == 10
        task.close()
    assert account.places() == []


def test_one_who_asks_before_its_turn_waits_for_it(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    (_, first), (_, second) = (account.coming_back().reserve() for _ in range(2))
    clock.advance(SPAN + 0.01)
    assert send(account.coming_back(second)) == pytest.approx(SPAN)
    assert sends(account.coming_back(first)) == 10


def test_a_reservation_that_nobody_comes_for_lapses_after_10_seconds(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    account.coming_back().reserve()  # its task is killed
    _, second = account.coming_back().reserve()
    clock.advance(SPAN + 9)
    task = account.coming_back(second)
    assert send(task) == pytest.approx(SPAN)
    clock.advance(1.1)
    assert sends(task) == 10


def test_who_comes_late_goes_before_those_who_have_reserved_later(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    (_, late), (_, second), (_, third) = (account.coming_back().reserve() for _ in range(3))
    clock.advance(SPAN + 11)
    assert sends(account.coming_back(second)) == 10
    task = account.coming_back(late)
    wait = send(task)
    assert 0 < wait < SPAN + 0.01
    clock.advance(wait + 0.01)
    assert sends(account.coming_back(third)) == 0
    assert sends(task) == 10


def test_a_reservation_that_is_used_up_does_not_come_again(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    task = account.coming_back(reservation)
    assert sends(task) == 10
    other = account.waiting()
    assert send(other) > 0
    assert account.places() == [1, 1]
    clock.advance(SPAN + 0.01)
    assert [send(other), sends(task)] == [0.0, 9]


def test_what_a_finished_task_has_not_used_is_given_back(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    task = account.coming_back(reservation)
    assert [send(task) for _ in range(3)] == [0.0] * 3
    assert account.places() == [7]
    task.close()
    assert sends(account.waiting()) == 7


def test_a_task_that_finds_nothing_left_to_do_gives_all_of_it_back(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    account.coming_back(reservation).close()
    assert sends(account.waiting()) == 10


def test_a_task_that_must_leave_again_keeps_its_place(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, mine = account.coming_back().reserve()
    _, other = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    task = account.coming_back(mine)
    assert [send(task) for _ in range(4)] == [0.0] * 4
    task.block(100)
    assert send(task) == pytest.approx(100)
    seconds, again = task.reserve()
    task.cancel()
    task.close()
    assert seconds == pytest.approx(100)
    assert again == mine
    clock.advance(100.01)
    assert sends(account.coming_back(other)) == 4
    assert sends(account.coming_back(again)) == 6


def test_who_waits_goes_first_but_not_for_ever(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    first = [account.waiting() for _ in range(10)]
    assert [send(each) for each in first] == pytest.approx([SPAN] * 10)
    assert account.places() == [1] * 10 + [10]
    last = [account.waiting() for _ in range(3)]
    assert [send(each) for each in last] == pytest.approx([3 * SPAN] * 3)
    assert account.places() == [1] * 10 + [10] + [1] * 3
    clock.advance(SPAN + 0.01)
    assert [send(each) for each in first] == [0.0] * 10
    task = account.coming_back(reservation)
    assert send(task) == pytest.approx(SPAN)
    clock.advance(SPAN + 0.01)
    assert [send(task) for _ in range(4)] == [0.0] * 4
    for each in last:
        each.close()
    newest = [account.waiting() for _ in range(5)]
    assert [send(each) for each in newest] == [0.0] * 4 + [pytest.approx(SPAN)], "four for the four that it has sent"


def test_each_turn_is_twice_as_long_as_the_one_before_up_to_five_minutes(clock: FakeClock) -> None:
    account, reservation = Account(), NEW
    turns = []
    account.fill()
    for _ in range(5):
        task = account.coming_back(reservation)
        seconds, reservation = task.reserve()
        task.close()
        turns += account.places()
        clock.advance(seconds + 0.01)
        task = account.coming_back(reservation)
        while account.places():
            clock.advance(send(task) + 0.01)
    assert turns == [10, 20, 40, 50, 50]


def test_in_its_turn_a_task_is_next_even_if_waiting_clients_go_first(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    assert send(account.waiting()) > 0
    wait = account.coming_back(reservation).acquire()
    assert wait is not None
    assert wait.is_next
    wait = account.coming_back().acquire()
    assert wait is not None
    assert not wait.is_next


def test_a_task_that_comes_back_for_its_turn_overtakes_nobody(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    account.coming_back().reserve()
    assert send(account.coming_back()) == pytest.approx(2 * SPAN)


def test_a_task_is_not_next_while_another_reservation_comes_first(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    (_, first), (_, second) = (account.coming_back().reserve() for _ in range(2))
    clock.advance(SPAN + 0.01)
    early = account.coming_back(second)
    wait = early.acquire()
    assert wait is not None
    assert not wait.is_next
    account.coming_back(first).close()
    assert early.acquire() is None


def test_a_task_that_comes_too_late_is_not_next_while_another_reservation_comes_first(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, first = account.coming_back().reserve()
    clock.advance(1)
    _, second = account.coming_back().reserve()
    clock.advance(2 * SPAN + 11)
    account.fill()
    waits = [account.coming_back(each).acquire() for each in (first, second)]
    assert [wait.seconds for wait in waits if wait] == pytest.approx([SPAN, 2 * SPAN])
    assert [wait.is_next for wait in waits if wait] == [True, False]


def test_those_who_wait_do_not_end_a_turn(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back(NEW._replace(id="long", number=1)).reserve()
    clock.advance(SPAN + 0.01)
    task = account.coming_back(reservation)
    assert sends(task) == 10
    assert send(account.waiting()) > 0
    wait = task.acquire()
    assert wait is not None
    assert wait.is_next
    assert account.places() == [1, 10]


def test_threads_of_a_task_share_what_it_has_reserved(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    task = account.coming_back(reservation)
    siblings = [task.sibling() for _ in range(3)]
    assert [each.acquire() for each in siblings for _ in range(2)] == [None] * 6
    for each in siblings:
        each.close()
    assert account.places() == [4, 10]
    task.close()
    assert account.places() == [10]


def test_a_request_that_takes_long_does_not_lose_the_rest(clock: FakeClock) -> None:
    account = Account()
    account.fill()
    _, reservation = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    account.coming_back().reserve()
    task = account.coming_back(reservation)
    assert task.acquire() is None
    clock.advance(70)
    account.coming_back().reserve()
    task.release()
    clock.advance(9)
    account.coming_back().reserve()
    assert account.places() == [9, 10, 10]
    assert sends(task) == 9


def test_the_limit_of_the_day_says_when_to_come_back(clock: FakeClock) -> None:
    account = Account(per_day=10)
    account.fill()
    seconds, _ = account.coming_back().reserve()
    assert 86_000 < seconds <= 86_400 + 300


def test_the_day_being_used_up_does_not_end_a_reservation(clock: FakeClock) -> None:
    account = Account(per_day=20)
    account.fill()
    _, reservation = account.coming_back().reserve()
    clock.advance(SPAN + 0.01)
    for _ in range(10):
        assert send(account.waiting()) == 0
    task = account.coming_back(reservation)
    assert send(task) > 80_000
    account.coming_back().reserve()
    assert account.places() == [10, 10]


def test_behind_a_lock_each_has_its_own_turn(clock: FakeClock) -> None:
    account = Account()
    account.waiting().block(300)
    waits = [account.coming_back().reserve()[0] for _ in range(3)]
    assert waits == pytest.approx([300, 300 + SPAN, 300 + 2 * SPAN])


@pytest.mark.parametrize(
    "damage",
    [{"reserved_at": math.inf}, {"joined_at": math.nan}, {"calls": 10**12}, {"calls": 0}, {"reserved_at": -1.0}],
)
def test_a_damaged_place_is_forgotten(clock: FakeClock, damage: dict[str, float]) -> None:
    account = Account()
    account.fill()
    account.coming_back().reserve()
    (key,) = account.store._states

    def harm(state: RateLimitState, _: float) -> None:
        for name, value in damage.items():
            setattr(state.queue[0], name, value)

    account.store.change(key, RateLimitState, harm)
    assert account.waiting().holders() == []
    assert send(account.waiting()) == pytest.approx(SPAN)


def test_without_a_limit_nobody_is_held_up(clock: FakeClock) -> None:
    account = Account(requests=None)
    task = account.coming_back()
    task.block(100)
    assert task.reserve()[0] == pytest.approx(100)
    clock.advance(100.01)
    assert [send(account.waiting()) for _ in range(100)] == [0.0] * 100


class Crowd:
    """Tasks and waiting clients of one account, on a fake clock.

    :param resume: how late a task comes back.
    :param latency: seconds that the LMS takes for each answer.
    :param very_late: the returns that come five minutes later.
    """

    def __init__(self, clock: FakeClock, resume: float, latency: float, very_late: set[int]) -> None:
        self.sent: list[float] = []
        self._clock, self._resume, self._latency, self._very_late = clock, resume, latency, very_late
        self._account, self._returns, self._numbers = Account(), itertools.count(1), itertools.count()
        self._steps: list[tuple[float, int, Callable[[], None]]] = []

    def add(self, calls: int, *, comes_back: bool) -> None:
        """Somebody with a number of requests to send."""
        account = self._account
        self._go_on(account.coming_back() if comes_back else account.waiting(), calls, comes_back=comes_back)

    def run(self) -> None:
        """Let all of them finish."""
        while self._steps:
            moment, _, step = heapq.heappop(self._steps)
            self._clock.advance(max(moment - self._clock.monotonic(), 0.0))
            step()

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._steps, (self._clock.monotonic() + max(seconds, 0.01), next(self._numbers), step))

    def _go_on(self, client: SharedRateLimiter, left: int, *, comes_back: bool) -> None:
        if not left:
            client.close()
        elif (wait := client.acquire()) is None:
            self.sent.append(self._clock.monotonic())
            self._after(self._latency, partial(self._answer, client, left - 1, comes_back=comes_back))
        elif comes_back and wait.seconds >= 30 and not wait.is_next:
            self._leave(client, left)
        else:
            self._after(wait.seconds, partial(self._go_on, client, left, comes_back=comes_back))

    def _answer(self, client: SharedRateLimiter, left: int, *, comes_back: bool) -> None:
        client.release()
        self._go_on(client, left, comes_back=comes_back)

    def _leave(self, client: SharedRateLimiter, left: int) -> None:
        seconds, reservation = client.reserve()
        client.close()
        back = partial(self._go_on, self._account.coming_back(reservation), left, comes_back=True)
        if next(self._returns) in self._very_late:
            self._after(seconds + 300, back)
        else:
            self._wait(reservation, seconds, back)

    def _wait(self, reservation: Reservation, seconds: float, back: Callable[[], None]) -> None:
        """As the trigger waits."""
        if seconds <= 5:
            self._after(5 + self._resume, back)
        else:
            self._after(min(seconds - 5, 10), partial(self._look_again, reservation, seconds - 10, back))

    def _look_again(self, reservation: Reservation, expected: float, back: Callable[[], None]) -> None:
        left = renew(self._account.store, reservation)
        self._wait(reservation, expected if left is None else left, back)


@settings(deadline=None)
@given(
    tasks=st.integers(1, 6),
    waiting=st.integers(0, 4),
    calls=st.integers(1, 25),
    resume=st.floats(-5, 30),
    latency=st.floats(0, 8),
    very_late=st.sets(st.integers(1, 40), max_size=3),
)
def test_all_requests_are_sent_and_no_window_holds_more_than_allowed(
    tasks: int, waiting: int, calls: int, resume: float, latency: float, very_late: set[int]
) -> None:
    with fake_clock() as clock:
        crowd = Crowd(clock, resume, latency, very_late)
        for comes_back, number in ((True, tasks), (False, waiting)):
            for _ in range(number):
                crowd.add(calls, comes_back=comes_back)
        crowd.run()
    assert len(crowd.sent) == (tasks + waiting) * calls
    for first, eleventh in itertools.pairwise(crowd.sent[::10]):
        assert eleventh - first > 60


@pytest.mark.parametrize("resume", [-5, 0, 5])
def test_tasks_that_come_back_in_time_use_most_of_what_is_allowed(clock: FakeClock, resume: float) -> None:
    crowd = Crowd(clock, resume, 0.5, set())
    for _ in range(8):
        crowd.add(50, comes_back=True)
    crowd.run()
    minutes = (crowd.sent[-1] - crowd.sent[0]) / 60
    assert len(crowd.sent) / 10 / minutes > 0.85
