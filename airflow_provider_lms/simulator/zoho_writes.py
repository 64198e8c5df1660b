"""Enrolling and unenrolling learners in the simulated Zoho People."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from airflow_provider_lms.simulator.exchange import Request
from airflow_provider_lms.simulator.read_delay import ReadDelay
from airflow_provider_lms.simulator.world import World
from airflow_provider_lms.simulator.zoho_endpoints import (
    Refused,
    Route,
    ZohoEndpoints,
    bad_value,
    extra_parameters,
)
from airflow_provider_lms.simulator.zoho_world import Batch, Course, Learner, ZohoEnrollments

_PARAMETERS = ("erecnosList", "learnerErecno")
_COURSE = r"POST /api/v1/courses/([^/]+)(?:/batches/([^/]+))?"


class ZohoWrites(ZohoEndpoints):
    """Everything of an account that can be changed.

    What Zoho does not document about writes is an option: an attribute that a test may set. No reply is printed: it has
    the fields that all replies have.
    """

    unenroll_parameter: Literal["erecnosList", "learnerErecno"] = "erecnosList"
    """The parameter that unenrolling honors. The text of Zoho's page names the first, its samples send the second."""

    enroll_again: Literal["ignored", "moved", "refused"] = "ignored"
    """What becomes of an enrollment in a course that the learner is in: nothing; the learner moves to the batch of the
    request; or HTTP 400 for the whole request."""

    unenroll_again: Literal["refused", "ignored"] = "refused"
    """What becomes of a request to unenroll somebody who is not enrolled: HTTP 400 for the whole of it, or nothing."""

    most_at_once: int | None = None
    """How many learners a request may name. More are HTTP 422. Zoho lists this status, but no number."""

    read_delay_seconds: float = 0.0
    """How long after a write reads still show the state before it. Courses that learners complete are no writes, but
    are hidden as well while a write is."""

    def show(self, world: World) -> None:
        with self._mutex:
            super().show(world)
            self._read_delay = ReadDelay[ZohoEnrollments]()
            self.routes += [
                Route(f"{_COURSE}/enroll", self._enroll, _PARAMETERS[:1], operation="CREATE"),
                Route(f"{_COURSE}/unenroll", self._unenroll, _PARAMETERS, operation="CREATE"),
            ]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within it, a write is carried out. Unless it is refused, reads show it after their delay."""
        before = self.world.enrollments.copy() if self.read_delay_seconds else None
        yield
        if before is not None:
            self._read_delay.add(before, self.read_delay_seconds)

    @contextmanager
    def as_shown(self) -> Iterator[None]:
        """Within it, enrollments are those that reads show."""
        world, enrollments = self.world, self.world.enrollments
        world.enrollments = self._read_delay.shown(enrollments)
        try:
            yield
        finally:
            world.enrollments = enrollments

    def _enroll(self, request: Request, course_id: str, batch_id: str | None) -> dict[str, Any]:
        course = self._course(course_id)
        batch = self._batch(course, batch_id)
        learners = self._named(request, "erecnosList")
        enrolled = [learner for learner in learners if self._is_in(course, learner)]
        if enrolled and self.enroll_again == "refused":
            raise bad_value()
        for learner in learners:
            if learner not in enrolled:
                self.world.enroll(course, batch, learner)
            elif batch is not None and self.enroll_again == "moved":
                self.world.move(course, batch, learner)
        return {"code": 200, "message": "success"}

    def _unenroll(self, request: Request, course_id: str, batch_id: str | None) -> dict[str, Any]:
        course = self._course(course_id)
        batch = self._batch(course, batch_id)
        learners = self._named(request, self.unenroll_parameter)
        enrolled = [learner for learner in learners if learner in self.world.learners(course, batch)]
        if len(enrolled) < len(learners) and self.unenroll_again == "refused":
            raise bad_value()
        for learner in enrolled:
            self.world.unenroll(course, batch, learner)
        return {"code": 200, "message": "success"}

    def _is_in(self, course: Course, learner: Learner) -> bool:
        """Whether a learner is in a course, in any of its batches."""
        batches: tuple[Batch | None, ...] = course.batches or (None,)
        return any(learner in self.world.learners(course, batch) for batch in batches)

    def _named(self, request: Request, parameter: str) -> list[Learner]:
        """The learners that a request names by their record numbers: a JSON array; one alone also without brackets."""
        if any(name != parameter for name, _ in request.query):
            raise extra_parameters()
        try:
            given = json.loads(request.first(parameter) or "[]")
        except ValueError:
            raise bad_value() from None
        numbers = given if isinstance(given, list) else [given]
        learners = {self.erecno(learner): learner for learner in self.world.everyone}
        wanted = dict.fromkeys(map(str, numbers))
        if not wanted or wanted.keys() - learners.keys():
            raise bad_value()
        if self.most_at_once is not None and len(wanted) > self.most_at_once:
            raise Refused(422, {"code": 422, "message": "Maximum limit exceeded"})
        return [learners[each] for each in wanted]
