"""The bound: one session, dicts by msgspec (JSON) or lxml (XML), lines; no types, no checks, no commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airflow_provider_lms.simulator.exchange import JSON
from benchmarks.peers import CREDENTIALS, LISTING, TOKEN, TOKEN_HEADERS, Task


def read(task: Task) -> None:
    import msgspec
    import requests
    from lxml import etree

    encode = msgspec.json.Encoder().encode_lines
    session = requests.Session()
    params: dict[str, str] = {}
    token = session.post(task.url + TOKEN, data=CREDENTIALS, headers=TOKEN_HEADERS, timeout=60).json()["access_token"]
    session.headers.update({"Authorization": f"Bearer {token}", "Accept": task.media_type})
    with (task.output / "results.jsonl").open("wb") as file:
        while True:
            body = session.get(task.url + LISTING, params=params, timeout=60).content
            if task.media_type == JSON:
                page = msgspec.json.decode(body)
                rows, following = page["results"], page.get("nextPageToken")
            else:
                root = etree.fromstring(body)
                rows = [{field.tag: field.text for field in row} for row in root.find("results")]
                following = root.findtext("nextPageToken")
            file.write(encode(rows))
            if not following:
                return
            params = {"pageToken": following}


def files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("results.jsonl"))
