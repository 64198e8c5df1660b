"""Processes that read Zoho People at once, each its share, as Airflow's tasks do.

They are forked from one process that has imported everything, as a worker forks its tasks.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.clock import Clock

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

ROOT = Path(__file__).parent.parent
Unit = tuple[str, str | None, str, int]
"""Course, batch, learner, entity type."""


@dataclass(frozen=True)
class Member:
    """One process.

    :param units: what it reads.
    :param env: environment variables of its own, such as the Airflow home of its host.
    :param clocks_ahead: by how many seconds its clocks are ahead of the others': ``time`` and ``monotonic``.
    :param max_wait: seconds that each of its requests may wait.
    """

    units: Sequence[Unit]
    env: Mapping[str, str] = field(default_factory=dict)
    clocks_ahead: Mapping[str, float] = field(default_factory=dict)
    max_wait: float = 900.0


class Fleet:
    """Members that are ready to read. Use it as a context manager.

    :param folder: where they leave what they read, and their log.
    :param connection: the Airflow connection ``zoho_people_default``.
    """

    def __init__(self, folder: Path, connection: Mapping[str, Any], members: Sequence[Member]) -> None:
        self._folder = folder
        self._members = members
        self._killed: set[int] = set()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps([asdict(member) for member in members]))
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dev.fleet", str(folder)],
                cwd=ROOT,
                env={**os.environ, "AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT": json.dumps(connection)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Fleet:
        self._wait("ready", range(len(self._members)), 120)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for index in range(len(self._members)):
            self.kill(index)
        self._process.wait(60)

    def go(self, *members: int) -> None:
        """Let members begin; all of them where none is named."""
        for index in members or range(len(self._members)):
            (self._folder / f"go-{index}").touch()

    def kill(self, member: int) -> None:
        """SIGKILL to a member, if it still runs."""
        self._killed.add(member)
        pid = int((self._folder / f"ready-{member}").read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def finish(self, seconds: float = 240) -> list[dict[str, Any]]:
        """What each member has read: ``rows``, and its ``started`` and ``finished`` on the monotonic clock."""
        alive = [index for index in range(len(self._members)) if index not in self._killed]
        self._wait("done", alive, seconds)
        found = [json.loads((self._folder / f"done-{index}").read_text()) for index in alive]
        if errors := [each["error"] for each in found if each["error"]]:
            raise AssertionError(f"Members failed: {errors}")
        return found

    def _wait(self, what: str, members: Sequence[int], seconds: float) -> None:
        end = time.monotonic() + seconds
        while missing := [index for index in members if not (self._folder / f"{what}-{index}").exists()]:
            if time.monotonic() > end or self._process.poll():
                raise TimeoutError(f"Members {missing} are not {what}.")
            time.sleep(0.01)


class _ClockAhead(Clock):
    """The clock of another host."""

    def __init__(self, ahead: Mapping[str, float]) -> None:
        self._ahead = ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead.get("monotonic", 0.0)

    def utcnow(self) -> datetime:
        return super().utcnow() + timedelta(seconds=self._ahead.get("time", 0.0))


def main(folder: Path) -> None:
    from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

    fork = multiprocessing.get_context("fork")
    plan = [Member(**each) for each in json.loads((folder / "plan.json").read_text())]
    processes = [
        fork.Process(target=_member, args=(folder, index, member, ZohoPeopleHook)) for index, member in enumerate(plan)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _member(folder: Path, index: int, member: Member, hook: type[ZohoPeopleHook]) -> None:
    from airflow_provider_lms import clock
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.http.retry import RetryPolicy

    os.environ.update(member.env)
    clock.replace(_ClockAhead(member.clocks_ahead))
    _leave(folder / f"ready-{index}", str(os.getpid()))
    while not (folder / f"go-{index}").exists():
        time.sleep(0.005)
    result: dict[str, Any] = {"started": time.monotonic(), "rows": [], "error": None}
    try:
        result["rows"] = _read(hook(options=ClientOptions(retry=RetryPolicy(max_wait=member.max_wait))), member.units)
    except Exception as error:  # noqa: BLE001  # the parent raises it
        result["error"] = repr(error)
    _leave(folder / f"done-{index}", json.dumps({**result, "finished": time.monotonic()}))


def _read(hook: ZohoPeopleHook, units: Sequence[Unit]) -> list[dict[str, Any]]:
    import msgspec

    client = hook.get_conn()
    return [
        row
        for course, batch, learner, kind in units
        for page in client.entity_progress(course, learner, kind, batch_id=batch)
        for row in msgspec.to_builtins(page.records)
    ]


def _leave(path: Path, content: str) -> None:
    """A file that is there as a whole or not at all."""
    path.with_suffix(".part").write_text(content)
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
