"""``python -m benchmarks``: everybody reads the same pages, outputs are compared, then figures are printed."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from airflow_provider_lms.simulator.exchange import JSON, XML
from benchmarks import parallel
from benchmarks.faults import TROUBLES, suffer
from benchmarks.memory import CASES, grow
from benchmarks.peers import BY_HAND, CONTENDERS, JSONL, OURS, PARQUET
from benchmarks.server import Pace, serving
from benchmarks.side_by_side import Scenario, compare
from benchmarks.table import print_machine

_MEDIA_TYPES = {"json": JSON, "xml": XML}
_SIZES = (1, 10, 100, 1_000)


def main() -> int:
    options = _options()
    media_types = [_MEDIA_TYPES[name] for name in options.media_types]
    pace = Pace(options.latency, options.jitter)
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.smoke:
            _smoke(folder)
        elif options.scenario == "memory":
            grow(CASES, _SIZES, options.rows, folder)
        elif options.scenario == "faults":
            suffer(options.peers, media_types, list(TROUBLES), options.pages or 20, folder)
        elif options.parallel > 1:
            _in_parallel(options, media_types[0], pace, folder)
        else:
            runs = options.runs or 10
            print(f"\n{runs} interleaved runs: medians (lowest–highest). {options.latency:g} s before each page")
            scenario = Scenario(options.peers, options.format, runs, options.writers)
            with serving(options.pages or 200, options.rows, pace) as big:
                compare(scenario, media_types, big, folder)
    return 0


def _in_parallel(options: argparse.Namespace, media_type: str, pace: Pace, folder: Path) -> None:
    runs, pages = options.runs or 1, options.pages or 10
    size = (options.courses, pages, options.rows)
    scenario = parallel.Scenario(options.peers, media_type, options.format, runs, *size, options.parallel)
    read = parallel.degrade if options.degrading else parallel.compare
    read(scenario, pace, folder)


def _smoke(folder: Path) -> None:
    """Everything once, small: it runs, and outputs agree."""
    with serving(3, 50) as big:
        compare(Scenario(list(CONTENDERS), JSONL, 1, 1), list(_MEDIA_TYPES.values()), big, folder / "lines")
        compare(Scenario(list(CONTENDERS), PARQUET, 1, 1), [JSON], big, folder / "parquet")
        compare(Scenario([BY_HAND], JSONL, 1, 2), [XML], big, folder / "writers")
    grow(CASES[1:3], [1], 50, folder / "memory")
    suffer([OURS, BY_HAND], [JSON], ["document"], 2, folder / "faults")
    courses = parallel.Scenario(list(CONTENDERS), JSON, JSONL, 1, courses=4, pages=2, rows=50, parallel=3)
    parallel.compare(courses, Pace(), folder / "parallel")
    parallel.degrade(courses, Pace(0.01), folder / "degrading")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("scenario", nargs="?", choices=("side-by-side", "memory", "faults"), default="side-by-side")
    parser.add_argument("--pages", type=int, help="200, 20 for faults, and 10 of each course with --parallel")
    parser.add_argument("--rows", type=int, default=1_000, help="records per page; faults always take 1,000")
    parser.add_argument("--runs", type=int, help="10, or 1 with --parallel; medians and spreads are printed")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each page")
    parser.add_argument("--jitter", type=float, default=0.0, help="the share by which the latency varies, up or down")
    parser.add_argument("--parallel", type=int, default=1, help="read courses with so many requests in flight")
    parser.add_argument("--courses", type=int, default=40, help="how many courses --parallel reads")
    parser.add_argument(
        "--degrading", action="store_true", help="with --parallel: more requests in flight make the server slower"
    )
    parser.add_argument("--writers", type=int, default=1, help="processes of each that read at once")
    parser.add_argument("--format", choices=(JSONL, PARQUET), default=JSONL, help="what is written")
    parser.add_argument("--media-types", nargs="+", choices=_MEDIA_TYPES, default=list(_MEDIA_TYPES))
    parser.add_argument("--peers", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--smoke", action="store_true", help="everything once, small: it runs, and all agree")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
