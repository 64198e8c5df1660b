"""What Airflow reads of the provider."""

from __future__ import annotations

import ast
import importlib
import json
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.connections.form import ConnectionType
from airflow_provider_lms.connections.ispring import ISPRING_LEARN
from airflow_provider_lms.connections.zoho_people import ZOHO_PEOPLE
from airflow_provider_lms.hooks.base import field_behaviour
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.provider_info import get_provider_info
from dev.parameters import module_at

INFO = get_provider_info()
HOOKS = (ISpringLearnHook, ZohoPeopleHook)
TYPES = (ISPRING_LEARN, ZOHO_PEOPLE)
PACKAGE = Path(importlib.import_module("airflow_provider_lms").__file__ or "").parent
DOCS = PACKAGE.parent / "docs"


def test_the_entry_point_leads_to_it() -> None:
    group = entry_points(group="apache_airflow_provider")
    (entry,) = [each for each in group if each.dist and each.dist.name == "airflow-provider-lms"]
    assert entry.load()() == INFO


def test_it_fits_airflows_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors"])
def test_the_modules_listed_are_those_on_disk(kind: str) -> None:
    listed = {module for entry in INFO[kind] for module in entry["python-modules"]}
    helpers = {"__init__", "any_listing", "base", "connection", "coordination", "options", "outlets", "split_listing"}
    helpers |= {"description", "lineage", "metrics", "observer", "output", "owner", "subject", "tracing", "urls"}
    helpers |= {"reading", "sync", "waiting"}
    places = [*(PACKAGE / kind).glob("*.py"), *(each.parent for each in (PACKAGE / kind).glob("*/__init__.py"))]
    on_disk = {f"airflow_provider_lms.{kind}.{each.stem}" for each in places if each.stem not in helpers}
    assert listed == on_disk
    for module in listed:
        module_at(module)


def test_the_trigger_modules_listed_are_those_that_hold_a_trigger() -> None:
    holding = {
        f"airflow_provider_lms.triggers.{path.stem}"
        for path in (PACKAGE / "triggers").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any("Trigger" in ast.unparse(base) for base in node.bases)
    }
    for entry in INFO["triggers"]:
        assert set(entry["python-modules"]) == holding
    integrations = {entry["integration-name"] for entry in INFO["integrations"]}
    assert {entry["integration-name"] for entry in INFO["triggers"]} == integrations


def test_every_link_of_an_operator_is_listed() -> None:
    used = {
        f"{type(link).__module__}.{type(link).__qualname__}"
        for kind in ("operators", "sensors")
        for entry in INFO[kind]
        for module in entry["python-modules"]
        if (found := module_at(module)) is not None
        for held in vars(found).values()
        for link in getattr(held, "operator_extra_links", ())
        if isinstance(held, type)
    }
    assert set(INFO["extra-links"]) == used


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_agrees_with_its_connection_type(hook: Any) -> None:
    (entry,) = [each for each in INFO["connection-types"] if each["connection-type"] == hook.conn_type]
    module, _, name = entry["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is hook
    assert entry["hook-name"] == hook.hook_name
    assert hook(**{hook.conn_name_attr: "some_id"}).conn_id == "some_id"
    assert hook.default_conn_name == f"{hook.conn_type}_default"
    # Airflow below 3.2 looks for the form in the class itself.
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= set(vars(hook))


@pytest.mark.parametrize("hook", HOOKS)
def test_the_form_is_the_same_in_metadata_and_in_the_hook(hook: Any) -> None:
    (entry,) = [each for each in INFO["connection-types"] if each["connection-type"] == hook.conn_type]
    behavior = {key.replace("-", "_"): value for key, value in entry["ui-field-behaviour"].items()}
    assert field_behaviour(hook.connection_type) == hook.get_ui_field_behaviour() == behavior
    pytest.importorskip("flask_appbuilder")
    widgets = hook.get_connection_form_widgets()
    assert list(widgets) == list(entry["conn-fields"])
    for name, widget in widgets.items():
        assert str(widget.args[0]) == entry["conn-fields"][name]["label"]
        assert widget.kwargs["default"] == entry["conn-fields"][name]["schema"].get("default")


@pytest.mark.parametrize("kind", TYPES)
def test_every_field_says_what_it_is(kind: ConnectionType[Any]) -> None:
    said = (DOCS / "connections" / f"{kind.name}.md").read_text()
    for field in kind.fields():
        assert field.label, field.name
        assert field.hint.endswith("."), field.name
        assert f"`{field.name}`" in said, field.name


@pytest.mark.parametrize("kind", TYPES)
def test_secret_fields_have_names_that_airflow_masks(kind: ConnectionType[Any]) -> None:
    masked = ("password", "secret", "token")
    secrets = [field for field in kind.fields() if field.secret]
    assert all(any(word in field.name for word in masked) for field in secrets)
    open_fields = [field.name for field in kind.fields() if not field.secret]
    assert not [name for name in open_fields if any(word in name for word in masked)]


def test_the_config_option_is_what_the_hooks_read() -> None:
    option = INFO["config"]["lms"]["options"]["coordination_url"]
    assert (option["default"], option["sensitive"]) == ("local", True)
    assert "`[lms] coordination_url`" in (DOCS / "operate" / "coordination.md").read_text()


def test_the_description_is_plain_text() -> None:
    # Airflow's pages and its command line show links in it in their own ways, without spaces around them.
    assert INFO["description"] == (
        "Reads learners' results from iSpring Learn and Zoho People, waits until learners have completed a course, and "
        "keeps people and enrollments in step."
    )


@pytest.mark.parametrize("kind", TYPES)
def test_the_form_stores_no_text_that_airflow_warns_is_too_short_to_be_a_secret(kind: ConnectionType[Any]) -> None:
    stored = [field.json_schema().get("default") for field in kind.fields()]
    assert [value for value in stored if isinstance(value, str) and len(value) < 5] == []
