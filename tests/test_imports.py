"""What an import costs, and which way imports run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_lms

PACKAGE = Path(airflow_provider_lms.__file__).parent
FLOORS = (
    "__main__.py",
    "command_line",
    "decorators",
    "sensors",
    "operators",
    "triggers",
    "hooks",
    "report",
    "sync",
    "storage",
    "coordination",
    "lms",
    "tables",
    "links",
    "vendors.py",
    "assets.py",
    "connections",
    "simulator",
    "testing.py",
)
LMS_FLOORS = ("ispring", "zoho_people", "client.py", "course", "listing", "http")
VENDORS = ("ispring", "zoho_people")
HEAVY = (
    "requests",
    "tenacity",
    "xmltodict",
    "pyarrow",
    "backports",
    "lxml",
    "cryptography",
    "redis",
    "sqlite3",
    "airflow.triggers",
    "xml.etree.ElementTree",
)


OF_OPERATORS = [
    "killing",
    "operators",
    "operators.base",
    "operators.options",
    "operators.any_listing",
    "operators.lineage",
]
OF_OPERATORS += ["links", "links.base", "links.dataset", "operators.sync"]
OF_ISPRING = [f"operators.ispring.{name}" for name in ("base", "content", "listing", "people", "results", "sync")]
OF_ZOHO = [f"operators.zoho_people.{name}" for name in ("base", "courses", "listing", "people", "progress", "sync")]
OF_SENSORS = ["sensors", "sensors.base", "sensors.options", "operators", "operators.options", "operators.lineage"]
OF_SENSORS += ["clock", "durations", "killing"]


def _modules_after(*statements: str) -> set[str]:
    code = "; ".join((*statements, "import sys", "print('\\n'.join(sorted(sys.modules)))"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["airflow_provider_lms", "airflow_provider_lms.provider_info"])
def test_discovery_imports_nothing_of_airflow(module: str) -> None:
    found = _modules_after(f"import {module}")
    assert not [name for name in found if name.split(".")[0] in ("airflow", "requests", "msgspec", "pendulum")]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("base", "module", "more"),
    [
        (
            "BaseOperator",
            "operators.ispring",
            [*OF_OPERATORS, *OF_ISPRING, "links", "links.course"],
        ),
        ("BaseOperator", "operators.zoho_people", [*OF_OPERATORS, *OF_ZOHO]),
        ("BaseSensorOperator", "sensors.ispring", [*OF_SENSORS, "links", "links.base", "links.course"]),
        ("BaseSensorOperator", "sensors.zoho_people", OF_SENSORS),
    ],
)
def test_a_module_for_dags_adds_next_to_nothing(base: str, module: str, more: list[str]) -> None:
    imported = f"from airflow.providers.common.compat.sdk import {base}; {base}"
    if "links" in more:
        imported += "; from airflow.providers.common.compat.sdk import BaseOperatorLink; BaseOperatorLink"
    before = _modules_after(imported)
    after = _modules_after(imported, f"import airflow_provider_lms.{module}")
    found = {name for name in after - before if name != "airflow_provider_lms"}
    assert found == {f"airflow_provider_lms.{name}" for name in (module, *more)}


@pytest.mark.parametrize(
    "module", ["operators.ispring", "operators.zoho_people", "sensors.ispring", "sensors.zoho_people"]
)
def test_heavy_modules_are_imported_where_they_are_used(module: str) -> None:
    # Without Airflow around it, which imports some of these itself.
    found = _modules_after(
        "import sys, types",
        "sdk = types.ModuleType('airflow.providers.common.compat.sdk')",
        "sdk.BaseOperator = sdk.BaseSensorOperator = sdk.BaseOperatorLink = type('Base', (), {})",
        "sdk.PokeReturnValue = object",
        "sdk.conf = types.SimpleNamespace(getboolean=lambda *_, **__: False)",
        "[sys.modules.setdefault(name, types.ModuleType(name)) for name in"
        " ('airflow', 'airflow.providers', 'airflow.providers.common', 'airflow.providers.common.compat')]",
        "sys.modules['airflow.providers.common.compat.sdk'] = sdk",
        f"import airflow_provider_lms.{module}",
    )
    assert not [name for name in (*HEAVY, "msgspec", "asyncio") if name in found]


@pytest.mark.processes
@pytest.mark.parametrize("module", ["triggers.completion", "triggers.events"])
def test_a_trigger_module_brings_no_http_client_and_no_database(module: str) -> None:
    base = "import airflow.providers.common.compat.triggers as found; found.BaseEventTrigger"
    added = _modules_after(base, f"import airflow_provider_lms.{module}") - _modules_after(base)
    assert not [name for name in added if name.split(".")[0] not in ("airflow_provider_lms", "__future__")]


def test_imports_run_downwards_only() -> None:
    upward = []
    for path, imported in _package_imports():
        own, target = path.relative_to(PACKAGE).parts[0], _room(imported, 1)
        if own in FLOORS and target in FLOORS and FLOORS.index(target) < FLOORS.index(own):
            upward.append(f"{path.relative_to(PACKAGE)} imports {imported}")
    assert upward == []


def test_imports_within_lms_run_downwards_only() -> None:
    upward = []
    for path, imported in _package_imports():
        if path.relative_to(PACKAGE).parts[0] != "lms" or not imported.startswith("airflow_provider_lms.lms."):
            continue
        own, target = path.relative_to(PACKAGE / "lms").parts[0], _room(imported, 2)
        other_vendor = own in VENDORS and target in VENDORS and own != target
        above = own in LMS_FLOORS and target in LMS_FLOORS and LMS_FLOORS.index(target) < LMS_FLOORS.index(own)
        if other_vendor or above:
            upward.append(f"{path.relative_to(PACKAGE)} imports {imported}")
    assert upward == []


@pytest.mark.parametrize("room", ["lms", "coordination", "simulator", "connections", "vendors.py", "provider_info.py"])
def test_these_know_no_airflow(room: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)} imports {imported}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] == room
        for imported in _imports(path)
        if imported.split(".")[0] == "airflow"
    ]
    assert found == []


@pytest.mark.parametrize(
    ("room", "at_runtime", "for_types"),
    [
        (
            "storage",
            "airflow_provider_lms.lms.listing.splits",
            tuple(f"airflow_provider_lms.lms.listing.{name}" for name in ("page", "records", "spec")),
        ),
        ("coordination", "airflow_provider_lms.lms.http.rate_limit", ()),
    ],
)
def test_these_know_no_lms(room: str, at_runtime: str, for_types: tuple[str, ...]) -> None:
    found = [
        f"{path.relative_to(PACKAGE)} imports {imported}"
        for path, imported in _package_imports()
        if path.relative_to(PACKAGE).parts[0] == room and imported.startswith("airflow_provider_lms.lms")
        if imported != at_runtime and not (imported in for_types and _for_types_only(path, imported))
    ]
    assert found == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    written = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    generated = "Generated by ``make contract``"
    long = {
        path.name: n for path, text in written.items() if generated not in text and (n := len(text.splitlines())) > 400
    }
    assert long == {}


def _package_imports() -> Iterator[tuple[Path, str]]:
    """Every import of this package by itself."""
    for path in PACKAGE.rglob("*.py"):
        for imported in _imports(path):
            if imported.startswith("airflow_provider_lms"):
                yield path, imported


def _room(imported: str, level: int) -> str:
    """The folder or file that a module path names at a level below the package."""
    parts = imported.split(".")
    if len(parts) <= level:
        return ""
    return f"{parts[level]}.py" if PACKAGE.joinpath(*parts[1 : level + 1]).with_suffix(".py").exists() else parts[level]


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found


def _for_types_only(path: Path, module: str) -> bool:
    """Whether a file imports a module for annotations and never at runtime."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == module]
    return bool(imports) and all(id(node) in guarded for node in imports)
