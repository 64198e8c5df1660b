"""iSpring Learn: its filters and its client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

from airflow_provider_lms.lms.documents import PageDecoder, Resource, Rows
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsBrokenPage
from airflow_provider_lms.lms.filters import Range, choices, date_range, ids, whole
from airflow_provider_lms.lms.ispring.records import (
    COMPLETION_STATUSES,
    COURSE_RESULTS,
    COURSES,
    MODULE_RESULTS,
    USER_STATUSES,
    USERS,
    Course,
    CourseResult,
    LearnerResult,
    ModuleResult,
    User,
)
from airflow_provider_lms.lms.paging import Page, by_token
from airflow_provider_lms.lms.query import Pairs, Query, continuation, position
from airflow_provider_lms.lms.records import Record
from airflow_provider_lms.lms.transport import Transport

log = logging.getLogger(__name__)

OnUnknownUser = Literal["fail", "skip"]
Ids: TypeAlias = Sequence[str] | str


class ResultFilters(TypedDict, total=False):
    """Filters of both results listings. All of them narrow the listing together; None means no filter.

    :param user_ids: learners.
    :param course_ids: courses.
    :param enrollment_ids: enrollments.
    :param department_ids: departments, with their sub-departments.
    :param completion_statuses: of :data:`COMPLETION_STATUSES`.
    :param user_statuses: 1 active, 3 blocked, 5 terminated; the LMS reads active users only if it is left out.
    :param access_date: (start, end) of the assignment. Either end may be None; a naive one is UTC; the start is floored
        and the end ceiled to the second. Whether the ends belong to the range is not documented.
    :param due_date: (start, end), as above.
    :param completion_date: (start, end), as above.
    """

    user_ids: Ids | None
    course_ids: Ids | None
    enrollment_ids: Ids | None
    department_ids: Ids | None
    completion_statuses: Ids | None
    user_statuses: Sequence[int | str] | int | str | None
    access_date: Range | None
    due_date: Range | None
    completion_date: Range | None


class ModuleResultFilters(ResultFilters, total=False):
    """Further filters of module results.

    :param module_ids: modules of courses.
    :param course_item_ids: content items or trainings, which have other ids than the modules they are used in.
    """

    module_ids: Ids | None
    course_item_ids: Ids | None


R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=LearnerResult)


class ISpringLearnClient:
    """Reads iSpring Learn. Every listing is an iterator of whole pages, read as they are asked for.

    :param transport: the account to read.
    :param page_size: rows per page where a call does not say; None leaves it to the LMS (1,000 rows).
    """

    def __init__(self, transport: Transport, *, page_size: int | None = None) -> None:
        self._transport = transport
        self._page_size = page_size

    @property
    def base_url(self) -> str:
        """The API's scheme, host and path prefix."""
        return self._transport.base_url

    def module_results(
        self,
        *,
        on_unknown_user: OnUnknownUser = "fail",
        page_size: int | None = None,
        start: str | None = None,
        **filters: Unpack[ModuleResultFilters],
    ) -> Iterator[Page[ModuleResult]]:
        """Results of learners in the modules of their courses, one record per learner, module and enrollment.

        Ids that do not fit into one URL are spread over several requests.

        :param on_unknown_user: ``fail``, or ``skip`` to go on without user ids that the LMS does not know.
        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page of the same query.
        :param filters: see :class:`ResultFilters` and :class:`ModuleResultFilters`.
        :raises ValueError: a parameter cannot be meant as it is given; raised before the first request.
        :raises LmsBadRequest: the LMS refused a parameter, such as an unknown user id, which is named.
        :raises LmsError: any other failure; pages that came before it were whole.

        Source: vendor page "Getting User Results on the Course Modules".
        """
        return self._results(
            MODULE_RESULTS, ModuleResultFilters.__optional_keys__, filters, on_unknown_user, page_size, start
        )

    def course_results(
        self,
        *,
        on_unknown_user: OnUnknownUser = "fail",
        page_size: int | None = None,
        start: str | None = None,
        **filters: Unpack[ResultFilters],
    ) -> Iterator[Page[CourseResult]]:
        """Results of learners in their courses, one record per learner, course and enrollment.

        Parameters and errors are those of :meth:`module_results`, without ``module_ids`` and ``course_item_ids``.

        Source: vendor page "Getting User Results on the Courses"; OpenAPI ``GET /learners/results``.
        """
        return self._results(
            COURSE_RESULTS, ResultFilters.__optional_keys__, filters, on_unknown_user, page_size, start
        )

    def courses(self, *, page_size: int | None = None, start: str | None = None) -> Iterator[Page[Course]]:
        """Courses that the API key's role may see: ids and titles, to map over and to join results with.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page.
        :raises LmsPermissionError: the role may not read content.

        Source: OpenAPI ``GET /contents``.
        """

        def courses_only(rows: Rows[Course], _: Query) -> list[Course]:
            return [row for row in rows.records if row.content_item_type in (None, "Course")]

        query = Query((*self._paging(page_size), ("contentTypes[]", "Course")), {})
        return self._pages(_Listing(self._transport, COURSES, courses_only), query, start)

    def users(self, *, page_size: int | None = None, start: str | None = None) -> Iterator[Page[User]]:
        """User accounts that the API key's role may see: ids, names, e-mail addresses, departments.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page.
        :raises LmsPermissionError: the role may not read users.

        Source: OpenAPI ``GET /users/v2``.
        """

        def with_profiles(rows: Rows[User], _: Query) -> list[User]:
            for row in rows.records:
                row.fields = _profile(row.fields)
            return rows.records

        return self._pages(_Listing(self._transport, USERS, with_profiles), Query(self._paging(page_size), {}), start)

    def check(self) -> None:
        """Read one row of the course results, to see whether the account may be read.

        :raises LmsError: what stands in the way.
        """
        next(self.course_results(page_size=1))

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._transport.close()

    def _results(
        self,
        resource: Resource[S],
        known: frozenset[str],
        given: Mapping[str, Any],
        on_unknown_user: OnUnknownUser,
        page_size: int | None,
        start: str | None,
    ) -> Iterator[Page[S]]:
        if unknown := given.keys() - known:
            raise TypeError(f"{resource.path} has no filter {', '.join(sorted(unknown))}.")
        if on_unknown_user not in get_args(OnUnknownUser):
            raise ValueError(f"on_unknown_user: expected 'fail' or 'skip', got {on_unknown_user!r}.")
        query = _query(self._paging(page_size), given)
        listing = _ResultListing(self._transport, resource, _AskedFor(query), on_unknown_user)
        return self._pages(listing, query, start)

    def _paging(self, page_size: int | None) -> Pairs:
        size = self._page_size if page_size is None else page_size
        return () if size is None else (("pageSize", str(whole("page_size", size))),)

    def _pages(self, listing: _Listing[R], query: Query, start: str | None) -> Iterator[Page[R]]:
        first, token = position(start)
        parts = query.split(_URL_LENGTH - _TOKEN_ROOM - len(self.base_url + listing.resource.path))

        def walk(token: str | None) -> Iterator[Page[R]]:
            for index, part in enumerate(parts[first:], start=first):
                for rows in by_token(partial(listing.read, part), token):
                    yield Page(rows.records, listing.pages, continuation(index, len(parts), rows.next))
                token = None

        return walk(token)


