"""Finds people and departments in an LMS by what an HR system knows of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from airflow_provider_lms.sync.changes import Reason

T = TypeVar("T")


class Match(NamedTuple, Generic[T]):
    """What is meant: the one that was found, or why it cannot be told.

    ``candidates`` are all that may be meant. Nothing is taken away from any of them for not being named.
    """

    found: T | None
    reason: Reason | None = None
    candidates: Sequence[T] = ()


class Matching(Generic[T]):
    """Things by the keys that stand for them. Keys differ neither in case nor in spaces around them."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[T]] = defaultdict(list)

    def add(self, thing: T, *keys: str | None) -> None:
        """Let keys stand for a thing. None and what is empty stands for nothing."""
        for key in {_same(key) for key in keys if key}:
            self._by_key[key].append(thing)

    def __bool__(self) -> bool:
        """Whether there is anything to be found."""
        return bool(self._by_key)

    def find(self, key: str | None) -> Match[T]:
        """The one that a key stands for."""
        if key is None:
            return Match(None, Reason.NO_PERSON)
        found = self._by_key.get(_same(key), ())
        if len(found) == 1:
            return Match(found[0], candidates=found)
        return Match(None, Reason.AMBIGUOUS if found else Reason.NOT_FOUND, found)


def _same(key: str) -> str:
    return key.strip().casefold()
