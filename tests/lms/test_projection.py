"""Columns that are left out or hashed."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.projection import ColumnChoice, Projection
from airflow_provider_lms.lms.listing.records import Id, Record, RecordConverter

SECRET = "correct horse battery staple"


class Person(Record, kw_only=True):
    person_id: Id
    number: int | None = None
    hired: datetime | None = None
    fields: Any = None


ROWS: list[dict[str, Any]] = [
    {
        "personId": "7",
        "number": 7,
        "hired": "2026-01-31T00:00:00Z",
        "fields": {"EMAIL": "ada@example.com", "Job": "dev"},
        "nickname": "ada@example.com",
    },
    {"personId": "8", "number": "many", "fields": "ada@example.com"},
    {"personId": "9", "fields": {"email": None}},
]


def digest(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def projection(
    columns: object = None, drop: object = None, hashed: object = None, secret: str | None = SECRET
) -> Projection:
    choice = ColumnChoice.parse(columns, drop, hashed)
    assert choice is not None
    return Projection("people", Person, choice, secret)


def projected(*options: Any) -> list[dict[str, Any]]:
    converter = RecordConverter(Person)
    page = Page(converter.convert(Response("GET /people", 200, "application/json", b""), ROWS), 1, None)
    result: list[dict[str, Any]] = msgspec.to_builtins(projection(*options).apply(page).records)
    return result


def test_without_a_choice_there_is_nothing_to_do() -> None:
    assert ColumnChoice.parse(None, None, None) is None


def test_only_the_named_columns_are_kept() -> None:
    assert projected("personId") == [{"personId": "7"}, {"personId": "8"}, {"personId": "9"}]
    first, *_ = projected('["hired", "personId"]')
    assert first == {"personId": "7", "hired": "2026-01-31T00:00:00Z"}


def test_dropped_columns_are_left_out_and_so_is_extra() -> None:
    assert projected(None, ["fields", "hired"]) == [
        {"personId": "7", "number": 7},
        {"personId": "8", "number": None},
        {"personId": "9", "number": None},
    ]


def test_the_same_value_has_the_same_hash_in_every_column() -> None:
    first, second, third = projected(None, ["fields"], ["personId", "number", "hired"])
    assert first == {
        "personId": digest("7"),
        "number": digest("7"),
        "hired": digest("2026-01-31T00:00:00Z"),
    }
    assert second == {"personId": digest("8"), "number": None, "hired": None}
    assert third["personId"] == digest("9")


@pytest.mark.parametrize("name", ["fields.EMAIL", "fields.email", "fields.Email"])
def test_a_value_in_an_object_is_found_whatever_its_case(name: str) -> None:
    first, second, third = projected(None, None, [name])
    assert first["fields"] == {"EMAIL": digest("ada@example.com"), "Job": "dev"}
    assert third["fields"] == {"email": None}
    assert second["fields"] is None, "nobody can say what is in a text"
    first, *_ = projected(None, [name])
    assert first["fields"] == {"Job": "dev"}
    first, *_ = projected([name, "personId"])
    assert first == {"personId": "7", "fields": {"EMAIL": "ada@example.com"}}


@pytest.mark.parametrize(
    "options",
    [
        (["personId"],),
        (None, ["fields"]),
        (None, None, ["fields"]),
        (None, None, ["fields.EMAIL"]),
        (None, ["fields.EMAIL"]),
        (["personId", "fields.JOB"],),
        (["personId", "_extra", "fields"], None, ["fields.email"]),
    ],
)
def test_no_other_way_leads_to_what_is_left_out_or_hashed(options: tuple[Any, ...]) -> None:
    choice = projected(*options)
    for row in choice:
        row.pop("_extra", {}).pop("nickname", None)  # a field that was asked for by its name
    assert "ada@example.com" not in str(choice)


def test_extra_is_kept_where_it_is_named_but_holds_no_column_that_is_left_out() -> None:
    assert projected(["personId", "_extra"])[:2] == [
        {"personId": "7", "_extra": {"nickname": "ada@example.com"}},
        {"personId": "8"},
    ]
    assert projected(["personId", "number", "_extra"])[1] == {
        "personId": "8",
        "number": None,
        "_extra": {"number": "many"},
    }
    assert "_extra" not in projected(["personId", "number", "_extra"], None, ["number"])[1]


def test_the_new_record_type_has_just_the_columns() -> None:
    record = projection(["personId", "hired"], None, ["hired"]).record
    hints = {field.encode_name: field.type for field in msgspec.structs.fields(record)}
    assert list(hints) == ["personId", "hired"]
    assert hints["hired"] == str | None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("name",), r"columns: people has no column 'name'. It has personId, number, hired, fields, _extra\."),
        ((None, "name"), r"drop_columns: people has no column 'name'. It has personId, number, hired, fields\."),
        ((None, "_extra"), "drop_columns: people has no column '_extra'"),
        ((None, None, "person_id"), "hash_columns: people has no column 'person_id'"),
        ((None, ["personId", "number", "hired", "fields"]), "no column is left"),
        ((["personId"], ["personId"]), "drop_columns: 'personId' is also in columns"),
        ((None, ["personId"], ["personId"]), "drop_columns: 'personId' is also in hash_columns"),
        ((["number"], None, ["personId"]), "hash_columns: 'personId' is not in columns"),
        (([],), "columns: the list is empty"),
        ((None, [3]), "drop_columns: each id must be a non-empty string"),
        ((None, None, ["personId"], None), "hash_columns: the connection has no hash_secret"),
        ((None, None, ["personId"], "short"), "hash_secret is shorter than 16 characters"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused(options: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        projection(*options)


def test_the_key_has_an_id_that_says_nothing_about_it() -> None:
    first, other = (projection(None, None, ["personId"], secret) for secret in (SECRET, SECRET + "!"))
    assert first.key_id != other.key_id
    assert first.key_id == projection(None, None, ["number"]).key_id
    assert projection(["personId"], secret=None).key_id is None


def test_the_query_is_shown_as_its_columns_are() -> None:
    query = {"person_ids": ["7", "8"], "department_ids": ["d"], "page_size": 10}
    assert projection(["personId"]).redact(query) == query
    assert projection(None, None, ["personId"]).redact(query) == {**query, "person_ids": [digest("7"), digest("8")]}
    assert projection(None, ["personId"]).redact(query) == {**query, "person_ids": "2 left out"}
    assert projection(None, ["personId"]).redact({"person_id": "7"}) == {"person_id": "1 left out"}


def test_dates_are_hashed_as_they_would_be_written() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert projection(None, None, ["hired"]).hashed(moment) == digest("2026-01-31T12:00:00Z")
