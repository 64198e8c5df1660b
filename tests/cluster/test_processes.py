"""The processes of ``make cluster`` end together, whatever they have started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dev.cluster.processes import Processes

pytestmark = pytest.mark.processes

PARENT = """
import os, subprocess, sys, time
if sys.argv[1] == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
command = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(command, start_new_session=sys.argv[1] == "apart")
print(child.pid, flush=True)
if sys.argv[1] != "dies":
    time.sleep(600)
"""
END: dict[str, Callable[[Processes], object]] = {
    "killed": lambda processes: processes.kill("one"),
    "stopped": lambda processes: processes.stop("one", patience=1),
    "left": lambda processes: processes.__exit__(),
}


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("kind", ["usual", "stubborn", "apart"])
def test_a_process_ends_with_what_it_has_started(tmp_path: Path, kind: str, end: str) -> None:
    with Processes(tmp_path / "logs") as processes:
        child = started(processes, kind)
        assert processes.died() == []
        END[end](processes)
        assert ends(child)
        assert processes.died() == []


def test_what_a_dead_process_has_started_ends_too(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs") as processes:
        child = started(processes, "dies")
        deadline = time.monotonic() + 30
        while not processes.died():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert processes.died() == ["one"]
        assert child.is_running()
    assert ends(child)


def started(processes: Processes, kind: str) -> psutil.Process:
    processes.start("one", [sys.executable, "-c", PARENT, kind], os.environ)
    log = processes.logs / "one.log"
    deadline = time.monotonic() + 30
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return psutil.Process(int(log.read_text()))


def ends(process: psutil.Process) -> bool:
    """Whether it ends soon: a process that was killed may still be there for a moment, and then as a zombie."""
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
