"""Ways to bring all module results into a JSONL file; each runs in a process of its own.

``ours`` types, checks and commits. The others do what people write by hand, or the least that can be done at all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

JSON, XML = "application/json", "application/xml"


def ours(url: str, output: Path, kind: str) -> None:
    """The operator, as in a DAG."""
    from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator

    connection = {"conn_type": "ispring_learn", "host": url, "login": "id", "password": "benchmark-secret"}
    extra = {"response_format": "json" if kind == JSON else "xml"}
    os.environ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT"] = json.dumps({**connection, "extra": extra})
    ISpringModuleResultsOperator(task_id="t", output_path=str(output)).execute({})


def xmltodict_by_hand(url: str, output: Path, kind: str) -> None:
    """Requests and xmltodict (or json), page by page: what people write today."""
    import requests
    import xmltodict

    token = requests.post(f"{url}/api/v3/token", data={"grant_type": "client_credentials"}, timeout=60).json()
    headers, params = {"Authorization": f"Bearer {token['access_token']}", "Accept": kind}, {}
    with (output / "results.jsonl").open("w") as file:
        while True:
            answer = requests.get(f"{url}/learners/modules/results", params=params, headers=headers, timeout=60)
            page = xmltodict.parse(answer.text)["response"] if kind == XML else answer.json()
            rows = page["results"]["result"] if kind == XML else page["results"]
            file.writelines(json.dumps(row) + "\n" for row in rows)
            if "nextPageToken" not in page:
                return
            params = {"pageToken": page["nextPageToken"]}


def bare(url: str, output: Path, kind: str) -> None:
    """The bound: one session, dicts by msgspec (JSON) or lxml (XML), lines; no types, no checks, no commit."""
    import msgspec
    import requests
    from lxml import etree

    encode = msgspec.json.Encoder().encode_lines
    session, params = requests.Session(), {}
    session.headers.update({"Authorization": "Bearer x", "Accept": kind})
    with (output / "results.jsonl").open("wb") as file:
        while True:
            body = session.get(f"{url}/learners/modules/results", params=params, timeout=60).content
            if kind == JSON:
                page = msgspec.json.decode(body)
                rows, token = page["results"], page.get("nextPageToken")
            else:
                root = etree.fromstring(body)
                rows = [{field.tag: field.text for field in row} for row in root.find("results")]
                token = root.findtext("nextPageToken")
            file.write(encode(rows))
            if not token:
                return
            params = {"pageToken": token}


CONTENDERS: dict[str, Callable[[str, Path, str], None]] = {
    "ours": ours,
    "requests + xmltodict/json by hand": xmltodict_by_hand,
    "bare loop (msgspec, lxml)": bare,
}


def main() -> None:
    """Warm up on a small server, run on the big one, print what it took as JSON."""
    name, small, big, output, kind = sys.argv[1:]
    folder = Path(output)
    (folder / "warm-up").mkdir(parents=True)
    CONTENDERS[name](small, folder / "warm-up", kind)
    before = _peak()
    (folder / "result").mkdir()
    wall, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](big, folder / "result", kind)
    taken: dict[str, Any] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**taken, "grown": _peak() - before, "peak": _peak()}))


def _peak() -> float:
    """The largest resident size of this process so far, in MB; a child inherits ru_maxrss, but not this."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
