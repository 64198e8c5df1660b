"""How the simulated iSpring Learn reads requests, and refuses them."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime

from airflow_provider_lms.simulator.exchange import JSON, Request


class Refused(Exception):
    """A request that iSpring Learn refuses.

    :param status: the HTTP status.
    :param as_text: whether the message is the whole body, as with some of the vendor's 404s.
    """

    def __init__(self, status: int, message: str, *, as_text: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.as_text = as_text


def with_body_as_query(request: Request) -> Request:
    """The same request with the fields of its JSON body as parameters; arrays have brackets after their names."""
    try:
        fields = json.loads(request.body)
    except ValueError:
        raise Refused(400, "Bad body") from None
    if not isinstance(fields, dict) or not request.headers.get("content-type", "").startswith(JSON):
        raise Refused(400, "Bad body")
    pairs = [
        (f"{name}[]" if isinstance(value, list) else name, str(each))
        for name, value in fields.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return replace(request, query=(*request.query, *pairs))


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
