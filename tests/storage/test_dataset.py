"""Datasets: written page by page, committed by their manifest, read back."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_lms.lms.ispring.records import CourseResult
from airflow_provider_lms.lms.paging import Page
from airflow_provider_lms.storage import dataset as datasets
from airflow_provider_lms.storage import parts as part_files
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import DatasetConflict, Run
from airflow_provider_lms.storage.parts import Parts

DESCRIPTION = Description("course_results", CourseResult, "https://lms.test", {"course_ids": ["c"]})
RUN = Run("dag", "task", "run", -1, 1)


def pages(*counts: int, last: str | None = None) -> Iterator[Page[CourseResult]]:
    """Pages with so many records each."""
    number = 0
    for index, count in enumerate(counts, start=1):
        records = [
            CourseResult(user_id=f"u{number + n}", course_id="c", completion_status="passed") for n in range(count)
        ]
        number += count
        yield Page(records, index, "more" if index < len(counts) else last)


def write(path: Path, found: Iterable[Page[Any]], *, run: Run = RUN, if_exists: str = "replace", **cut: Any) -> Any:
    parts = Parts(Format("jsonl", "none"), cut.get("part_bytes", 10_000), cut.get("part_seconds", 300))
    return Dataset(folder("output_path", str(path)), run, if_exists).write(lambda *_: found, DESCRIPTION, parts)


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def users(path: Path) -> list[str]:
    return [record["userId"] for record in read_records(str(path))]


def test_a_summary_and_a_manifest_tell_the_same_of_the_files(tmp_path: Path) -> None:
    summary = write(tmp_path / "out", pages(3, 0, 2))

    assert (summary["records"], summary["pages"], summary["format"]) == (5, 3, "jsonl")
    assert summary["uri"] == f"file://{tmp_path}/out"
    assert summary["manifest"] == f"file://{tmp_path}/out/_manifest.json"
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert manifest == read_manifest(summary["uri"]) == read_manifest(summary["manifest"])
    assert manifest["complete"] is True
    assert manifest["query"] == {"course_ids": ["c"]}
    assert manifest["run"] == {"dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": -1, "try_number": 1}
    assert {"name": "completionDate", "type": "timestamp"} in manifest["schema"]
    assert {"name": "isOverdue", "type": "boolean"} in manifest["schema"]
    (file,) = summary["files"]
    content = Path(file["uri"].removeprefix("file://")).read_bytes()
    assert (file["records"], file["bytes"]) == (5, len(content))
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert json.loads(content.splitlines()[0])["completionDate"] is None


@pytest.mark.parametrize("kind", [str, ObjectStoragePath, lambda path: f"file://{path}", lambda path: f"{path}/"])
def test_a_folder_may_be_a_path_a_url_or_an_object_storage_path(tmp_path: Path, kind: Any) -> None:
    Dataset(folder("output_path", kind(str(tmp_path))), RUN, "replace").write(
        lambda *_: pages(2), DESCRIPTION, Parts(Format("jsonl", "none"), 10_000, 300)
    )
    assert [record["userId"] for record in read_records(kind(str(tmp_path)))] == ["u0", "u1"]


@pytest.mark.parametrize("location", ["", "  ", "relative/folder", None, 7])
def test_a_folder_that_cannot_be_meant_is_named(location: Any) -> None:
    with pytest.raises(ValueError, match=r"^output_path: "):
        folder("output_path", location)


def test_an_empty_listing_is_a_dataset_without_files(tmp_path: Path) -> None:
    summary = write(tmp_path / "out", pages(0))
    assert (summary["records"], summary["pages"], summary["files"]) == (0, 1, [])
    assert users(tmp_path / "out") == []


def test_a_part_is_closed_after_the_page_that_fills_it(tmp_path: Path) -> None:
    summary = write(tmp_path, pages(40, 40, 10, 40), part_bytes=20_000)
    assert [file["records"] for file in summary["files"]] == [80, 50]
    assert users(tmp_path) == [f"u{n}" for n in range(130)]


def test_a_part_is_closed_when_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(part_files, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def slow() -> Iterator[Page[CourseResult]]:
        for page in pages(1, 1, 1, 1):
            clock.now += 100
            yield page

    files = write(tmp_path, slow(), part_seconds=150)["files"]
    assert [file["records"] for file in files] == [2, 2]


def test_a_new_dataset_replaces_the_old_one_and_keeps_its_files_until_the_next(tmp_path: Path) -> None:
    first = {Path(file["uri"]).name for file in write(tmp_path, pages(1))["files"]}
    second = {Path(file["uri"]).name for file in write(tmp_path, pages(2))["files"]}
    assert names(tmp_path) == {"_manifest.json"} | first | second
    assert users(tmp_path) == ["u0", "u1"]
    third = {Path(file["uri"]).name for file in write(tmp_path, pages(3))["files"]}
    assert names(tmp_path) == {"_manifest.json"} | second | third


def test_a_file_that_no_manifest_names_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "part-of-somebody-else.jsonl").write_text("{}\n")
    for _ in range(3):
        write(tmp_path, pages(1))
    assert "part-of-somebody-else.jsonl" in names(tmp_path)
    assert users(tmp_path) == ["u0"]


def _broken(*counts: int) -> Iterator[Page[CourseResult]]:
    yield from pages(*counts, last="more")
    raise RuntimeError("the LMS went away")


@pytest.mark.parametrize("part_bytes", [1, 1_000_000])
def test_a_failure_leaves_the_dataset_before_and_whole_parts_for_the_retry(tmp_path: Path, part_bytes: int) -> None:
    write(tmp_path, pages(2))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(RuntimeError, match="went away"):
        write(tmp_path, _broken(3, 3), part_bytes=part_bytes)
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kept = json.loads(after["_checkpoint.json"])["files"]
    assert after.keys() - before.keys() == {"_checkpoint.json", *(file["name"] for file in kept)}
    assert after.items() >= before.items()
    assert sum(file["records"] for file in kept) == 6
    assert users(tmp_path) == ["u0", "u1"]


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path, pages(2))
    before = names(tmp_path)
    monkeypatch.setattr("airflow_provider_lms.storage.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, pages(2, 2), part_bytes=1)
    assert names(tmp_path) == before
    assert users(tmp_path) == ["u0", "u1"]


def test_a_manifest_that_fails_to_be_written_leaves_either_dataset_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, pages(2))
    put = datasets.manifests.put

    def put_and_lose_the_answer(*given: Any) -> None:
        put(*given)
        raise ConnectionError("reset")

    monkeypatch.setattr(datasets.manifests, "put", put_and_lose_the_answer)
    with pytest.raises(ConnectionError):
        write(tmp_path, pages(5))
    assert len(users(tmp_path)) == 5


def test_two_writers_never_mix(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Page[CourseResult]]:
        yield from pages(3, last="more")
        write(tmp_path, pages(7), run=Run("other", "task", "run", -1, 1))
        yield from pages(2)

    summary = write(tmp_path, interrupted())
    assert summary["records"] == 5
    assert users(tmp_path) == ["u0", "u1", "u2", "u0", "u1"]


def test_an_existing_dataset_is_refused_where_the_author_says_so(tmp_path: Path) -> None:
    write(tmp_path, pages(1))
    for other in (Run("dag", "task", "next run", -1, 1), Run()):
        dataset = Dataset(folder("output_path", str(tmp_path)), other, "fail")
        with pytest.raises(DatasetConflict, match="output_path: the folder holds a dataset already"):
            dataset.written()
        with pytest.raises(DatasetConflict):
            write(tmp_path, pages(2), run=other, if_exists="fail")
    assert users(tmp_path) == ["u0"]


def test_the_retry_of_the_task_that_wrote_a_dataset_returns_its_summary(tmp_path: Path) -> None:
    summary = write(tmp_path, pages(1), if_exists="fail")
    retry = Run("dag", "task", "run", -1, 2)
    assert Dataset(folder("output_path", str(tmp_path)), retry, "fail").written() == summary
    assert Dataset(folder("output_path", str(tmp_path)), retry, "replace").written() is None


def test_two_map_indexes_in_one_folder_are_told_to_take_one_each(tmp_path: Path) -> None:
    write(tmp_path, pages(1), run=Run("dag", "task", "run", 0, 1))
    second = Run("dag", "task", "run", 1, 1)
    message = r"map index 0 of this task has written to this folder in this run. Give each .* '\{\{ ti.map_index \}\}'"
    with pytest.raises(DatasetConflict, match=message):
        Dataset(folder("output_path", str(tmp_path)), second, "replace").written()
    with pytest.raises(DatasetConflict, match=message):
        write(tmp_path, pages(1), run=second)
    assert users(tmp_path) == ["u0"]
    assert len(names(tmp_path)) == 2
    write(tmp_path, pages(2), run=Run("dag", "task", "tomorrow", 1, 1))


def test_where_nothing_was_committed_reading_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no dataset was committed to this folder"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "not a manifest"), ("[1]", "not a manifest"), ("x", "not a manifest"), ('{"version": 9}', "Upgrade")],
)
def test_a_foreign_manifest_is_not_replaced(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "_manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        write(tmp_path, pages(1))
    assert names(tmp_path) == {"_manifest.json"}


def test_records_of_several_datasets_are_read_in_turn(tmp_path: Path) -> None:
    summaries = [write(tmp_path / str(n), pages(n)) for n in (1, 2)]
    assert [record["userId"] for record in read_records(summaries)] == ["u0", "u0", "u1"]
    assert [record["userId"] for record in read_records(iter([summaries[1]["uri"]]))] == ["u0", "u1"]


def test_a_reading_cut_short_is_marked(tmp_path: Path) -> None:
    write(tmp_path, pages(2, last="more"))
    assert read_manifest(str(tmp_path))["complete"] is False


def test_reading_goes_line_by_line(tmp_path: Path) -> None:
    write(tmp_path, pages(500))
    records = read_records(str(tmp_path))
    assert next(records)["userId"] == "u0"
