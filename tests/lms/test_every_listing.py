"""What holds for every declared listing of every LMS, read over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import structs

from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsError
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings import LISTINGS as ISPRING
from airflow_provider_lms.lms.listing.contract import json_schema
from airflow_provider_lms.lms.listing.filters import IdFilter
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.pagers import CursorPager
from airflow_provider_lms.lms.listing.records import READ_AT_ATTRIBUTE
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.listings import LISTINGS as ZOHO
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import JSON, XML
from airflow_provider_lms.simulator.vendor import Vendor
from tests.listings import SINGLE, call_of, comparable, values_of, world_rows

ALL = [
    pytest.param(each, media, id=f"ispring {each.name} {media}") for each in ISPRING.values() for media in (JSON, XML)
]
ALL += [pytest.param(each, JSON, id=f"zoho {each.name}") for each in ZOHO.values()]
every_listing = pytest.mark.parametrize(("listing", "media"), ALL)


@dataclass
class Reading:
    """One listing of one simulated account, read in several pages."""

    listing: Listing[Any]
    client: LmsClient
    vendor: Vendor
    call: str
    values: dict[str, object]
    expected: list[dict[str, Any]]

    def pages(self, start: str | None = None) -> Iterator[Page[Any]]:
        # A few pages of any listing, the last of them full.
        is_paged = isinstance(self.listing.pager, CursorPager)
        size = max(_LENGTHS.get(self.listing.name, 6) // 3, 1) if is_paged else None
        return self.client.read(self.listing, page_size=size, start=start, **self.values)

    def records(self, start: str | None = None) -> list[msgspec.Struct]:
        return [record for page in self.pages(start) for record in page.records]

    def change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the content of the next page."""
        if self.listing.name == "employees":
            change = _of_form(change)
        elif self.listing.shape != "page":
            change = _of_shape(change, self.listing)
        self.vendor.fail(self.call, faults.content(change))


@pytest.fixture
def reading(
    lms: Simulator,
    listing: Listing[Any],
    media: str,
    connect: Callable[..., ISpringLearnClient],
    connect_zoho: Callable[..., ZohoPeopleClient],
) -> Reading:
    is_ispring = ISPRING.get(listing.name) is listing
    conn_type = "ispring_learn" if is_ispring else "zoho_people"
    values = values_of(lms, conn_type, listing)
    client: LmsClient
    if is_ispring:
        lms.ispring.media_types = (media,)
        client = connect(lms)
    else:
        lms.zoho.limits.requests = 100_000
        lms.zoho.page_size, lms.zoho.form_page_size = 10 if listing.name == "course_progress" else 2, 10
        client = connect_zoho(lms)
    call = call_of(conn_type, listing, values)
    return Reading(
        listing, client, lms.vendors[conn_type], call, dict(values), world_rows(lms, conn_type, listing, values)
    )


@every_listing
def test_the_rows_are_those_of_the_world(reading: Reading) -> None:
    found = comparable(msgspec.to_builtins(reading.records()))
    assert found == reading.expected
    assert len(found) == 1 if reading.listing.name in SINGLE else len(found) >= 2


@every_listing
def test_every_row_comes_once_and_has_its_key(reading: Reading) -> None:
    records = reading.records()
    assert len(records) == 1 if reading.listing.name in SINGLE else len(records) >= 2
    keys = [tuple(getattr(record, name) for name in reading.listing.key) for record in records]
    if not reading.listing.key:
        assert reading.listing.name in ("entity_progress", "module_progress", "quiz_answers")
        keys = [(msgspec.json.encode(record),) for record in records]
    assert len(set(keys)) == len(keys)
    assert all(key[0] for key in keys)


@every_listing
def test_every_row_fits_its_json_schema(reading: Reading) -> None:
    schema = json_schema("any", reading.listing)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.check_schema(schema)
    rows = msgspec.to_builtins(reading.records())
    assert rows
    for row in rows:
        validator.validate(row)
    for name in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({key: value for key, value in rows[0].items() if key != name})


def _unread(records: list[msgspec.Struct]) -> list[msgspec.Struct]:
    """The records without the date of reading."""
    return [
        structs.replace(each, **{READ_AT_ATTRIBUTE: None}) if hasattr(each, READ_AT_ATTRIBUTE) else each
        for each in records
    ]


