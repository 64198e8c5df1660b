"""The requests that a simulator has served. No query, header or body is kept: they may hold tokens and secrets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

_KEPT = 1_000


@dataclass(frozen=True)
class LoggedRequest:
    """One request and its reply.

    :param at: when, as an RFC 3339 date by the simulator's clock.
    :param call: method and path.
    :param ms: milliseconds until the reply was ready.
    """

    at: str
    call: str
    status: int
    ms: int

    def __str__(self) -> str:
        return f"{self.at} {self.call} {self.status} {self.ms} ms"

    def to_json(self) -> dict[str, Any]:
        """The same as a dict that JSON can hold."""
        return asdict(self)


class RequestLog:
    """Keeps the last 1,000 requests.

    :param show: is told of each one.
    """

    def __init__(self, show: Callable[[LoggedRequest], None] = lambda _: None) -> None:
        self._show = show
        self._kept: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def add(self, request: LoggedRequest) -> None:
        """Note one more request."""
        self._kept.append(request)
        self._show(request)

    def last(self, count: int) -> list[LoggedRequest]:
        """The latest requests, in their order."""
        return list(self._kept)[-count:]
