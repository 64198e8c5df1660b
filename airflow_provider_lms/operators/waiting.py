"""Gives a task's worker slot back where it would only wait."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.errors import LmsRateLimited, LmsUnavailable, WaitReason
from airflow_provider_lms.lms.http.observer import Observer, reason_of
from airflow_provider_lms.lms.http.rate_limit import CoordinationError, Reservation
from airflow_provider_lms.lms.http.retry import Failure, RetryPolicy

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

LONG_WAIT = 30.0
"""From so many seconds on, a wait is worth giving the worker slot back. Airflow takes some seconds to resume a task."""

_OUTAGE_IN_PLACE = 30.0
_OUTAGE_STILL_ON = 5.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 60.0, 300.0


def _new_reservation() -> Reservation:
    return Reservation(uuid.uuid4().hex)


@dataclass
class Waiting:
    """What a task that gives its worker slot back must know when it comes back.

    :param reservation: its place in the queue of the account's rate limit.
    :param outage_since: when an outage began that is not known to be over, in seconds since 1970.
    :param waits_for: what it waits for, as one of ``WaitReason``; empty if it has not given its slot back yet.
    :param waits_since: since when, in seconds since 1970.
    """

    reservation: Reservation = field(default_factory=_new_reservation)
    outage_since: float | None = None
    waits_for: str = ""
    waits_since: float = 0.0

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Waiting:
        """What :meth:`to_json` gave."""
        reservation = Reservation(*found["reservation"])
        # A task that waits while this package is updated has stored less.
        return cls(reservation, found["outage_since"], found.get("waits_for", ""), found.get("waits_since", 0.0))

    def to_json(self) -> dict[str, Any]:
        """What Airflow can store."""
        return {**asdict(self), "reservation": list(self.reservation)}

    def report(self, observer: Observer) -> None:
        """Tell how long the task has waited without its worker slot."""
        if self.waits_for:
            observer.waited(WaitReason(self.waits_for), clock.timestamp() - self.waits_since, in_triggerer=True)

    def retry_policy(self, max_wait: float) -> RetryPolicy:
        """How long a call may go on trying while the task has its worker slot."""
        outage = _OUTAGE_IN_PLACE if self.outage_since is None else _OUTAGE_STILL_ON
        return RetryPolicy(max_wait=max_wait, outage_seconds=outage, longest_lock=LONG_WAIT, longest_queue=LONG_WAIT)

    def pause(self, client: LmsClient, error: Failure, max_wait: float) -> tuple[float, BaseTrigger] | None:
        """In about how many seconds the task need not wait any more, and what sends it back; None if it is to fail.

        For a limit, that is when the account allows the next requests. They are reserved. An outage that has lasted for
        ``max_wait`` fails the task.

        :param error: what the task would have to wait for.
        """
        self.waits_for, self.waits_since = reason_of(error).value, clock.timestamp()
        asked = error.retry_after if isinstance(error, LmsRateLimited | LmsUnavailable) else None
        if isinstance(error, LmsRateLimited) or asked is not None:
            self.outage_since = None
            return self._until_turn(client, asked or LONG_WAIT)
        now = clock.timestamp()
        if self.outage_since is None or client.has_answered:
            self.outage_since = now
        lasted = now - self.outage_since
        seconds = min(max(_SHORTEST_PAUSE, lasted), _LONGEST_PAUSE)
        return None if lasted + seconds > max_wait else _after(seconds)

    def _until_turn(self, client: LmsClient, seconds: float) -> tuple[float, BaseTrigger]:
        if client.limits.requests is None:
            return _after(seconds)
        try:
            until_turn, self.reservation = client.reserve()
        except CoordinationError:
            return _after(seconds)
        from airflow_provider_lms.triggers.turn import TurnTrigger

        seconds = max(seconds, until_turn)
        return seconds, TurnTrigger(reservation=self.reservation, expected_at=clock.timestamp() + seconds)


def _after(seconds: float) -> tuple[float, BaseTrigger]:
    from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

    # A little later, so that tasks that wait for the same account do not come back all at once.
    later = seconds + random.uniform(1.0, max(min(60.0, seconds / 10), 1.0))  # noqa: S311
    return later, TimeDeltaTrigger(timedelta(seconds=later))
