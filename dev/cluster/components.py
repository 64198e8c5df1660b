"""The components of Airflow, each with a home of its own, as on hosts of their own."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.airflow_api import AirflowApi
from dev.cluster.processes import Processes
from dev.standalone import environment, free_ports

DAGS = Path(__file__).parent / "dags"
ROOT = DAGS.parent.parent.parent
WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
COMPONENTS = ("api-server", "scheduler", "dag-processor", *TRIGGERERS, *WORKERS)
SLOTS = 4
"""Worker slots of each worker."""


class Cluster(AirflowApi):
    """An Airflow whose components share nothing but PostgreSQL, Redis and the DAGs. They run while it is entered.

    :param folder: for the homes.
    :param processes: what starts and ends the components.
    :param database: the address of PostgreSQL, without a scheme.
    :param broker: the URL of the Redis database with Celery's queue.
    :param coordination: the URL of the Redis database with what tasks share.
    """

    def __init__(
        self,
        folder: Path,
        processes: Processes,
        *,
        database: str,
        broker: str,
        coordination: str,
        connections: Mapping[str, Mapping[str, Any]],
    ) -> None:
        (self._port,) = free_ports(1)
        super().__init__(folder, f"http://127.0.0.1:{self._port}")
        self.processes = processes
        self._shared = {
            **environment(self._port, DAGS, connections),
            **shared_settings(database, broker, coordination),
            **SHORT_WAITS,
            "PYTHONPATH": str(ROOT),
        }

    def __enter__(self) -> Cluster:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        with (self.processes.logs / "migrate.log").open("wb") as log:
            home = {"AIRFLOW_HOME": str(self.home / "scheduler")}
            subprocess.run(
                command, env={**self._shared, **home}, stdout=log, stderr=subprocess.STDOUT, timeout=180, check=True
            )
        try:
            for name in COMPONENTS:
                self.start_component(name)
            self.wait_until("Airflow is up", self.is_healthy, timeout=180)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.stop(*COMPONENTS, patience=5)

    def start_component(self, name: str) -> None:
        """Start a component, perhaps once more."""
        worker_logs, trigger_logs, health = free_ports(3)
        command, _, number = name.partition("-") if name in (*WORKERS, *TRIGGERERS) else (name, "", "")
        arguments = {
            "worker": ["celery", "worker", "--concurrency", str(SLOTS), "--celery-hostname", f"w{number}@host{number}"],
            "api-server": ["api-server", "--workers", "1"],
        }.get(command, [command])
        own = {
            "AIRFLOW_HOME": str(self.home / name),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health),
        }
        self.processes.start(name, [sys.executable, "-m", "airflow", *arguments], {**self._shared, **own})

    def is_running(self) -> bool:
        return not self.processes.died()

    def result(self, task: Mapping[str, Any]) -> Any:
        """What a task instance returned.

        :param task: as :meth:`tasks` gives it.
        """
        path = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        query = f"map_index={task['map_index']}&deserialize=true"
        return self.call("GET", f"{path}/xcomEntries/return_value?{query}")["value"]

    def count_in_logs(self, text: str, dag_id: str) -> int:
        """How often a text stands in the logs of a DAG's tasks, on all hosts."""
        files = (path for name in WORKERS for path in (self.home / name / "logs" / f"dag_id={dag_id}").rglob("*.log"))
        return sum(path.read_text(errors="replace").count(text) for path in files)


def shared_settings(database: str, broker: str, coordination: str) -> dict[str, str]:
    """What must be the same on all components; docs/operate/scaling.md shows it."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        # db+postgresql:// without a driver means psycopg 3, which the provider of Celery does not need.
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__LMS__COORDINATION_URL": coordination,
        # Twice the slots: what is beyond stays "scheduled", and so cannot time out in the queue.
        "AIRFLOW__CORE__PARALLELISM": str(2 * SLOTS * len(WORKERS)),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    }


SHORT_WAITS = {
    # By default, Airflow notices a dead worker after 5 minutes, a lost message after 10, and a dead triggerer after
    # half a minute. Celery's visibility_timeout stays at its default of a day: a message that is delivered again while
    # its task runs kills the task.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "90",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
