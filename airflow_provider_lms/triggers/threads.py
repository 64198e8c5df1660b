"""Threads for what a trigger must not do on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Of this package alone: the loop's own pool serves all triggers of the host, and waits for every thread at its end.
_POOL = ThreadPoolExecutor(4, thread_name_prefix="lms-trigger")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Do some work in a thread. It must not call Airflow, and must end by itself soon."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))
