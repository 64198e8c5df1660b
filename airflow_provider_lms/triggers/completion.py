"""The trigger of deferred completion sensors."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_lms import clock
from airflow_provider_lms.durations import check_seconds, describe_duration

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.connection import PlainConnection
    from airflow_provider_lms.lms.course.criteria import Criteria
    from airflow_provider_lms.lms.course.evaluation import Evaluation
    from airflow_provider_lms.lms.course.readers import CourseQuery
    from airflow_provider_lms.triggers.shared_polls import Outcome, Subscription


# How old a connection may be for a final error to stand. Thousands of triggers may meet the error at the same moment.
_JUST_RESOLVED_SECONDS = 0.5

LAST_READING_SECONDS = 300.0
"""How long the last reading may take beyond the deadline and an interval: the LMS may have locked the account."""


class CourseCompletionTrigger(BaseTrigger):
    """Waits until a course's learners have completed it.

    All triggers of a triggerer that read the same course of the same account share one poll.

    The event's ``status`` is ``met``, with the sensor's ``result``; or ``timeout``; or ``impossible`` if the criteria
    cannot be met any more; or ``refused`` if the LMS gave a final error; or ``error`` for anything else. All but
    ``met`` have a ``message``.

    :param conn_type: the type of the connection.
    :param conn_id: the connection. It is resolved in the triggerer, and once more before a final error ends the wait: a
        secret may have been changed meanwhile.
    :param course: what to read: the LMS's course query as plain JSON.
    :param criteria: who must have completed it: :class:`~airflow_provider_lms.lms.course.criteria.Criteria` as plain
        JSON.
    :param poke_interval: seconds between two polls.
    :param deadline: seconds since 1970 after which waiting is a timeout.
    :raises ValueError: the interval is no positive number, or the deadline no number.

    Example, in an operator's ``execute``::

        course, criteria = {"course_id": self.course_id}, {"share": "0.8", "statuses": {"completed": ["passed"]}}
        lms = {"conn_type": "ispring_learn", "conn_id": "ispring_learn_default", "course": course}
        trigger = CourseCompletionTrigger(**lms, criteria=criteria, poke_interval=300, deadline=time.time() + 86_400)
        self.defer(trigger=trigger, method_name="execute_complete")
    """

    def __init__(
        self,
        *,
        conn_type: str,
        conn_id: str,
        course: Mapping[str, Any],
        criteria: Mapping[str, Any],
        poke_interval: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_type = conn_type
        self.conn_id = conn_id
        self.course = dict(course)
        self.criteria = dict(criteria)
        self.poke_interval = check_seconds("poke_interval", poke_interval)
        if not math.isfinite(deadline):
            raise ValueError(f"deadline: expected seconds since 1970, got {deadline!r}.")
        self.deadline = deadline
        self._told_statuses: set[str] = set()
        self._last_count: str | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "conn_type": self.conn_type,
            "conn_id": self.conn_id,
            "course": self.course,
            "criteria": self.criteria,
            "poke_interval": self.poke_interval,
            "deadline": self.deadline,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_lms.triggers.threads import import_modules_of

        await import_modules_of(self.conn_type)
        from airflow_provider_lms.failures import event_of
        from airflow_provider_lms.lms.errors import LmsError

        try:
            event = await self._wait()
        except LmsError as error:
            event = {"status": "refused", **event_of(error)}
        except ValueError as error:  # an invalid connection or parameter; the message names it
            event = {"status": "error", "message": str(error)}
        except Exception as error:
            self.log.exception("Waiting for course %s failed.", self.course.get("course_id"))
            event = {"status": "error", "message": f"{type(error).__name__}; see the triggerer's log."}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _wait(self) -> dict[str, Any]:
        import msgspec

        from airflow_provider_lms.lms.course.criteria import Criteria
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.triggers.connections import course_query, resolve_cached

        query = course_query(self.conn_type, self.course)
        criteria = msgspec.convert(self.criteria, Criteria)
        connection = await resolve_cached(self.conn_id)
        while True:
            try:
                return await self._wait_with(connection, query, criteria)
            except (LmsError, ValueError):
                before, connection = connection, await self._resolve_again(connection)
                if connection == before:
                    raise
                self.log.info("Connection %r has changed. Waiting continues with it.", self.conn_id)

    async def _wait_with(self, connection: PlainConnection, query: CourseQuery, criteria: Criteria) -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            subscription = await self._subscribe(stack, connection, query, criteria)
            left = max(self.deadline - clock.timestamp(), 0)
            try:
                async with asyncio.timeout(left + self.poke_interval + LAST_READING_SECONDS) as limit:
                    while True:
                        event = self._event(query, criteria, await self._next(subscription, criteria))
                        if event is not None:
                            return event
            except TimeoutError:
                if not limit.expired():
                    raise
                return self._timeout()

    async def _resolve_again(self, connection: PlainConnection) -> PlainConnection:
        """The connection as it is now; as it was, if it cannot be resolved now."""
        from airflow_provider_lms.triggers.connections import resolve_cached

        try:
            return await resolve_cached(self.conn_id, max_age=_JUST_RESOLVED_SECONDS)
        except Exception as error:  # noqa: BLE001  # the error that led here says more
            self.log.warning("Connection %r could not be resolved again (%s).", self.conn_id, type(error).__name__)
            return connection

    async def _subscribe(
        self, stack: AsyncExitStack, connection: PlainConnection, query: CourseQuery, criteria: Criteria
    ) -> Subscription:
        from airflow_provider_lms.triggers.connections import account_of, course_reader, poll_key
        from airflow_provider_lms.triggers.shared_polls import Waiter, subscribe

        return await stack.enter_async_context(
            subscribe(
                poll_key(self.conn_type, connection, query),
                account_of(self.conn_type, connection),
                lambda: course_reader(self.conn_type, connection, query),
                Waiter(criteria, self.poke_interval, self.deadline, partial(self._note, criteria)),
            )
        )

    async def _next(self, subscription: Subscription, criteria: Criteria) -> Outcome:
        """The next outcome to act upon: a reading that is confirmed if need be, or an error that may pass."""
        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.lms.errors import LmsError

        try:
            reading = await subscription.next()
            return await subscription.confirm(reading) if reading.needs_confirmation(criteria) else reading
        except (LmsError, CoordinationError) as error:
            if not error.transient:
                raise
            return error

    def _event(self, query: CourseQuery, criteria: Criteria, outcome: Outcome) -> dict[str, Any] | None:
        """The event that an outcome leads to; None while the criteria are open."""
        evaluation = None if isinstance(outcome, Exception) else outcome.evaluate(criteria)
        if evaluation is None or evaluation.outcome == "open":
            self._note(criteria, outcome)
            return None if clock.timestamp() < self.deadline else self._timeout()
        self._warn(evaluation)
        if evaluation.outcome == "impossible":
            return {"status": "impossible", "message": evaluation.describe_failure()}
        self.log.info("%s.", evaluation.describe())
        return {"status": "met", "result": evaluation.result(query.course_id)}

    def _note(self, criteria: Criteria, outcome: Outcome) -> None:
        """Log an outcome that leaves the criteria open."""
        if isinstance(outcome, Exception):
            self.log.warning("%s It is not known yet whether the learners have completed the course.", outcome)
            return
        evaluation = outcome.evaluate(criteria)
        self._warn(evaluation)
        count = evaluation.describe()
        self._last_count = f"Last count: {count}."
        self.log.info("%s; %s.", count, self._outlook())

    def _warn(self, evaluation: Evaluation) -> None:
        if (warning := evaluation.warning(self._told_statuses)) is not None:
            self.log.warning(warning)

    def _timeout(self) -> dict[str, Any]:
        return {"status": "timeout", "message": self._last_count or "The course could not be read."}

    def _outlook(self) -> str:
        left = describe_duration(self.deadline - clock.timestamp())
        return f"next check in {describe_duration(self.poke_interval)}, timeout in {left}"
