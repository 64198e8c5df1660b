"""Writes that reads do not show at once."""

from __future__ import annotations

from typing import Generic, TypeVar

from airflow_provider_lms import clock

State = TypeVar("State")


class ReadDelay(Generic[State]):
    """Keeps what reads show while writes are not visible yet."""

    def __init__(self) -> None:
        self._before: list[tuple[float, State]] = []

    def add(self, before: State, seconds: float) -> None:
        """Note a write.

        :param before: the state before it, which nobody changes any more.
        :param seconds: how long reads go on to show it.
        """
        self._before.append((clock.monotonic() + seconds, before))

    def shown(self, now: State) -> State:
        """What reads show: the state before the first write that is not visible yet.

        :param now: the state after all writes.
        """
        moment = clock.monotonic()
        self._before = [(end, state) for end, state in self._before if end > moment]
        return self._before[0][1] if self._before else now
