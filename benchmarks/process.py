"""A peer's own process: import and warm up, say so, wait to be let go, read, say what it took.

``python -m benchmarks.process`` takes a peer, a small LMS to warm up on (or none), an LMS, a folder, a media type, a
format, how many requests may be in flight, and the ids of courses, or none for all. What the peer itself prints goes to
stderr. ``BENCHMARK_WITHOUT`` names a package that is not to be found.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path

from benchmarks.peers import CONTENDERS, Task


def main() -> None:
    name, small, url, folder, media_type, file_format, parallel, *courses = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.meta_path.insert(0, _Hidden(os.environ.get("BENCHMARK_WITHOUT", "")))
    peer = CONTENDERS[name].load_by_course() if courses else CONTENDERS[name].load()

    def task_in(kind: str, url: str) -> Task:
        output = Path(folder) / kind
        output.mkdir(parents=True, exist_ok=True)
        return Task(url, output, media_type, file_format, courses, int(parallel))

    if small:
        peer.read(task_in("warm-up", small))
    task = task_in("result", url)
    print("ready", file=answers, flush=True)
    sys.stdin.readline()
    started, spent = time.monotonic(), _spent()
    try:
        peer.read(task)
    except Exception as error:
        print(json.dumps({"error": type(error).__name__}), file=answers, flush=True)
        raise
    figures = {"started": started, "finished": time.monotonic(), "cpu": _spent() - spent, "peak": _peak()}
    print(json.dumps(figures), file=answers, flush=True)


class _Hidden(MetaPathFinder):
    """Lets an installed package not be found."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def _spent() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak() -> float:
    """The largest resident size of this process so far, in MB; a child inherits ru_maxrss, but not this."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
