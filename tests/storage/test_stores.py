"""Datasets in object stores: what differs there from a disk."""

from __future__ import annotations

import copy
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.errors import StorageError
from airflow_provider_lms.storage.files import child, folder, size_of, write_bytes, write_whole
from airflow_provider_lms.storage.upload import BLOCK_BYTES, block_bytes
from tests.conftest import RESULTS, TOKEN
from tests.rows import delivered, present
from tests.storage.conftest import WANTED, GetStore, place_in
from tests.storage.place import Place
from tests.storage.stores import Store
from tests.tasks import execute

ROOT = Path(__file__).parents[2]


def operator(output: object, **options: Any) -> ISpringModuleResultsOperator:
    return ISpringModuleResultsOperator(task_id="t", output_path=str(output), page_size=50, max_wait=0, **options)


def names(place: Place) -> set[str]:
    return {file.name for file in place.iterdir()}


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"output_format": "csv", "compression": "zstd"}])
def test_a_dataset_is_written_and_read_by_its_url(lms: Simulator, in_store: Place, options: dict[str, Any]) -> None:
    summary = execute(operator(in_store, part_bytes=30_000, **options))
    assert summary["uri"] == str(in_store)
    assert len(summary["files"]) > (0 if options else 2)
    assert read_manifest(summary["manifest"])["records"] == summary["records"]
    for source in (str(in_store), summary, [summary]):
        assert present(read_records(source)) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize("part_bytes", [1, 10_000_000])
def test_a_failure_leaves_the_dataset_before_and_the_retry_resumes(
    lms: Simulator, in_store: Place, part_bytes: int
) -> None:
    execute(operator(in_store, completion_statuses="passed"))
    before, sent = names(in_store), lms.ispring.count(RESULTS)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=3)
    with pytest.raises(Exception, match="the body is not well-formed"):
        execute(operator(in_store, part_bytes=part_bytes))
    parts = {1: 2, 10_000_000: 1}[part_bytes]
    assert len(names(in_store) - before) == parts + 1
    assert {record["completionStatus"] for record in read_records(str(in_store))} == {"passed"}

    summary = execute(operator(in_store, part_bytes=part_bytes))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) - sent == summary["pages"] + 1
    assert "_checkpoint.json" not in names(in_store)


def test_the_generation_before_stays_until_the_next(lms: Simulator, in_store: Place) -> None:
    parts = [{file["uri"].rpartition("/")[2] for file in execute(operator(in_store))["files"]} for _ in range(3)]
    assert names(in_store) == {"_manifest.json"} | parts[1] | parts[2]


# What another process has done since this one has listed the folder.


def listed(place: Place) -> None:
    """Let this process's file system keep a listing of the folder."""
    list(ObjectStoragePath(str(place)).iterdir())


def committed_by_another(lms: Simulator, place: Place) -> None:
    """Commit a dataset in the folder, without the file system of this process noticing."""
    execute(operator(place / "elsewhere"))
    listed(place)
    for file in (place / "elsewhere").iterdir():
        (place / file.name).write_bytes(file.read_bytes())


def test_a_dataset_that_another_process_has_committed_is_read(lms: Simulator, in_store: Place) -> None:
    (in_store / "another.txt").write_text("makes a listing")
    committed_by_another(lms, in_store)
    assert present(read_records(str(in_store))) == delivered(lms.ispring.module_results())


def test_a_part_that_another_process_has_removed_is_noticed(lms: Simulator, in_store: Place) -> None:
    execute(operator(in_store))
    (part,) = in_store.glob("part-*")
    listed(in_store)
    part.unlink()
    with pytest.raises(FileNotFoundError):
        size_of(child(folder("output_path", str(in_store)), part.name))
    with pytest.raises(FileNotFoundError, match="replaced twice while it was being read"):
        list(read_records(str(in_store)))


def test_a_retry_does_not_trust_a_listing_for_the_parts_of_its_checkpoint(lms: Simulator, in_store: Place) -> None:
    lms.ispring.fail(RESULTS, faults.cut_document(), on=3)
    with pytest.raises(Exception, match="the body is not well-formed"):
        execute(operator(in_store, part_bytes=1))
    listed(in_store)
    sorted(in_store.glob("part-*"))[0].unlink()
    summary = execute(operator(in_store))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


def test_a_part_that_is_removed_while_it_is_read_is_a_file_not_found(lms: Simulator, in_store: Place) -> None:
    summary = execute(operator(in_store, part_bytes=30_000))
    records = read_records(summary)
    next(records)
    for part in in_store.glob("part-*"):
        part.unlink()
    with pytest.raises(FileNotFoundError):
        list(records)


# A target that cannot be used is noticed before the first request, and is not taken for a folder without a dataset.


