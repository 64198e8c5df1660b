"""``python -m dev.cluster``: a real cluster of Airflow on this machine, against the simulators."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / ".cluster"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.cluster")
    parser.add_argument("--short", action="store_true", help="fewer tasks, and only while parts are killed")
    parser.add_argument("--part", choices=["compare", "disturb"], help="only the runs that are compared, or disturbed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    # Before anything imports Airflow: a home of its own.
    os.environ["AIRFLOW_HOME"] = str(FOLDER / "home")
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    from dev.cluster.plan import LONG, SHORT
    from dev.cluster.run import run

    size = SHORT if options.short else LONG
    if options.part:
        size = replace(size, compare=options.part == "compare", disturb=options.part == "disturb")
    try:
        problems = run(FOLDER, size)
    except KeyboardInterrupt:
        problems = ["It was interrupted."]
    except TimeoutError as error:
        problems = [str(error)]
    print("Everything is stopped.")
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    if problems:
        print(f"Logs: {FOLDER}", file=sys.stderr)
        return 1
    print("Nothing was lost, nothing doubled, no account locked.")
    return 0


def _stop(*_: object) -> None:
    # Only once: while everything is stopped, nothing may interrupt that.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
