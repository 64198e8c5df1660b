"""The trigger of operators that wait for their turn at an account's rate limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_lms import clock

if TYPE_CHECKING:
    from airflow_provider_lms.coordination import Store

_SHORTEST_PAUSE, _LONGEST_PAUSE = 3.0, 30.0
_RESUME_SECONDS = 5.0
"""Airflow takes a few seconds to resume a task, so it is sent back a little before its turn."""


class TurnTrigger(BaseTrigger):
    """Waits until it is almost the turn of a task that has reserved requests.

    It keeps the reservation meanwhile. If others finish early or give up, the turn comes sooner than expected. If the
    store that tasks share cannot be used, or does not know the reservation, the task comes back at the expected time.

    :param reservation: a :class:`~airflow_provider_lms.lms.http.rate_limit.Reservation` as a list.
    :param expected_at: when the turn is expected, in seconds since 1970.
    """

    def __init__(self, *, reservation: Sequence[Any], expected_at: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.reservation = list(reservation)
        self.expected_at = expected_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"reservation": self.reservation, "expected_at": self.expected_at},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_lms.triggers.threads import in_thread

        store = await in_thread(self._store)  # once: the setting may come from a command or a secrets backend
        left = self.expected_at - clock.timestamp()
        while left > _RESUME_SECONDS:
            # The nearer the turn, the more often: many tasks may wait, and only the next ones may have to hurry.
            pause = min(max(left / 10, _SHORTEST_PAUSE), _LONGEST_PAUSE)
            await clock.sleep_async(min(left - _RESUME_SECONDS, pause))
            left = await in_thread(self._seconds_left, store)
        yield TriggerEvent({"status": "turn"})  # type: ignore[no-untyped-call]

    def _store(self) -> Store | None:
        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.hooks.coordination import shared_store

        try:
            return shared_store()
        except CoordinationError as error:
            self.log.warning("%s", error)
            return None

    def _seconds_left(self, store: Store | None) -> float:
        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.coordination.queue import renew
        from airflow_provider_lms.lms.http.rate_limit import Reservation

        left = None
        try:
            if store is not None:
                left = renew(store, Reservation(*self.reservation[: len(Reservation._fields)]))
        except CoordinationError as error:
            self.log.warning("%s", error)
        return self.expected_at - clock.timestamp() if left is None else left
