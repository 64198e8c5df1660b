"""Zoho People's LMS as its pages describe it: the token endpoint, courses, batches and progress, with Zoho's limits."""

from __future__ import annotations

import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.world import World
from airflow_provider_lms.simulator.zoho_world import Batch, Course, Learner, ZohoWorld

_TOKEN = "POST /oauth/v2/token"  # noqa: S105
_SCOPES = ("ZOHOPEOPLE.training.READ", "ZOHOPEOPLE.training.ALL")
_ID = r"([^/]+)"


@dataclass
class Limits:
    """Zoho's limits; shorten the times to test in seconds.

    :param requests: calls allowed in any window.
    :param window_seconds: the length of that window.
    :param lock_seconds: how long the account is locked after one call more; a call during the lock begins it anew.
    :param tokens: access tokens given in any token window.
    :param token_window_seconds: the length of that window; nothing is given for the rest of it after one request more.
    :param live_tokens: access tokens that are valid at once; a newer one ends the oldest.
    """

    requests: int = 30
    window_seconds: float = 60.0
    lock_seconds: float = 300.0
    tokens: int = 10
    token_window_seconds: float = 600.0
    live_tokens: int = 15


class _Refused(Exception):
    def __init__(self, status: int, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.reply = Reply(status=status, content=content)


class Zoho(Vendor):
    """A simulated Zoho People account.

    :param world: what there is to read.
    :param limits: what the account may do.
    :param token_life: seconds that an access token is valid; told to the client, and kept to.

    ``locks`` counts how often the account was locked, ``sent_in_lock`` the calls that came meanwhile.
    """

    client_id = "1000.SIMULATORCLIENT"
    client_secret = "simulator-secret-8c2e11"  # noqa: S105
    refresh_token = "1000.simulator-refresh-77ab20.e6"  # noqa: S105
    page_size = 25

    def __init__(self, world: World, limits: Limits | None = None, *, token_life: float = 3600.0) -> None:
        super().__init__()
        self.world = ZohoWorld(world)
        self.limits = Limits() if limits is None else limits
        self.token_life = token_life
        self.scopes = {"ZOHOPEOPLE.training.READ"}
        self.revoked = False
        self.tokens: list[str] = []
        self.locks = 0
        self.sent_in_lock = 0
        self._live: deque[tuple[str, float]] = deque()
        self._calls: deque[float] = deque()
        self._given: deque[float] = deque()
        self._locked_until = 0.0
        course = rf"GET /api/v1/courses/{_ID}(?:/batches/{_ID})?"
        self._routes: list[tuple[re.Pattern[str], Callable[..., dict[str, Any]]]] = [
            (re.compile("GET /api/v1/courses"), self._courses),
            (re.compile(rf"GET /api/v1/courses/{_ID}/batches"), self._batches),
            (re.compile(rf"{course}/learners/{_ID}/progress"), self._entity_progress),
            (re.compile(rf"{course}/learners/{_ID}/course-progress"), self._learner_in_course),
            (re.compile(rf"{course}/course-progress"), self._learners_of_course),
            (re.compile(rf"GET /api/v1/learners/{_ID}/course-progress"), self._courses_of_learner),
        ]

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.world.courses

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

    def use_up(self) -> None:
        """Somebody else calls so often that the account is locked."""
        with self._mutex:
            self.locks += 1
            self._locked_until = time.monotonic() + self.limits.lock_seconds

    def revoke_tokens(self) -> None:
        """Make every access token invalid."""
        with self._mutex:
            self._live.clear()

    def _answer(self, request: Request) -> Reply | None:
        try:
            if request.call == _TOKEN:
                return Reply(content=self._token(request))
            found = next(
                ((match, route) for path, route in self._routes if (match := path.fullmatch(request.call))), None
            )
            if found is None:
                return None
            self._count()
            self._authorise(request)
            match, route = found
            return Reply(content=route(request, *match.groups()))
        except _Refused as error:
            return error.reply

    def _token(self, request: Request) -> dict[str, Any]:
        form, now = request.form, time.monotonic()
        if form.get("client_id") != self.client_id:
            raise _Refused(200, {"error": "invalid_client"})
        if form.get("client_secret") != self.client_secret:
            raise _Refused(200, {"error": "invalid_client_secret"})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token or self.revoked:
            raise _Refused(200, {"error": "invalid_code"})
        _forget(self._given, now - self.limits.token_window_seconds)
        if len(self._given) >= self.limits.tokens:
            said = "You have made too many requests continuously. Please try again after some time."
            raise _Refused(400, {"error_description": said, "error": "Access Denied", "status": "failure"})
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
        now = time.monotonic()
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
        raise _Refused(400, {"code": 7209, "message": said})

    def _authorise(self, request: Request) -> None:
        header = request.headers.get("authorization", "")
        now = time.monotonic()
        if not header.startswith("Zoho-oauthtoken "):
            raise _Refused(400, {"response": {"status": 1, "errors": {"code": 7202, "message": "Invalid authtoken"}}})
        if not any(header == f"Zoho-oauthtoken {token}" and now < end for token, end in self._live):
            raise _Refused(401, {"response": {"status": 1, "errors": {"code": 7213, "message": "Invalid token"}}})
        if not self.scopes.intersection(_SCOPES):
            raise _Refused(401, {"response": {"status": 1, "errors": [{"code": 7218, "message": "Invalid scope"}]}})

    def _page(self, request: Request, name: str, rows: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
        given = request.first("startIndex") or "0"
        if not given.isdigit():
            raise _Refused(400, {"code": 400, "message": "Invalid parameter value"})
        start = int(given)
        end = start + self.page_size
        page = {"code": 200, **more, name: list(rows[start:end]), "message": "success"}
        return page | {"hasMoreRecords": end < len(rows)}

    def _courses(self, request: Request) -> dict[str, Any]:
        return self._page(request, "courses", [course.row() for course in self.courses]) | {"code": "200"}

    def _batches(self, request: Request, course_id: str) -> dict[str, Any]:
        return self._page(request, "batches", [batch.row() for batch in self._course(course_id).batches])

    def _entity_progress(
        self, request: Request, course_id: str, batch_id: str | None, learner_id: str
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        kind = request.first("entityType")
        if kind is None or not re.fullmatch("[0-9]", kind):
            raise _Refused(400, {"code": 400, "message": "Invalid parameter value/input parameter missing"})
        rows = self.world.entities(course, learner, int(kind))
        return self._page(request, "learnerProgress", rows, learnerId=int(learner.id), entityType=int(kind))

    def _learner_in_course(
        self, request: Request, course_id: str, batch_id: str | None, learner_id: str
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        return self._page(request, "courseProgress", [self.world.course_progress(course, learner)])

    def _learners_of_course(self, request: Request, course_id: str, batch_id: str | None) -> dict[str, Any]:
        course = self._course(course_id)
        learners = self.world.learners(course, self._batch(course, batch_id))
        rows = [self.world.course_progress(course, learner) for learner in learners]
        return self._page(request, "courseProgress", rows)

    def _courses_of_learner(self, request: Request, learner_id: str) -> dict[str, Any]:
        rows = [
            self.world.course_progress(course, learner)
            for course in self.courses
            for batch in course.batches or (None,)
            for learner in self.world.learners(course, batch)
            if learner.id == learner_id
        ]
        if not rows:
            raise _not_found()
        return self._page(request, "courseProgress", rows)

    def _course(self, course_id: str) -> Course:
        course = next((course for course in self.courses if course.id == course_id), None)
        if course is None:
            raise _not_found()
        return course

    def _batch(self, course: Course, batch_id: str | None) -> Batch | None:
        if batch_id is None and not course.batches:
            return None
        batch = next((batch for batch in course.batches if batch.id == batch_id), None)
        if batch is None:
            raise _not_found()
        return batch

    def _enrolled(self, course_id: str, batch_id: str | None, learner_id: str) -> tuple[Course, Learner]:
        course = self._course(course_id)
        learners = self.world.learners(course, self._batch(course, batch_id))
        learner = next((learner for learner in learners if learner.id == learner_id), None)
        if learner is None:
            raise _not_found()
        return course, learner


def _not_found() -> _Refused:
    return _Refused(404, {"code": 404, "message": "Not found"})


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
