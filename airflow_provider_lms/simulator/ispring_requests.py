"""How the simulated iSpring Learn reads requests, and refuses them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree

from airflow_provider_lms.simulator.exchange import JSON, XML, Request


class Refused(Exception):
    """A request that iSpring Learn refuses.

    :param status: the HTTP status.
    :param as_text: whether the message is the whole body, as with some of the vendor's 404s.
    """

    def __init__(self, status: int, message: str, *, as_text: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.as_text = as_text


def with_body_as_query(request: Request, media_types: Iterable[str] = (JSON,)) -> Request:
    """The same request with the fields of its body as parameters; arrays have brackets after their names.

    :param media_types: those that the endpoint takes.
    """
    if request.query:
        raise Refused(400, "Unknown parameter in the URL")
    given = request.headers.get("content-type", "").partition(";")[0]
    try:
        if given not in media_types:
            raise ValueError(given)
        pairs = _xml_fields(request.body) if given == XML else _json_fields(request.body)
    except (ValueError, ElementTree.ParseError):
        raise Refused(400, "Bad body") from None
    return replace(request, query=tuple(pairs))


def _json_fields(body: str) -> list[tuple[str, str]]:
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise ValueError(body)
    pairs = []
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            if type(each) is not (int if name in _NUMBERS else str):
                raise ValueError(name)
            pairs.append((f"{name}[]" if isinstance(value, list) else name, str(each)))
    return pairs


def _xml_fields(body: str) -> list[tuple[str, str]]:
    """The OpenAPI document repeats a field for each of its ids; the vendor's pages have ``<id>`` elements in one."""
    pairs = []
    for field in ElementTree.fromstring(body):  # noqa: S314  # only tests send something here
        if field.tag.endswith("Ids"):
            pairs += [(f"{field.tag}[]", each.text or "") for each in (field.findall("id") or [field])]
        else:
            pairs.append((field.tag, field.text or ""))
    return pairs


_NUMBERS = frozenset(("pageSize",))
"""The OpenAPI document also declares ``pageToken`` as a number, but the tokens in the vendor's samples are text."""


def listed(request: Request, name: str) -> list[str]:
    """The values of a parameter that may repeat, with brackets or without."""
    return [*request.all(name), *request.all(f"{name}[]")]


def ids(request: Request, name: str) -> set[str]:
    """The ids of a filter."""
    found = set(listed(request, name))
    for each in found:
        _check_id(each, name)
    return found


def _check_id(text: str, name: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        raise Refused(400, f"Bad id in {name}") from None


def moments(request: Request, name: str) -> tuple[datetime | None, datetime | None]:
    """The ends of a range of dates."""
    ends = []
    for end in ("startDate", "endDate"):
        text = request.first(f"{name}[{end}]")
        try:
            moment = None if text is None else datetime.fromisoformat(text)
        except ValueError:
            moment = datetime.min
        if moment is not None and moment.tzinfo is None:
            raise Refused(400, f"Bad date in {name}")
        ends.append(moment)
    return ends[0], ends[1]
