"""A real Airflow 3 of its own: API server, scheduler, DAG processor and triggerer, on free ports of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from dev.airflow_api import AirflowApi


class Airflow(AirflowApi):
    """Starts Airflow when entered, and ends all of its processes when left.

    :param home: its home, which may exist; logs and database stay there.
    :param dags: the folder with the DAGs.
    :param connections: connections by id.
    :param settings: further environment variables.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        connections: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port, worker_logs, trigger_logs = free_ports(3)
        super().__init__(home, f"http://127.0.0.1:{self.port}")
        self.environment = {
            **environment(self.port, dags, connections),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Airflow:
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            self._process = launch(Path(sys.executable), "standalone", self.environment, self.home / "standalone.log")
            self.wait_until("Airflow is up", self.is_healthy, timeout=180)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process of this Airflow."""
        for process in (*self._started, self._process):
            if process is not None:
                end(process)
        self._started, self._process = [], None
        # A signal may come after a process has started, and before it is noted down.
        for left in processes_of(self.home):
            with suppress(psutil.NoSuchProcess):
                left.kill()
        psutil.wait_procs(processes_of(self.home), 5)

    def kill(self, component: str) -> None:
        """Kill the processes of one component, such as the triggerer, without a chance to put anything in order."""
        assert self._process is not None
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if component in " ".join(process.cmdline()):
                    process.kill()

    def start(self, component: str) -> None:
        """Start a component that was killed; it ends with the others."""
        self._started.append(launch(Path(sys.executable), component, self.environment, self.home / f"{component}.log"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An ``airflow`` command in this Airflow's environment."""
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def environment(port: int, dags: Path, connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What all components of an Airflow on this machine are told.

    :param port: of the API server.
    """
    return {
        **os.environ,
        # `airflow standalone` starts `airflow` by name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        # Only what is asked for runs: no DAG by its own schedule.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
    }


def launch(python: Path, component: str, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a part of Airflow in a group of processes of its own.

    :param python: the interpreter of an environment with Airflow.
    :param log: the file that its output is appended to.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [python, "-m", "airflow", component],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its group, and wait until the last of them has gone."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        _, family = psutil.wait_procs(family, patience)
        if process.poll() is not None and not family:
            break


def processes_of(home: Path) -> list[psutil.Process]:
    """All processes of this user that have this home of Airflow."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("AIRFLOW_HOME") == str(home):
                found.append(process)
    return found


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
