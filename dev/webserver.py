"""Airflow's UI alone, of any supported version, on a free port of this machine: no scheduler and no triggerer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from dev.standalone import end, free_ports, launch

USER = PASSWORD = "admin"


class Webserver:
    """Starts Airflow's webserver when entered, and ends all of its processes when left.

    Airflow 2 asks for :data:`USER` and :data:`PASSWORD`; Airflow 3 lets everybody in.

    :param python: the interpreter of an environment with Airflow.
    :param release: the release of that Airflow.
    :param home: where logs and database stay.
    """

    def __init__(self, python: Path, release: str, home: Path) -> None:
        self.release = release
        self.is_airflow_2 = release.startswith("2.")
        self._python = python
        self._home = home
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ,
            # The webserver of Airflow 2 starts `gunicorn` by name.
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Webserver:
        self._home.mkdir(parents=True, exist_ok=True)
        self.command("db", "migrate")
        if self.is_airflow_2:
            names = ("--firstname", "A", "--lastname", "B", "--email", "admin@example.com")
            self.command("users", "create", "--username", USER, "--password", PASSWORD, "--role", "Admin", *names)
        component = "webserver" if self.is_airflow_2 else "api-server"
        self._process = launch(self._python, component, self._environment, self._home / "webserver.log")
        try:
            self._wait(180)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process of this webserver."""
        if self._process is not None:
            # Airflow 2's webserver starts gunicorn in the same group, and lets it end in peace at this signal only.
            self._process.send_signal(signal.SIGINT)
            end(self._process)
            self._process = None

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command in this Airflow's environment; return what it printed.

        :raises RuntimeError: it failed.
        """
        done = subprocess.run(
            [self._python, "-m", "airflow", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {arguments[0]} {arguments[1]}: {done.stderr[-2000:]}")
        return done.stdout

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=10).close()
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError(f"Airflow's webserver did not start; see {self._home / 'webserver.log'}.")
