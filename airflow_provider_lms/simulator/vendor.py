"""What the simulated vendors share: a log of requests, and faults that apply to coming replies."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.simulator.world import World


@dataclass
class _Planned:
    call: str | None
    fault: Fault
    skip: int
    times: int
    before: bool


class Host(ABC):
    """Answers requests, and can be told to fail."""

    token_call = ""
    """The call for an access token, which no fault for every call applies to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._planned: list[_Planned] = []
        self._mutex = threading.RLock()

    def fail(self, call: str | None, fault: Fault, *, on: int = 1, times: int = 1, before: bool = False) -> None:
        """Let coming replies go wrong.

        A fault replaces the reply to a request that was carried out: what a write has changed stays changed. With
        ``before=True`` the request is not carried out.

        :param call: method and path, as in ``GET /learners/results``; None is every call but that for a token.
        :param fault: one of :mod:`~airflow_provider_lms.simulator.faults`.
        :param on: the first reply it applies to; 1 is the next.
        :param times: how many replies in a row it applies to.
        :param before: fail before anything is done.
        """
        with self._mutex:
            self._planned.append(_Planned(call, fault, on - 1, times, before))

    def count(self, call: str) -> int:
        """How often a call was made."""
        return sum(request.call == call for request in list(self.requests))

    def reply(self, request: Request) -> Reply | None:
        """The reply to a request; None where this host has no such endpoint."""
        with self._mutex:
            if not self._serves(request):
                return None
            due = [planned for planned in self._planned if self._is_due(planned, request)]
            reply = Reply() if any(planned.before for planned in due) else self._answer(request)
            self.requests.append(request)
            for planned in due:
                reply = planned.fault(request, reply)
            return reply

    def _is_due(self, planned: _Planned, request: Request) -> bool:
        if not planned.times or not self._applies(planned, request):
            return False
        if planned.skip:
            planned.skip -= 1
            return False
        planned.times -= 1
        return True

    def _applies(self, planned: _Planned, request: Request) -> bool:
        return request.call != self.token_call if planned.call is None else request.call == planned.call

    @abstractmethod
    def _serves(self, request: Request) -> bool:
        """Whether this host has such an endpoint."""

    @abstractmethod
    def _answer(self, request: Request) -> Reply:
        """Carry out a request that this host serves."""


@dataclass(frozen=True)
class CourseState:
    """How many learners of a course have completed it.

    :param id: the vendor's id of the course.
    """

    id: str
    title: str
    learners: int
    completed: int


class Vendor(Host):
    """One simulated LMS."""

    def __init__(self) -> None:
        super().__init__()
        self._locked_until = 0.0

    @property
    def lock_seconds_left(self) -> float:
        """How long the account is still locked; 0 if it is not."""
        return max(self._locked_until - clock.monotonic(), 0.0)

    def lock(self, seconds: float) -> None:
        """Lock the account, as after too many calls."""
        with self._mutex:
            self._locked_until = clock.monotonic() + seconds

    @abstractmethod
    def revoke_tokens(self) -> None:
        """Make every access token invalid."""

    @abstractmethod
    def course_states(self) -> Sequence[CourseState]:
        """How many learners have completed each course."""

    @abstractmethod
    def learner_ids(self, course_id: str) -> Collection[str]:
        """The ids of the active learners of a course that exists."""

    @abstractmethod
    def complete(self, course_id: str, learners: int, learner_ids: Collection[str] | None = None) -> list[str]:
        """Let learners complete a course: the first ones that have not, and that have access by now.

        :param course_id: the id of a course that exists.
        :param learners: how many; fewer if no more are left.
        :param learner_ids: all of these, in place of a number.
        :return: the ids of those who had not completed it before.
        """

    @abstractmethod
    def show(self, world: World) -> None:
        """Serve another world from now on. Access tokens stay valid."""

    def time_passed(self) -> None:
        """Adjust to a clock that was moved."""

    @abstractmethod
    def connection(self, url: str) -> dict[str, Any]:
        """The fields of an Airflow connection to this vendor.

        :param url: where it is served.
        """
