"""Whatever a DAG author can import, set or read is on a page of the reference."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.provider_info import get_provider_info
from airflow_provider_lms.vendors import VENDORS, Vendor
from dev import parameters
from dev.overloads import parameters_of

DOCS = Path(__file__).parent.parent / "docs"
CLASSES = [
    pytest.param(page, cls, id=cls.__name__) for page, classes in parameters.public_classes().items() for cls in classes
]
API = "\n".join(page.read_text() for page in (DOCS / "reference" / "api").glob("*.md"))


def sections(page: str) -> dict[str, str]:
    """The sections of a page of parameters, by the name of their class."""
    text = (parameters.PAGES / f"{page}.md").read_text()
    return {part.split("\n")[0]: part for part in text.split("\n## ")[1:]}


def accepted(cls: type) -> set[str]:
    """The parameters of this package that a class takes itself, or hands on as ``**common``."""
    found = set()
    for base in cls.__mro__:
        if base.__module__.startswith("airflow_provider_lms") and "__init__" in vars(base):
            found |= {
                each.name
                for each in inspect.signature(vars(base)["__init__"]).parameters.values()
                if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) and each.name != "self"
            }
    return found


@pytest.mark.parametrize(("page", "cls"), CLASSES)
def test_every_parameter_of_a_class_is_on_its_page_with_type_default_and_meaning(page: str, cls: type) -> None:
    parts = sections(page)
    own = parts[cls.__name__]
    inherited = re.findall(r"\]\(#(\w+)\)", own)
    rows = {}
    for part in (own, *(parts[name] for name in parts if name.lower() in inherited)):
        for line in part.splitlines():
            if line.startswith("| `"):
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                rows[cells[0].strip("`")] = cells
    assert accepted(cls) <= rows.keys()
    for name, cells in rows.items():
        assert all(cells), f"{name}: something is missing. Write the meaning into the docstring, and run make contract."
        assert cells[-1].endswith("."), name


@pytest.mark.parametrize(("page", "cls"), CLASSES)
def test_a_template_field_is_said_to_be_templated(page: str, cls: type) -> None:
    fields = set(getattr(cls, "template_fields", ()))
    for parameter in parameters.own_parameters(cls):
        row = next(line for line in sections(page)[cls.__name__].splitlines() if f"| `{parameter.name}` |" in line)
        assert ("| yes |" in row) == (parameter.name in fields)


@pytest.mark.parametrize(("page", "cls"), CLASSES)
def test_every_class_is_in_the_api_reference(page: str, cls: type) -> None:
    assert re.search(rf"^\.\. autoclass:: airflow_provider_lms\S*\.{cls.__name__}$", API, re.MULTILINE), cls.__name__


def test_every_operator_and_sensor_has_a_section_with_an_example() -> None:
    pages = "\n".join(
        (DOCS / page).read_text() for page in ("extract/operators.md", "wait/sensors.md", "change/plans.md")
    )
    for page in ("operators", "sensors"):
        for cls in parameters.public_classes()[page]:
            section = re.search(rf"^###? {cls.__name__}\n(.*?)(?=^##|\Z)", pages, re.DOTALL | re.MULTILINE)
            assert section, cls.__name__
            assert "```" in section[1], cls.__name__


def test_what_an_example_shows_is_there() -> None:
    for page in (page for part in ("extract", "wait", "change") for page in DOCS.glob(f"{part}/*.md")):
        for path, start, end in re.findall(
            r'{literalinclude} (\S+)\n(?::.*\n)*?:start-after: "\[START (\w+)\]"\n:end-before: "\[END (\w+)\]"',
            page.read_text(),
        ):
            assert start == end
            code = (page.parent / path).read_text()
            assert f"# [START {start}]\n" in code
            assert f"# [END {end}]\n" in code


def test_every_extra_and_every_example_is_listed() -> None:
    extras = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (table,) = re.findall(r"^\| extra \|.*?\n\n", (DOCS / "start" / "index.md").read_text(), re.DOTALL | re.MULTILINE)
    assert extras.keys() <= {*re.findall(r"`(\w+)`", table)}
    page = (DOCS / "extract" / "operators.md").read_text()
    for example in (DOCS.parent / "example_dags").glob("*.py"):
        assert f"../../example_dags/{example.name}" in page


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.conn_type)
def test_every_listing_is_on_the_page_of_tables_with_its_filters(vendor: Vendor) -> None:
    text = (DOCS / "tables" / f"{vendor.conn_type}.md").read_text()
    for name, listing in vendor.listings().items():
        (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        (filters,) = re.findall(r"^\* Filters: (.*)\.$", section, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", filters)) == parameters_of(listing).keys()
        assert f'`client.read("{name}")`' in section


def test_every_option_is_on_the_page_about_the_configuration() -> None:
    page = (DOCS / "operate" / "configuration.md").read_text()
    config: dict[str, Any] = get_provider_info()["config"]
    for section, described in config.items():
        assert f"## `[{section}]`" in page
        for option, about in described["options"].items():
            assert f"| `{option}` | `{about['default']}` |" in page


def test_the_messages_that_are_explained_exist() -> None:
    table = (DOCS / "operate" / "troubleshooting.md").read_text().split("## By message")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    code = "\n".join(path.read_text() for path in (DOCS.parent / "airflow_provider_lms").rglob("*.py"))
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert words
    assert [word for word in words if word not in code] == []
