"""What the docs say of the code is true: the paths of the followed parameters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "airflow_provider_lms"
ARCHITECTURE = (ROOT / "docs/project/architecture.md").read_text()
FOLLOWED = [
    (cells[0], cells[1])
    for line in ARCHITECTURE.split("## Follow a parameter")[1].split("\n## ")[0].splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
]


def names_of(file: Path) -> set[str]:
    """Functions, classes, methods and attributes that a file defines, methods and attributes with their class."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
            found |= {
                f"{node.name}.{each.target.id}"
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
    return found


@pytest.mark.parametrize(("parameter", "path"), FOLLOWED)
def test_each_step_of_a_followed_parameter_exists(parameter: str, path: str) -> None:
    file = ""
    for step in re.findall(r"`([^`]+)`", path):
        named, _, name = step.rpartition(": ")
        file = named or file
        name = name.removesuffix("()")
        assert name in names_of(PACKAGE / file), f"{parameter}: {step} is not in {file}"


def test_nine_parameters_are_followed() -> None:
    assert len(FOLLOWED) == 9
