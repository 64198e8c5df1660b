"""A sensor run to its end in each of its modes, as Airflow would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.module_loading import import_string
from airflow.providers.common.compat.sdk import TaskDeferred

# Airflow 2 asks its database since when a sensor is rescheduled.
MODES = ("poke", "reschedule", "deferrable") if airflow.__version__ >= "3" else ("poke", "deferrable")
Make = Callable[..., Any]


def run(make: Make, mode: str) -> tuple[str, Any]:
    """What the sensor comes to: a result without its time, or the type of what it raises.

    :param make: builds the sensor again, as every process of Airflow does.
    """
    try:
        result = _run(make, mode)
    except Exception as error:  # noqa: BLE001
        return "raised", type(error).__name__
    assert datetime.fromisoformat(result.pop("checked_at")).tzinfo is not None
    return "returned", result


def failure(make: Make, mode: str) -> str:
    """The message of what the sensor raises."""
    with pytest.raises(Exception) as raised:
        _run(make, mode)
    return str(raised.value)


def context(**ti: Any) -> Any:
    return {"ti": SimpleNamespace(**{"xcom_push": lambda **_: None, **ti})}


def deferred(sensor: Any) -> TaskDeferred:
    """The sensor's first poke, after which it goes to the triggerer."""
    try:
        sensor.execute(context())
    except TaskDeferred as found:
        return found
    raise AssertionError("The sensor has not deferred.")


def rebuilt(trigger: Any) -> Any:
    """The trigger as the triggerer makes it, from what the database holds."""
    path, kwargs = json.loads(json.dumps(trigger.serialize()))
    return import_string(path)(**kwargs)


def fired(trigger: Any, patience: float = 10.0) -> Any:
    """The payload of the trigger's event; it is over after that."""

    async def wait() -> Any:
        events = [event.payload async for event in trigger.run()]
        (payload,) = events
        return payload

    async def alone() -> Any:
        payload = await asyncio.wait_for(wait(), patience)
        for _ in range(200):
            if asyncio.all_tasks() == {asyncio.current_task()}:
                break
            await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return payload

    return json.loads(json.dumps(asyncio.run(alone())))


def _run(make: Make, mode: str) -> Any:
    return {"poke": _poke, "reschedule": _reschedule, "deferrable": _defer}[mode](make)


def _poke(make: Make) -> Any:
    return make(mode="poke", deferrable=False).execute({})


def _reschedule(make: Make) -> Any:
    begun = datetime.now(UTC)
    while True:
        with suppress(AirflowRescheduleException):
            return make(mode="reschedule", deferrable=False).execute(context(get_first_reschedule_date=lambda _: begun))


def _defer(make: Make) -> Any:
    sensor = make(deferrable=True)
    try:
        return sensor.execute(context())
    except TaskDeferred as found:
        waiting = found
    assert waiting.timeout is not None
    assert waiting.timeout.total_seconds() > sensor.timeout
    try:
        method, kwargs = waiting.method_name, {"event": fired(rebuilt(waiting.trigger), sensor.timeout + 3)}
    except TimeoutError:
        method, kwargs = "__fail__", {"error": "Trigger timeout"}
    return make(deferrable=True).resume_execution(method, kwargs, context())
