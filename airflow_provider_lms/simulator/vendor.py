"""What the simulated vendors share: a log of requests, and faults that apply to coming replies."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault


@dataclass
class _Planned:
    call: str
    fault: Fault
    skip: int
    times: int


class Host(ABC):
    """Answers requests, and can be told to fail."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._planned: list[_Planned] = []
        self._mutex = threading.RLock()

    def fail(self, call: str, fault: Fault, *, on: int = 1, times: int = 1) -> None:
        """Let coming replies go wrong.

        :param call: method and path, as in ``GET /learners/results``.
        :param fault: one of :mod:`~airflow_provider_lms.simulator.faults`.
        :param on: the first reply it applies to; 1 is the next.
        :param times: how many replies in a row it applies to.
        """
        with self._mutex:
            self._planned.append(_Planned(call, fault, on - 1, times))

    def count(self, call: str) -> int:
        """How often a call was made."""
        return sum(request.call == call for request in list(self.requests))

    def reply(self, request: Request) -> Reply | None:
        """The reply to a request; None where this host has no such endpoint."""
        with self._mutex:
            reply = self._answer(request)
            if reply is None:
                return None
            self.requests.append(request)
            for planned in self._planned:
                if planned.call != request.call or not planned.times:
                    continue
                if planned.skip:
                    planned.skip -= 1
                    continue
                planned.times -= 1
                reply = planned.fault(request, reply)
            return reply

    @abstractmethod
    def _answer(self, request: Request) -> Reply | None: ...


class Vendor(Host):
    """One simulated LMS."""

    @abstractmethod
    def connection(self, url: str) -> dict[str, Any]:
        """The fields of an Airflow connection to this vendor.

        :param url: where it is served.
        """
