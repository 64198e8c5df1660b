"""Threads for the blocking work of triggers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import ParamSpec, TypeVar

from airflow_provider_lms.lms.memory import gc_paused
from airflow_provider_lms.vendors import VENDORS

P = ParamSpec("P")
T = TypeVar("T")

# A pool of this package's own: the loop's default pool serves all triggers of the host, and at shutdown it waits for
# every thread.
_POOL = ThreadPoolExecutor(4, thread_name_prefix="lms-trigger")


async def import_modules_of(conn_type: str) -> None:
    """Import in a thread what waiting for an LMS needs. That takes longer than the event loop may be blocked.

    :param conn_type: the type of the connection.
    """
    await in_thread(
        _import,
        "airflow_provider_lms.triggers.shared_polls",
        "airflow_provider_lms.triggers.completion_feed",
        VENDORS[conn_type].hook_module,
    )


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread. It must not call Airflow, and must end by itself soon."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))


def _import(*modules: str) -> None:
    # The first collection of Airflow's objects would block the event loop for 0.2 to 0.3 s.
    with gc_paused():
        for module in modules:
            import_module(module)
