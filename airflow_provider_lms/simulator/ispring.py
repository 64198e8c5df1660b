"""iSpring Learn as its pages describe it: the token endpoint, both results listings, content and users."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_provider_lms.simulator.exchange import JSON, XML, Reply, Request
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.world import ACTIVE, BLOCKED, DONE, OVER, TERMINATED, Course, Result, User, World

T = TypeVar("T")

_CONTENT = "GET /content/"

_STATUSES = frozenset(
    ("not_started", "in_progress", "pending", "complete", "passed", "accepted", "incomplete", "failed", "declined")
)


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ISpring(Vendor):
    """A simulated iSpring Learn account.

    :param world: what there is to read.
    :param token_life: seconds that an access token is valid; told to the client, and kept to.
    """

    client_id = "simulator-client"
    client_secret = "simulator-secret-5d1f0a"  # noqa: S105

    def __init__(self, world: World, *, token_life: float = 1800.0) -> None:
        super().__init__()
        self.world = world
        self.token_life = token_life
        self.media_types = (JSON, XML)
        self.schemes = ("Bearer ", "")
        self.forbidden: set[str] = set()
        self.ignored_filters: set[str] = set()
        self._course_rows: list[Result] | None = None
        self.tokens: list[str] = []
        self._valid: set[str] = set()
        self._pages_until_revoked: int | None = None
        self._page_tokens: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
        self._listings: dict[str, Callable[[Request], tuple[str, Sequence[Any], Callable[[Any], dict[str, Any]]]]] = {
            "GET /learners/modules/results": self._module_results,
            "GET /learners/results": self._course_results,
            "GET /contents": self._contents,
            "GET /users/v2": self._users,
        }

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.world.catalog

    @property
    def users(self) -> tuple[User, ...]:
        return self.world.people

    def connection(self, url: str) -> dict[str, Any]:
        return {"host": url, "login": self.client_id, "password": self.client_secret}

    def revoke_tokens(self, *, after_pages: int = 0) -> None:
        """Make every access token invalid, now or once that many more pages were served."""
        with self._mutex:
            self._pages_until_revoked = after_pages
            self._revoke_when_due()

    def forget_page_tokens(self) -> None:
        """Refuse the page tokens given so far."""
        self._page_tokens.clear()

    def record(self, user: User, course: Course, status: str, *, completion: datetime | None = None) -> None:
        """Let a learner come to a status in a course, in the latest enrolment.

        :param completion: when; None is now, for statuses that end a course.
        """
        if completion is None and status in OVER:
            completion = datetime.now(UTC)
        with self._mutex:
            rows = self._rows_of_courses()
            own = [n for n, row in enumerate(rows) if (row.user, row.course) == (user, course)]
            latest = max(own, key=lambda n: rows[n].access)
            done = status in DONE
            rows[latest] = replace(
                rows[latest], status=status, completion=completion, progress=100.0 if done else None, overdue=False
            )

    def enroll(self, user: User, course: Course, *, access: datetime | None = None, due: datetime | None = None) -> str:
        """Enrol a learner in a course, once more if need be; return the enrolment's id."""
        access = access or datetime.now(UTC)
        enrollment = str(uuid.uuid4())
        started = Result(
            user, course, None, enrollment, access, due, None, None, 0, "not_started", None, None,
            overdue=due is not None and due < datetime.now(UTC), views=0,
        )  # fmt: skip
        with self._mutex:
            self._rows_of_courses().append(started)
        return enrollment

    def unenroll(self, user: User, course: Course) -> None:
        """Take a learner out of a course, with all enrolments."""
        with self._mutex:
            rows = self._rows_of_courses()
            rows[:] = [row for row in rows if (row.user, row.course) != (user, course)]

    def module_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of module results holds for active users, as the vendor's JSON."""
        return [_result_row(r) for r in self.world.module_results if _visible(r.user) and course in (None, r.course)]

    def course_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of course results holds for active users, as the vendor's JSON."""
        rows = self._rows_of_courses()
        return [_result_row(r) for r in rows if _visible(r.user) and course in (None, r.course)]

    def _rows_of_courses(self) -> list[Result]:
        if self._course_rows is None:
            self._course_rows = list(self.world.course_results)
        return self._course_rows

    def _answer(self, request: Request) -> Reply | None:
        media_type = self._media_type(request)
        try:
            if request.call == "POST /api/v3/token":
                return Reply(content=self._token(request), media_type=media_type)
            listing = self._listings.get(request.call)
            if request.call.startswith(_CONTENT):
                self._authorise(request)
                return Reply(content=self._content(request.call.removeprefix(_CONTENT)), media_type=media_type)
            if listing is None:
                return None
            self._authorise(request)
            return Reply(content=self._page(request, *listing(request)), media_type=media_type)
        except _Refused as error:
            content = {"code": error.status, "message": str(error)}
            return Reply(status=error.status, content=content, media_type=media_type)

    def _media_type(self, request: Request) -> str:
        accepted = request.headers.get("accept", "")
        wanted = JSON if JSON in accepted else XML
        return wanted if wanted in self.media_types else self.media_types[0]

    def _token(self, request: Request) -> dict[str, Any]:
        if request.form.get("grant_type") != "client_credentials":
            raise _Refused(400, "Unsupported grant type")
        if (request.form.get("client_id"), request.form.get("client_secret")) != (self.client_id, self.client_secret):
            raise _Refused(401, "Unknown client")
        token = f"p-{uuid.uuid4().hex}"
        self.tokens.append(token)
        self._valid.add(token)
        return {"access_token": token, "expires_in": int(self.token_life), "token_type": "bearer"}

    def _authorise(self, request: Request) -> None:
        header = request.headers.get("authorization", "")
        if not any(header == scheme + token for scheme in self.schemes for token in self._valid):
            raise _Refused(401, "Unauthorized")
        if request.call in self.forbidden:
            raise _Refused(403, "Permission Denied")

    def _revoke_when_due(self) -> None:
        if self._pages_until_revoked == 0:
            self._valid.clear()
            self._pages_until_revoked = None

    def _page(
        self, request: Request, name: str, items: Sequence[T], row: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        size = self._page_size(request)
        query = tuple(sorted(pair for pair in request.query if pair[0] not in ("pageToken", "pageSize")))
        start = 0
        token = request.first("pageToken")
        if token is not None:
            start, asked = self._page_tokens.get(token, (-1, ()))
            if start < 0 or asked != query:
                raise _Refused(400, "Bad page token")
        page: dict[str, Any] = {name: [row(item) for item in items[start : start + size]]}
        if start + size < len(items):
            token = base64.b64encode(str(uuid.uuid4()).encode()).decode()
            self._page_tokens[token] = (start + size, query)
            page["nextPageToken"] = token
        if self._pages_until_revoked is not None:
            self._pages_until_revoked -= 1
            self._revoke_when_due()
        return page

    def _page_size(self, request: Request) -> int:
        size = request.first("pageSize")
        if size is None:
            return 1_000
        if not size.isdigit() or int(size) < 1:
            raise _Refused(400, "Bad page size")
        return int(size)

    def _module_results(self, request: Request) -> tuple[str, Sequence[Result], Callable[[Result], dict[str, Any]]]:
        return "results", self._filtered(request, self.world.module_results), _result_row

    def _course_results(self, request: Request) -> tuple[str, Sequence[Result], Callable[[Result], dict[str, Any]]]:
        return "results", self._filtered(request, self._rows_of_courses()), _result_row

    def _contents(self, request: Request) -> tuple[str, Sequence[Course], Callable[[Course], dict[str, Any]]]:
        types = request.all("contentTypes[]")
        return "contentItems", () if types and "Course" not in types else self.courses, _content_item

    def _content(self, content_id: str) -> dict[str, Any]:
        course = next((course for course in self.courses if course.id == content_id), None)
        if course is None:
            raise _Refused(404, "Unknown content item")
        return {"contentItem": _content_item(course)}

    def _users(self, _: Request) -> tuple[str, Sequence[User], Callable[[User], dict[str, Any]]]:
        return "userProfiles", self.users, _user_profile

    def _filtered(self, request: Request, results: Iterable[Result]) -> list[Result]:
        users = self._ids(request, "userIds[]")
        if users - {user.id for user in self.users}:
            raise _Refused(400, "Unknown user")
        kept: list[tuple[set[Any], Callable[[Result], Any]]] = [
            (users, lambda r: r.user.id),
            (self._ids(request, "courseIds[]"), lambda r: r.course.id),
            (self._ids(request, "moduleIds[]"), lambda r: r.module and r.module.id),
            (self._ids(request, "courseItemIds[]"), lambda r: r.module and r.module.item_id),
            (self._ids(request, "enrollmentIds[]"), lambda r: r.enrollment_id),
            (self._departments(request), lambda r: r.user.department_id),
            (self._choice(request, "completionStatuses[]", _STATUSES), lambda r: r.status),
            (self._user_statuses(request), lambda r: r.user.status),
        ]
        ranges: list[tuple[datetime | None, datetime | None, Callable[[Result], datetime | None]]] = [
            (*self._range(request, "accessDate"), lambda r: r.access),
            (*self._range(request, "dueDate"), lambda r: r.due),
            (*self._range(request, "completionDate"), lambda r: r.completion),
        ]
        return [
            result
            for result in results
            if all(not allowed or value(result) in allowed for allowed, value in kept)
            and all(_within(value(result), start, end) for start, end, value in ranges)
        ]

    def _ids(self, request: Request, name: str) -> set[str]:
        if name in self.ignored_filters:
            return set()
        found = set(request.all(name))
        for item in found:
            try:
                uuid.UUID(item)
            except ValueError:
                raise _Refused(400, f"Bad id in {name}") from None
        return found

    def _departments(self, request: Request) -> set[str]:
        found = self._ids(request, "departmentIds[]")
        known = {department.id for department in self.world.departments}
        if found - known:
            raise _Refused(400, "Unknown department")
        while below := {d.id for d in self.world.departments if d.parent_id in found} - found:
            found |= below
        return found

    def _choice(self, request: Request, name: str, allowed: frozenset[str]) -> set[str]:
        found = set(request.all(name))
        if found - allowed:
            raise _Refused(400, f"Bad value in {name}")
        return set() if name in self.ignored_filters else found

    def _user_statuses(self, request: Request) -> set[int]:
        allowed = frozenset(map(str, (ACTIVE, BLOCKED, TERMINATED)))
        return set(map(int, self._choice(request, "userStatuses[]", allowed))) or {ACTIVE}

    def _range(self, request: Request, name: str) -> tuple[datetime | None, datetime | None]:
        ends = []
        for end in ("startDate", "endDate"):
            text = request.first(f"{name}[{end}]")
            try:
                moment = None if text is None else datetime.fromisoformat(text)
            except ValueError:
                moment = datetime.min
            if moment is not None and moment.tzinfo is None:
                raise _Refused(400, f"Bad date in {name}")
            ends.append(moment)
        return ends[0], ends[1]


def _visible(user: User) -> bool:
    return user.status == ACTIVE


def _within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if start is None and end is None:
        return True
    return moment is not None and (start is None or start <= moment) and (end is None or moment <= end)


def _result_row(result: Result) -> dict[str, Any]:
    module = result.module
    row = {
        "userId": result.user.id,
        "courseId": result.course.id,
        "moduleId": module and module.id,
        "moduleTitle": module and module.title,
        "courseItemId": module and module.item_id,
        "courseTitle": None if module else result.course.title,
        "enrollmentId": result.enrollment_id,
        "accessDate": _date(result.access),
        "dueDate": _date(result.due),
        "expirationDate": _date(result.expiration),
        "completionDate": _date(result.completion),
        "timeSpent": result.seconds,
        "completionStatus": result.status,
        "awardedScore": result.score,
        "progress": result.progress,
        "isOverdue": result.overdue,
        "viewsCount": result.views,
    }
    return {name: value for name, value in row.items() if value is not None}


def _content_item(course: Course) -> dict[str, Any]:
    return {
        "contentItemId": course.id,
        "title": course.title,
        "subtitle": "For everyone",
        "description": f"What you need to know about {course.title}.",
        "userId": course.author_id,
        "addedDate": _date(course.added),
        "viewUrl": f"https://example.ispringlearn.com/view/{course.id}",
        "type": "Course",
        "contentItemType": "Course",
    }


def _user_profile(user: User) -> dict[str, Any]:
    profile = {
        "EMAIL": user.email,
        "FIRST_NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "LOGIN": user.email.partition("@")[0],
    }
    return {
        "userId": user.id,
        "role": "learner",
        "departmentId": user.department_id,
        "status": user.status,
        "fields": [{"name": name, "value": value} for name, value in profile.items()],
        "addedDate": _date(user.added),
    }


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(microsecond=0).isoformat()
