"""Pausing the garbage collector while many objects are made at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector for work that makes thousands of objects and no reference cycle.

    A full collection visits every object of Airflow. That takes about 0.2 s, and all threads wait for it: with the
    collector on, decoding one page of 1,000 XML rows took 46 ms instead of 19.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
