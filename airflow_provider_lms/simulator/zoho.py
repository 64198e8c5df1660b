"""Zoho People's LMS as its pages describe it, with its token endpoint, its employee form and Zoho's limits."""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.vendor import CourseState
from airflow_provider_lms.simulator.world import World
from airflow_provider_lms.simulator.zoho_endpoints import Refused, Route, extra_parameters
from airflow_provider_lms.simulator.zoho_world import Course, Learner
from airflow_provider_lms.simulator.zoho_writes import ZohoWrites

_TOKEN = "POST /oauth/v2/token"  # noqa: S105


@dataclass
class Limits:
    """Zoho's limits; shorten the times to test in seconds.

    :param requests: calls allowed in any window.
    :param window_seconds: the length of that window.
    :param lock_seconds: how long the account is locked after one call too many; a call during the lock restarts it.
    :param tokens: access tokens given in any token window.
    :param token_window_seconds: the length of that window; after one request too many, no more until it ends.
    :param live_tokens: access tokens that are valid at once; a newer one revokes the oldest.
    """

    requests: int = 30
    window_seconds: float = 60.0
    lock_seconds: float = 300.0
    tokens: int = 10
    token_window_seconds: float = 600.0
    live_tokens: int = 15


class Zoho(ZohoWrites):
    """A simulated Zoho People account.

    A query parameter that it does not honor is refused, by the code that Zoho lists for extra parameters.

    :param world: what there is to read.
    :param limits: what the account may do.
    :param token_life: seconds that an access token is valid; the client is told, and then it expires.

    Rows per page are ``page_size``, of the employee form ``form_page_size``.
    ``locks`` counts how often the account was locked, ``sent_in_lock`` the calls that came meanwhile.
    """

    client_id = "1000.SIMULATORCLIENT"
    client_secret = "simulator-secret-8c2e11"  # noqa: S105
    refresh_token = "1000.simulator-refresh-77ab20.e6"  # noqa: S105

    def __init__(self, world: World, limits: Limits | None = None, *, token_life: float = 3600.0) -> None:
        super().__init__(world)
        self.limits = Limits() if limits is None else limits
        self.token_life = token_life
        self.scopes = {"ZOHOPEOPLE.training.READ", "ZOHOPEOPLE.training.CREATE", "ZOHOPEOPLE.forms.READ"}
        self.revoked = False
        self.tokens: list[str] = []
        self.locks = 0
        self.sent_in_lock = 0
        self._live: deque[tuple[str, float]] = deque()
        self._calls: deque[float] = deque()
        self._given: deque[float] = deque()

    token_call = _TOKEN

    @property
    def calls(self) -> list[Request]:
        """The requests to the LMS, without those for tokens."""
        return [request for request in list(self.requests) if request.call != _TOKEN]

    def connection(self, url: str) -> dict[str, Any]:
        limits = self.limits
        extra = {
            "refresh_token": self.refresh_token,
            "accounts_url": url,
            "people_url": url,
            "requests_per_window": limits.requests,
            "window_seconds": limits.window_seconds,
            "lock_seconds": limits.lock_seconds,
        }
        return {"login": self.client_id, "password": self.client_secret, "extra": extra}

    def entity_progress(self, course: Course, *entity_types: int) -> list[dict[str, Any]]:
        """What Zoho tells of all learners of a course, as its JSON; of the types given, else of all."""
        return [
            row
            for batch in course.batches or (None,)
            for learner in self.world.learners(course, batch)
            for kind in entity_types or range(10)
            for row in self.world.entities(course, learner, kind)
        ]

    def finish(self, learner: Learner, course: Course) -> None:
        """Let a learner complete all of a course."""
        with self._mutex:
            self.world.finished.add((learner.id, course.id))

    def course_states(self) -> list[CourseState]:
        return [
            CourseState(
                course.id, course.name, len(learners), sum(self._has_completed(each, course) for each in learners)
            )
            for course in self.courses
            for learners in [self._learners_of(course)]
        ]

    def learner_ids(self, course_id: str) -> list[str]:
        return [learner.id for learner in self._learners_of(self._course(course_id))]

    def complete(self, course_id: str, learners: int, learner_ids: Collection[str] | None = None) -> list[str]:
        with self._mutex:
            course = self._course(course_id)
            left = (each for each in self._learners_of(course) if not self._has_completed(each, course))
            if learner_ids is None:
                chosen = list(islice(left, learners))
            else:
                chosen = [each for each in left if each.id in learner_ids]
            for learner in chosen:
                self.finish(learner, course)
            return [learner.id for learner in chosen]

    def _learners_of(self, course: Course) -> list[Learner]:
        return [each for batch in course.batches or (None,) for each in self.world.learners(course, batch)]

    def _has_completed(self, learner: Learner, course: Course) -> bool:
        return bool(self.world.course_progress(course, learner)["completionStatus"] == "completed")

    def use_up(self) -> None:
        """Somebody else calls so often that the account is locked."""
        self.lock(self.limits.lock_seconds)

    def lock(self, seconds: float) -> None:
        with self._mutex:
            self.locks += 1
            super().lock(seconds)

    def revoke_tokens(self) -> None:
        """Make every access token invalid."""
        with self._mutex:
            self._live.clear()

    def _serves(self, request: Request) -> bool:
        return request.call == _TOKEN or self._route(request) is not None

    def _route(self, request: Request) -> tuple[Route, tuple[str, ...]] | None:
        found = ((route, re.fullmatch(route.path, request.call)) for route in self.routes)
        return next(((route, match.groups()) for route, match in found if match is not None), None)

    def _answer(self, request: Request) -> Reply:
        try:
            found = self._route(request)
            if found is None:
                return Reply(content=self._token(request))
            self._count()
            route, path_ids = found
            self._authorise(request, route)
            if any(name not in route.parameters for name, _ in request.query):
                raise extra_parameters()
            with self.as_shown() if route.operation == "READ" else self.writing():
                return Reply(content=route.answer(request, *path_ids))
        except Refused as error:
            return error.reply

    def _token(self, request: Request) -> dict[str, Any]:
        # Zoho's pages show the parameters in the query string, third parties send them in the body.
        form, now = {**dict(request.query), **request.form}, clock.monotonic()
        if form.get("client_id") != self.client_id:
            raise Refused(200, {"error": "invalid_client"})
        if form.get("client_secret") != self.client_secret:
            raise Refused(200, {"error": "invalid_client_secret"})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token or self.revoked:
            raise Refused(200, {"error": "invalid_code"})
        _forget(self._given, now - self.limits.token_window_seconds)
        if len(self._given) >= self.limits.tokens:
            said = "You have made too many requests continuously. Please try again after some time."
            raise Refused(400, {"error_description": said, "error": "Access Denied", "status": "failure"})
        self._given.append(now)
        token = f"1000.{uuid.uuid4().hex}.{uuid.uuid4().hex}"
        self.tokens.append(token)
        self._live.append((token, now + self.token_life))
        while len(self._live) > self.limits.live_tokens:
            self._live.popleft()
        return {
            "access_token": token,
            "scope": " ".join(sorted(self.scopes)),
            "api_domain": "https://www.zohoapis.example",
            "token_type": "Bearer",
            "expires_in": int(self.token_life),
        }

    def _count(self) -> None:
        now = clock.monotonic()
        locked = now < self._locked_until
        _forget(self._calls, now - self.limits.window_seconds)
        if locked:
            self.sent_in_lock += 1
        elif len(self._calls) < self.limits.requests:
            self._calls.append(now)
            return
        else:
            self.locks += 1
        self._locked_until = now + self.limits.lock_seconds
        self._calls.clear()
        said = "API access blocked since threshold limit exceeded. Please try after some time"
        raise Refused(400, {"code": 7209, "message": said})

    def _authorise(self, request: Request, route: Route) -> None:
        header = request.headers.get("authorization", "")
        now = clock.monotonic()
        if not header.startswith("Zoho-oauthtoken "):
            raise Refused(400, {"response": {"status": 1, "errors": {"code": 7202, "message": "Invalid authtoken"}}})
        if not any(header == f"Zoho-oauthtoken {token}" and now < end for token, end in self._live):
            raise Refused(401, {"response": {"status": 1, "errors": {"code": 7213, "message": "Invalid token"}}})
        if not self.scopes & {f"ZOHOPEOPLE.{route.scope}.{kind}" for kind in (route.operation, "ALL")}:
            raise Refused(401, {"response": {"status": 1, "errors": [{"code": 7218, "message": "Invalid scope"}]}})


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
