"""Which parts of Airflow run in this container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))
"""What Docker, Podman and Kubernetes leave in a container."""

_COMMAND = re.compile(r"\bairflow (?:-- )?(scheduler|triggerer|api[_-]server|webserver)\b")
_NEEDED = ("scheduler", "triggerer")
"""Tasks run with the scheduler, and deferred ones with the triggerer. Both send requests."""


@cache
def parts_elsewhere() -> tuple[str, ...]:
    """The parts that send requests and do not run in this container. Empty outside a container or outside Airflow."""
    if not any(path.exists() for path in _CONTAINER_MARKS):
        return ()
    here = psutil.Process()
    own = set(_parts(iter([here, *here.parents()])))
    seen = own | set(_parts(psutil.process_iter()))
    return tuple(part for part in _NEEDED if part not in seen) if own else ()


def _parts(processes: Iterator[psutil.Process]) -> Iterator[str]:
    for process in processes:
        try:
            found = _COMMAND.search(" ".join(process.cmdline()))
        except psutil.Error:  # it has ended meanwhile, or belongs to somebody else
            continue
        if found is not None:
            yield found[1]
