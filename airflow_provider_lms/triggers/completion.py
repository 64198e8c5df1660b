"""The trigger behind deferred completion sensors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow_provider_lms.lms.completion import Goal
    from airflow_provider_lms.triggers.polls import Subscription


_PATIENCE = 300.0
"""Seconds that the last reading may take beyond the deadline and an interval: the LMS may have locked the account."""


class CourseCompletionTrigger(BaseTrigger):
    """Waits until a course's learners have completed it.

    All triggers of a triggerer that read the same course of the same account share one poll. The event's ``status`` is
    ``met``, with the sensor's ``result``; ``timeout``; or with a ``message`` ``impossible``, ``refused`` where the LMS
    will not answer, and ``error`` for anything else.

    :param conn_type: the type of the connection.
    :param conn_id: the connection; it is resolved in the triggerer.
    :param course: what to read: the parameters of the LMS's ``CourseReader``.
    :param goal: who must have completed it, a :class:`~airflow_provider_lms.lms.completion.Goal` as plain JSON.
    :param poke_interval: seconds between two polls.
    :param deadline: seconds since 1970 after which an open goal is a timeout.
    """

    def __init__(
        self,
        *,
        conn_type: str,
        conn_id: str,
        course: Mapping[str, Any],
        goal: Mapping[str, Any],
        poke_interval: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_type = conn_type
        self.conn_id = conn_id
        self.course = dict(course)
        self.goal = dict(goal)
        self.poke_interval = poke_interval
        self.deadline = deadline
        self._warned: set[str] = set()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("conn_type", "conn_id", "course", "goal", "poke_interval", "deadline")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_lms.triggers.threads import imported

        await imported(self.conn_type)
        from airflow_provider_lms.lms.errors import LmsError

        try:
            event = await self._wait()
        except LmsError as error:
            event = {"status": "refused", "message": str(error)}
        except ValueError as error:  # a connection or parameter that cannot be meant as it is; the message names it
            event = {"status": "error", "message": str(error)}
        except Exception as error:
            self.log.exception("Waiting for course %s has failed.", self.course["course_id"])
            event = {"status": "error", "message": f"{type(error).__name__}; the triggerer's log tells more."}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _wait(self) -> dict[str, Any]:
        import msgspec

        from airflow_provider_lms.lms.completion import Goal

        goal = msgspec.convert(self.goal, Goal)
        async with AsyncExitStack() as stack:
            subscription = await self._subscribe(stack, goal)
            while True:
                event = await self._poll(subscription, goal)
                if event is not None:
                    return event

    async def _subscribe(self, stack: AsyncExitStack, goal: Goal) -> Subscription:
        from airflow_provider_lms.triggers.accounts import account, course_reader, identity
        from airflow_provider_lms.triggers.polls import subscribed

        found = await account(self.conn_id)
        key = identity(self.conn_type, found, self.course)
        return await stack.enter_async_context(
            subscribed(
                key,
                lambda: course_reader(self.conn_type, found, self.course),
                goal.wanted,
                self.poke_interval,
            )
        )

    async def _poll(self, subscription: Subscription, goal: Goal) -> dict[str, Any] | None:
        """The event that the next reading of the course comes to, if it comes to one."""
        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.triggers.threads import in_thread

        try:
            async with asyncio.timeout(
                max(self.deadline - time.time(), 0) + self.poke_interval + _PATIENCE
            ) as patience:
                snapshot = await subscription.next()
        except TimeoutError:
            if not patience.expired():
                raise
        except (LmsError, CoordinationError) as error:
            if not error.transient:
                raise
            self.log.warning("%s Not known yet whether the learners have completed the course.", error)
        else:
            verdict = await in_thread(snapshot.judge, goal)
            for warning in verdict.warnings():
                if warning not in self._warned:
                    self._warned.add(warning)
                    self.log.warning(warning)
            self.log.info("%s.", verdict.progress())
            if verdict.outcome == "impossible":
                return {"status": "impossible", "message": verdict.failure()}
            if verdict.outcome == "met":
                return {"status": "met", "result": verdict.result(self.course["course_id"])}
        return {"status": "timeout"} if time.time() >= self.deadline else None
