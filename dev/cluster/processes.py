"""Processes that end together, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


class Processes:
    """Starts processes by name. When left, all of them and all that they have started are ended.

    Each has a session of its own, so that what it has started is found even if its parent is dead.

    :param logs: the folder for what they print.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._leaders: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        logs.mkdir(parents=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*self._leaders, patience=3)

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], user: int | None = None
    ) -> None:
        """Start a process.

        :param name: for its log, and to stop it.
        :param user: the id of the user that it runs as; None for the user of this process.
        """
        with (self.logs / f"{name}.log").open("ab") as output:
            self._leaders[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        self._killed.discard(name)

    def died(self) -> list[str]:
        """The names of those that ended though nobody stopped them."""
        return [name for name, each in self._leaders.items() if name not in self._killed and each.poll() is not None]

    def kill(self, name: str) -> int:
        """Kill a process and all that it has started at once, as a power failure would; return how many there were."""
        self._killed.add(name)
        members = self._members(name)
        for each in members:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self._leaders[name].wait(10)
        return len(members)

    def stop(self, *names: str, patience: float = 10) -> None:
        """Ask processes to end, and kill what has not ended by then. Those that were never started are left out."""
        names = tuple(name for name in names if name in self._leaders)
        self._killed.update(names)
        members = [each for name in names for each in self._members(name)]
        for name in names:
            with suppress(ProcessLookupError):
                os.killpg(self._leaders[name].pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        for name in names:
            with suppress(subprocess.TimeoutExpired):
                self._leaders[name].wait(max(0.1, deadline - time.monotonic()))
        for each in {*members, *(each for name in names for each in self._members(name))}:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        for name in names:
            self._leaders.pop(name).wait(10)

    def memory(self) -> int:
        """Bytes that all of them use together; what they share is counted once."""
        total = 0
        for name in list(self._leaders):
            for each in self._members(name):
                with suppress(psutil.Error, OSError):
                    total += each.memory_full_info().pss
        return total

    def _members(self, name: str) -> list[psutil.Process]:
        leader = self._leaders[name].pid
        found = {each for each in psutil.process_iter() if _session(each.pid) == leader}
        with suppress(psutil.NoSuchProcess):
            found.update(psutil.Process(leader).children(recursive=True))
        return list(found)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
