"""Threads for what a trigger must not do on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import ParamSpec, TypeVar

from airflow_provider_lms.connections import CONNECTION_TYPES
from airflow_provider_lms.lms.memory import no_garbage_collection

P = ParamSpec("P")
T = TypeVar("T")

# Of this package alone: the loop's own pool serves all triggers of the host, and waits for every thread at its end.
_POOL = ThreadPoolExecutor(4, thread_name_prefix="lms-trigger")


async def imported(conn_type: str) -> None:
    """Import what waiting for an LMS needs, which takes longer than the event loop may be held up.

    :param conn_type: the type of its connections.
    """
    hook, _, _ = CONNECTION_TYPES[conn_type].hook.rpartition(".")
    await in_thread(_import, "airflow_provider_lms.triggers.polls", "airflow_provider_lms.triggers.feed", hook)


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Do some work in a thread. It must not call Airflow, and must end by itself soon."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))


def _import(*modules: str) -> None:
    with no_garbage_collection():
        for module in modules:
            import_module(module)
