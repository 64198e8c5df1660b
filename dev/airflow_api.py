"""Airflow's REST API, as tests and tools use it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FINISHED = ("success", "failed")


class AirflowApi:
    """Calls an Airflow of this machine that lets everybody in.

    :param home: the folder with its logs.
    :param url: the API server.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.url = url
        self._token: str | None = None

    def is_running(self) -> bool:
        """Whether it makes sense to wait for this Airflow."""
        return True

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

    def is_healthy(self) -> bool:
        """Whether all components that report their health are up."""
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
            if not self.is_running():
                break
            try:
                if condition():
                    return
            except (OSError, urllib.error.HTTPError):
                pass
            time.sleep(0.5)
        raise TimeoutError(f"Waited in vain until {what}; see {self.home}.")
