"""Datasets: written page by page, committed by their manifest, read back."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.storage import manifest as manifests
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.errors import StorageError
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.formats.compression import zstd
from airflow_provider_lms.storage.manifest import DatasetConflict, TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.storage.source import WholeListing
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.storage.formats import ALL, need
from tests.storage.place import Place, on_disk

DESCRIPTION = Description(
    "course_results", CourseResult, ("user_id",), "completion_date", "https://lms.test", {"course_ids": ["c"]}
)
RUN = TaskInstanceKey("dag", "task", "run", -1, 1)
LINES = Format("jsonl", "none")


def pages(*counts: int, last: str | None = None) -> Iterator[Page[CourseResult]]:
    """Pages with so many records each."""
    number = 0
    for index, count in enumerate(counts, start=1):
        records = [
            CourseResult(user_id=f"u{number + n}", course_id="c", completion_status="passed") for n in range(count)
        ]
        number += count
        yield Page(records, index, "more" if index < len(counts) else last)


def write(
    path: Place,
    found: Iterable[Page[Any]],
    *,
    run: TaskInstanceKey = RUN,
    if_exists: str = "replace",
    written_as: Format = LINES,
    part_bytes: int = 10_000,
    part_seconds: float = 300,
) -> dict[str, Any]:
    parts = PartOptions(written_as, part_bytes, part_seconds)
    return Dataset(folder("output_path", str(path)), run, if_exists).write(
        WholeListing(lambda *_: found), DESCRIPTION, parts
    )


def names(path: Place) -> set[str]:
    return {file.name for file in path.iterdir()}


def users(path: Place) -> list[str]:
    return [record["userId"] for record in read_records(str(path))]


def test_the_records_of_a_page_are_let_go_before_the_next_page_is_read(place: Place) -> None:
    left = []

    def found() -> Iterator[Page[CourseResult]]:
        for page in pages(3, 2):
            yield page
            left.append(len(page.records))

    write(place, found())
    assert left == [0, 0]
    assert len(users(place)) == 5


def test_a_summary_and_a_manifest_say_the_same_of_the_files(place: Place) -> None:
    summary = write(place / "out", pages(3, 0, 2))

    assert (summary["records"], summary["pages"], summary["format"]) == (5, 3, "jsonl")
    assert summary["uri"] == f"{place}/out"
    assert summary["manifest"] == f"{place}/out/_manifest.json"
    manifest = json.loads((place / "out" / "_manifest.json").read_text())
    assert manifest == read_manifest(summary["uri"]) == read_manifest(summary["manifest"])
    assert manifest["complete"] is True
    assert manifest["query"] == {"course_ids": ["c"]}
    assert manifest["run"] == {"dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": -1, "try_number": 1}
    assert {"name": "completionDate", "type": "timestamp"} in manifest["schema"]
    assert {"name": "isOverdue", "type": "boolean"} in manifest["schema"]
    (file,) = summary["files"]
    content = (place / "out" / Path(file["uri"]).name).read_bytes()
    assert (file["records"], file["bytes"]) == (5, len(content))
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert json.loads(content.splitlines()[0])["completionDate"] is None


@pytest.mark.parametrize("kind", [str, ObjectStoragePath, lambda path: f"file://{path}", lambda path: f"{path}/"])
def test_a_folder_may_be_a_path_a_url_or_an_object_storage_path(tmp_path: Path, kind: Any) -> None:
    Dataset(folder("output_path", kind(str(tmp_path))), RUN, "replace").write(
        WholeListing(lambda *_: pages(2)), DESCRIPTION, PartOptions(LINES, 10_000, 300)
    )
    assert [record["userId"] for record in read_records(kind(str(tmp_path)))] == ["u0", "u1"]


@pytest.mark.parametrize(
    "location",
    [
        "", "  ", None, 7,
        "relative/folder", "file:relative", "file:/one/slash", "file://lms/x", "file://lms", "file://localhost/lms",
        "file://conn_id@lms/x", "local://lms/x",
        "s3://", "s3:///folder", "gs://conn_id@/folder",
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_meant_is_named(location: Any) -> None:
    with pytest.raises(ValueError, match=r"^output_path: "):
        folder("output_path", location)


def test_a_url_without_an_installed_file_system_names_the_extra() -> None:
    with pytest.raises(StorageError, match=r"Cannot use weird://.*\(ValueError\)"):
        read_manifest("weird://lake/x")
    with pytest.raises(StorageError, match="the extra 'azure' is installed"):
        read_manifest("abfs://no_such_connection@lake/x")


def test_an_airflow_that_does_not_work_with_universal_pathlib_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(ObjectStoragePath):
        def __new__(cls, *_: object, **__: object) -> Any:
            raise TypeError("ObjectStoragePath(...) detected protocol file which is incompatible.")

    monkeypatch.setattr("airflow_provider_lms.storage.files.ObjectStoragePath", Fails)
    with pytest.raises(StorageError, match=r"^output_path: .*pip install 'universal-pathlib<0.3'"):
        folder("output_path", str(tmp_path))


@pytest.mark.parametrize("below", ["a-file", "a-file/folder"])
def test_a_folder_that_cannot_be_written_is_noticed_before_anything_is_read(tmp_path: Path, below: str) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(StorageError, match=r"Check that the folder exists and that the task's user may read and write"):
        write(on_disk(tmp_path / below), unread())


def test_a_folder_that_may_only_be_read_is_noticed_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", denied)  # the tests may run as root, who may write everywhere
    with pytest.raises(StorageError, match=r"^output_path: Cannot write to file:.* \(PermissionError\)"):
        write(on_disk(tmp_path), unread())


def unread() -> Iterator[Page[Any]]:
    pytest.fail("the LMS was asked")
    yield


EMPTY_PARTS: dict[str, Callable[[bytes], object]] = {
    "jsonl": lambda content: content,
    "csv": lambda content: content.decode().splitlines(),
    "parquet": lambda content: _arrow_names(content),
}


def _arrow_names(content: bytes) -> list[str]:
    from pyarrow.parquet import ParquetFile

    return list(ParquetFile(io.BytesIO(content)).schema_arrow.names)


@pytest.mark.parametrize("counts", [(0,), (0, 0, 0), ()])
@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_an_empty_dataset_has_one_empty_part_with_its_columns(place: Place, name: str, counts: tuple[int, ...]) -> None:
    need(name, "none")
    summary = write(place / "out", pages(*counts), written_as=Format(name, "none"))
    assert (summary["records"], summary["pages"]) == (0, len(counts))
    (file,) = summary["files"]
    content = (place / "out" / Path(file["uri"]).name).read_bytes()
    assert (file["records"], file["bytes"]) == (0, len(content))
    columns = [*(field["name"] for field in read_manifest(str(place / "out"))["schema"]), "_extra"]
    header = ",".join(f'"{column}"' for column in columns)
    assert EMPTY_PARTS[name](content) == {"jsonl": b"", "csv": [header], "parquet": columns}[name]
    assert users(place / "out") == []


@pytest.mark.parametrize(("name", "compression"), ALL)
def test_an_empty_dataset_is_read_in_every_format(place: Place, name: str, compression: str) -> None:
    need(name, compression)
    assert len(write(place, pages(0), written_as=Format(name, compression))["files"]) == 1
    assert users(place) == []


def test_a_part_is_closed_after_the_page_that_fills_it(place: Place) -> None:
    summary = write(place, pages(40, 40, 10, 40), part_bytes=20_000)
    assert [file["records"] for file in summary["files"]] == [80, 50]
    assert users(place) == [f"u{n}" for n in range(130)]


def test_a_part_is_closed_when_it_is_old(place: Place) -> None:
    def slow(clock: FakeClock) -> Iterator[Page[CourseResult]]:
        for page in pages(1, 1, 1, 1):
            clock.advance(100)
            yield page

    with fake_clock() as clock:
        files = write(place, slow(clock), part_seconds=150)["files"]
    assert [file["records"] for file in files] == [2, 2]


def test_the_time_left_is_estimated_from_the_first_page_on(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    def crawl(clock: FakeClock) -> Iterator[Page[CourseResult]]:
        clock.advance(600)  # lists the learners
        for step, page in enumerate(pages(1, 1, 1, 1), start=1):
            yield Page(page.records, step, page.next, unit=step, units=4)
            clock.advance(60)

    caplog.set_level(logging.INFO)
    with fake_clock() as clock:
        description = replace(DESCRIPTION, subject="course c")
        Dataset(folder("output_path", str(place)), RUN, "replace").write(
            WholeListing(lambda *_: crawl(clock)), description, PartOptions(LINES, 10_000, 300)
        )
    assert [message for message in caplog.messages if message.startswith("Reading")] == [
        "Reading course_results of course c: 1 of 4 steps, 1 records.",
        "Reading course_results of course c: 2 of 4 steps, 2 records, about 2 min left.",
        "Reading course_results of course c: 3 of 4 steps, 3 records, about 1 min left.",
        "Reading course_results of course c: 4 of 4 steps, 4 records.",
    ]


def test_a_new_dataset_replaces_the_old_one_and_keeps_its_files_until_the_next(place: Place) -> None:
    first = {Path(file["uri"]).name for file in write(place, pages(1))["files"]}
    second = {Path(file["uri"]).name for file in write(place, pages(2))["files"]}
    assert names(place) == {"_manifest.json"} | first | second
    assert users(place) == ["u0", "u1"]
    third = {Path(file["uri"]).name for file in write(place, pages(3))["files"]}
    assert names(place) == {"_manifest.json"} | second | third


def test_a_file_that_no_manifest_names_is_never_touched(place: Place) -> None:
    (place / "part-of-somebody-else.jsonl").write_text("{}\n")
    for _ in range(3):
        write(place, pages(1))
    assert "part-of-somebody-else.jsonl" in names(place)
    assert users(place) == ["u0"]


def _broken(*counts: int) -> Iterator[Page[CourseResult]]:
    yield from pages(*counts, last="more")
    raise RuntimeError("the LMS went away")


@pytest.mark.parametrize("part_bytes", [1, 1_000_000])
def test_a_failure_leaves_the_dataset_before_and_whole_parts_for_the_retry(place: Place, part_bytes: int) -> None:
    write(place, pages(2))
    before = {file.name: file.read_bytes() for file in place.iterdir()}
    with pytest.raises(RuntimeError, match="went away"):
        write(place, _broken(3, 3), part_bytes=part_bytes)
    after = {file.name: file.read_bytes() for file in place.iterdir()}
    kept = json.loads(after["_checkpoint.json"])["splits"][0]["files"]
    assert after.keys() - before.keys() == {"_checkpoint.json", *(file["name"] for file in kept)}
    assert after.items() >= before.items()
    assert sum(file["records"] for file in kept) == 6
    assert users(place) == ["u0", "u1"]


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = on_disk(tmp_path)
    write(place, pages(2))
    before = names(place)
    monkeypatch.setattr("airflow_provider_lms.storage.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(place, pages(2, 2), part_bytes=1)
    assert names(place) == before
    assert users(place) == ["u0", "u1"]


def test_a_manifest_that_fails_to_be_written_leaves_either_dataset_readable(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, pages(2))
    put = manifests.put

    def put_and_lose_the_answer(*given: Any) -> None:
        put(*given)
        raise ConnectionError("reset")

    monkeypatch.setattr(manifests, "put", put_and_lose_the_answer)
    with pytest.raises(ConnectionError):
        write(place, pages(5))
    assert len(users(place)) == 5


def test_two_writers_never_mix(place: Place) -> None:
    def interrupted() -> Iterator[Page[CourseResult]]:
        yield from pages(3, last="more")
        write(place, pages(7), run=TaskInstanceKey("other", "task", "run", -1, 1))
        yield from pages(2)

    summary = write(place, interrupted())
    assert summary["records"] == 5
    assert users(place) == ["u0", "u1", "u2", "u0", "u1"]


def test_an_existing_dataset_is_refused_if_the_author_says_so(place: Place) -> None:
    write(place, pages(1))
    for other in (TaskInstanceKey("dag", "task", "next run", -1, 1), TaskInstanceKey()):
        dataset = Dataset(folder("output_path", str(place)), other, "fail")
        with pytest.raises(DatasetConflict, match="output_path: the folder already holds a dataset"):
            dataset.committed_summary()
        with pytest.raises(DatasetConflict):
            write(place, pages(2), run=other, if_exists="fail")
    assert users(place) == ["u0"]


def test_the_retry_of_the_task_that_wrote_a_dataset_returns_its_summary(place: Place) -> None:
    summary = write(place, pages(1), if_exists="fail")
    retry = TaskInstanceKey("dag", "task", "run", -1, 2)
    assert Dataset(folder("output_path", str(place)), retry, "fail").committed_summary() == summary
    assert Dataset(folder("output_path", str(place)), retry, "replace").committed_summary() is None


def test_two_map_indexes_in_one_folder_are_asked_to_take_one_each(place: Place) -> None:
    write(place, pages(1), run=TaskInstanceKey("dag", "task", "run", 0, 1))
    second = TaskInstanceKey("dag", "task", "run", 1, 1)
    message = (
        "output_path: map index 0 of this task has written to this folder in this run. "
        r"Give each mapped task its own folder: use '\{\{ ti.map_index \}\}' or the mapped id in output_path."
    )
    with pytest.raises(DatasetConflict, match=message):
        Dataset(folder("output_path", str(place)), second, "replace").committed_summary()
    with pytest.raises(DatasetConflict, match=message):
        write(place, pages(1), run=second)
    assert users(place) == ["u0"]
    assert len(names(place)) == 2
    write(place, pages(2), run=TaskInstanceKey("dag", "task", "tomorrow", 1, 1))


def test_a_manifest_names_the_primary_key_and_how_far_the_records_reach(place: Place) -> None:
    dates = [datetime(2026, 3, day, 8, 30, tzinfo=UTC) for day in (2, 3, 1)]
    records = [CourseResult(user_id="u", course_id="c", completion_status="x", completion_date=each) for each in dates]
    summary = write(place, [Page(records, 1, None)])
    manifest = read_manifest(str(place))
    assert (manifest["version"], manifest["primary_key"]) == (2, ["userId"])
    assert (manifest["watermark_field"], manifest["watermark"]) == ("completionDate", "2026-03-03T08:30:00Z")
    assert [file["watermark"] for file in manifest["files"]] == ["2026-03-03T08:30:00Z"]
    assert summary["watermark"] == "2026-03-03T08:30:00Z"


def test_a_dataset_of_manifest_version_1_is_read_and_replaced(place: Place) -> None:
    """Version 1 had no primary key, and called the watermark by its column."""
    write(place, pages(2))
    path = place / "_manifest.json"
    manifest = json.loads(path.read_text())
    date = "2026-03-03T08:30:00Z"
    for added in ("primary_key", "watermark_field", "watermark"):
        del manifest[added]
    files = [{name: value for name, value in file.items() if name != "watermark"} for file in manifest["files"]]
    manifest["files"] = [{**file, "latest_completion_date": date} for file in files]
    path.write_text(json.dumps({**manifest, "version": 1, "latest_completion_date": date}))

    found = read_manifest(str(place))
    assert (found["version"], found["primary_key"]) == (2, [])
    assert (found["watermark_field"], found["watermark"]) == ("completionDate", date)
    assert [file["watermark"] for file in found["files"]] == [date]
    assert found["run"] == manifest["run"]
    assert users(place) == ["u0", "u1"]
    retry = TaskInstanceKey("dag", "task", "run", -1, 2)
    summary = Dataset(folder("output_path", str(place)), retry, "fail").committed_summary()
    assert summary is not None
    assert summary["watermark"] == date
    write(place, pages(3))
    write(place, pages(3))
    assert not names(place) & {file["name"] for file in files}


def test_a_manifest_of_version_1_without_a_watermark_names_no_column_for_it(place: Place) -> None:
    write(place, pages(2))
    path = place / "_manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["watermark_field"], manifest["watermark"]
    path.write_text(json.dumps({**manifest, "version": 1}))
    found = read_manifest(str(place))
    assert (found["watermark_field"], found["watermark"]) == (None, None)


def test_where_nothing_was_committed_reading_says_so(place: Place) -> None:
    with pytest.raises(FileNotFoundError, match="no dataset was committed to this folder"):
        read_manifest(str(place))


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "not a manifest"), ("[1]", "not a manifest"), ("x", "not a manifest"), ('{"version": 9}', "upgrade it")],
)
def test_a_foreign_manifest_is_not_replaced(place: Place, content: str, message: str) -> None:
    (place / "_manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        write(place, pages(1))
    assert names(place) == {"_manifest.json"}


def test_records_of_several_datasets_are_read_in_turn(place: Place) -> None:
    summaries = [write(place / str(n), pages(n)) for n in (1, 2)]
    assert [record["userId"] for record in read_records(summaries)] == ["u0", "u0", "u1"]
    assert [record["userId"] for record in read_records(iter([summaries[1]["uri"]]))] == ["u0", "u1"]


def test_a_reading_cut_short_is_marked(place: Place) -> None:
    write(place, pages(2, last="more"))
    assert read_manifest(str(place))["complete"] is False


NOT_UTF_8 = b'"\xff"\n'
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "zstd": lambda content: zstd().compress(content),
}


@pytest.mark.parametrize(("name", "compression"), [each for each in ALL if each[0] != "parquet"])
def test_reading_goes_line_by_line(place: Place, name: str, compression: str) -> None:
    need(name, compression)
    write(place, pages(500), written_as=Format(name, compression))
    (part,) = place.glob("part-*")
    part.write_bytes(part.read_bytes() + COMPRESSED[compression](NOT_UTF_8))
    records = read_records(str(place))
    assert [record["userId"] for record in islice(records, 100)] == [f"u{n}" for n in range(100)]
    with pytest.raises((UnicodeDecodeError, msgspec.DecodeError)):  # at the last line
        list(records)


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_a_file_is_read_no_further_than_its_records_are_asked_for(tmp_path: Path, name: str) -> None:
    write(on_disk(tmp_path), pages(5_000), written_as=Format(name, "none"))
    (part,) = tmp_path.glob("part-*")
    schema = read_manifest(str(tmp_path))["schema"]
    with part.open("rb", buffering=0) as file:
        records = Format(name, "none").read(io.BufferedReader(file), schema)
        assert next(records)["userId"] == "u0"
        assert file.tell() < part.stat().st_size / 2
        assert sum(1 for _ in records) == 4_999


def test_parquet_is_read_row_group_by_row_group(place: Place) -> None:
    need("parquet", "zstd")
    from pyarrow.parquet import ParquetFile

    write(place, pages(20_000, 20_000), written_as=Format("parquet", "zstd"), part_bytes=10_000_000)
    (part,) = place.glob("part-*")
    column = ParquetFile(io.BytesIO(part.read_bytes())).metadata.row_group(1).column(0)
    content = bytearray(part.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    part.write_bytes(bytes(content))
    records = read_records(str(place))
    assert [record["userId"] for record in islice(records, 20_000)] == [f"u{n}" for n in range(20_000)]
    with pytest.raises(OSError, match="page header"):
        next(records)


def test_datasets_are_opened_in_turn(place: Place) -> None:
    write(place / "there", pages(1))
    records = read_records([str(place / "there"), str(place / "not there")])
    assert next(records)["userId"] == "u0"
    with pytest.raises(FileNotFoundError, match="no dataset was committed"):
        next(records)
