"""Requests and xmltodict (or json), page by page into lines, or all into a DataFrame: what people write today."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.simulator.exchange import XML
from benchmarks.peers import CREDENTIALS, JSONL, LISTING, TOKEN, TOKEN_HEADERS, Task

if TYPE_CHECKING:
    from requests import Response


def read(task: Task) -> None:
    from requests import get

    if task.format == JSONL:
        with (task.output / "results.jsonl").open("w") as file:
            for rows in pages(task, get, sign_in(task)):
                file.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        import pandas

        rows = [row for page in pages(task, get, sign_in(task)) for row in page]
        pandas.DataFrame(rows).to_parquet(task.output / "results.parquet", index=False)


def files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("results.*"))


def sign_in(task: Task) -> dict[str, str]:
    """The headers that a page is asked for with."""
    import requests

    token = requests.post(task.url + TOKEN, data=CREDENTIALS, headers=TOKEN_HEADERS, timeout=60).json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Accept": task.media_type}


def pages(
    task: Task, get: Callable[..., Response], headers: Mapping[str, str], course: str | None = None
) -> Iterator[list[dict[str, Any]]]:
    """The rows of each page, of one course or of all.

    :param get: ``requests.get``, or that of a session.
    """
    import xmltodict

    query = {"courseIds[]": course} if course else {}
    params = query
    while True:
        answer = get(task.url + LISTING, params=params, headers=headers, timeout=60)
        answer.raise_for_status()
        page = xmltodict.parse(answer.text)["response"] if task.media_type == XML else answer.json()
        yield page["results"]["result"] if task.media_type == XML else page["results"]
        if "nextPageToken" not in page:
            return
        params = {**query, "pageToken": page["nextPageToken"]}
