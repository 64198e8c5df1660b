"""Tables in Markdown, and what the figures were measured on."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import CONTENDERS

_BUSY = 0.1
"""Above this share of all cores, other processes take turns with what is measured, and share its caches."""


def print_machine() -> None:
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    packages = ["apache-airflow", *(name for each in CONTENDERS.values() for name in each.packages)]
    print(f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(", ".join(f"{name} {version(name)}" for name in packages))


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}\n")
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


def spread(values: Sequence[float], decimals: int = 2) -> str:
    """The median, and in brackets the lowest and the highest value where these differ from it."""
    found = (statistics.median(values), min(values), max(values))
    median, lowest, highest = (f"{each:,.{decimals}f}" for each in found)
    return median if lowest == median == highest else f"{median} ({lowest}–{highest})"


def describe_load(shares: Sequence[float]) -> str:
    """Whether the machine was busy with something else.

    :param shares: the share of all cores that was in use just before each run, while the benchmark waited.
    """
    median, highest = statistics.median(shares), max(shares)
    state = "quiet" if median < _BUSY else "BUSY: trust ratios of CPU time, not wall time"
    return (
        f"Before each run, other processes used {median:.0%} of the cores (median; at most {highest:.0%}). "
        f"The machine was {state}."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
