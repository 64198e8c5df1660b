"""``python -m dev.matrix 2.11 3.1``: the tests that need no running Airflow, on older Airflows, one after the other.

Airflow pins nothing in its package, and today's libraries break its older releases. So each is installed as it was on a
day shortly after its release; what this package needs comes on top and leaves that alone. ``--install-only`` runs no
tests.
"""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TESTS = ("--numprocesses", "auto", "--dist", "loadfile", "-m", "not airflow and not browser and not s3 and not stores")
KNOW_NO_AIRFLOW = ("tests/cluster", "tests/coordination", "tests/lms", "tests/simulator")
"""Tests of folders that import nothing of Airflow, which ``tests/test_imports.py`` checks. Its version means nothing to
them."""
TRY_AT_RANDOM = ("tests/sync/test_apply.py", "tests/sync/test_killed.py", "tests/sync/test_worlds.py")
"""Long tests of what depends on Airflow by its object storage alone."""
SECONDS = 3_600
INSTALL_ONLY = "--install-only"


class Pin(NamedTuple):
    """An Airflow release, and the day whose libraries it is installed with."""

    release: str
    day: str
    also: tuple[str, ...] = ()
    """Optional packages of Airflow that change its UI."""


PINS = {
    "2.11": Pin("2.11.2", "2026-11-22"),
    "3.0": Pin("3.0.6", "2025-09-05"),
    "3.0-fab": Pin("3.0.6", "2025-09-05", ("apache-airflow-providers-fab",)),
    "3.1": Pin("3.1.8", "2026-03-20"),
    "3.2": Pin("3.2.2", "2026-06-15"),
}


def main() -> int:
    wanted = [each for each in sys.argv[1:] if each != INSTALL_ONLY] or [
        version for version, pin in PINS.items() if not pin.also
    ]
    if unknown := [version for version in wanted if version not in PINS]:
        sys.exit(f"Unknown version {', '.join(unknown)}; known are {', '.join(PINS)}.")
    failed = []
    for version in wanted:
        started = time.monotonic()
        python = prepare(version)
        if INSTALL_ONLY in sys.argv:
            continue
        rest = [f"--ignore={folder}" for folder in (*KNOW_NO_AIRFLOW, *TRY_AT_RANDOM)]
        done = subprocess.run([python, "-m", "pytest", *TESTS, *rest], cwd=ROOT, timeout=SECONDS, check=False)
        outcome = "failed" if done.returncode else "passed"
        print(f"Airflow {PINS[version].release}: {outcome} in {time.monotonic() - started:.0f} s\n", flush=True)
        failed += [version] if done.returncode else []
    return 1 if failed else 0


def prepare(version: str) -> Path:
    """Install an Airflow into an environment of its own, if it is not there yet; return its interpreter."""
    release, day, also = PINS[version]
    environment = ROOT / f".venv-{version}"
    python, marker = environment / "bin" / "python", environment / "installed"
    spec = f"{release} {day} {requirements()}"
    if marker.exists() and marker.read_text() == spec:
        return python
    print(f"Setting up Airflow {release} ...", flush=True)
    uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    install = ("pip", "install", "--quiet", "--python", str(python))
    uv(*install, "--exclude-newer", day, f"apache-airflow=={release}", *also)
    held = environment / "held.txt"
    frozen = uv("pip", "freeze", "--python", str(python)).splitlines()
    held.write_text("\n".join(line for line in frozen if not line.startswith("apache-airflow-providers-common-compat")))
    uv(*install, "--constraint", str(held), *requirements())
    uv(*install, "--no-deps", "--editable", str(ROOT))
    marker.write_text(spec)
    return python


def requirements() -> list[str]:
    """What this package and its tests need besides Airflow itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
    return [each for each in needed if not each.startswith("apache-airflow>")]


def uv(*arguments: str) -> str:
    """Run uv from the environment that runs this."""
    return subprocess.run(
        [sys.executable, "-m", "uv", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    raise SystemExit(main())
