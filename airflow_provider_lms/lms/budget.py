"""How many requests an account may send, and when nobody may send any."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Limits:
    """The limits of one account, as set in its connection.

    :param requests: calls allowed in any ``window_seconds``; None for no limit.
    :param window_seconds: the length of that window.
    :param lock_seconds: how long nobody sends after the LMS reported a limit without saying for how long.
    :param requests_per_day: calls allowed in any 24 hours; None for no limit.
    """

    requests: int | None = None
    window_seconds: float = 60.0
    lock_seconds: float = 300.0
    requests_per_day: int | None = None


class Budget(Protocol):
    """What a transport asks before each request. Neither method waits."""

    def acquire(self) -> float:
        """Count one request and return 0.0, or count none and return the seconds after which to ask again."""

    def lock(self, seconds: float | None) -> float:
        """Let nobody send for that long (None: the account's ``lock_seconds``); return the length taken."""


class LocalBudget:
    """A budget for the requests of one client, whatever thread they come from.

    :param limits: the account's limits.
    """

    _DAY = 86_400.0

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._mutex = threading.Lock()
        self._locked_until = 0.0
        self._windows = [
            (span, deque[float](maxlen=count))
            for count, span in ((limits.requests, limits.window_seconds), (limits.requests_per_day, self._DAY))
            if count is not None
        ]

    def acquire(self) -> float:
        with self._mutex:
            now = time.monotonic()
            wait = max([self._locked_until - now, *(self._wait(now, span, sent) for span, sent in self._windows)])
            if wait > 0:
                return wait
            for _, sent in self._windows:
                sent.append(now)
            return 0.0

    def lock(self, seconds: float | None) -> float:
        length = self._limits.lock_seconds if seconds is None else seconds
        with self._mutex:
            self._locked_until = max(self._locked_until, time.monotonic() + length)
        return length

    @staticmethod
    def _wait(now: float, span: float, sent: deque[float]) -> float:
        return sent[0] + span - now if len(sent) == sent.maxlen else 0.0
