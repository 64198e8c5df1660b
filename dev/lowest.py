"""``python -m dev.lowest``: a few tests with the lowest versions that pyproject.toml allows.

They show that every lower bound is true: everything can be imported, and datasets are written and read in each format.
"""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib

from dev.matrix import ROOT, uv

EXTRAS = "parquet,redis,zstd"
TESTS = ("tests/storage/test_dataset.py", "tests/storage/test_formats.py")
IMPORTS = """
import importlib, pkgutil
import airflow_provider_lms
# What only later versions of Airflow have.
later = {"airflow_provider_lms.triggers.streams", "airflow_provider_lms.operators.approval"}
names = [module.name for module in pkgutil.walk_packages(airflow_provider_lms.__path__, "airflow_provider_lms.")]
for name in names:
    if not name.endswith("__main__") and name not in later:
        importlib.import_module(name)
print(f"{len(names)} modules can be imported.")
"""


def main() -> int:
    started = time.monotonic()
    environment = ROOT / ".venv-lowest"
    python = str(environment / "bin" / "python")
    print("Setting up the lowest versions ...", flush=True)
    uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    install = ("pip", "install", "--quiet", "--python", python)
    uv(*install, "--resolution", "lowest-direct", "--editable", f"{ROOT}[{EXTRAS}]")
    # The tests' own tools may be new, but must leave the rest alone.
    held = environment / "held.txt"
    frozen = uv("pip", "freeze", "--exclude-editable", "--python", python)
    held.write_text(frozen)
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["test"]
    uv(*install, "--constraint", str(held), *tools)
    print("".join(f"{line}\n" for line in frozen.splitlines() if line.partition("==")[0] in _direct()), flush=True)
    outcome = 0
    for command in ((python, "-c", IMPORTS), (python, "-m", "pytest", "-q", "-n", "2", *TESTS, *sys.argv[1:])):
        outcome = outcome or subprocess.run(command, cwd=ROOT, timeout=600, check=False).returncode
    print(f"Lowest versions: {'failed' if outcome else 'passed'} in {time.monotonic() - started:.0f} s", flush=True)
    return outcome


def _direct() -> set[str]:
    """The names of the packages with a lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [
        *project["dependencies"],
        *(each for extra in EXTRAS.split(",") for each in project["optional-dependencies"][extra]),
    ]
    return {each.partition(">=")[0].partition("[")[0] for each in needed}


if __name__ == "__main__":
    raise SystemExit(main())
