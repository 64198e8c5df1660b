"""The published contract: what is committed is what the declarations say, and what rows are."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.listing.contract import fields_of, json_schema
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.storage import arrow_schema
from airflow_provider_lms.vendors import VENDORS, Vendor
from dev import contract, operations, overloads, parameters

LISTINGS = [
    pytest.param(vendor.conn_type, listing, id=f"{vendor.conn_type}.{listing.name}")
    for vendor in VENDORS.values()
    for listing in vendor.listings().values()
]
NEEDS_APPROVAL = pytest.mark.skipif(
    parameters.module_at("airflow_provider_lms.operators.approval") is None, reason="people approve since Airflow 3.1"
)
CHANGELOG = contract.ROOT / "CHANGELOG.md"


@NEEDS_APPROVAL
def test_the_committed_files_are_current() -> None:
    files = dict(contract.generate())
    committed = {
        *contract.SCHEMAS.glob("*/*.json"),
        *contract.SCHEMAS.glob("*/sources.yml"),
        *contract.TABLES.glob("*.md"),
        contract.ROOT / ".airflow-registry.yaml",
    }
    assert committed == files.keys(), "run make contract"
    stale = [str(path) for path, content in files.items() if path.read_text() != content]
    assert stale == [], "run make contract"


def test_the_generated_code_is_current() -> None:
    pytest.importorskip("ruff")
    stale = [str(path) for path, content in overloads.generate() if path.read_text() != content]
    assert stale == [], "run make contract"


@NEEDS_APPROVAL
def test_the_pages_of_parameters_are_current() -> None:
    pages = dict(parameters.generate())
    assert {*parameters.PAGES.glob("*.md")} == pages.keys(), "run make contract"
    stale = [str(path) for path, content in pages.items() if path.read_text() != content]
    assert stale == [], "run make contract"


@pytest.mark.parametrize(("vendor", "listing"), LISTINGS)
def test_every_field_is_described(vendor: str, listing: Listing[Any]) -> None:
    names = {other.name: other for other in VENDORS[vendor].listings().values()}
    for field in fields_of(listing.record):
        assert field.meaning.endswith("."), field.name
        assert "|" not in field.meaning, "it would end the cell of a table"
        assert field.personal in ("direct", "indirect", "none")
        assert field.known in ("documented", "seen", "assumed")
        if field.references is not None:
            assert len(names[field.references].key) == 1
    assert listing.source


@pytest.mark.parametrize(("vendor", "listing"), LISTINGS)
def test_a_field_about_a_person_is_marked(vendor: str, listing: Listing[Any]) -> None:
    people = {"user_id", "learner_id", "enrollment_id", "author_id", "supervisor_id"}
    for field in fields_of(listing.record):
        if field.attribute in people:
            assert field.personal == "indirect", field.name
        if re.search(r"e_?mail|phone|(first|last)_?name|login$", field.attribute):
            assert field.personal == "direct", field.name


@pytest.mark.parametrize(("vendor", "listing"), LISTINGS)
def test_the_arrow_schema_tells_what_columns_mean(vendor: str, listing: Listing[Any]) -> None:
    pytest.importorskip("pyarrow")
    schema = arrow_schema(listing)
    assert schema.names == [*json_schema(vendor, listing)["required"], "_extra"]
    assert arrow_schema(listing.record) == schema
    for field in fields_of(listing.record):
        assert schema.field(field.name).metadata[b"description"].decode() == field.meaning
        assert schema.field(field.name).metadata[b"personal"].decode() == field.personal


def released() -> Iterator[Any]:
    for path in contract.RELEASED.glob("*/*.json"):
        yield pytest.param(path, id=f"{path.parent.name}.{path.stem}")


@pytest.mark.parametrize("path", released())
def test_a_breaking_change_is_in_the_changelog_and_has_a_new_version(path: Path) -> None:
    before = json.loads(path.read_text())
    listing = VENDORS[path.parent.name].listings().get(path.stem)
    now = None if listing is None else json_schema(path.parent.name, listing)
    changes = contract.breaking_changes(before, now)
    said = CHANGELOG.read_text()
    missing = [change for change in changes if f"`{change.partition(':')[0]}`" not in said]
    assert missing == [], "name these in the changelog"
    if changes and now is not None:
        assert now["x-version"] > before["x-version"], "raise the listing's version"


def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    before = json_schema("ispring_learn", VENDORS["ispring_learn"].listings()["users"])
    now = copy.deepcopy(before)
    change(now)
    return contract.breaking_changes(before, now)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda schema: None, []),
        (lambda schema: schema["properties"].update(new={"type": "string"}), []),
        (lambda schema: schema["properties"]["role"].update(anyOf=[{"type": "string"}]), []),
        (lambda schema: schema["properties"].pop("role"), ["ispring_learn.users.role: removed"]),
        (
            lambda schema: schema["properties"]["status"].update(anyOf=[{"type": "string"}, {"type": "null"}]),
            ["ispring_learn.users.status: integer became string"],
        ),
        (
            lambda schema: schema["properties"].update(userId={"anyOf": [{"type": "string"}, {"type": "null"}]}),
            ["ispring_learn.users.userId: may be null now"],
        ),
        (lambda schema: schema.update({"x-primary-key": ["role"]}), ["ispring_learn.users: another primary key"]),
    ],
)
def test_what_breaks_a_reader_is_found(change: Callable[[dict[str, Any]], object], expected: list[str]) -> None:
    assert changed(change) == expected


def test_a_listing_that_is_gone_breaks_its_readers() -> None:
    schema = json_schema("ispring_learn", VENDORS["ispring_learn"].listings()["users"])
    assert contract.breaking_changes(schema, None) == ["ispring_learn.users: removed"]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.conn_type)
def test_every_documented_operation_is_read_or_there_is_a_reason(vendor: Vendor) -> None:
    found = operations.operations_of(vendor)
    assert [each for each in found if not each.listings and not each.reason] == []
    assert [each for each in found if each.listings and each.reason] == []
    assert {name for each in found for name in each.listings} == vendor.listings().keys()
    for path, content in operations.generate():
        assert path.read_text() == content, "run make contract"


def test_listings_of_one_lms_have_names_of_their_own() -> None:
    for vendor in VENDORS.values():
        assert all(name == listing.name for name, listing in vendor.listings().items())