@every_listing
def test_reading_resumes_after_any_page(reading: Reading) -> None:
    pages = list(reading.pages())
    for number, page in enumerate(pages, start=1):
        rest = [record for later in pages[number:] for record in later.records]
        if page.next is None:
            assert number == len(pages)
        else:
            assert _unread(reading.records(page.next)) == _unread(rest)


@every_listing
@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_is_an_empty_listing(reading: Reading, empty: object) -> None:
    reading.change(
        lambda page: (
            {name: value for name, value in page.items() if name not in _MARKERS} | {reading.listing.rows: empty}
        )
    )
    assert reading.records() == []


@every_listing
def test_a_field_that_is_new_is_kept(reading: Reading) -> None:
    if reading.listing.id_field is not None:
        pytest.skip("its rows are only ids")
    expected = reading.records()
    reading.change(lambda page: _with_rows(page, reading.listing.rows, lambda row: {**row, "isNew": "yes, it is"}))
    first, *rest = (msgspec.to_builtins(record) for record in _unread(reading.records()))
    before = msgspec.to_builtins(_unread(expected)[0])
    assert first == {**before, "_extra": {**before.get("_extra", {}), "isNew": "yes, it is"}}
    assert all(row.get("_extra", {}).get("isNew") in (None, "yes, it is") for row in rest)
    assert all("isNew" in page.new_fields for page in reading.pages())


@every_listing
def test_a_row_without_an_id_breaks_the_page(reading: Reading) -> None:
    required = [
        field.encode_name
        for field in msgspec.structs.fields(reading.listing.record)
        if field.required and field.encode_name not in {each.field for each in reading.listing.path_ids}
    ]
    if reading.listing.id_field is not None:
        reading.change(lambda page: {**page, reading.listing.rows: [None, *page[reading.listing.rows]]})
        with pytest.raises(LmsBrokenPage, match=r"Nothing from this page was kept|is not a list of objects"):
            reading.records()
        return
    computed = {"entityType", "entityTypeName"} | ({"erecno"} if reading.listing.name == "employees" else set())
    names = [name for name in required if name not in computed]
    for name in names:
        gone = {name, reading.listing.aliases.get(name)}
        reading.change(partial(_with_rows, rows=reading.listing.rows, change=partial(_without, gone)))
        with pytest.raises(LmsBrokenPage, match=rf"missing required field `{name}`.*Nothing from this page was kept"):
            reading.records()


@every_listing
@pytest.mark.parametrize("rows", ["text", 7, [7], ["text"], True])
def test_what_is_no_list_of_rows_breaks_the_page(reading: Reading, rows: object, media: str) -> None:
    if reading.listing.id_field is not None and (rows == ["text"] or (rows == [7] and media == XML)):
        pytest.skip("its rows are texts")
    reading.change(lambda page: {**page, reading.listing.rows: rows})
    with pytest.raises(LmsBrokenPage):
        reading.records()


@every_listing
def test_a_page_of_something_else_is_broken(reading: Reading) -> None:
    reading.change(lambda _: {"somethingElse": [{"a": "b"}]})
    found = "missing required field" if reading.listing.shape == "row" else "somethingElse"
    with pytest.raises(LmsBrokenPage, match=found):
        reading.records()


@every_listing
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<p>Service temporarily busy</p>", "text/html"),
        (b"<!-- busy --><html></html>", "application/xml"),
        (b"<Error>Access denied</Error>", "application/xml"),
        (b"<response>Access denied</response>", "application/xml"),
        (b"<error/>", "application/xml"),
        (b'{"status": "failure", "message": "Denied"}', "application/json"),
        (b'{"message": "Denied"}', "application/json"),
        (b'{"status": 1}', "application/json"),
        (b"false", "application/json"),
        (b'""', "application/json"),
        (b"0", "application/json"),
        (b"", "application/json"),
    ],
)
@pytest.mark.parametrize("prefetch", [False, True])
def test_what_is_not_recognized_is_not_an_empty_page(
    reading: Reading, body: bytes, media_type: str, prefetch: bool
) -> None:
    reading.client.prefetch = prefetch
    reading.vendor.fail(reading.call, faults.body(body, media_type))
    with pytest.raises(LmsError, match=r"GET|POST"):
        reading.records()


