"""Where processes keep what they share: small states, each changed by one process at a time."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

KEEP_SECONDS = 7 * 86_400
"""How long a state that nobody changes is kept: longer than any limit looks back."""


class CoordinationError(Exception):
    """The store that processes share cannot be used. Nothing is sent then, since nobody would know of it."""

    transient: ClassVar[bool] = True
    """As of an :class:`~airflow_provider_lms.lms.errors.LmsError`: the store may be back soon."""


class Wait(NamedTuple):
    """Not now.

    :param seconds: when to ask again.
    :param reason: what stands in the way.
    :param locked: whether the LMS has set it; else this side keeps to the budget, or to its turn.
    """

    seconds: float
    reason: str
    locked: bool = False


@dataclass(frozen=True)
class Snapshot:
    """A state as it is stored, and the store's time.

    :param raw: the encoded state; None where there is none.
    :param now: seconds on the store's clock, the same for all processes and never going back.
    """

    raw: bytes | None
    now: float


class Store(ABC):
    """States by key, on one clock. All methods may be called from any thread.

    ``reach`` says for whom: ``on this host only``, for example.
    """

    reach: str
    across_hosts: bool = False

    def read(self, key: str, kind: type[S]) -> tuple[S, float]:
        """A state and the store's time; nothing is changed.

        :param kind: the type of the state; all its fields have defaults.
        :raises CoordinationError: the store cannot be used.
        """
        found = self._get(key)
        return _decoded(found.raw, kind), found.now

    def change(self, key: str, kind: type[S], step: Callable[[S, float], T]) -> T:
        """Change a state while no other process does.

        :param kind: the type of the state; all its fields have defaults.
        :param step: called with the state and the store's time; changes the state. It may be called again where another
            process came between.
        :return: what the step returned.
        :raises CoordinationError: the store cannot be used.
        """
        result: list[T] = []

        def rewrite(found: Snapshot) -> bytes:
            state = _decoded(found.raw, kind)
            result[:] = [step(state, found.now)]
            return msgspec.msgpack.encode(state)

        self._swap(key, rewrite)
        return result[0]

    @abstractmethod
    def _get(self, key: str) -> Snapshot: ...

    @abstractmethod
    def _swap(self, key: str, rewrite: Callable[[Snapshot], bytes]) -> None: ...


class MemoryStore(Store):
    """For one process, such as a notebook."""

    reach = "in this process only"

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._mutex = threading.Lock()

    def _get(self, key: str) -> Snapshot:
        return Snapshot(self._states.get(key), time.monotonic())

    def _swap(self, key: str, rewrite: Callable[[Snapshot], bytes]) -> None:
        with self._mutex:
            self._states[key] = rewrite(self._get(key))


def _decoded(raw: bytes | None, kind: type[S]) -> S:
    return kind() if raw is None else msgspec.msgpack.decode(raw, type=kind)
