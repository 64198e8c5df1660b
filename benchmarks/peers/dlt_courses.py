"""dlt with a parallelized resource for each course, all of them into one table, as its page on performance shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import Task, by_hand, dlt_documented


def read(task: Task) -> None:
    # There are five threads if nothing is said.
    os.environ["EXTRACT__WORKERS"] = str(task.parallel)
    pipeline = dlt_documented.pipeline(task)
    headers = by_hand.sign_in(task)
    pipeline.run(_source(task, headers)(), loader_file_format=task.format)


def files(folder: Path) -> Sequence[Path]:
    return dlt_documented.files(folder)


def _source(task: Task, headers: dict[str, str]) -> Any:
    import dlt

    # Resources that are no source's are read one after the other.
    @dlt.source(name="lms")  # type: ignore[untyped-decorator]  # not installed where mypy runs
    def lms() -> list[Any]:
        return [_resource(task, headers, course) for course in task.courses]

    return lms


def _resource(task: Task, headers: dict[str, str], course: str) -> Any:
    import dlt
    from dlt.sources.helpers import requests

    @dlt.resource(name=f"results_{course}", table_name="results", parallelized=task.parallel > 1)  # type: ignore[untyped-decorator]  # not installed where mypy runs
    def results() -> Iterator[list[dict[str, Any]]]:
        yield from by_hand.pages(task, requests.get, headers, course)

    return results
