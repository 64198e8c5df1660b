"""How many requests an account may send, and when nobody may send any."""

from __future__ import annotations

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

    def seconds(self, calls: int) -> float:
        """How long so many calls take at the budget, when nobody else calls."""
        return 0.0 if self.requests is None else calls * self.window_seconds / self.requests


class Wait(Protocol):
    """Not now: ask again after ``seconds``; ``reason`` stands in the way, which the LMS has set if ``locked``."""

    @property
    def seconds(self) -> float: ...

    @property
    def reason(self) -> str: ...

    @property
    def locked(self) -> bool: ...


class Budget(Protocol):
    """What a transport asks around each request. No method waits."""

    @property
    def limits(self) -> Limits:
        """The account's limits."""

    def acquire(self) -> Wait | None:
        """Count one request, or say when to ask again."""

    def answered(self) -> None:
        """A request that was acquired is over, whatever came of it."""

    def leave(self) -> None:
        """Nothing more will be asked for."""

    def lock(self, seconds: float | None) -> float:
        """Let nobody send for that long (None: the account's ``lock_seconds``); return the length taken."""