@every_listing
@pytest.mark.parametrize("prefetch", [False, True])
def test_no_content_is_an_empty_listing(reading: Reading, prefetch: bool) -> None:
    reading.client.prefetch = prefetch
    reading.vendor.fail(reading.call, faults.no_content())
    assert reading.records() == []


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}"])
def test_only_ispring_is_known_to_leave_the_list_out(
    lms: Simulator,
    connect: Callable[..., ISpringLearnClient],
    connect_zoho: Callable[..., ZohoPeopleClient],
    body: bytes,
) -> None:
    lms.ispring.fail("GET /enrollments", faults.body(body))
    assert [page.records for page in connect(lms).enrollments()] == [[]]
    lms.zoho.fail("GET /api/v1/courses", faults.body(body))
    with pytest.raises(LmsBrokenPage):
        list(connect_zoho(lms).courses())


@every_listing
def test_an_error_beside_the_rows_breaks_the_page(reading: Reading) -> None:
    reading.change(lambda page: {**page, "error": "it did not work"})
    with pytest.raises(Exception, match=r"GET|POST") as caught:
        reading.records()
    assert type(caught.value).__module__ == "airflow_provider_lms.lms.errors"
    assert "it did not work" not in str(caught.value)


@every_listing
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_document_that_is_cut_is_broken(reading: Reading, share: float) -> None:
    reading.vendor.fail(reading.call, faults.cut_document(share))
    with pytest.raises(LmsBrokenPage):
        reading.records()


@every_listing
def test_the_declaration_fits_its_record(listing: Listing[Any], media: str) -> None:
    attributes = set(listing.record.__struct_fields__)
    names = set(listing.record.__struct_encode_fields__)
    assert set(listing.key) <= attributes
    assert {each.row for each in listing.filters if isinstance(each, IdFilter) and each.row} <= attributes
    assert {each.field for each in listing.path_ids} <= names
    assert {each.response_field for each in listing.path_ids if each.response_field} <= names
    assert set(listing.aliases) <= names
    assert listing.record.watermark is None or listing.record.watermark in attributes
    assert listing.source
    if listing.parent is not None:
        assert listing.parent.ids.keys() <= {each.name for each in listing.path_ids}
        assert set(listing.parent.ids.values()) <= set(listing.parent.listing.record.__struct_fields__)


def test_a_method_with_the_name_of_a_listing_is_documented() -> None:
    """Listings without a method are read by name."""
    for client, listings in ((ISpringLearnClient, ISPRING), (ZohoPeopleClient, ZOHO)):
        for name, listing in listings.items():
            assert listing.name == name
            assert not hasattr(client, name) or getattr(client, name).__doc__
    for name in ("course_progress", "entity_progress", "sessions", "employees", "learning_plan_progress"):
        assert hasattr(ZohoPeopleClient, name)


_LENGTHS = {"module_results": 456, "course_results": 114, "courses": 3, "users": 40, "enrollments": 120, "groups": 3}
_MARKERS = ("nextPageToken", "hasMoreRecords")


def _without(names: set[str | None], row: dict[str, Any]) -> dict[str, Any]:
    # An object without any field would be an empty page.
    return {field: value for field, value in row.items() if field not in names} or {"other": "1"}


def _with_rows(page: dict[str, Any], rows: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The page with its first row changed."""
    if isinstance(page[rows], dict):
        return {**page, rows: change(page[rows])}
    first, *rest = page[rows]
    return {**page, rows: [change(first), *rest]}


def _of_shape(change: Callable[[dict[str, Any]], dict[str, Any]], listing: Listing[Any]) -> Callable[[Any], Any]:
    """The same change of a document that is a list of rows, or only one row."""

    def changed(content: Any) -> Any:
        found = change({listing.rows: content.get("response", content) if listing.shape == "row" else content})
        if set(found) == {listing.rows}:
            return found[listing.rows]
        row = found.pop(listing.rows, None)
        return {**row, **found} if isinstance(row, dict) else found

    return changed


def _of_form(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The same change of a page of Zoho's forms, which wraps the page in ``response`` and each row in its id."""

    def changed(page: dict[str, Any]) -> dict[str, Any]:
        flat = [fields for each in page["response"]["result"] for (fields,) in each.values()]
        found = change({**page["response"], "result": flat})
        if isinstance(rows := found.get("result"), list):
            found["result"] = [{str(row["Zoho_ID"]): [row]} if isinstance(row, dict) else row for row in rows]
        return {"response": found}

    return changed
