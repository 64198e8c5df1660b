"""Gives a task's worker slot back where it would only wait."""

from __future__ import annotations

import random
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
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.triggers.base import BaseTrigger

WORTH_LEAVING = 30.0
"""From so many seconds on, a wait is worth giving the worker slot back. Airflow takes some seconds to resume a task."""

LEAVING = "Giving the worker slot back"
"""How the log says so."""

_OUTAGE_IN_PLACE = 30.0
_OUTAGE_STILL_ON = 5.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 60.0, 300.0
_REASONS = frozenset(WaitReason)


@dataclass
class Waiting:
    """What a task that gives its worker slot back must know when it comes back.

    :param reservation: its place in the queue of the account's rate limit.
    :param outage_since: when an outage began that is not known to be over, in seconds since 1970.
    :param waits_for: what it waits for, as one of ``WaitReason``; empty if it has not given its slot back yet.
    :param waits_since: since when, in seconds since 1970.
    """

    reservation: Reservation = field(default_factory=Reservation.new)
    outage_since: float | None = None
    waits_for: str = ""
    waits_since: float = 0.0

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Waiting:
        """What :meth:`to_json` gave."""
        # A task that waits while this package is updated has stored less, or more.
        reservation = Reservation(*found["reservation"][: len(Reservation._fields)])
        return cls(reservation, found["outage_since"], found.get("waits_for", ""), found.get("waits_since", 0.0))

    def to_json(self) -> dict[str, Any]:
        """What Airflow can store."""
        return {**asdict(self), "reservation": list(self.reservation)}

    def report(self, observer: Observer) -> None:
        """Tell how long the task has waited without its worker slot."""
        if self.waits_for in _REASONS:
            observer.waited(WaitReason(self.waits_for), clock.timestamp() - self.waits_since, in_triggerer=True)

    def retry_policy(self, max_wait: float) -> RetryPolicy:
        """How long a call may go on trying while the task has its worker slot."""
        outage = min(_OUTAGE_IN_PLACE if self.outage_since is None else _OUTAGE_STILL_ON, max_wait)
        # What it takes to resume a task is worth less than a short wait, however short max_wait is.
        at_least = max(max_wait, WORTH_LEAVING)
        return RetryPolicy(at_least, outage_seconds=outage, longest_lock=WORTH_LEAVING, longest_queue=WORTH_LEAVING)

    def pause(self, client: LmsClient, error: Failure, max_wait: float) -> tuple[float, BaseTrigger] | None:
        """In about how many seconds the task need not wait any more, and what sends it back; None if it is to fail.

        For a limit, that is when the account allows the next requests. They are reserved. An outage that has lasted for
        ``max_wait`` fails the task.

        :param error: what the task would have to wait for.
        """
        now, reason = clock.timestamp(), reason_of(error)
        self.waits_for, self.waits_since = reason.value, now
        asked = (error.retry_after if isinstance(error, LmsRateLimited | LmsUnavailable) else None) or 0.0
        if isinstance(error, LmsRateLimited):
            self.outage_since = None
            return self._until_allowed(client, reason, asked or WORTH_LEAVING)
        if self.outage_since is None or client.has_answered:
            self.outage_since = now
        lasted = now - self.outage_since
        seconds = max(min(max(_SHORTEST_PAUSE, lasted), _LONGEST_PAUSE), asked)
        return None if lasted + seconds > max_wait else self._later(seconds)

    def _until_allowed(self, client: LmsClient, reason: WaitReason, seconds: float) -> tuple[float, BaseTrigger]:
        # Tokens are another state, and without a limit there is no queue.
        if reason is WaitReason.TOKEN or (reason is WaitReason.LOCK and client.limits.requests is None):
            return self._later(seconds)
        try:
            until_turn, self.reservation = client.reserve()
        except CoordinationError:
            return self._later(seconds)
        from airflow_provider_lms.triggers.turn import TurnTrigger

        seconds = max(seconds, until_turn)
        return seconds, TurnTrigger(reservation=self.reservation, expected_at=clock.timestamp() + seconds)

    def _later(self, seconds: float) -> tuple[float, BaseTrigger]:
        # What was reserved before is used up, or given back.
        self.reservation = self.reservation._replace(made_at=0.0)
        return _after(seconds)


def give_slot_back(
    operator: BaseOperator, client: LmsClient, error: Failure, waiting: Waiting, max_wait: float
) -> None:
    """Give a task's worker slot back, unless there is nothing left to wait for. Then this returns.

    :param operator: its method ``execute_after_wait`` is called when the wait is over, with ``waiting`` as JSON.
    :param error: what the task would have to wait for.
    :param max_wait: how long an outage may last, in seconds.
    """
    pause = waiting.pause(client, error, max_wait)
    if pause is not None:
        seconds, trigger = pause
        operator.log.info("%s %s for about %.0f s.", error, LEAVING, seconds)
        operator.defer(trigger=trigger, method_name="execute_after_wait", kwargs={"waiting": waiting.to_json()})


def _after(seconds: float) -> tuple[float, BaseTrigger]:
    from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

    # A little later, so that tasks that wait for the same account do not come back all at once.
    later = seconds + random.uniform(1.0, max(min(60.0, seconds / 10), 1.0))  # noqa: S311
    return later, TimeDeltaTrigger(timedelta(seconds=later))
