"""What an import costs, and which way imports run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_lms

PACKAGE = Path(airflow_provider_lms.__file__).parent
FLOORS = ("operators", "sensors", "triggers", "links", "hooks", "storage", "coordination", "lms")
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


def _modules_after(*statements: str) -> set[str]:
    code = "; ".join((*statements, "import sys", "print('\\n'.join(sorted(sys.modules)))"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["airflow_provider_lms", "airflow_provider_lms.provider_info"])
def test_discovery_imports_nothing_of_airflow(module: str) -> None:
    found = _modules_after(f"import {module}")
    assert not [name for name in found if name.split(".")[0] in ("airflow", "requests", "msgspec", "pendulum")]


@pytest.mark.parametrize(
    ("base", "module", "more"),
    [
        ("BaseOperator", "operators.ispring", ["operators", "operators.base", "links", "links.course"]),
        ("BaseOperator", "operators.zoho_people", ["operators", "operators.base"]),
        ("BaseSensorOperator", "sensors.ispring", ["sensors", "sensors.base", "links", "links.course"]),
        ("BaseSensorOperator", "sensors.zoho_people", ["sensors", "sensors.base"]),
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
        "sdk.BaseOperator = sdk.BaseSensorOperator = sdk.BaseOperatorLink = sdk.PokeReturnValue = object",
        "sdk.conf = types.SimpleNamespace(getboolean=lambda *_, **__: False)",
        "[sys.modules.setdefault(name, types.ModuleType(name)) for name in"
        " ('airflow', 'airflow.providers', 'airflow.providers.common', 'airflow.providers.common.compat')]",
        "sys.modules['airflow.providers.common.compat.sdk'] = sdk",
        f"import airflow_provider_lms.{module}",
    )
    assert not [name for name in (*HEAVY, "msgspec", "asyncio") if name in found]


@pytest.mark.parametrize("module", ["triggers.completion", "triggers.events"])
def test_a_trigger_module_brings_no_http_client_and_no_database(module: str) -> None:
    base = "import airflow.providers.common.compat.triggers as found; found.BaseEventTrigger"
    added = _modules_after(base, f"import airflow_provider_lms.{module}") - _modules_after(base)
    assert not [name for name in added if name.split(".")[0] not in ("airflow_provider_lms", "__future__")]


def test_imports_run_downwards_only() -> None:
    upward = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0]
        for imported in _imports(path):
            parts = imported.split(".")
            if parts[0] == "airflow" and own in (
                "lms",
                "coordination",
                "simulator",
                "connections.py",
                "provider_info.py",
            ):
                upward.append(f"{path.name} imports {imported}")
            if parts[0] != "airflow_provider_lms" or len(parts) < 2 or own not in FLOORS or parts[1] not in FLOORS:
                continue
            if FLOORS.index(parts[1]) < FLOORS.index(own):
                upward.append(f"{path.name} imports {imported}")
            if own in ("storage", "coordination") and parts[1] == "lms" and not _for_types_only(path, imported):
                upward.append(f"{path.name} imports {imported}, and {own} knows no LMS")
    assert upward == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {path.name: n for path in PACKAGE.rglob("*.py") if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found


def _for_types_only(path: Path, module: str) -> bool:
    return any(
        isinstance(child, ast.ImportFrom) and child.module == module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in node.body
    )
