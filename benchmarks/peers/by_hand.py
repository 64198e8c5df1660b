"""Requests and xmltodict (or json), page by page into lines, or all into a DataFrame: what people write today."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator.exchange import XML
from benchmarks.peers import CREDENTIALS, JSONL, LISTING, TOKEN, TOKEN_HEADERS, Task


def read(task: Task) -> None:
    if task.format == JSONL:
        with (task.output / "results.jsonl").open("w") as file:
            for rows in _pages(task):
                file.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        import pandas

        rows = [row for page in _pages(task) for row in page]
        pandas.DataFrame(rows).to_parquet(task.output / "results.parquet", index=False)


def files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("results.*"))


def _pages(task: Task) -> Iterator[list[dict[str, Any]]]:
    import requests
    import xmltodict

    token = requests.post(task.url + TOKEN, data=CREDENTIALS, headers=TOKEN_HEADERS, timeout=60).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": task.media_type}
    params: dict[str, str] = {}
    while True:
        answer = requests.get(task.url + LISTING, params=params, headers=headers, timeout=60)
        answer.raise_for_status()
        page = xmltodict.parse(answer.text)["response"] if task.media_type == XML else answer.json()
        yield page["results"]["result"] if task.media_type == XML else page["results"]
        if "nextPageToken" not in page:
            return
        params = {"pageToken": page["nextPageToken"]}
