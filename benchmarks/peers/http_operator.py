"""``HttpOperator`` with a pagination function; its response filter writes the lines.

With courses, an operator reads each of them, one after the other: it has no parallelism of its own. The next page's
token is found by a pattern: to parse each page for it a second time would take twice as long.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.simulator.exchange import JSON, XML
from benchmarks.peers import CREDENTIALS, LISTING, TOKEN, TOKEN_HEADERS, Task

if TYPE_CHECKING:
    from requests import Response

_TOKENS = {
    JSON: re.compile(r'"nextPageToken": "([^"]+)"'),
    XML: re.compile("<nextPageToken>([^<]+)</nextPageToken>"),
}


def read(task: Task) -> None:
    import requests
    import xmltodict
    from airflow.providers.http.operators.http import HttpOperator

    def following(response: Response) -> dict[str, Any] | None:
        found = _TOKENS[task.media_type].search(response.text[-500:])
        return {"data": {"pageToken": found[1]}} if found else None

    def write(responses: list[Response]) -> None:
        for response in responses:
            if task.media_type == XML:
                rows = xmltodict.parse(response.text)["response"]["results"]["result"]
            else:
                rows = response.json()["results"]
            file.writelines(json.dumps(row) + "\n" for row in rows)

    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": task.url})
    token = requests.post(task.url + TOKEN, data=CREDENTIALS, headers=TOKEN_HEADERS, timeout=60).json()["access_token"]
    with (task.output / "results.jsonl").open("w") as file:
        for course in task.courses or [""]:
            HttpOperator(
                task_id="read",
                method="GET",
                endpoint=LISTING,
                data={"courseIds[]": course} if course else None,
                headers={"Authorization": f"Bearer {token}", "Accept": task.media_type},
                pagination_function=following,
                response_filter=write,
            ).execute({})


def files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("results.jsonl"))
