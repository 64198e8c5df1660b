"""A StatsD server of this machine, and processes that send it Airflow's own metrics."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

_START = """
import sys
try:
    # What a task's process of Airflow does before it runs the task.
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils
    try:
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    except (AttributeError, TypeError):  # Airflow 3.2
        stats.Stats.initialize(factory=stats_utils.get_stats_factory(stats.Stats))
except ImportError:  # below 3.2, Stats sets itself up
    pass
"""


class StatsD:
    """Receives StatsD packets over UDP."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.lines: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def settings(self) -> dict[str, str]:
        """What makes Airflow send its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_PREFIX": "airflow",
        }

    def stop(self) -> list[str]:
        """Everything that this package's metrics have sent."""
        self._stopped.wait(0.5)
        self._stopped.set()
        self._thread.join()
        self._socket.close()
        return [line for line in self.lines if line.startswith("airflow.lms.")]

    def _receive(self) -> None:
        while not self._stopped.is_set():
            try:
                self.lines += self._socket.recv(65_535).decode().splitlines()
            except TimeoutError:
                continue


@contextmanager
def statsd() -> Iterator[StatsD]:
    """A StatsD server, for tests with a client for it."""
    if find_spec("statsd") is None:
        pytest.skip("the StatsD client is not installed")
    server = StatsD()
    try:
        yield server
    finally:
        server.stop()


def run(code: str, settings: Mapping[str, str]) -> str:
    """Run code in a process of its own, which sends metrics as a task's process does; return what it prints."""
    environment = {**os.environ, **settings}
    done = subprocess.run(
        [sys.executable, "-c", _START + code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
