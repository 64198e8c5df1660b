"""What a hook tells in plain JSON, for an AI agent whose tools are methods of a hook.

A toolset makes a tool of each method: the signature becomes the tool's schema, and the first paragraph of the docstring
and the text of each ``:param`` are what the model is told. So these are written for a model as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import StatusMeanings
from airflow_provider_lms.lms.course.readers import CourseQuery, CourseReader
from airflow_provider_lms.lms.course.reading import read_course
from airflow_provider_lms.lms.listing.contract import describe, fields_of
from airflow_provider_lms.lms.listing.filter_names import check_names, filters_of, parse_filters, with_ranges
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.projection import ColumnChoice, Projection
from airflow_provider_lms.lms.listing.records import EXTRA
from airflow_provider_lms.lms.listing.spec import Listing, find_listing
from airflow_provider_lms.lms.parameters import parse_id, parse_ids, parse_int, refuse_title
from airflow_provider_lms.tables.columns import Columns
from airflow_provider_lms.vendors import VENDORS

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient

C = TypeVar("C", bound="LmsClient")
Q = TypeVar("Q", bound=CourseQuery)

MAX_ROWS = 1_000
MAX_PAGES = 100
"""The most pages that one call reads. A model does not know what a question costs, and every page is a request to an
account that other tasks share."""

_MOVED = "Records came or went while the listing was read, so some may be missing."


class ReadsListings(ABC):
    """Reads listings by their names."""

    conn_type: ClassVar[str]

    @abstractmethod
    def get_conn(self) -> LmsClient:
        """A client of the account."""

    def list_listings(self) -> list[dict[str, Any]]:
        """List everything that can be read from the LMS: the name of each listing, what one row of it is, its columns
        and its filters. describe_listing tells more about one listing.

        :return: for each listing ``name``, ``meaning``, and the names of its ``columns`` and ``filters``. Nothing is
            sent to the LMS.

        Example::

            for each in ISpringLearnHook("ispring_learn_default").list_listings():
                print(each["name"], each["meaning"])
        """
        return [
            {
                "name": name,
                "meaning": describe(listing.record),
                "columns": [field.name for field in fields_of(listing.record)],
                "filters": [each.name for each in filters_of(listing)],
            }
            for name, listing in VENDORS[self.conn_type].listings().items()
        ]

    def describe_listing(self, listing: str) -> dict[str, Any]:
        """Describe the columns and filters of one listing of the LMS: what each column tells and which values each
        filter takes.

        :param listing: The name of the listing, as list_listings tells it.
        :return: ``name``, ``meaning``; ``columns`` with ``name``, ``type``, ``meaning`` and ``personal``, which is
            ``direct``, ``indirect`` or ``none``; ``filters`` with ``name``, ``takes`` and ``required``. Nothing is sent
            to the LMS.
        :raises ValueError: there is no such listing.

        Example::

            print(ISpringLearnHook("ispring_learn_default").describe_listing("course_results")["filters"])
        """
        found = self._find(listing)
        types = {column.name: column.type for column in Columns(found.record).declared}
        return {
            "name": found.name,
            "meaning": describe(found.record),
            "columns": [
                {
                    "name": field.name,
                    "type": types[field.name],
                    "meaning": field.meaning,
                    "personal": field.personal,
                }
                for field in fields_of(found.record)
            ],
            "filters": [each._asdict() for each in filters_of(found)],
        }

    def read_rows(
        self,
        listing: str,
        filters: dict[str, Any] | None = None,
        columns: list[str] | None = None,
        limit: int = 100,
    ) -> dict[str, Any]:
        """Read the first rows of a listing of the LMS. If the result says "complete": false, there may be more rows
        than it holds, so nothing must be concluded about all rows; its "notes" say why.

        Columns that identify a person by themselves, such as names and e-mail addresses, are read only if ``columns``
        names them; so is ``_extra``. At most 100 pages are read.

        :param listing: The name of the listing, as list_listings tells it.
        :param filters: Filters by name, as describe_listing tells them, such as {"course_ids": ["17"]}. Leave it out
            to read without filters.
        :param columns: The columns to read. Leave it out for all columns but those that identify a person.
        :param limit: The most rows to read, from 1 to 1000.
        :return: ``rows``, as JSON can hold them; ``complete``, whether these are all; ``left_out``, the columns that
            are not there because they identify a person; ``notes``, what a reader must know.
        :raises ValueError: a parameter is invalid; raised before the first request.
        :raises LmsError: the listing could not be read.

        Example::

            hook = ISpringLearnHook("ispring_learn_default")
            found = hook.read_rows("course_results", {"completion_statuses": "failed"}, ["courseTitle"], limit=20)
            print(found["rows"], found["complete"])
        """
        most = parse_int("limit", limit)
        if most > MAX_ROWS:
            raise ValueError(f"limit: expected at most {MAX_ROWS}, got {limit!r}. Narrow the listing by filters.")
        found = self._find(listing)
        values = _values(found, filters)
        left_out = [] if columns is not None else _identifying(found)
        choice = ColumnChoice(columns=parse_ids("columns", columns), drop_columns=tuple(left_out))
        projection = Projection(found.name, found.record, choice, None)
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        is_complete = is_consistent = True
        with closing(self.get_conn()) as client:
            for page in islice(_pages(client, found, values), MAX_PAGES):
                rows += projection.apply(page).to_dicts()
                is_complete, is_consistent = page.next is None, is_consistent and page.consistent
                if len(rows) >= most:
                    break
        if not is_complete or len(rows) > most:
            is_complete = False
            notes.append(
                f"There may be more rows: at most {most} rows and {MAX_PAGES} pages were to be read. "
                "Narrow the listing by filters."
            )
        if not is_consistent:
            notes.append(_MOVED)
        return {"rows": rows[:most], "complete": is_complete and is_consistent, "left_out": left_out, "notes": notes}

    def count_rows(self, listing: str, filters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Count the rows of a listing of the LMS. If the result says "complete": false, there may be more rows than it
        counts; its "notes" say why.

        No LMS has a call that only counts, so this reads pages, at most 100.

        :param listing: The name of the listing, as list_listings tells it.
        :param filters: Filters by name, as describe_listing tells them, such as {"course_ids": ["17"]}. Leave it out
            to count all rows.
        :return: ``count``; ``complete``, whether these are all; ``notes``, what a reader must know.
        :raises ValueError: a parameter is invalid; raised before the first request.
        :raises LmsError: the listing could not be read.

        Example::

            print(ZohoPeopleHook("zoho_people_default").count_rows("employees")["count"])
        """
        found = self._find(listing)
        values = _values(found, filters)
        count, notes = 0, []
        is_complete = is_consistent = True
        with closing(self.get_conn()) as client:
            for page in islice(_pages(client, found, values), MAX_PAGES):
                count += len(page.records)
                is_complete, is_consistent = page.next is None, is_consistent and page.consistent
        if not is_complete:
            notes.append(
                f"Only the first {MAX_PAGES} pages were counted; there may be more. Narrow the listing by filters."
            )
        if not is_consistent:
            notes.append(_MOVED)
        return {"count": count, "complete": is_complete and is_consistent, "notes": notes}

    def _find(self, listing: str) -> Listing[Any]:
        return find_listing(VENDORS[self.conn_type].listings(), listing)


