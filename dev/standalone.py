"""A real Airflow 3 of its own: API server, scheduler, DAG processor and triggerer, on free ports of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

FINISHED = ("success", "failed")


class Airflow:
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
        self.home = home
        self.port, worker_logs, trigger_logs = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            # `airflow standalone` starts `airflow` by name.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # Only what is asked for runs: no DAG by its own schedule.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._token: str | None = None

    def __enter__(self) -> Airflow:
        self.home.mkdir(parents=True, exist_ok=True)
        self._process = launch(Path(sys.executable), "standalone", self.environment, self.home / "standalone.log")
        try:
            self.wait_until("Airflow is up", self._healthy, timeout=180)
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

    def run(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        timeout: float = 240,
        progress: Callable[[list[dict[str, Any]]], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Trigger a run and wait until it has finished.

        :param progress: called with the task instances about once a second.
        :return: the run, as the REST API tells it.
        """
        path = self.trigger(dag_id, conf)

        def finished() -> bool:
            progress(self.tasks(path))
            return self.call("GET", path)["state"] in FINISHED

        self.wait_until(f"DAG {dag_id} has run", finished, timeout=timeout)
        found: dict[str, Any] = self.call("GET", path)
        return found

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Begin a run, once the DAG is parsed; return the path of the run in the REST API."""
        self.wait_until(f"DAG {dag_id} is parsed", lambda: self._exists(f"/api/v2/dags/{dag_id}"), timeout=90)
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": dict(conf or {})}
        run_id = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """The task instances of a run.

        :param run: as :meth:`trigger` returned it.
        """
        found: list[dict[str, Any]] = self.call("GET", f"{run}/taskInstances?limit=1000")["task_instances"]
        return found

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

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Airflow's REST API."""
        if self._token is None:
            with urllib.request.urlopen(f"{self.url}/auth/token", timeout=10) as answer:
                self._token = json.load(answer)["access_token"]
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

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

    def _healthy(self) -> bool:
        health = self.call("GET", "/api/v2/monitor/health")
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))

    def _exists(self, path: str) -> bool:
        self.call("GET", path)
        return True

    def wait_until(self, what: str, condition: Callable[[], bool], timeout: float) -> None:
        """Wait for a condition, as long as this Airflow runs.

        :param what: the condition in words.
        :raises TimeoutError: it did not come about.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if condition():
                    return
            except (OSError, urllib.error.HTTPError):
                pass
            time.sleep(0.5)
        raise TimeoutError(f"Waited in vain until {what}; see {self.home / 'standalone.log'}.")


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
    """End a process and all of its group."""
    for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue


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
