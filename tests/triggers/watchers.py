"""Event triggers as a triggerer makes them, and what they report."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger

RESULTS = "GET /learners/results"
INTERVAL = 0.15


class Store:
    """An asset's state, as JSON."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.saved = 0

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        self.saved += 1
        self.kept[key] = json.dumps(value)


def watcher(lms: Simulator, store: Any = None, **options: Any) -> CourseCompletionEventTrigger:
    """As a triggerer makes one: from its serialized form."""
    options = {
        "course_id": lms.ispring.courses[0].id,
        "ispring_learn_conn_id": "ispring_learn_default",
        "poll_interval": INTERVAL,
        **options,
    }
    if "zoho_people_conn_id" in options:
        del options["ispring_learn_conn_id"]
    path, kwargs = CourseCompletionEventTrigger(**options).serialize()
    assert path == "airflow_provider_lms.triggers.events.CourseCompletionEventTrigger"
    trigger = CourseCompletionEventTrigger(**json.loads(json.dumps(kwargs)))
    trigger.asset_state_store = store
    return trigger


class Reported:
    """What a trigger reports during a scenario."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    @property
    def learners(self) -> Counter[str]:
        return Counter(learner for event in self.events for learner in event["learner_ids"])

    async def listen(self, events: AsyncIterator[Any]) -> None:
        async for event in events:
            self.events.append(json.loads(json.dumps(event.payload)))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def polls(lms: Simulator, count: int = 2, call: str = RESULTS) -> None:
    before = lms.ispring.count(call) + lms.zoho.count(call)
    await until(lambda: lms.ispring.count(call) + lms.zoho.count(call) >= before + count)