class _Listing(Generic[R]):
    """Reads single pages of one listing, and keeps of each what was asked for."""

    def __init__(self, transport: Transport, resource: Resource[R], keep: Callable[[Rows[R], Query], list[R]]) -> None:
        self.resource = resource
        self.pages = 0
        self._transport = transport
        self._keep = keep
        self._decode = PageDecoder(resource)

    def read(self, query: Query, token: str | None) -> Rows[R]:
        rows = self._fetch(query, token)
        self.pages += 1
        return replace(rows, records=self._keep(rows, query))

    def _fetch(self, query: Query, token: str | None) -> Rows[R]:
        params = query.params() if token is None else (*query.params(), ("pageToken", token))
        return self._decode(self._transport.get(self.resource.path, params, page=self.pages + 1))


class _ResultListing(_Listing[S]):
    """A listing that the LMS refuses as a whole when it knows one of the user ids not."""

    def __init__(
        self,
        transport: Transport,
        resource: Resource[S],
        keep: Callable[[Rows[S], Query], list[S]],
        on_unknown_user: OnUnknownUser,
    ) -> None:
        super().__init__(transport, resource, keep)
        self._skip_unknown = on_unknown_user == "skip"
        self._unknown: set[str] = set()

    def _fetch(self, query: Query, token: str | None) -> Rows[S]:
        known = self._known(query)
        if known is None:
            return Rows(self.resource.path, [], None)
        try:
            return super()._fetch(known, token)
        except LmsBadRequest as error:
            found = self._search(known)
            user = next(found, None)
            if user is None:
                raise
            if not self._skip_unknown:
                raise LmsBadRequest(
                    f"GET {self.resource.path}: user_ids: the LMS does not know {user!r}. "
                    "Take it out, or set on_unknown_user='skip'.",
                    error.status,
                ) from None
            self._unknown.update((user, *found))
        log.warning("user_ids: skipping %s, which the LMS does not know.", ", ".join(sorted(self._unknown)))
        return self._fetch(query, token)

    def _known(self, query: Query) -> Query | None:
        """The query without unknown users; None where nobody is left to ask for."""
        users = query.ids.get(_USERS)
        if not users or not self._unknown:
            return query
        known = tuple(user for user in users if user not in self._unknown)
        return query.asking(_USERS, known) if known else None

    def _search(self, query: Query) -> Iterator[str]:
        """Halve the users until those remain that are refused alone; none where something else is refused."""
        users = query.ids.get(_USERS, ())
        if not users or not self._refused(query, users) or self._refused(query, ()):
            return
        suspects: list[tuple[str, ...]] = [users]
        while suspects:
            refused = suspects.pop()
            if len(refused) == 1:
                yield refused[0]
                continue
            half = len(refused) // 2
            suspects += [part for part in (refused[half:], refused[:half]) if self._refused(query, part)]

    def _refused(self, query: Query, users: tuple[str, ...]) -> bool:
        probe = replace(query.asking(_USERS, users), fixed=_one_row(query.fixed))
        try:
            self._transport.get(self.resource.path, probe.params())
        except LmsBadRequest:
            return True
        return False