def wrong(store_name: str, store: Store, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Connections that lead nowhere."""
    connection = copy.deepcopy(store.connection)
    if store_name == "s3":
        yield {**connection, "password": "not-the-secret"}
        yield {**connection, "login": "nobody"}
        yield {**connection, "conn_type": "postgres", "extra": {"endpoint_url": "http://127.0.0.1:9"}}
    elif store_name == "azure":
        text = connection["extra"]["connection_string"]
        before, _, after = text.partition("AccountKey=")
        yield {**connection, "extra": {"connection_string": f"{before}AccountKey=bm90IHRoZSBrZXk={after[88:]}"}}
        yield {**connection, "extra": {"connection_string": "not a connection string"}}
        yield {"conn_type": "wasb", "login": "account", "password": "key"}
    else:
        key = tmp_path / "key.json"
        key.write_text(json.dumps({"type": "service_account", "client_email": "a@b.test", "token_uri": "http://x"}))
        yield {**connection, "extra": {"key_path": str(tmp_path / "mistyped.json"), "project": "p"}}
        yield {**connection, "extra": {"key_path": str(key), "project": "p"}}
        yield {**connection, "extra": {"keyfile_dict": "{}", "project": "p"}}


@pytest.mark.parametrize("number", range(3))
def test_a_wrong_credential_is_not_taken_for_a_folder_without_a_dataset(
    lms: Simulator, store: Store, store_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    conn_id = f"wrong_{store_name}_{number}"
    connection = list(wrong(store_name, store, tmp_path))[number]
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    url = store.url(conn_id, tmp_path.name)
    for use in (read_manifest, lambda url: list(read_records(url)), lambda url: execute(operator(url))):
        with pytest.raises(StorageError, match=f"Check the connection '{conn_id}'"):
            use(url)
    assert lms.ispring.count(RESULTS) == 0


def test_a_connection_that_does_not_exist_is_named(lms: Simulator, store: Store) -> None:
    with pytest.raises(StorageError, match="Check the connection 'no_such'"):
        execute(operator(store.url("no_such", "x")))
    assert lms.ispring.count(RESULTS) == 0


def test_a_missing_bucket_is_noticed_before_the_first_request(lms: Simulator, store: Store, store_name: str) -> None:
    with pytest.raises(StorageError, match=r"Cannot (read|write to) .*that the bucket or container exists"):
        execute(operator(store.url(store_name, "x", bucket="no-such-bucket")))
    assert (lms.ispring.count(TOKEN), lms.ispring.count(RESULTS)) == (0, 0)


# A file appears completely or not at all, and in one request where several writers share its name.


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 1])
def test_a_file_that_is_given_up_never_appears(in_store: Place, size: int) -> None:
    path = child(folder("output_path", str(in_store)), "part")

    def write_and_give_up() -> None:
        with write_whole(path) as file:
            file.write(bytes(size))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_give_up()
    gc.collect()
    assert not (in_store / "part").exists()


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 1])
def test_a_file_of_any_size_arrives_as_it_was_written(in_store: Place, size: int) -> None:
    content = os.urandom(1024) * (size // 1024) + bytes(size % 1024)
    with write_whole(child(folder("output_path", str(in_store)), "part")) as file:
        file.write(content[: size // 3])
        file.write(content[size // 3 :])
    assert (in_store / "part").read_bytes() == content


def test_a_commit_between_another_writers_write_and_commit_harms_neither(in_store: Place) -> None:
    path = child(folder("output_path", str(in_store)), "_manifest.json")
    for _ in range(3):
        with write_whole(path) as file:
            file.write(b"mine")
            write_bytes(path, b"another's")
        assert (in_store / "_manifest.json").read_bytes() == b"mine"


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1])
def test_a_file_that_writers_share_is_committed_in_one_request(
    in_store: Place, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def several(*_: object, **__: object) -> None:
        pytest.fail("opened: its blocks and its commit are requests of their own")

    path = child(folder("output_path", str(in_store)), "_manifest.json")
    monkeypatch.setattr(type(path.fs), "open", several)
    write_bytes(path, bytes(size))
    assert (in_store / "_manifest.json").read_bytes() == bytes(size)


def test_blocks_grow_only_for_objects_of_more_than_70_gb() -> None:
    assert [block_bytes(size) for size in (0, 256_000_000, 70 * 10**9)] == [BLOCK_BYTES] * 3
    for size in (100 * 10**9, 10**12):
        assert size / block_bytes(size) <= 10_000


MEASURE = """
import resource, sys
from airflow_provider_lms.storage.files import child, folder, write_whole

directory = folder("output_path", sys.argv[1])
def write(name, size):
    with write_whole(child(directory, name)) as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))
write("part-1", 20_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write("part-2", 150_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.processes
def test_memory_does_not_grow_with_a_part(in_store: Place) -> None:
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(in_store)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    grown = int(measured.stdout.splitlines()[-1])
    assert grown < 4 * BLOCK_BYTES / 1024


@pytest.mark.skipif(not WANTED, reason="LMS_STORES names no store")
@pytest.mark.parametrize("kind", WANTED)
def test_the_stores_asked_for_are_here(kind: str, get_store: GetStore, tmp_path: Path) -> None:
    assert names(place_in(get_store(kind), kind, tmp_path)) == set()
