"""The client of iSpring Learn."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from typing import TypeVar, Unpack, get_args
from urllib.parse import quote

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsError, LmsNotFound, LmsPermissionError
from airflow_provider_lms.lms.excerpt import excerpt
from airflow_provider_lms.lms.http.download import Store
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.course_links import CourseLinks, keep_links_of, link_of
from airflow_provider_lms.lms.ispring.listings import LISTINGS
from airflow_provider_lms.lms.ispring.listings.activity import Certificate
from airflow_provider_lms.lms.ispring.listings.content import (
    CONTENTS,
    COURSE_MODULES,
    COURSES,
    Content,
    ContentFilters,
    Course,
    CourseModule,
)
from airflow_provider_lms.lms.ispring.listings.organization import DEPARTMENTS, GROUPS, Department, Group
from airflow_provider_lms.lms.ispring.listings.people import (
    ENROLLMENTS,
    USERS,
    Enrollment,
    EnrollmentFilters,
    User,
    UserFilters,
)
from airflow_provider_lms.lms.ispring.listings.results import (
    COURSE_RESULTS,
    MODULE_RESULTS,
    USER_IDS,
    CourseResult,
    LearnerResult,
    ModuleResult,
    ModuleResultFilters,
    ResultFilters,
)
from airflow_provider_lms.lms.ispring.reads import TypedReads
from airflow_provider_lms.lms.ispring.split_by import SplitBy, splitter_by
from airflow_provider_lms.lms.ispring.unknown_users import OnUnknownUser, ResultsReader
from airflow_provider_lms.lms.ispring.writes import TypedWrites
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.reader import split_query
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.listing.splits import Reading, Splitter
from airflow_provider_lms.lms.parameters import parse_choice, parse_ids

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=LearnerResult)

_CONTENT = "/content/{contentId}"
_PDF = b"%PDF-"
_MOST_CHECKED = 20
"""How many courses without rows are looked up at most: each costs a request."""


class ISpringLearnClient(TypedReads, TypedWrites):
    """Reads one account of iSpring Learn, and changes people and enrollments.

    Every listing is a lazy iterator of complete pages of typed records. Ids that do not fit into one URL are split over
    several requests; those of enrollments are sent in the body of a ``POST``.

    :param links: keeps the addresses of courses that were read; None asks for each of them.

    Example::

        client = ISpringLearnHook().get_conn()
        for page in client.course_results(completion_statuses=["passed", "complete"]):
            for result in page.records:
                print(result.course_title, result.completion_date)
        client.close()
    """

    listings = LISTINGS

    def __init__(self, transport: Transport, *, page_size: int | None = None, links: CourseLinks | None = None) -> None:
        super().__init__(transport, page_size=page_size)
        self._links = links

    def module_results(
        self,
        *,
        on_unknown_user: OnUnknownUser = "fail",
        split_by: SplitBy | None = None,
        page_size: int | None = None,
        start: str | None = None,
        **filters: Unpack[ModuleResultFilters],
    ) -> Reading[ModuleResult]:
        """Yield results of learners in the modules of their courses: one record per learner, module and enrollment.

        :param on_unknown_user: ``fail``, or ``skip`` to read the others if the LMS does not know some user ids.
        :param split_by: how the reading is split where it is read with several requests at the same time:
            ``course_ids`` and ``user_ids`` by all courses or users, unless a filter names some; ``access_date`` by
            windows of the access date. None splits by a filter with several ids.
        :param page_size: rows per page; None takes the connection's, else the vendor's 1,000.
        :param start: the ``next`` of an earlier page of the same query.
        :param filters: see :class:`ResultFilters` and :class:`ModuleResultFilters`.
        :raises ValueError: a parameter is invalid; raised before the first request.
        :raises LmsBadRequest: the LMS rejected a parameter, such as an unknown user id, which is named.
        :raises LmsError: any other failure; the pages before it were complete.

        Example::

            for page in client.module_results(course_ids="f0e7400a-ca31-11e9-b6fc-0a580af40a22"):
                print(page.records[0].module_title, page.records[0].progress)

        Source: vendor page "Getting User Results on the Course Modules".
        """
        return self._results(MODULE_RESULTS, filters, on_unknown_user, page_size, start, split_by=split_by)

    def course_results(
        self,
        *,
        on_unknown_user: OnUnknownUser = "fail",
        unknown_users: set[str] | None = None,
        split_by: SplitBy | None = None,
        page_size: int | None = None,
        start: str | None = None,
        **filters: Unpack[ResultFilters],
    ) -> Reading[CourseResult]:
        """Yield results of learners in their courses: one record per learner, course and enrollment.

        Parameters and errors are those of :meth:`module_results`, without ``module_ids`` and ``course_item_ids``, and:

        :param unknown_users: user ids that ``skip`` does not ask for; those that the LMS rejects are added. With it,
            it is no error if the LMS knows none of the users.

        Source: vendor page "Getting User Results on the Courses"; OpenAPI ``GET /learners/results``.
        """
        return self._results(COURSE_RESULTS, filters, on_unknown_user, page_size, start, unknown_users, split_by)

    def count_requests(self, **filters: Unpack[ResultFilters]) -> int:
        """How many requests course results take at least, since a long list of ids is split.

        :param filters: see :class:`ResultFilters`.
        :raises ValueError: a parameter is invalid.
        """
        return len(split_query(COURSE_RESULTS.query(filters), self.base_url))

    def courses(self, *, page_size: int | None = None, start: str | None = None) -> Reading[Course]:
        """Yield the courses that the API key's role may see: ids and titles, to map over and to join results with.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page.
        :raises LmsPermissionError: the role may not read content.

        Source: OpenAPI ``GET /contents``.
        """
        reading = self.read(COURSES, page_size=page_size, start=start)
        return reading if self._links is None else keep_links_of(reading, self._links)

    def contents(
        self, *, page_size: int | None = None, start: str | None = None, **filters: Unpack[ContentFilters]
    ) -> Reading[Content]:
        """Yield the content of all types that the API key's role may see: courses, learning tracks, quizzes and others.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page of the same query.
        :param filters: see :class:`ContentFilters`.
        :raises LmsPermissionError: the role may not read content.

        Source: OpenAPI ``GET /contents``.
        """
        return self.read(CONTENTS, page_size=page_size, start=start, **filters)

    def course_modules(self, course_id: str) -> Reading[CourseModule]:
        """Yield the modules of a course, in one page. ``client.read("course_modules")`` reads those of all courses.

        :param course_id: the course.
        :raises LmsNotFound: there is no such course.

        Source: vendor page "Getting a List of Course Content and Trainings".
        """
        return self.read(COURSE_MODULES, course_id=course_id)

    def users(
        self, *, page_size: int | None = None, start: str | None = None, **filters: Unpack[UserFilters]
    ) -> Reading[User]:
        """Yield the user accounts that the API key's role may see: ids, names, e-mail addresses, departments.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page of the same query.
        :param filters: see :class:`UserFilters`.
        :raises LmsPermissionError: the role may not read users.

        Source: OpenAPI ``GET /users/v2``.
        """
        return self.read(USERS, page_size=page_size, start=start, **filters)

    def departments(self, *, page_size: int | None = None, start: str | None = None) -> Reading[Department]:
        """Yield the departments: ids, names, codes, their place in the organization, and who supervises them.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page.
        :raises LmsPermissionError: the role may not read departments.

        Source: OpenAPI ``GET /departments``.
        """
        return self.read(DEPARTMENTS, page_size=page_size, start=start)

    def groups(self, *, page_size: int | None = None, start: str | None = None) -> Reading[Group]:
        """Yield the groups of users. ``client.read("group_members")`` tells who is in them.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page.
        :raises LmsPermissionError: the role may not read groups.

        Source: OpenAPI ``GET /groups``.
        """
        return self.read(GROUPS, page_size=page_size, start=start)

    def enrollments(
        self, *, page_size: int | None = None, start: str | None = None, **filters: Unpack[EnrollmentFilters]
    ) -> Reading[Enrollment]:
        """Yield enrollments: who is enrolled in which course, until when, and with which certificate.

        :param page_size: rows per page.
        :param start: the ``next`` of an earlier page of the same query.
        :param filters: see :class:`EnrollmentFilters`.
        :raises LmsPermissionError: the role may not read enrollments.

        Source: vendor page "Getting a List of Enrollments"; OpenAPI ``GET /enrollments``.
        """
        return self.read(ENROLLMENTS, page_size=page_size, start=start, **filters)

    def known_course(self, course_id: str) -> Iterator[Page[Course]]:
        """Yield one empty page if there is such a course, or if the role may not see whether there is.

        :raises LmsNotFound: there is no such course.

        Source: OpenAPI ``GET /content/{contentId}``.
        """
        try:
            response = self._transport.get(_content_path(course_id), shown_path=_CONTENT)
            with suppress(LmsBrokenPage):
                self._keep_link(course_id, link_of(response))
        except LmsPermissionError:
            log.debug("The role may not read content, so it is not known whether course %s exists.", course_id)
        except LmsNotFound as error:
            raise LmsNotFound(
                f"course_id: iSpring Learn has no course {excerpt(course_id)}, or the role may not see it.",
                error.status,
                is_refusal=error.is_refusal,
            ) from None
        yield Page([], 1, None)

    def with_known_courses(self, reading: Reading[R], course_ids: object) -> Reading[R]:
        """The same pages. In the end, check whether those courses exist that no row was about.

        iSpring answers for an unknown course as for one without results.

        :param reading: of a listing whose rows have a course.
        :param course_ids: the courses that were asked for; None for no filter.
        :raises LmsNotFound: there is no such course; raised after the last page.
        """
        missing = {each.casefold(): each for each in parse_ids("course_ids", course_ids) or ()}

        def watch(pages: Iterator[Page[R]]) -> Iterator[Page[R]]:
            for page in pages:
                yield page
                for course_id in set(map(attrgetter("course_id"), page.records)) if missing else ():
                    missing.pop(course_id.casefold(), None)

        def check(client: ISpringLearnClient) -> None:
            for course_id in islice(missing.values(), _MOST_CHECKED):
                try:
                    list(client.known_course(course_id))
                except LmsNotFound:
                    raise
                except LmsError as error:
                    log.info("%s It is not known whether course %s exists.", error, course_id)

        def whole() -> Iterator[Page[R]]:
            yield from watch(reading)
            check(self)

        unwatched = reading.splitter
        if unwatched is None:
            return Reading(whole())
        read = unwatched.read
        splitter: Splitter[ISpringLearnClient, R] = Splitter(
            unwatched.find_keys,
            lambda client, keys, start: watch(read(client, keys, start)),
            is_fixed=unwatched.is_fixed,
            finish=check,
        )
        return Reading(whole(), splitter)

    def course_url(self, course_id: str) -> str | None:
        """Where the LMS shows a course to a person; None if it does not say. Does not wait or retry.

        Sends nothing if the address is known from an earlier answer to any task that uses the account.

        :raises LmsNotFound: there is no such course, or the role may not see it.

        Source: OpenAPI ``GET /content/{contentId}``, field ``viewUrl``.
        """
        known = None if self._links is None else self._links.find(course_id)
        if known is not None:
            return known or None
        try:
            response = self._transport.get(_content_path(course_id), shown_path=_CONTENT, retry=False)
        except (LmsPermissionError, LmsNotFound) as error:
            if error.is_refusal:  # a gateway may answer so for a while
                self._keep_link(course_id, "")
            raise
        url = link_of(response)
        self._keep_link(course_id, url)
        return url or None

    def _keep_link(self, course_id: str, url: str | None) -> None:
        if self._links is not None and url is not None:
            self._links.put({course_id: url})

    def download_certificate(self, certificate: Certificate, store: Store) -> None:
        """Fetch the PDF of a certificate, in flat memory.

        Whether its address needs the access token is not documented. It is sent only to the API's own origin.

        :param certificate: from the listing ``certificates``.
        :param store: takes the pieces of the file; called again for each new attempt.
        :raises LmsFileError: the address must not be used, or there is no such file.
        :raises LmsError: the file could not be fetched, or is no PDF.

        Example::

            def store(pieces):
                with open("certificate.pdf", "wb") as file:
                    file.writelines(pieces)


            client.download_certificate(certificate, store)
        """
        name = f"the file of certificate {excerpt(certificate.issued_certificate_id)}"
        self._transport.download(certificate.url, name, _PDF, store)

    def check(self) -> None:
        """Read one row of the course results, to see whether the account can be read.

        :raises LmsError: why it cannot.
        """
        next(self.course_results(page_size=1))

    def _results(
        self,
        listing: Listing[S],
        filters: Mapping[str, object],
        on_unknown_user: OnUnknownUser,
        page_size: int | None,
        start: str | None,
        unknown_users: set[str] | None = None,
        split_by: SplitBy | None = None,
    ) -> Reading[S]:
        parse_choice("on_unknown_user", on_unknown_user, get_args(OnUnknownUser))
        if split_by is not None:
            parse_choice("split_by", split_by, get_args(SplitBy))
        query = listing.query(filters, page_size=self._page_size if page_size is None else page_size)
        unknown = set() if unknown_users is None else unknown_users
        expected = query.ids(USER_IDS.name) if unknown_users is None else ()

        def read(client: ISpringLearnClient, part: Query, start: str | None) -> Iterator[Page[S]]:
            reader = ResultsReader(
                client._transport,
                listing,
                part,
                client._decoder(listing),
                prefetch=client.prefetch,
                on_unknown_user=on_unknown_user,
                unknown=unknown,
                expected=expected,
            )
            return reader.pages(start)

        reading = self._read_query(listing, query, read, start)
        if split_by is None:
            return reading

        def read_some(client: ISpringLearnClient, some: Mapping[str, object], start: str | None) -> Iterator[Page[S]]:
            return client._results(listing, some, on_unknown_user, page_size, start)

        return Reading(reading, splitter_by(split_by, self, filters, read_some))


def _content_path(course_id: str) -> str:
    return f"/content/{quote(course_id, safe='')}"
