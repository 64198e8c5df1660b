"""What every row of vendors.py must bring along."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.module_loading import import_string

from airflow_provider_lms.hooks.base import LmsHook
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger
from airflow_provider_lms.vendors import VENDORS, Vendor

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "airflow_provider_lms"

SHARED = (
    "connections/form.py",
    "coordination",
    "lms/course",
    "lms/http",
    "lms/listing",
    "operators/base.py",
    "operators/options.py",
    "operators/subject.py",
    "sensors/base.py",
    "storage",
)

every_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())


@every_vendor
def test_its_hook_is_of_its_connection_type(vendor: Vendor) -> None:
    hook: type[LmsHook[Any, Any]] = import_string(vendor.hook)
    assert issubclass(hook, LmsHook)
    assert hook.connection_type is vendor.connection
    assert (hook.conn_type, hook.hook_name) == (vendor.conn_type, vendor.connection.label)
    assert hook.conn_name_attr == f"{vendor.conn_type}_conn_id"
    assert hook.default_conn_name == f"{vendor.conn_type}_default"


@every_vendor
def test_it_has_operators_sensors_listings_and_a_page_on_its_connection(vendor: Vendor) -> None:
    for place in (
        PACKAGE / "operators" / vendor.module / "__init__.py",
        PACKAGE / "sensors" / f"{vendor.module}.py",
        PACKAGE / "lms" / vendor.module / "listings" / "__init__.py",
        PACKAGE / "connections" / f"{vendor.module}.py",
        ROOT / "docs" / "connections" / f"{vendor.conn_type}.md",
    ):
        assert place.exists(), place


@every_vendor
def test_its_courses_can_be_watched(vendor: Vendor) -> None:
    assert f"{vendor.conn_type}_conn_id" in inspect.signature(CourseCompletionEventTrigger).parameters
    connection: Any = {f"{vendor.conn_type}_conn_id": "mine"}
    trigger = CourseCompletionEventTrigger(course_id="1", **connection)
    assert trigger.serialize()[1][f"{vendor.conn_type}_conn_id"] == "mine"


@every_vendor
def test_it_is_simulated(vendor: Vendor, lms: Simulator) -> None:
    connection = lms.connection(vendor.conn_type)
    assert connection["conn_type"] == vendor.conn_type
    hook = import_string(vendor.hook)()
    assert hook.test_connection()[0]


@pytest.mark.parametrize("place", SHARED)
def test_what_all_vendors_share_names_none(place: str) -> None:
    words = {word for vendor in VENDORS.values() for word in vendor.connection.label.lower().split()[:1]}
    assert words == {"ispring", "zoho"}
    files = sorted((PACKAGE / place).rglob("*.py")) or [PACKAGE / place]
    found = {file.name for file in files if any(word in file.read_text().lower() for word in words)}
    assert not found


def test_nothing_is_simulated_that_is_not_supported(lms: Simulator) -> None:
    assert lms.vendors.keys() == VENDORS.keys()
