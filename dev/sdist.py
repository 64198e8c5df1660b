"""``python -m dev.sdist``: the fast tests, from the unpacked source distribution.

They show that it holds everything that its tests need. Further arguments go to pytest, such as a folder of tests.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from dev.matrix import ROOT, uv

FAST = "not airflow and not browser and not s3 and not stores and not processes"

RUN = """
import sys
checkout, *arguments = sys.argv[1:]
# The checkout is installed in this environment. Nothing may come from there.
sys.path[:] = ["", *(path for path in sys.path if path not in ("", checkout))]
import airflow_provider_lms, pytest
assert not airflow_provider_lms.__file__.startswith(checkout), airflow_provider_lms.__file__
sys.exit(pytest.main(arguments))
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="airflow-provider-lms-sdist-") as folder:
        uv("build", "--quiet", "--sdist", "--out-dir", folder, str(ROOT))
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
        (unpacked,) = (path for path in Path(folder).iterdir() if path.is_dir())
        tests = ["-q", "-n", "2", "-m", FAST, *(sys.argv[1:] or ["tests"])]
        return subprocess.run([sys.executable, "-c", RUN, str(ROOT), *tests], cwd=unpacked, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