class _AskedFor:
    """Holds the rows of a page against the filters: the LMS may have ignored one."""

    def __init__(self, query: Query) -> None:
        self._statuses = {value for name, value in query.fixed if name == _key("completion_statuses")}
        self._warned = False

    def __call__(self, rows: Rows[S], query: Query) -> list[S]:
        for name, attribute in _ROW_IDS.items():
            asked = {item.casefold() for item in query.ids.get(_key(name), ())}
            if asked and any((getattr(row, attribute) or "").casefold() not in asked for row in rows.records):
                raise LmsBrokenPage(
                    f"{rows.call}: a row has a {_camel(attribute)} that {name} did not ask for, so the LMS ignored the "
                    "filter. Nothing of this page was kept. Read without this filter, or ask the vendor."
                )
        if not self._statuses:
            return rows.records
        kept = [row for row in rows.records if row.completion_status in self._statuses]
        if len(kept) < len(rows.records) and not self._warned:
            log.warning("%s: the LMS ignored completion_statuses; other rows are dropped here.", rows.call)
            self._warned = True
        return kept


_ROW_IDS = {
    "user_ids": "user_id",
    "course_ids": "course_id",
    "module_ids": "module_id",
    "course_item_ids": "course_item_id",
    "enrollment_ids": "enrollment_id",
}
_RANGES = ("access_date", "due_date", "completion_date")
_URL_LENGTH = 4_000
_TOKEN_ROOM = 500


def _query(paging: Pairs, given: Mapping[str, Any]) -> Query:
    """The filters as the LMS names them; each is checked here."""
    row_ids = {_key(name): found for name in _ROW_IDS if (found := ids(name, given.get(name))) is not None}
    lists = {
        "department_ids": ids("department_ids", given.get("department_ids")),
        # The vendor's sample sends completionStatus, its parameter table and OpenAPI document completionStatuses.
        "completion_statuses": choices(
            "completion_statuses", given.get("completion_statuses"), COMPLETION_STATUSES, "iSpring's statuses"
        ),
        "user_statuses": choices("user_statuses", given.get("user_statuses"), USER_STATUSES, "iSpring's user statuses"),
    }
    fixed = [*paging, *((_key(name), item) for name, items in lists.items() for item in items or ())]
    for name in _RANGES:
        for end, moment in zip(("startDate", "endDate"), date_range(name, given.get(name)) or (), strict=False):
            if moment is not None:
                fixed.append((f"{_camel(name)}[{end}]", moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return Query(tuple(fixed), row_ids)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _key(name: str) -> str:
    return _camel(name) + "[]"


_USERS = _key("user_ids")


def _one_row(fixed: Pairs) -> Pairs:
    return (*(pair for pair in fixed if pair[0] != "pageSize"), ("pageSize", "1"))


def _profile(fields: Any) -> Any:
    """A user's profile by upper-case name; it comes as a list of names and values, or as an object."""
    if isinstance(fields, list):
        fields = {field.get("name"): field.get("value") for field in fields if isinstance(field, dict)}
    if isinstance(fields, dict):
        return {str(name).upper(): value for name, value in fields.items()}
    return fields
