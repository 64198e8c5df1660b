"""Requests by hand, course by course: a pool of threads that share a token and a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.peers import JSONL, Task, by_hand

_Rows: TypeAlias = list[dict[str, Any]]


def read(task: Task) -> None:
    if task.format == JSONL:
        lock = threading.Lock()
        with (task.output / "results.jsonl").open("w") as file:

            def write(rows: _Rows) -> None:
                lines = "".join(json.dumps(row) + "\n" for row in rows)
                with lock:
                    file.write(lines)

            _read(task, write)
    else:
        import pandas

        found: _Rows = []
        _read(task, found.extend)
        pandas.DataFrame(found).to_parquet(task.output / "results.parquet", index=False)


def files(folder: Path) -> Sequence[Path]:
    return by_hand.files(folder)


def _read(task: Task, write: Callable[[_Rows], None]) -> None:
    import requests

    headers = by_hand.sign_in(task)

    def read_course(course: str) -> None:
        with requests.Session() as session:
            for rows in by_hand.pages(task, session.get, headers, course):
                write(rows)

    with ThreadPoolExecutor(task.parallel) as pool:
        # The list raises what a job has raised.
        list(pool.map(read_course, task.courses))
