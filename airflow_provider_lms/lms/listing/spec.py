"""A listing is declared once. All that reads it follows from the declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, structs

from airflow_provider_lms.lms.listing.filters import Filter, IdFilter, Pairs
from airflow_provider_lms.lms.listing.pagers import Pager
from airflow_provider_lms.lms.listing.path import Path, PathId
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Record, Row
from airflow_provider_lms.lms.parameters import parse_choice

R = TypeVar("R", bound=Record)
Shape: TypeAlias = Literal["page", "rows", "row"]


@dataclass(frozen=True)
class Envelope:
    """What surrounds the rows in every page of an LMS.

    :param is_empty: whether a document without the list of rows is an empty page. It must recognize what says so:
        everything else breaks the page.
    :param is_error: whether a document reports an error, although it has the list of rows.
    :param xml_root: the root element of an XML page.
    :param normalize: applied to every JSON document before anything else; None leaves documents as they are and lets
        JSON be decoded straight into records, which is several times faster.
    """

    is_empty: Callable[[Any], bool]
    is_error: Callable[[Any], bool]
    xml_root: str = "response"
    normalize: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Parent:
    """The listing whose records a child listing is read for, one after the other.

    :param listing: the parent.
    :param ids: for each path id of the child that comes from the parent, the attribute of the parent's record; the last
        is the id of the parent itself. If it holds a list of ids, the child is read for each of them.
    :param where: which of the parent's records have children; None for all.
    """

    listing: Listing[Any]
    ids: Mapping[str, str]
    where: Callable[[Any], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[R]):
    """One listing of an LMS.

    :param name: the name of the client's method, and of the listing in manifests and logs.
    :param path: the endpoint below the base URL, such as ``/courses/{course_id}[/batches/{batch_id}]/modules``.
    :param record: the type of a row.
    :param rows: the name of the list of rows, in JSON and in XML.
    :param row: the XML element of one row; empty if it is not known.
    :param shape: what a document is: a ``page``, which holds the rows under their name; the list of ``rows`` itself, in
        JSON an array; or one ``row``.
    :param id_field: where each row is only an id: the field that it becomes.
    :param method: ``POST`` if the LMS takes the filters as a JSON body. A parameter with ``[]`` at its end is an array.
    :param long_by_post: for a listing by ``GET``: whether the LMS takes the same query, with its page size and page
        token, as the JSON body of a ``POST`` too. Ids that do not fit into one URL are then sent as a body.
    :param pager: how the listing is cut into pages.
    :param envelope: what surrounds the rows.
    :param key: the attributes that identify a record; empty if none do.
    :param path_ids: the ids in ``path``.
    :param filters: the filters that a caller may set. None means no filter; all filters narrow the listing together.
    :param params: query parameters that every request has.
    :param aliases: other names that the LMS may use for a field, by the field's name in a row.
    :param complete: adds to a row what follows from the query. Called with the row and the query.
    :param refine: changes or drops records of a page before anybody sees them.
    :param parent: the listing whose records this one is read for.
    :param source: the vendor's page that describes the listing.
    :param version: of the record type; each breaking change raises it.

    Example::

        ENROLLMENTS = Listing(
            name="enrollments",
            path="/enrollments",
            record=Enrollment,
            rows="enrollments",
            row="enrollment",
            pager=PAGES,
            envelope=ENVELOPE,
            key=("enrollment_id",),
            filters=(IdFilter("course_ids", "courseIds[]", row="course_id"),),
            source="Getting a List of Enrollments",
        )
    """

    name: str
    path: str
    record: type[R]
    rows: str
    row: str = ""
    shape: Shape = "page"
    id_field: str | None = None
    method: Literal["GET", "POST"] = "GET"
    long_by_post: bool = False
    pager: Pager
    envelope: Envelope
    key: tuple[str, ...]
    path_ids: tuple[PathId, ...] = ()
    filters: tuple[Filter, ...] = ()
    params: Pairs = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    complete: Callable[[Row, Query], Row] | None = None
    refine: Callable[[list[R]], list[R]] | None = None
    parent: Parent | None = None
    source: str
    version: int = 1

    def identify(self, record: R) -> object:
        """What tells whether two rows are about the same thing: the key, or the whole row where there is none."""
        if not self.key:
            return {name: value for name, value in structs.asdict(record).items() if value not in (None, UNSET)}
        return [getattr(record, attribute) for attribute in self.key]

    def query(self, values: Mapping[str, object], *, page_size: int | None = None, params: Pairs = ()) -> Query:
        """What to ask for, checked.

        :param values: path ids and filters by name; None leaves one out.
        :param page_size: rows per page; None leaves it to the LMS.
        :param params: further query parameters.
        :raises ValueError: a value is invalid; it is named.
        :raises TypeError: the listing has no such filter.
        """
        known = {each.name for each in (*self.path_ids, *self.filters)}
        if unknown := values.keys() - known:
            raise TypeError(f"{self.name} has no filter {', '.join(sorted(unknown))}.")
        path = Path(self.path)
        ids = path.check(self.path_ids, values)
        fixed: list[tuple[str, str]] = [*self.pager.page_size(page_size), *self.params, *params]
        fixed += [(each.param, ids[each.name]) for each in self.path_ids if each.param]
        splittable: dict[str, Pairs] = {}
        for each in self.filters:
            if (value := values.get(each.name)) is None:
                continue
            pairs = each.pairs(value)  # type: ignore[arg-type]  # every filter checks its own value
            if isinstance(each, IdFilter) and each.row is not None:
                splittable[each.name] = pairs
            else:
                fixed += pairs
        personal = {each.name for each in self.path_ids if each.personal}
        return Query(
            path=path.render(ids),
            shown_path=path.render(ids, hidden=personal),
            endpoint=path.render(ids, hidden=ids),
            path_ids=ids,
            fixed=tuple(fixed),
            id_lists=splittable,
        )


def find_listing(listings: Mapping[str, Listing[Any]], name: str) -> Listing[Any]:
    """The declaration of a listing.

    :param listings: those of the LMS, by name.
    :raises ValueError: there is no such listing.
    """
    return listings[parse_choice("listing", name, tuple(listings))]