class CountsCompletions(ABC, Generic[C, Q]):
    """Counts who has completed a course."""

    course_query_type: ClassVar[type[CourseQuery]]
    """The type of the LMS's course query, so that a trigger can rebuild one from plain JSON."""

    status_meanings: ClassVar[StatusMeanings]
    """What the LMS's status words mean, unless a DAG author says otherwise."""

    @abstractmethod
    def get_conn(self) -> C:
        """A client of the account."""

    @abstractmethod
    def course_reader(self, query: Q, client: C) -> CourseReader:
        """A reader of a course's progress."""

    def course_completion(self, course_id: str) -> dict[str, Any]:
        """Count how many learners of a course have completed it. The result holds counts only, and names nobody.

        The rules are those of the sensors: of several enrollments of a learner, the latest counts.

        :param course_id: The id of the course.
        :return: ``course_id``; the numbers of ``learners``, ``completed``, ``pending``, ``unsuccessful`` (failed or
            declined) and ``overdue`` (some of those who have not completed); ``checked_at``; ``notes``, what a reader
            must know.
        :raises ValueError: ``course_id`` is invalid.
        :raises LmsNotFound: there is no such course, if the LMS says so.
        :raises LmsError: the course could not be read.

        Example::

            found = ZohoPeopleHook("zoho_people_default").course_completion("100002000010000001")
            print(found["completed"], "of", found["learners"])
        """
        course = parse_id("course_id", course_id)
        refuse_title("course_id", course)
        with closing(self.get_conn()) as client:
            query = cast("Q", self.course_query_type(course_id=course))
            reader = self.course_reader(query, client)
            evaluation = read_course(reader, Criteria(statuses=self.status_meanings))
        result = evaluation.result(course)
        warning = evaluation.warning(set())
        return {
            "course_id": course,
            "learners": result["cohort"],
            **{name: result[name] for name in ("completed", "pending", "unsuccessful")},
            "overdue": evaluation.overdue,
            "checked_at": result["checked_at"],
            "notes": [] if warning is None else [warning],
        }


def _values(listing: Listing[Any], filters: object) -> dict[str, Any]:
    given = parse_filters("filters", filters)
    check_names("filters", listing.name, given, [each.name for each in filters_of(listing)])
    return with_ranges(listing, given)


def _pages(client: LmsClient, listing: Listing[Any], values: dict[str, Any]) -> Iterable[Page[Any]]:
    return client.read(listing, **values)


def _identifying(listing: Listing[Any]) -> list[str]:
    return [field.name for field in fields_of(listing.record) if field.personal == "direct" and field.name != EXTRA]
