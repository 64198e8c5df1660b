"""What memory reading takes as the listing grows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from airflow_provider_lms.simulator.exchange import JSON, XML
from benchmarks import agreement
from benchmarks.measuring import Work, measure
from benchmarks.peers import BY_HAND, CSV, DLT_TUNED, HTTP_OPERATOR, JSONL, OURS, PARQUET
from benchmarks.server import expected, serving
from benchmarks.table import print_table

Case: TypeAlias = tuple[str, str, str, str]
"""Peer, media type, format, and a package that is not to be found."""
CASES: Sequence[Case] = (
    (OURS, JSON, JSONL, ""),
    (OURS, JSON, CSV, ""),
    (OURS, JSON, PARQUET, ""),
    (OURS, JSON, PARQUET, "pandas"),
    (OURS, XML, JSONL, ""),
    (OURS, XML, PARQUET, ""),
    (BY_HAND, JSON, JSONL, ""),
    (BY_HAND, JSON, PARQUET, ""),
    (HTTP_OPERATOR, JSON, JSONL, ""),
    (DLT_TUNED, JSON, JSONL, ""),
    (DLT_TUNED, JSON, PARQUET, ""),
)
_IMPORT = """
import airflow.sdk
from pathlib import Path
airflow.sdk.BaseOperator
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def grow(cases: Sequence[Case], sizes: Sequence[int], rows: int, folder: Path) -> None:
    """Print what each takes by the number of pages; each process starts cold.

    :param cases: of ``CASES``.
    :param sizes: numbers of pages.
    :param rows: records per page.
    """
    peaks: dict[Case, list[float]] = {case: [] for case in cases}
    for pages in sizes:
        records = expected(pages, rows)
        with serving(pages, rows) as server:
            for number, case in enumerate(cases):
                peer, media_type, file_format, without = case
                work = Work(peer, server.url, folder / f"{pages}-{number}", media_type, file_format, without=without)
                peaks[case].append(measure([work]).peak)
                agreement.check(peer, work.output, records)
    airflow = _importing_airflow(folder)
    print_table(
        f"Peak MB by number of records; importing Airflow alone takes {airflow:.0f} MB",
        ["", *(f"{pages * rows:,}" for pages in sizes), "last over first", "last above Airflow"],
        [
            [
                f"{peer}, {media_type.partition('/')[2].upper()} to {file_format}{without and f', without {without}'}",
                *(f"{peak:.0f}" for peak in found),
                f"{found[-1] - found[0]:+.0f}",
                f"{found[-1] - airflow:+.0f}",
            ]
            for (peer, media_type, file_format, without), found in peaks.items()
        ],
    )


def _importing_airflow(folder: Path) -> float:
    env = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow")}
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True, env=env)
    return int(done.stdout.split()[-1]) / 1024
