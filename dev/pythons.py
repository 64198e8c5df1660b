"""``python -m dev.pythons 3.12 3.13``: the tests that need no running Airflow, on other Pythons, one after the other.

uv finds or installs the Pythons. The libraries are those of ``make test``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from dev.matrix import ROOT, SECONDS, TESTS, uv

PYTHONS = ("3.12", "3.13")
PINNED = ROOT / "requirements" / "dev.txt"


def main() -> int:
    failed = []
    for version in sys.argv[1:] or PYTHONS:
        started = time.monotonic()
        done = subprocess.run([prepare(version), "-m", "pytest", *TESTS], cwd=ROOT, timeout=SECONDS, check=False)
        outcome = "failed" if done.returncode else "passed"
        print(f"Python {version}: {outcome} in {time.monotonic() - started:.0f} s\n", flush=True)
        failed += [version] if done.returncode else []
    return 1 if failed else 0


def prepare(version: str) -> Path:
    """Make an environment with a Python, if it is not there yet; return its interpreter."""
    environment = ROOT / f".venv-python{version}"
    python, marker = environment / "bin" / "python", environment / "installed"
    if not marker.exists() or marker.read_text() != PINNED.read_text():
        print(f"Setting up Python {version} ...", flush=True)
        uv("venv", "--quiet", "--clear", "--python", version, str(environment))
        install = ("pip", "install", "--quiet", "--python", str(python))
        uv(*install, "--require-hashes", "--requirement", str(PINNED))
        uv(*install, "uv")  # as in make's own environments: tests build the package with it
        uv(*install, "--no-deps", "--editable", str(ROOT))
        marker.write_text(PINNED.read_text())
    return python


if __name__ == "__main__":
    raise SystemExit(main())
