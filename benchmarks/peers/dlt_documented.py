"""dlt as its documentation shows it: ``rest_api`` for JSON, a resource of its own for XML, into a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator.exchange import JSON, XML
from benchmarks.peers import CREDENTIALS, LISTING, TOKEN, TOKEN_HEADERS, Task


def read(task: Task) -> None:
    pipeline(task).run(_json(task) if task.media_type == JSON else _xml(task), loader_file_format=task.format)


def pipeline(task: Task) -> Any:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt

    return dlt.pipeline(
        "benchmark",
        pipelines_dir=str(task.output / "state"),
        destination=dlt.destinations.filesystem(bucket_url=(task.output / "bucket").absolute().as_uri()),
        dataset_name="lms",
    )


def files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.glob("bucket/lms/results/*") if path.is_file())


def _json(task: Task) -> Any:
    from dlt.common.configuration import configspec
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials
    from dlt.sources.rest_api import rest_api_source

    @configspec
    class Credentials(OAuth2ClientCredentials):  # type: ignore[misc]  # not installed where mypy runs
        def build_access_token_request(self) -> dict[str, Any]:
            request = super().build_access_token_request()
            return {**request, "headers": {**request["headers"], **TOKEN_HEADERS}}

    return rest_api_source(
        {
            "client": {
                "base_url": task.url,
                "headers": {"Accept": JSON},
                "auth": Credentials(
                    access_token_url=task.url + TOKEN,
                    client_id=CREDENTIALS["client_id"],
                    client_secret=CREDENTIALS["client_secret"],
                ),
                "paginator": {"type": "cursor", "cursor_path": "nextPageToken", "cursor_param": "pageToken"},
            },
            "resources": [{"name": "results", "endpoint": {"path": LISTING, "data_selector": "results"}}],
        }
    )


def _xml(task: Task) -> Any:
    import dlt
    import xmltodict
    from dlt.sources.helpers import requests

    @dlt.resource(name="results")  # type: ignore[untyped-decorator]  # not installed where mypy runs
    def results() -> Iterator[list[dict[str, Any]]]:
        token = requests.post(task.url + TOKEN, data=CREDENTIALS, headers=TOKEN_HEADERS).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": XML}
        params: dict[str, str] = {}
        while True:
            answer = requests.get(task.url + LISTING, params=params, headers=headers)
            answer.raise_for_status()
            page = xmltodict.parse(answer.text)["response"]
            yield page["results"]["result"]
            if "nextPageToken" not in page:
                return
            params = {"pageToken": page["nextPageToken"]}

    return results
