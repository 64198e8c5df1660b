"""Reads the splits of a listing at the same time: one thread and one client for each split that is being read."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from airflow_provider_lms import clock
from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.http.in_flight import InFlight, Stopped
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.splits import Reading, Split, Splitter, Step, balanced, steps
from airflow_provider_lms.lms.parameters import parse_int

log = logging.getLogger(__name__)

C = TypeVar("C", bound=LmsClient)
R = TypeVar("R", bound=Record)

SPLITS_PER_THREAD = 4
"""So that a thread whose splits are short takes over some of another's."""

_JOIN_SECONDS = 5.0


def read_parallel(client: C, reading: Reading[R], parallel_requests: int) -> Iterator[Page[R]]:
    """Read a listing with several requests in flight.

    :param client: the client that the reading is from.
    :param reading: what to read. If it cannot be split, it is read page after page.
    :param parallel_requests: how many requests may be in flight.
    :return: the pages as they come. None of them says how to resume.
    :raises ValueError: ``parallel_requests`` is no number from 1 on.
    :raises LmsError: a page could not be read.

    Example::

        for page in read_parallel(client, client.read("course_modules"), 4):
            print(page.to_dicts())
    """
    parse_int("parallel_requests", parallel_requests)
    if reading.splitter is None or parallel_requests == 1:
        yield from reading
        return
    keys = balanced(reading.splitter.find_keys(), SPLITS_PER_THREAD * parallel_requests)
    splits = [Split(number, some) for number, some in enumerate(keys)]
    for step in read_splits(client, reading.splitter, splits, parallel_requests):
        if step.page is not None:
            yield replace(step.page, next=None)


def read_splits(
    client: C,
    splitter: Splitter[C, R],
    splits: Sequence[Split],
    parallel_requests: int,
    rejected: tuple[type[Exception], ...] = (),
) -> Generator[Step[R]]:
    """Read splits at the same time.

    The steps of one split come in its order; those of different splits come as they arrive. At most one page of each
    thread waits for the caller. If a split cannot be read, the requests of the others are ended.

    :param client: the account to read. Each thread has a sibling of it.
    :param splitter: how the listing is split.
    :param splits: what to read, in order.
    :param parallel_requests: how many requests may be in flight. It begins with one.
    :param rejected: what means that a continuation is no longer accepted. Then that split begins anew.
    :raises LmsError: a split could not be read.
    """
    threads = _Threads(client, splitter, splits, parallel_requests, rejected)
    try:
        yield from threads.steps()
    finally:
        threads.stop()
    splitter.finish(client)


class _Outcome(NamedTuple, Generic[R]):
    """What a thread hands over: a step of a split, or why it cannot go on. Neither of them when it has ended."""

    step: Step[R] | None = None
    error: BaseException | None = None


class _Threads(Generic[C, R]):
    """The threads of one reading. Parameters are those of :func:`read_splits`."""

    def __init__(
        self,
        client: C,
        splitter: Splitter[C, R],
        splits: Sequence[Split],
        parallel_requests: int,
        rejected: tuple[type[Exception], ...],
    ) -> None:
        self._client = client
        self._splitter = splitter
        self._rejected = rejected
        self._stopped = threading.Event()
        self._in_flight = InFlight(parallel_requests)
        self._splits: queue.SimpleQueue[Split] = queue.SimpleQueue()
        for split in splits:
            self._splits.put(split)
        count = min(parallel_requests, len(splits))
        self._outcomes: queue.Queue[_Outcome[R]] = queue.Queue(count)
        # Airflow is told of a token by the caller's thread. On 3.0 and 3.1 no other thread may talk to it.
        self._tokens: queue.SimpleQueue[str] = queue.SimpleQueue()
        sibling = partial(client.sibling, self._in_flight.request, self._sleep, self._tokens.put)
        self._clients = [sibling() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"lms-split-{number}", daemon=True)
            for number, each in enumerate(self._clients)
        ]

    def steps(self) -> Iterator[Step[R]]:
        """Start the threads; yield what they read."""
        self._client.authenticate()
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        while running:
            outcome = self._outcomes.get()
            self._report_tokens()
            if outcome.error is not None:
                raise outcome.error
            if outcome.step is None:
                running -= 1
            else:
                yield outcome.step
        log.debug("Up to %d requests were in flight.", self._in_flight.highest)

    def stop(self) -> None:
        """End all requests and all threads."""
        self._stopped.set()
        self._in_flight.stop()
        for client in self._clients:
            client.abort()
        for thread in self._threads:
            if thread.ident is not None:
                # A name that the operating system still looks up cannot be interrupted.
                thread.join(_JOIN_SECONDS)
        for client in self._clients:
            client.close()
        self._report_tokens()

    def _run(self, client: C) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    split = self._splits.get_nowait()
                except queue.Empty:
                    break
                read = partial(self._splitter.read, client, split.keys)
                for step in steps(split, read, self._rejected):
                    self._hand_over(_Outcome(step))
            self._hand_over(_Outcome())
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  # the caller's thread raises it
            self._hand_over(_Outcome(error=error))

    def _hand_over(self, outcome: _Outcome[R]) -> None:
        while not self._stopped.is_set():
            try:
                self._outcomes.put(outcome, timeout=0.5)
            except queue.Full:
                continue
            return

    def _sleep(self, seconds: float) -> None:
        clock.wait(self._stopped, seconds)
        if self._stopped.is_set():
            raise Stopped

    def _report_tokens(self) -> None:
        while not self._tokens.empty():
            self._client.report_token(self._tokens.get())
