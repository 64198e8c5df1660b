"""What the polls of one account share in the triggerer: a few threads, and a pause while its LMS fails."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.triggers.poll_reports import PollReports

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
# One poll tries a page four times. Those failures alone open no pause, or one course that always fails could hold up
# the others of its account.
_FAILURES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0


class Account:
    """The requests of one account on one event loop.

    They have threads of their own. If all accounts shared some, an LMS that accepts requests and never answers would
    soon hold them all, and the triggers of every other account would see nothing any more.

    After several failures in a row, only one request at a time is sent, in growing intervals. Otherwise every course
    would go on asking an LMS that is down, each at its own interval.

    :param observer: is told of the account's polls.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self.observer = observer or Observer()
        self.poll_reports = PollReports(self.observer)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lms-account")
        # What waits for a thread waits here. So it still learns that the LMS fails before it sends a request.
        self._free = asyncio.Semaphore(_THREADS)
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._paused_until = -math.inf
        self._is_probing = False

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that sends requests, in a thread of the account. It must not call Airflow.

        :raises LmsUnavailable: nothing was sent, since the LMS has failed several times in a row.
        """
        async with self._free:
            with self._watched():
                return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Refuse work during a pause, and learn from its outcome whether the LMS works."""
        is_probe = self._failures >= _FAILURES
        if is_probe:
            left = self._paused_until - clock.monotonic()
            if self._is_probing or left > 0:
                when = f"in {math.ceil(left)} s" if left > 0 else "at the moment"
                times = f"{self._failures} times in a row"
                raise LmsUnavailable(f"No request was sent: the LMS has failed {times}. It is tried again {when}.")
            self._is_probing = True
        try:
            yield
        except LmsRateLimited:
            raise
        except LmsError as error:
            self._failed(error, is_probe) if error.transient else self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            if is_probe:
                self._is_probing = False

    def _failed(self, error: LmsError, is_probe: bool) -> None:
        self._failures += 1
        # Requests that were sent at the same time say no more together than one of them.
        self._pause = min(self._pause * 2, _LONGEST_PAUSE) if is_probe else _FIRST_PAUSE
        pause = self._pause
        if isinstance(error, LmsUnavailable) and error.retry_after is not None:
            self._failures = max(self._failures, _FAILURES)
            pause = max(pause, error.retry_after)
        self._paused_until = max(self._paused_until, clock.monotonic() + pause)

    def _succeeded(self) -> None:
        self._failures = 0


_ACCOUNTS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Hashable, Account]] = (
    weakref.WeakKeyDictionary()
)


def shared_account(key: Hashable, make_observer: Callable[[], Observer] = Observer) -> Account:
    """The account with this key on this event loop. It lasts as long as anybody holds it.

    :param make_observer: makes the observer of a new account.
    """
    accounts = _ACCOUNTS.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    account = accounts.get(key)
    if account is None:
        account = accounts[key] = Account(make_observer())
    return account
