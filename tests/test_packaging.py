"""What a package index and an installer get."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("twine")
    folder = tmp_path_factory.mktemp("dist")
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, timeout=200)
    (path,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", path], check=True, timeout=100)
    return zipfile.ZipFile(path)


def test_the_example_dags_come_with_the_package(wheel: zipfile.ZipFile) -> None:
    examples = {f"airflow_provider_lms/example_dags/{path.relative_to(ROOT / 'example_dags')}"
                for path in (ROOT / "example_dags").rglob("*.*") if "__pycache__" not in path.parts}  # fmt: skip
    assert len(examples) >= 10
    assert examples <= set(wheel.namelist())


def test_everything_in_the_package_comes_along_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"airflow_provider_lms/py.typed", "airflow_provider_lms/report/completion.html"} <= names
    top = {name.split("/")[0] for name in names}
    assert top == {"airflow_provider_lms", next(name for name in top if name.endswith(".dist-info"))}


def test_the_index_shows_a_license_and_no_link_that_leads_nowhere(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = str(metadata.get_payload())
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "iSpring Learn" in description
