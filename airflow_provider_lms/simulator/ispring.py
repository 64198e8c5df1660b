"""iSpring Learn as its pages describe it: the token endpoint, both results listings, content and users."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airflow_provider_lms.simulator import ispring_writes
from airflow_provider_lms.simulator.exchange import JSON, TEXT, XML, Reply, Request
from airflow_provider_lms.simulator.ispring_account import ISpringAccount
from airflow_provider_lms.simulator.ispring_endpoints import Endpoint, find
from airflow_provider_lms.simulator.ispring_requests import Refused, ids, listed, moments, with_body_as_query
from airflow_provider_lms.simulator.ispring_rows import content_item, enrollment_row, result_row, user_profile
from airflow_provider_lms.simulator.world import (
    ACTIVE,
    BLOCKED,
    TERMINATED,
    Item,
    Result,
    User,
    World,
)

T = TypeVar("T")

_TOKEN = "POST /api/v3/token"  # noqa: S105
_CONTENT = "GET /content/"

_STATUSES = frozenset(
    ("not_started", "in_progress", "pending", "complete", "passed", "accepted", "incomplete", "failed", "declined")
)

_CONTENT_TYPES = frozenset(
    (
        "iSpringSuiteModule", "Audio", "Video", "Image", "Quiz", "Survey", "SCORM", "Course", "LearningTrack",
        "WordDocument", "PowerPointPresentation", "PDFDocument", "ExcelSpreadsheet", "RolePlay", "Link", "Assignment",
        "Book", "Interaction", "Page", "OnlineQuiz", "ExternalCourse",
    )
)  # fmt: skip


def _parameters(*lists: str, ranges: Iterable[str] = ()) -> frozenset[str]:
    """The query parameters of a paged listing.

    :param lists: may repeat, with brackets as in the vendor's samples or without as in its OpenAPI document.
    """
    ends = (f"{name}[{end}]" for name in ranges for end in ("startDate", "endDate"))
    return frozenset(("pageSize", "pageToken", *lists, *(f"{name}[]" for name in lists), *ends))


_RESULT_LISTS = ("userIds", "courseIds", "departmentIds", "enrollmentIds", "completionStatuses", "userStatuses")
_RESULT_RANGES = ("accessDate", "dueDate", "completionDate")
_PARAMETERS = {
    "GET /learners/modules/results": _parameters(*_RESULT_LISTS, "moduleIds", "courseItemIds", ranges=_RESULT_RANGES),
    "GET /learners/results": _parameters(*_RESULT_LISTS, ranges=_RESULT_RANGES),
    "GET /contents": _parameters("contentItemIds", "contentTypes"),
    "GET /users/v2": _parameters("departments", "groups", "logins", "emails", "userIds"),
    "GET /enrollments": _parameters("courseIds", "learnerIds", "enrollmentIds"),
    "POST /enrollments": frozenset(("pageSize", "pageToken", "courseIds[]", "learnerIds[]", "enrollmentIds[]")),
}
"""The parameters of the listings below. Those of other endpoints are in their table."""


class ISpring(ISpringAccount):
    """A simulated iSpring Learn account.

    Whether iSpring ignores a query parameter that it does not know is not documented. Here it is refused, so that a
    misspelled filter does not pass for one that selects everything.

    :param world: what there is to read.
    :param token_life: seconds that an access token is valid; the client is told, and then it expires.
    """

    client_id = "simulator-client"
    client_secret = "simulator-secret-5d1f0a"  # noqa: S105

    def __init__(self, world: World, *, token_life: float = 1800.0) -> None:
        super().__init__(world)
        self.token_life = token_life
        self.media_types: tuple[str, ...] = (JSON, XML)
        self.schemes: tuple[str, ...] = ("Bearer ", "")
        self.forbidden: set[str] = set()
        self.ignored_filters: set[str] = set()
        self.files_url: str | None = None  # where certificates are kept, if elsewhere
        self.tokens: list[str] = []
        self._valid: set[str] = set()
        self._pages_until_revoked: int | None = None
        self._page_tokens: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
        self._listings: dict[str, Callable[[Request], tuple[str, Sequence[Any], Callable[[Any], dict[str, Any]]]]] = {
            "GET /learners/modules/results": self._module_results,
            "GET /learners/results": self._course_results,
            "GET /contents": self._contents,
            "GET /users/v2": self._users,
            "GET /enrollments": self._enrollments,
            "POST /enrollments": self._enrollments,
        }

    token_call = _TOKEN

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

    def _serves(self, request: Request) -> bool:
        call = request.call
        return (
            call == _TOKEN
            or call in self._listings
            or call.startswith(_CONTENT)
            or find(call) is not None
            or ispring_writes.find(call) is not None
        )

    def _answer(self, request: Request) -> Reply:
        media_type = self._media_type(request)
        try:
            if request.call == _TOKEN:
                _refuse_unknown_parameters(request, frozenset())
                return Reply(content=self._token(request), media_type=media_type)
            if (locked := self._locked()) is not None:
                return locked
            self.catch_up()
            if (write := ispring_writes.find(request.call)) is not None:
                self._authorise(request)
                _refuse_unknown_parameters(request, frozenset())
                return ispring_writes.reply(self, request, *write, media_type)
            with self.as_shown():
                return self._read(request, media_type)
        except Refused as error:
            if error.as_text:
                return Reply(status=error.status, content=str(error), media_type=TEXT)
            content = {"code": error.status, "message": str(error)}
            return Reply(status=error.status, content=content, media_type=media_type)

    def _read(self, request: Request, media_type: str) -> Reply:
        listing = self._listings.get(request.call)
        if listing is None and (found := find(request.call)) is not None:
            return self._reply(request, media_type, *found)
        self._authorise(request)
        if request.call.startswith("POST"):
            request = with_body_as_query(request, (JSON, XML))
        _refuse_unknown_parameters(request, _PARAMETERS.get(request.call, frozenset()))
        if listing is None:
            return Reply(content=self._content(request.call.removeprefix(_CONTENT)), media_type=media_type)
        return Reply(content=self._page(request, *listing(request)), media_type=media_type)

    def _reply(self, request: Request, media_type: str, endpoint: Endpoint, path_ids: tuple[str, ...]) -> Reply:
        """The reply of an endpoint of the table."""
        self._authorise(request)
        if request.call.startswith("POST"):
            request = with_body_as_query(request)
        _refuse_unknown_parameters(request, endpoint.parameters)
        rows = endpoint.rows(self, request, *path_ids)
        content: Any = rows
        if endpoint.shape == "paged":
            content = self._page(request, endpoint.name, rows, lambda row: row)
        elif endpoint.shape == "named":
            content = {endpoint.name: rows}
        elif endpoint.shape == "bare object":
            (content,) = rows
        elif endpoint.shape == "object":
            (row,) = rows
            content = {"response": row} if media_type == JSON else row
        return Reply(content=content, media_type=media_type, root=endpoint.root, item=endpoint.name or "item")

    def _locked(self) -> Reply | None:
        """The answer while the account is locked. iSpring documents no lock; this is HTTP's own way to say so."""
        left = self.lock_seconds_left
        if not left:
            return None
        content = {"code": 429, "message": "Too Many Requests"}
        return Reply(status=429, content=content, headers={"Retry-After": str(math.ceil(left))})

    def _media_type(self, request: Request) -> str:
        accepted = request.headers.get("accept", "")
        # Listings come as XML unless JSON is asked for. Clients that accept anything get a token as JSON.
        wants_json = JSON in accepted or (request.call == _TOKEN and XML not in accepted)
        wanted = JSON if wants_json else XML
        return wanted if wanted in self.media_types else self.media_types[0]

    def _token(self, request: Request) -> dict[str, Any]:
        if request.form.get("grant_type") != "client_credentials":
            raise Refused(400, "Unsupported grant type")
        if (request.form.get("client_id"), request.form.get("client_secret")) != (self.client_id, self.client_secret):
            raise Refused(401, "Unknown client")
        token = f"p-{uuid.uuid4().hex}"
        self.tokens.append(token)
        self._valid.add(token)
        return {"access_token": token, "expires_in": int(self.token_life), "token_type": "bearer"}

    def _authorise(self, request: Request) -> None:
        header = request.headers.get("authorization", "")
        if not any(header == scheme + token for scheme in self.schemes for token in self._valid):
            raise Refused(401, "Unauthorized")
        if request.call in self.forbidden:
            raise Refused(403, "Permission Denied")

    def _revoke_when_due(self) -> None:
        if self._pages_until_revoked == 0:
            self._valid.clear()
            self._pages_until_revoked = None

    def _page(
        self, request: Request, name: str, items: Sequence[T], row: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        size = self._page_size(request)
        filters = sorted(pair for pair in request.query if pair[0] not in ("pageToken", "pageSize"))
        query = (("", request.call), *filters)
        start = 0
        token = request.first("pageToken")
        if token is not None:
            start, asked = self._page_tokens.get(token, (-1, ()))
            if start < 0 or asked != query:
                raise Refused(400, "Bad page token")
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
            raise Refused(400, "Bad page size")
        return int(size)

    def _module_results(self, request: Request) -> tuple[str, Sequence[Result], Callable[[Result], dict[str, Any]]]:
        return "results", self._filtered(request, self.state.module_results), result_row

    def _course_results(self, request: Request) -> tuple[str, Sequence[Result], Callable[[Result], dict[str, Any]]]:
        return "results", self._filtered(request, self.results()), result_row

    def _contents(self, request: Request) -> tuple[str, Sequence[Item], Callable[[Item], dict[str, Any]]]:
        types = self._choice(request, "contentTypes", _CONTENT_TYPES)
        wanted = self._ids(request, "contentItemIds")
        found = [each for each in self.world.library if not types or each.kind in types]
        return "contentItems", [each for each in found if not wanted or each.id in wanted], content_item

    def _content(self, content_id: str) -> dict[str, Any]:
        for item in self.world.library:
            if item.id == content_id:
                return {"contentItem": content_item(item)}
        raise Refused(404, "Unknown content item")

    def _users(self, request: Request) -> tuple[str, Sequence[User], Callable[[User], dict[str, Any]]]:
        kept: list[tuple[set[str], Callable[[User], str | None]]] = [
            (self._ids(request, "userIds"), lambda user: user.id),
            (self.departments(request, "departments"), lambda user: user.department_id),
            (set(listed(request, "logins")), lambda user: user.login),
            (set(listed(request, "emails")), lambda user: user.email),
        ]
        users = [user for user in self.users if all(not allowed or value(user) in allowed for allowed, value in kept)]
        if groups := self._ids(request, "groups"):
            members = self.members_of(groups)
            users = [user for user in users if user.id in members]
        return "userProfiles", users, self._user_profile

    def _user_profile(self, user: User) -> dict[str, Any]:
        return user_profile(user, [group.id for group in self.state.groups.values() if user.id in group.members])

    def members_of(self, group_ids: Collection[str]) -> set[str]:
        """The ids of the users that are in any of these groups."""
        groups = (self.state.groups[each] for each in group_ids if each in self.state.groups)
        return {user_id for group in groups for user_id in group.members}

    def _enrollments(self, request: Request) -> tuple[str, Sequence[Result], Callable[[Result], dict[str, Any]]]:
        courses = self._ids(request, "courseIds")
        learners = self._ids(request, "learnerIds")
        enrollments = self._ids(request, "enrollmentIds")
        found = [
            result
            for result in self.results()
            if (not courses or result.course.id in courses)
            and (not learners or result.user.id in learners)
            and (not enrollments or result.enrollment_id in enrollments)
        ]
        return "enrollments", found, enrollment_row

    def _filtered(self, request: Request, results: Iterable[Result]) -> list[Result]:
        users = self._ids(request, "userIds")
        if users - {user.id for user in self.users}:
            raise Refused(400, "Unknown user")
        kept: list[tuple[set[Any], Callable[[Result], Any]]] = [
            (users, lambda r: r.user.id),
            (self._ids(request, "courseIds"), lambda r: r.course.id),
            (self._ids(request, "moduleIds"), lambda r: r.module and r.module.id),
            (self._ids(request, "courseItemIds"), lambda r: r.module and r.module.item_id),
            (self._ids(request, "enrollmentIds"), lambda r: r.enrollment_id),
            (self.departments(request, "departmentIds"), lambda r: r.user.department_id),
            (self._choice(request, "completionStatuses", _STATUSES), lambda r: r.status),
            (self._user_statuses(request), lambda r: r.user.status),
        ]
        ranges: list[tuple[datetime | None, datetime | None, Callable[[Result], datetime | None]]] = [
            (*moments(request, "accessDate"), lambda r: r.access),
            (*moments(request, "dueDate"), lambda r: r.due),
            (*moments(request, "completionDate"), lambda r: r.completion),
        ]
        return [
            result
            for result in results
            if all(not allowed or value(result) in allowed for allowed, value in kept)
            and all(_within(value(result), start, end) for start, end, value in ranges)
        ]

    def _ids(self, request: Request, name: str) -> set[str]:
        if f"{name}[]" in self.ignored_filters:
            return set()
        return ids(request, name)

    def departments(self, request: Request, name: str) -> set[str]:
        """The departments that a filter names, with those below them."""
        found = self._ids(request, name)
        departments = self.state.departments
        if found - departments.keys():
            raise Refused(400, "Unknown department")
        while below := {d.id for d in departments.values() if d.parent_id in found} - found:
            found |= below
        return found

    def _choice(self, request: Request, name: str, allowed: frozenset[str]) -> set[str]:
        found = set(listed(request, name))
        if found - allowed:
            raise Refused(400, f"Bad value in {name}")
        return set() if f"{name}[]" in self.ignored_filters else found

    def _user_statuses(self, request: Request) -> set[int]:
        allowed = frozenset(map(str, (ACTIVE, BLOCKED, TERMINATED)))
        return set(map(int, self._choice(request, "userStatuses", allowed))) or {ACTIVE}


def _refuse_unknown_parameters(request: Request, known: frozenset[str]) -> None:
    for name, _ in request.query:
        if name not in known:
            raise Refused(400, f"Unknown parameter {name}")


def _within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if start is None and end is None:
        return True
    return moment is not None and (start is None or start <= moment) and (end is None or moment <= end)
