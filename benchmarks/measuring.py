"""Letting peers read in processes of their own, and what they take: time, CPU, memory of all their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import psutil

_SAMPLE_SECONDS = 0.05
_IDLE_SECONDS = 0.3


@dataclass(frozen=True)
class Work:
    """What a process is to read, and where to.

    :param peer: its name among the contenders.
    :param url: the LMS.
    :param folder: for its output (``result``), its log (``log``) and the rest.
    :param small: an LMS to warm up on; None starts cold.
    :param airflow_home: shared by processes that are to be tasks of one host.
    :param courses: the ids of the courses to read; none are all.
    :param parallel: how many requests may be in flight.
    :param without: a package that the process must not find, as if it were not installed.
    """

    peer: str
    url: str
    folder: Path
    media_type: str
    format: str
    small: str | None = None
    airflow_home: Path | None = None
    courses: Sequence[str] = ()
    parallel: int = 1
    without: str = ""

    @property
    def output(self) -> Path:
        return self.folder / "result"

    @property
    def log(self) -> Path:
        return self.folder / "log"


@dataclass(frozen=True)
class Figures:
    """What reading took.

    :param wall: seconds from the first start to the last end.
    :param cpu: CPU seconds of all processes.
    :param peak: MB at the worst moment, of all processes.
    :param others: the share of all cores, from 0 to 1, that was in use just before, while the benchmark itself waited.
    """

    wall: float
    cpu: float
    peak: float
    others: float


class Process:
    """A peer's process. Use it as a context manager; leaving it ends the process."""

    def __init__(self, work: Work) -> None:
        self._work = work
        work.folder.mkdir(parents=True, exist_ok=True)
        home = work.airflow_home or work.folder / "airflow"
        with work.log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "benchmarks.process", work.peer, work.small or "", work.url),
                    *(str(work.folder), work.media_type, work.format),
                    *(str(work.parallel), *work.courses),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "AIRFLOW_HOME": str(home), "BENCHMARK_WITHOUT": work.without},
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        self._line()

    def go(self) -> None:
        stdin = _opened(self._process.stdin)
        stdin.write("\n")
        stdin.flush()

    def figures(self) -> dict[str, float]:
        """What it took, once it is done."""
        line = self._line()
        if "error" in line:
            self._fail()
        found: dict[str, float] = json.loads(line)
        return found

    def outcome(self) -> str | None:
        """The name of the error that it ended with, or "killed"; None if it ended well."""
        line = _opened(self._process.stdout).readline()
        error: str | None = json.loads(line).get("error") if line else "killed"
        self._process.wait()
        return error

    def kill(self) -> None:
        self._process.kill()

    def _line(self) -> str:
        line = _opened(self._process.stdout).readline()
        if not line:
            self._fail()
        return line

    def _fail(self) -> NoReturn:
        self._process.wait()
        raise RuntimeError(f"{self._work.peer} failed:\n{self._work.log.read_text()[-3_000:]}")


def measure(works: Sequence[Work]) -> Figures:
    """Let processes read at once, each once it is warm."""
    # For whoever waits for the table. It goes to stderr, so that the tables can be kept.
    print(f"{works[0].peer} takes its turn ...", file=sys.stderr, flush=True)
    with ExitStack() as stack:
        processes = [stack.enter_context(Process(work)) for work in works]
        for process in processes:
            process.wait_until_ready()
        others = psutil.cpu_percent(_IDLE_SECONDS) / 100
        with _Memory([process.pid for process in processes]) as memory:
            for process in processes:
                process.go()
            figures = [process.figures() for process in processes]
    return Figures(
        wall=max(each["finished"] for each in figures) - min(each["started"] for each in figures),
        cpu=sum(each["cpu"] for each in figures),
        # Between two samples one process knows its own peak; several need not have theirs at one moment.
        peak=max(memory.peak, *(each["peak"] for each in figures)),
        others=others,
    )


class _Memory:
    """The largest sum of the proportional sizes of processes and all their children, in MB, while it is entered."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0.0

    def __enter__(self) -> _Memory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.peak = max(self.peak, sum(map(_size, self._roots)))


def _size(root: psutil.Process) -> float:
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_proportional, processes))


def _proportional(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1024 / 1024
    except psutil.Error:
        return 0.0


def _opened(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
