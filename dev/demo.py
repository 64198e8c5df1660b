"""``make demo``: the example DAGs in a real Airflow, against the simulator, on this machine alone."""

from __future__ import annotations

import argparse
import shutil
import signal
import time
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from dev.standalone import Airflow

ROOT = Path(__file__).parent.parent
DAGS = ("ispring_results", "zoho_people_progress")
LIMITS = Limits(window_seconds=2.0, lock_seconds=10.0)
NEXT = """
What to look at next:
  example_dags/ispring_results.py    the DAG that ran first, and zoho_people_progress.py, the second one
  docs/start/tutorial.md             write a DAG of your own, run it and test it
  docs/connections/index.md          connect your account
  make demo ARGS=--stay              the same again, and Airflow's UI stays up to look around
  make docs-serve                    the documentation as a site
"""
COLUMNS = {"userId": 10, "moduleTitle": 18, "completionStatus": 16, "progress": 8, "completionDate": 22}


class Progress:
    """Prints a line whenever the task instances have moved on."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = ""

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self._start:5.0f} s  {line}", flush=True)

    def tasks(self, instances: list[dict[str, Any]]) -> None:
        states = Counter((each["task_id"], each["state"] or "waiting") for each in instances)
        line = ", ".join(f"{task} {state}" + (f" x{n}" if n > 1 else "") for (task, state), n in sorted(states.items()))
        if line and line != self._last:
            self.say(line)
            self._last = line


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.demo")
    parser.add_argument("--stay", action="store_true", help="leave Airflow running, to look around in its UI")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".demo", help="where everything is written; emptied first"
    )
    options = parser.parse_args()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _interrupt)
    try:
        return demo(options.folder.resolve(), stay=options.stay)
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.")
        return 130


def _interrupt(*_: object) -> None:
    """End the demo as Ctrl-C does, and let no second signal keep it from ending what it has started."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    raise KeyboardInterrupt


def demo(folder: Path, *, stay: bool) -> int:
    """Run the example DAGs, and show what they wrote."""
    shutil.rmtree(folder, ignore_errors=True)
    progress = Progress()
    with ExitStack() as stack:
        lms = stack.enter_context(Simulator(World(users=250, courses=4, modules=5)))
        progress.say(f"iSpring Learn is simulated at {lms.url}: 250 learners, 4 courses of 5 modules.")
        zoho = stack.enter_context(Simulator(World(users=12, courses=3, modules=2), zoho_limits=LIMITS))
        progress.say(f"Zoho People is simulated at {zoho.url}: 12 learners, 3 courses; 30 calls in 2 s, not in 60.")
        progress.say("Airflow starts: API server, scheduler, DAG processor, triggerer ...")
        connections = {
            "ispring_learn_default": lms.connection("ispring_learn"),
            "zoho_people_default": zoho.connection("zoho_people"),
        }
        airflow = stack.enter_context(Airflow(folder / "airflow", ROOT / "example_dags", connections))
        states = [run(airflow, dag, folder / "output" / dag, progress) for dag in DAGS]
        progress.say(f"Zoho People was called {len(zoho.zoho.calls)} times, with {zoho.zoho.locks} locks.")
        show(folder / "output")
        if stay:
            print(f"\nLook around at {airflow.url} (no password). Ctrl-C ends it.", flush=True)
            while True:
                time.sleep(3_600)
    progress.say("Airflow and the simulators are stopped.")
    if set(states) != {"success"}:
        print(f"Logs: {folder / 'airflow' / 'logs'}")
        return 1
    print(NEXT)
    return 0


def run(airflow: Airflow, dag: str, output: Path, progress: Progress) -> str:
    """Run an example into a folder of its own."""
    progress.say(f"The DAG {dag} runs at {airflow.url}:")
    ended: str = airflow.run(dag, {"output": f"file://{output}"}, progress=progress.tasks)["state"]
    progress.say(f"The run ended in {ended}.")
    return ended


def show(output: Path) -> None:
    """Print every dataset that was written, a few rows, and how to look at them."""
    from airflow_provider_lms.storage import read_manifest, read_records

    folders = sorted(path.parent for path in output.glob("**/_manifest.json"))
    if not folders:
        return
    print("\nWritten:")
    for folder in folders:
        files = read_manifest(str(folder))["files"]
        rows, size = sum(file["records"] for file in files), sum(file["bytes"] for file in files)
        print(f"  {_shown(folder)}: {rows:,} rows, {size:,} bytes in {len(files)} file{'s' * (len(files) != 1)}")
    print("\nA few rows:")
    print("  " + "  ".join(f"{name:<{width}}" for name, width in COLUMNS.items()))
    results = [str(folder) for folder in folders if DAGS[0] in folder.parts]
    for record in islice(read_records(results), 5):
        cells = ("" if record[name] is None else str(record[name]) for name in COLUMNS)
        print("  " + "  ".join(f"{cell[:width]:<{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True)))
    print("\nTo look at the files:")
    print(f"  cat '{_shown(folders[0])}/_manifest.json'")
    print(f"  head -1 '{_shown(folders[0])}'/*.jsonl\n", flush=True)


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    raise SystemExit(main())
