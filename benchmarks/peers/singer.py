"""A tap of the Singer SDK; its messages are the output, so no target's work is counted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_lms.simulator.exchange import JSON
from benchmarks.peers import CREDENTIALS, LISTING, TOKEN, TOKEN_HEADERS, Task

if TYPE_CHECKING:
    from requests import Response

_TOKEN_IN_XML = re.compile("<nextPageToken>([^<]+)</nextPageToken>")
_TYPES = {
    "timeSpent": "integer",
    "viewsCount": "integer",
    "awardedScore": "number",
    "passingScore": "number",
    "progress": "number",
    "isOverdue": "boolean",
}
_FIELDS = (
    *("userId", "courseId", "moduleId", "moduleTitle", "courseItemId", "enrollmentId", "accessDate", "dueDate"),
    *("expirationDate", "completionDate", "timeSpent", "completionStatus", "awardedScore", "progress", "isOverdue"),
    *("passingScore", "viewsCount"),
)


def read(task: Task) -> None:
    import xmltodict
    from singer_sdk import RESTStream, Tap
    from singer_sdk.authenticators import OAuthAuthenticator
    from singer_sdk.pagination import BaseAPIPaginator

    class Authenticator(OAuthAuthenticator):  # type: ignore[misc]  # not installed where mypy runs
        @property
        def oauth_request_body(self) -> dict[str, str]:
            return CREDENTIALS

    class Results(RESTStream[str]):  # type: ignore[misc]  # not installed where mypy runs
        name = "results"
        path = LISTING
        url_base = task.url
        primary_keys = ()
        schema = _schema(task.media_type)
        records_jsonpath = "$.results[*]"
        next_page_token_jsonpath = "$.nextPageToken"
        authenticator = Authenticator(auth_endpoint=task.url + TOKEN, oauth_headers=TOKEN_HEADERS)

        @property
        def http_headers(self) -> dict[str, str]:
            return {**super().http_headers, "Accept": task.media_type}

        def get_url_params(self, _: Mapping[str, Any] | None, next_page_token: str | None) -> dict[str, Any]:
            return {"pageToken": next_page_token} if next_page_token else {}

    class XmlResults(Results):
        def parse_response(self, response: Response) -> Iterable[dict[str, Any]]:
            yield from xmltodict.parse(response.text)["response"]["results"]["result"]

        def get_new_paginator(self) -> BaseAPIPaginator[str | None]:
            return TokenInXml(None)

    class TokenInXml(BaseAPIPaginator[str | None]):  # type: ignore[misc]  # not installed where mypy runs
        def get_next(self, response: Response) -> str | None:
            found = _TOKEN_IN_XML.search(response.text[-500:])
            return found[1] if found else None

    class Reader(Tap):  # type: ignore[misc]  # not installed where mypy runs
        name = "tap-lms"
        config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {}}

        def discover_streams(self) -> list[RESTStream[str]]:
            return [Results(self) if task.media_type == JSON else XmlResults(self)]

    with (task.output / "messages.jsonl").open("w") as file, contextlib.redirect_stdout(file):
        Reader(config={}).sync_all()


def files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("messages.jsonl"))


def _schema(media_type: str) -> dict[str, Any]:
    types = _TYPES if media_type == JSON else {}
    return {"properties": {name: {"type": [types.get(name, "string"), "null"]} for name in _FIELDS}}
