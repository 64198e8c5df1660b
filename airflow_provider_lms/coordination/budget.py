"""One request budget and one lock for all processes that use an account."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_lms.coordination.store import CoordinationError, Store, Wait

if TYPE_CHECKING:
    from airflow_provider_lms.lms.budget import Limits

_DAY = 86_400.0
_DAY_STEP = 300.0
_MARGIN = 1.005
_OVERDUE_SECONDS = 0.25


class Slot(msgspec.Struct, array_like=True, gc=False):
    """A request that counts in the window until a time; ``holder`` sent it and has no answer yet."""

    frees_at: float
    holder: str = ""


class Place(msgspec.Struct, array_like=True, gc=False):
    """A place in the queue, lost if its holder does not ask again by a time."""

    holder: str
    kept_until: float


class Count(msgspec.Struct, array_like=True, gc=False):
    """Requests of the day, the last of them before a time."""

    until: float
    requests: int


class Account(msgspec.Struct):
    """What is known of an account's requests. All times are the store's."""

    slots: list[Slot] = []
    queue: list[Place] = []
    day: list[Count] = []
    locked_until: float = 0.0


class SharedBudget:
    """The budget of an account, for one client.

    No window, as the LMS sees it, holds more requests than are allowed. The LMS may count a request at any time between
    its leaving and its answer, so its slot is held for a window after the answer. Clients that must wait form a queue;
    one that does not come back for its turn loses its place.

    :param store: what processes share.
    :param host: the API's host; with ``client_id`` it is the account.
    :param limits: the account's limits.
    """

    def __init__(self, store: Store, host: str, client_id: str, limits: Limits) -> None:
        self.limits = limits
        self._store = store
        self._key = "budget:" + hashlib.sha256(f"{host}\n{client_id}".encode()).hexdigest()[:32]
        self._holder = uuid.uuid4().hex[:16]
        self._span = limits.window_seconds * _MARGIN
        self._grace = max(1.0, limits.window_seconds / 12)
        self._queues = False

    def acquire(self) -> Wait | None:
        """Count one request, or say when to ask again.

        :raises CoordinationError: the store cannot be used.
        """
        if self.limits.requests is None and self.limits.requests_per_day is None:
            account, now = self._store.read(self._key, Account)
            return _locked(account, now)
        wait = self._store.change(self._key, Account, self._take)
        self._queues = wait is not None
        return wait

    def answered(self) -> None:
        """A request that was acquired is over, whatever came of it.

        :raises CoordinationError: the store cannot be used.
        """
        if self.limits.requests is not None:
            self._store.change(self._key, Account, self._settle)

    def lock(self, seconds: float | None) -> float:
        """Let nobody send for that long (None: the account's ``lock_seconds``); return the length taken.

        :raises CoordinationError: the store cannot be used.
        """
        length = self.limits.lock_seconds if seconds is None else seconds

        def close(account: Account, now: float) -> None:
            account.locked_until = max(account.locked_until, now + length)

        self._store.change(self._key, Account, close)
        return length

    def leave(self) -> None:
        """Give up a place in the queue, so that nobody waits for it to be lost."""

        def clear(account: Account, _: float) -> None:
            account.queue = [place for place in account.queue if place.holder != self._holder]

        if self._queues:
            self._queues = False
            with suppress(CoordinationError):  # the place is lost by itself a little later
                self._store.change(self._key, Account, clear)

    def _take(self, account: Account, now: float) -> Wait | None:
        account.day = [count for count in account.day if count.until + _DAY > now]
        wait = self._day_spent(account, now) or self._queued(account, now)
        if wait is None:
            self._count(account, now)
        return wait

    def _day_spent(self, account: Account, now: float) -> Wait | None:
        allowed, spent = self.limits.requests_per_day, sum(count.requests for count in account.day)
        if allowed is None or spent < allowed:
            return None
        forgotten = accumulate(count.requests for count in account.day)
        until = next(count.until for count, less in zip(account.day, forgotten, strict=True) if spent - less < allowed)
        return Wait(until + _DAY - now, f"the connection's requests_per_day ({allowed}) are used up")

    def _queued(self, account: Account, now: float) -> Wait | None:
        """Take the free slot that is this client's by its place in the queue; else keep the place."""
        account.slots = [slot for slot in account.slots if slot.frees_at + (self._span if slot.holder else 0.0) > now]
        account.queue = [place for place in account.queue if place.kept_until > now or place.holder == self._holder]
        holders = [place.holder for place in account.queue]
        ahead = holders.index(self._holder) if self._holder in holders else len(holders)
        wait = _locked(account, now) or self._window_full(account, now, ahead)
        account.queue = account.queue[:ahead] + account.queue[ahead + 1 :]
        if wait is not None:
            account.queue.insert(ahead, Place(self._holder, now + wait.seconds + self._grace))
        return wait

    def _window_full(self, account: Account, now: float, ahead: int) -> Wait | None:
        allowed = self.limits.requests
        if allowed is None:
            return None
        short = ahead - (allowed - len(account.slots))
        if short < 0:
            return None
        frees = sorted(slot.frees_at for slot in account.slots)
        frees += [now + self._span] * (allowed - len(frees))
        windows, index = divmod(short, len(frees))
        left = frees[index] - now
        return Wait(
            (left if left > 0 else _OVERDUE_SECONDS) + windows * self._span,
            f"the connection's requests_per_window ({allowed} in {self.limits.window_seconds:g} s) are used up",
        )

    def _count(self, account: Account, now: float) -> None:
        if self.limits.requests is not None:
            account.slots.append(Slot(now + self._span, self._holder))
        if self.limits.requests_per_day is not None:
            until = (now // _DAY_STEP + 1) * _DAY_STEP
            if not account.day or account.day[-1].until < until:
                account.day.append(Count(until, 0))
            account.day[-1].requests += 1

    def _settle(self, account: Account, now: float) -> None:
        slot = next((slot for slot in account.slots if slot.holder == self._holder), None)
        if slot is None:
            slot = Slot(0.0)
            account.slots.append(slot)
        slot.frees_at, slot.holder = now + self._span, ""


def _locked(account: Account, now: float) -> Wait | None:
    left = account.locked_until - now
    return Wait(left, "the LMS has locked the account, and nobody may send", locked=True) if left > 0 else None
