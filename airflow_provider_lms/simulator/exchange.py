"""Requests and replies as the simulated vendors see them, before they become bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

JSON, XML, TEXT, HTML = "application/json", "application/xml", "text/plain", "text/html"


@dataclass(frozen=True)
class Request:
    """A request that arrived.

    :param call: method and path, as in ``GET /learners/results``.
    :param query: the decoded query parameters, in order.
    :param form: the decoded form body.
    :param body: the body as text, if it is not a form.
    """

    call: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    body: str = ""

    def first(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True)
class Reply:
    """What goes back.

    :param content: dicts, lists and scalars; written in the media type.
    :param root: the root element in XML.
    :param item: the element of one item in XML, if the content is a list.
    :param raw: the body itself, in place of ``content``.
    :param sent: the share of the body that leaves before the connection is closed.
    :param unsent: close the connection before anything leaves, even the status.
    :param reset: close the connection hard, so that the reader sees a reset.
    :param delay: seconds before anything leaves.
    :param pause: seconds before each piece of the body.
    :param pieces: how many pieces a body with pauses leaves in.
    """

    status: int = 200
    content: Any = None
    media_type: str = JSON
    root: str = "response"
    item: str = "item"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    sent: float = 1.0
    unsent: bool = False
    reset: bool = False
    delay: float = 0.0
    pause: float = 0.0
    pieces: int = 10

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.media_type == JSON:
            return json.dumps(self.content, ensure_ascii=False).encode()
        if self.media_type == XML:
            return f'<?xml version="1.0" encoding="UTF-8"?>\n{_xml(self.root, self.content, self.item)}'.encode()
        return str(self.content).encode()


def _xml(tag: str, content: Any, item: str = "item") -> str:
    if isinstance(content, dict):
        inner = "".join(_xml(name, value) for name, value in content.items())
    elif isinstance(content, list):
        # Lists of the same name may hold objects in one place and ids in another.
        inner = "".join(
            "\n" + _xml(_ITEMS.get(tag, item) if isinstance(each, dict) else _IDS.get(tag, item), each)
            for each in content
        )
    elif isinstance(content, bool):
        inner = str(int(content))
    else:
        inner = "" if content is None else escape(str(content))
    return f"<{tag}>{inner}</{tag}>"


_ITEMS = {
    "results": "result",
    "enrollments": "enrollment",
    "contentItems": "contentItem",
    "courseFields": "courseField",
    "userProfiles": "userProfile",
    "userRoles": "userRole",
    "fields": "field",
    "groups": "group",
    "departments": "department",
    "modules": "module",
    "assignments": "assignment",
    "attachments": "attachment",
    "values": "field",
}
_IDS = {
    "groups": "id",
    "userIds": "id",
    "manageableDepartmentIds": "id",
    "parentCourseIds": "id",
    "sessions": "id",
    "sessionIds": "id",
    "dayIds": "id",
    "participants": "id",
}
