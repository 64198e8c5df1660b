"""What an Airflow cluster needs besides Airflow: PostgreSQL, Redis and an object store."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster.processes import Processes
from dev.redis_server import RedisServer
from dev.seaweedfs import SeaweedFS
from dev.standalone import free_ports

BUCKET = "lake"
POSTGRES, S3 = "postgres", "s3"


@contextmanager
def postgres(processes: Processes) -> Iterator[str]:
    """A PostgreSQL server with an empty database; its address without a scheme."""
    found = importlib.util.find_spec("pgserver")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pgserver is not installed.")
    programs = Path(found.origin).parent / "pginstall"
    user = None
    with tempfile.TemporaryDirectory(prefix="lms-cluster-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and nobody else may be allowed into the folders above the programs.
            user = pwd.getpwnam("nobody").pw_uid
            programs = _copied(programs, folder)
            shutil.chown(folder, user)
        data, password, (port,) = folder / "data", secrets.token_hex(16), free_ports(1)
        (folder / "password").write_text(password)
        if user is not None:
            shutil.chown(folder / "password", user)
        subprocess.run(
            [
                programs / "bin" / "initdb", "--pgdata", data, "--username", "airflow", "--encoding", "UTF8",
                "--locale", "C", "--auth", "scram-sha-256", "--pwfile", folder / "password", "--no-sync",
            ],
            check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": 200,
            "fsync": "off",
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        processes.start(POSTGRES, [programs / "bin" / "postgres", "-D", data, *options], os.environ, user)
        address = f"airflow:{password}@127.0.0.1:{port}/postgres"
        try:
            _wait_for(processes, POSTGRES, lambda: _query(address))
            yield address
        finally:
            processes.stop(POSTGRES)


def redis(folder: Path) -> RedisServer:
    """A Redis server that keeps its data over a restart, as the docs ask."""
    folder.mkdir()
    return RedisServer(folder, ("--appendonly", "yes", "--maxmemory-policy", "noeviction"))


def forget(server: RedisServer) -> None:
    """Kill a Redis server, and remove its data."""
    server.kill()
    for name in ("appendonly.aof", "dump.rdb"):
        (server.folder / name).unlink(missing_ok=True)


class ObjectStore:
    """An S3 server, started when made; it ends with the other processes. ``connection`` is the Airflow connection."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        folder.mkdir()
        self._processes = processes
        self._server = SeaweedFS(folder, str(Path(sys.executable).parent / "weed"), BUCKET)
        self.connection = self._server.connection
        processes.start(S3, self._server.command, os.environ)

    def make_bucket(self) -> None:
        """Wait until it is up, and make the bucket."""
        import s3fs

        store = s3fs.S3FileSystem(endpoint_url=self._server.url, **SeaweedFS.ADMIN, skip_instance_cache=True)
        _wait_for(self._processes, S3, lambda: store.exists(BUCKET) or store.mkdir(BUCKET))
        # The first write takes long, since the server makes its volumes.
        _wait_for(self._processes, S3, lambda: store.pipe_file(f"{BUCKET}/.ready", b"1"))


def _copied(programs: Path, folder: Path) -> Path:
    """The programs in another folder, with the libraries that the wheel has beside its package."""
    package = programs.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(programs, folder / package.name / programs.name, symlinks=True))


def _query(address: str) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(f"postgresql+psycopg2://{address}")
    engine.connect().close()
    engine.dispose()


def _wait_for(processes: Processes, name: str, attempt: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
        except Exception as error:  # it is still starting, in any state
            if time.monotonic() > deadline or name in processes.died():
                raise TimeoutError(f"{name} did not come up; see {processes.logs / name}.log") from error
            time.sleep(0.3)
        else:
            return
