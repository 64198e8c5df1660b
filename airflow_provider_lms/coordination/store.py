"""Where processes keep what they share: small states, each changed by only one process at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

DAY = 86_400.0
"""The longest lock. One that is stored as longer comes from a damaged store, and is not obeyed."""

KEEP_SECONDS = 7 * 86_400
"""How long an unchanged state is kept: longer than any limit looks back."""


@dataclass(frozen=True)
class StoredState:
    """A state as it is stored, and the store's time.

    :param raw: the encoded state; None if there is none.
    :param now: seconds on the store's clock, which is the same for all processes and never goes back.
    """

    raw: bytes | None
    now: float


class Store(ABC):
    """States by key, on one clock. All methods may be called from any thread.

    ``reach`` says who shares the store, for example ``on this host only``.
    """

    reach: str
    across_hosts: bool = False

    def read(self, key: str, kind: type[S]) -> tuple[S, float]:
        """A state and the store's time; nothing is changed.

        :param kind: the type of the state; all its fields have defaults.
        :raises CoordinationError: the store cannot be used.
        """
        found = self._get(key)
        return self._decoded(key, found.raw, kind), found.now

    def change(self, key: str, kind: type[S], step: Callable[[S, float], T]) -> T:
        """Change a state while no other process does.

        :param kind: the type of the state; all its fields have defaults.
        :param step: called with the state and the store's time; changes the state. It may be called again if another
            process was faster.
        :return: what the step returned.
        :raises CoordinationError: the store cannot be used.
        """
        result: T

        def rewrite(found: StoredState) -> bytes:
            nonlocal result
            state = self._decoded(key, found.raw, kind)
            result = step(state, found.now)
            return msgspec.msgpack.encode(state)

        self._swap(key, rewrite)
        return result

    def _decoded(self, key: str, raw: object, kind: type[S]) -> S:
        if raw is None:
            return kind()
        try:
            if not isinstance(raw, bytes):
                raise TypeError
            return msgspec.msgpack.decode(raw, type=kind)
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
            raise CoordinationError(
                f"What tasks share {self.reach} is damaged: the entry {key!r} cannot be read. {self._repair(key)}"
            ) from None

    def _repair(self, key: str) -> str:  # noqa: ARG002
        """What to do about a damaged entry."""
        return "Start the process again."

    @abstractmethod
    def _get(self, key: str) -> StoredState:
        """The state under a key."""

    @abstractmethod
    def _swap(self, key: str, rewrite: Callable[[StoredState], bytes]) -> None:
        """Replace the state under a key by what ``rewrite`` makes of it, while no other process changes it."""


class MemoryStore(Store):
    """For one process, such as a notebook."""

    reach = "in this process only"

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._mutex = threading.Lock()

    def _get(self, key: str) -> StoredState:
        return StoredState(self._states.get(key), clock.monotonic())

    def _swap(self, key: str, rewrite: Callable[[StoredState], bytes]) -> None:
        with self._mutex:
            self._states[key] = rewrite(self._get(key))


def seconds_until(moment: float, now: float) -> float:
    """Seconds until a stored moment; 0 if it is past, more than a day away, or no number."""
    left = moment - now
    return left if 0 < left <= DAY else 0.0
