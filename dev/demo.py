"""``make demo``: the example DAGs in a real Airflow, against the simulator, on this machine alone."""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from dev.standalone import Airflow

ROOT = Path(__file__).parent.parent
DEMO = ROOT / ".demo"
OUTPUT = DEMO / "output"
DAGS = ("ispring_results", "zoho_people_progress")
LIMITS = Limits(window_seconds=2.0, lock_seconds=10.0)
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
    stay = parser.parse_args().stay
    shutil.rmtree(DEMO, ignore_errors=True)
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
        airflow = stack.enter_context(Airflow(DEMO / "airflow", ROOT / "example_dags", connections))
        states = [run(airflow, dag, progress) for dag in DAGS]
        progress.say(f"Zoho People was called {len(zoho.zoho.calls)} times, with {zoho.zoho.locks} locks.")
        if states[0] == "success":
            show()
        if stay:
            print(f"\nLook around at {airflow.url} (no password). Ctrl-C ends it.", flush=True)
            try:
                time.sleep(86_400)
            except KeyboardInterrupt:
                print()
    progress.say("Airflow and the simulators are stopped.")
    if set(states) != {"success"}:
        print(f"Logs: {DEMO / 'airflow' / 'logs'}")
        return 1
    return 0


def run(airflow: Airflow, dag: str, progress: Progress) -> str:
    """Run an example into a folder of its own."""
    progress.say(f"The DAG {dag} runs at {airflow.url}:")
    ended: str = airflow.run(dag, {"output": f"file://{OUTPUT / dag}"}, progress=progress.tasks)["state"]
    progress.say(f"The run ended in {ended}.")
    return ended


def show() -> None:
    """Print what was written, and how to look at it."""
    from airflow_provider_lms.storage import read_manifest, read_records

    folders = sorted(path.parent for path in (OUTPUT / DAGS[0]).glob("**/_manifest.json"))
    print("\nWritten:")
    for folder in folders:
        manifest = read_manifest(str(folder))
        for file in manifest["files"]:
            print(f"  {folder.relative_to(ROOT)}/{file['name']}  {file['records']} rows, {file['bytes']:,} bytes")
    print("\nA few rows:")
    print("  " + "  ".join(f"{name:<{width}}" for name, width in COLUMNS.items()))
    for number, record in enumerate(read_records([str(folder) for folder in folders])):
        if number == 5:
            break
        cells = ("" if record[name] is None else str(record[name]) for name in COLUMNS)
        print("  " + "  ".join(f"{cell[:width]:<{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True)))
    print("\nTo look at it:")
    print(f"  cat {folders[0].relative_to(ROOT)}/_manifest.json")
    print(f"  head -1 {folders[0].relative_to(ROOT)}/*.jsonl")
    print("  make demo ARGS=--stay    # the same, and Airflow's UI stays up\n")


if __name__ == "__main__":
    raise SystemExit(main())
