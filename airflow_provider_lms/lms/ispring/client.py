"""iSpring Learn: its client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar, Unpack, get_args
from urllib.parse import quote

from airflow_provider_lms.lms.documents import Resource, Rows, parse
from airflow_provider_lms.lms.filters import one_of, whole
from airflow_provider_lms.lms.ispring.listings import AskedFor, Listing, OnUnknownUser, ResultListing
from airflow_provider_lms.lms.ispring.query import ModuleResultFilters, ResultFilters, result_query
from airflow_provider_lms.lms.ispring.records import (
    COURSE_RESULTS,
    COURSES,
    MODULE_RESULTS,
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

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=LearnerResult)


class ISpringLearnClient:
    """Reads iSpring Learn. Every listing is an iterator of whole pages, read as they are asked for.

    :param transport: the account to read.
    :param page_size: rows per page where a call does not say; None leaves it to the LMS (1,000 rows).

    ``read_ahead`` asks for each page as soon as its token is known, while the page before is decoded and used: faster,
    at the price of one request too many where a listing is not read to its end.
    """

    def __init__(self, transport: Transport, *, page_size: int | None = None) -> None:
        self._transport = transport
        self._page_size = page_size
        self.read_ahead = False

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
        unknown_users: set[str] | None = None,
        page_size: int | None = None,
        start: str | None = None,
        **filters: Unpack[ResultFilters],
    ) -> Iterator[Page[CourseResult]]:
        """Results of learners in their courses, one record per learner, course and enrollment.

        Parameters and errors are those of :meth:`module_results`, without ``module_ids`` and ``course_item_ids``, and:

        :param unknown_users: user ids that ``skip`` does not ask for; those that the LMS refuses are added.

        Source: vendor page "Getting User Results on the Courses"; OpenAPI ``GET /learners/results``.
        """
        return self._results(
            COURSE_RESULTS, ResultFilters.__optional_keys__, filters, on_unknown_user, page_size, start, unknown_users
        )

    def course_url(self, course_id: str) -> str | None:
        """Where the LMS shows a course to a person; None where it does not say. Waits for nothing.

        :raises LmsNotFound: there is no such course, or the role may not see it.

        Source: OpenAPI ``GET /content/{contentId}``, field ``viewUrl``.
        """
        path = f"/content/{quote(course_id, safe='')}"
        found = parse(self._transport.get(path, shown="/content/{contentId}", patient=False))
        item = found.get("contentItem", found) if isinstance(found, dict) else {}
        url = item.get("viewUrl") if isinstance(item, dict) else None
        return url if isinstance(url, str) else None

    def requests(self, **filters: Unpack[ResultFilters]) -> int:
        """How many requests course results take at the least, since ids are spread that do not fit into one URL.

        :param filters: see :class:`ResultFilters`.
        :raises ValueError: a parameter cannot be meant as it is given.
        """
        return len(self._parts(COURSE_RESULTS, result_query((), filters)))

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
        return self._pages(Listing(self._transport, COURSES, courses_only, self.read_ahead), query, start)

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

        return self._pages(
            Listing(self._transport, USERS, with_profiles, self.read_ahead), Query(self._paging(page_size), {}), start
        )

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
        unknown_users: set[str] | None = None,
    ) -> Iterator[Page[S]]:
        if unknown := given.keys() - known:
            raise TypeError(f"{resource.path} has no filter {', '.join(sorted(unknown))}.")
        one_of("on_unknown_user", on_unknown_user, get_args(OnUnknownUser))
        query = result_query(self._paging(page_size), given)
        unknown = set() if unknown_users is None else unknown_users
        listing = ResultListing(self._transport, resource, AskedFor(query), self.read_ahead, on_unknown_user, unknown)
        return self._pages(listing, query, start)

    def _parts(self, resource: Resource[Any], query: Query) -> list[Query]:
        return query.split(_URL_LENGTH - _TOKEN_ROOM - len(self.base_url + resource.path))

    def _paging(self, page_size: int | None) -> Pairs:
        size = self._page_size if page_size is None else page_size
        return () if size is None else (("pageSize", str(whole("page_size", size))),)

    def _pages(self, listing: Listing[R], query: Query, start: str | None) -> Iterator[Page[R]]:
        first, token = position(start)
        parts = self._parts(listing.resource, query)

        def walk(token: str | None) -> Iterator[Page[R]]:
            for index, part in enumerate(parts[first:], start=first):
                for rows in by_token(partial(listing.read, part), token):
                    yield Page(rows.records, listing.pages, continuation(index, len(parts), rows.next))
                token = None

        return walk(token)


_URL_LENGTH = 4_000
_TOKEN_ROOM = 500


def _profile(fields: Any) -> Any:
    """A user's profile by upper-case name; it comes as a list of names and values, or as an object."""
    if isinstance(fields, list):
        fields = {field.get("name"): field.get("value") for field in fields if isinstance(field, dict)}
    if isinstance(fields, dict):
        return {str(name).upper(): value for name, value in fields.items()}
    return fields
