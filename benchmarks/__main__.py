"""``python -m benchmarks``: everybody reads the same pages, outputs are compared, then times are printed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, JSON, XML

MEASURED = ("msgspec", "requests", "xmltodict", "lxml", "apache-airflow")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1_000, help="rows per page")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs; medians are printed")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each page")
    parser.add_argument("--smoke", action="store_true", help="a small run that checks only that all agree")
    options = parser.parse_args()
    if options.smoke:
        options.pages, options.rows, options.runs = 3, 50, 1
    print(f"{options.pages} pages of {options.rows} rows, latency {options.latency} s, {options.runs} interleaved runs")
    versions = ", ".join(f"{name} {version(name)}" for name in MEASURED)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}")
    with (
        tempfile.TemporaryDirectory() as folder,
        _server(2, options.rows, 0.0) as small,
        _server(options.pages, options.rows, options.latency) as big,
    ):
        for kind in (JSON, XML):
            _scenario(kind, options.runs, options.pages * options.rows, small, big, Path(folder))
    return 0


def _scenario(kind: str, runs: int, rows: int, small: str, big: str, folder: Path) -> None:
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for run in range(runs):
        outputs = {}
        for number, name in enumerate(CONTENDERS):
            outputs[name] = folder / f"{kind.partition('/')[2]}-{run}-{number}"
            taken[name].append(_run(name, small, big, outputs[name], kind))
        if run == 0:
            _agree(outputs, rows)
    print(f"\n{kind} to JSONL, {rows:,} records, outputs equal\n")
    print("| | records/s | CPU s | wall, ours = 1 | CPU, ours = 1 | peak MB | MB grown |")
    print("|---|---|---|---|---|---|---|")
    for name, figures in taken.items():
        middle = {key: statistics.median(each[key] for each in figures) for key in figures[0]}
        wall = statistics.median(a["wall"] / b["wall"] for a, b in zip(figures, taken["ours"], strict=True))
        cpu = statistics.median(a["cpu"] / b["cpu"] for a, b in zip(figures, taken["ours"], strict=True))
        print(
            f"| {name} | {rows / middle['wall']:,.0f} | {middle['cpu']:.2f} | {wall:.2f} | {cpu:.2f} "
            f"| {middle['peak']:.0f} | {middle['grown']:.0f} |"
        )


def _run(name: str, small: str, big: str, output: Path, kind: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contenders", name, small, big, str(output), kind],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AIRFLOW_HOME": str(output / "airflow")},
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2_000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _agree(outputs: dict[str, Path], rows: int) -> None:
    for name, output in outputs.items():
        pairs = zip_longest(_records(output / "result"), _records(outputs["ours"] / "result"))
        if sum(record == ours for record, ours in pairs) != rows:
            raise RuntimeError(f"{name} did not write the same {rows} records as ours.")


def _records(folder: Path) -> Iterator[dict[str, str]]:
    """Records without types: whatever has no value is left out, dates and booleans in one spelling."""
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open() as lines:
            for line in lines:
                yield {name: _text(value) for name, value in sorted(json.loads(line).items()) if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text.removesuffix(".0") if text.replace(".", "", 1).isdigit() else text.replace("+00:00", "Z")


@contextmanager
def _server(pages: int, rows: int, latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.server", str(pages), str(rows), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


if __name__ == "__main__":
    raise SystemExit(main())
