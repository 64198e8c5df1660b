"""Formats, read back by this package and by others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record, RecordConverter
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.options import Compression, OutputFormat
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.storage.source import WholeListing
from tests.rows import delivered, present
from tests.storage.formats import ALL, need
from tests.tasks import execute

RESPONSE = Response("GET /things", 200, "application/json", b"")


class Thing(Record, kw_only=True):
    thing_id: str
    title: str | None = None
    count: int | None = None
    share: float | None = None
    mark: int | float | str | None = None
    is_done: bool | None = None
    done_date: datetime | None = None
    fields: Any = None


ROWS: list[dict[str, Any]] = [
    {"thingId": "1", "title": 'a "quoted", title\r\nof two lines', "count": -3, "share": 0.25, "mark": 7},
    {"thingId": "100002000000040111", "title": "", "isDone": False, "doneDate": "2026-01-31T20:30:00.5Z"},
    {"thingId": "Łucja, '2'", "isDone": True, "doneDate": "2026-02-01T00:00:00Z", "mark": "unlimited"},
    {"thingId": "4", "fields": {"EMAIL": "a@example.com", "tags": ["x", None]}, "count": 0, "mark": 7.5},
    {"thingId": "null", "title": "NULL", "badge": "gold", "level": {"name": "2"}},
]


def pages() -> Iterator[Page[Any]]:
    """Two pages; the fields that are new come with the second."""
    converter = RecordConverter(Thing)
    for number, rows in enumerate((ROWS[:3], ROWS[3:]), start=1):
        yield Page(converter.convert(RESPONSE, rows), number, None)


def write(path: Path, name: str, compression: str) -> dict[str, Any]:
    need(name, compression)
    description = Description("things", Thing, ("thing_id",), None, "https://lms.test", {})
    parts = PartOptions(Format.chosen(name, compression), 1_000_000, 300)
    return Dataset(folder("output_path", str(path)), TaskInstanceKey(), "replace").write(
        WholeListing(lambda *_: pages()), description, parts
    )


def file(summary: dict[str, Any]) -> str:
    (only,) = summary["files"]
    return str(only["uri"]).removeprefix("file://")


@pytest.mark.parametrize(("name", "compression"), ALL)
def test_what_is_written_is_read_back(tmp_path: Path, name: str, compression: str) -> None:
    summary = write(tmp_path, name, compression)
    expected = [dict(row) for row in ROWS]
    expected[1]["doneDate"] = "2026-01-31T20:30:00.500000Z"
    found = list(read_records(summary))
    assert present(found) == expected
    assert all(set(row) >= set(Thing.__struct_encode_fields__) for row in found)
    assert (summary["format"], read_manifest(summary["uri"])["compression"]) == (name, compression)


@pytest.mark.parametrize(("name", "compression"), ALL)
def test_a_file_is_named_after_its_format(tmp_path: Path, name: str, compression: str) -> None:
    end = {"none": "", "gzip": ".gz", "zstd": ".zst"}[compression] if name != "parquet" else ""
    assert file(write(tmp_path, name, compression)).endswith(f"-00000.{name}{end}")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_duckdb_reads_every_file(tmp_path: Path, name: str, compression: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = file(write(tmp_path, name, compression))
    read = {"jsonl": "read_json", "csv": "read_csv", "parquet": "read_parquet"}[name]
    options = ", header=true, all_varchar=true, allow_quoted_nulls=false" if name == "csv" else ""
    query = f"SELECT thingId, title, title IS NULL, isDone, doneDate FROM {read}('{path}'{options})"
    rows = duckdb.sql(query).fetchall()
    assert [str(row[0]) for row in rows] == [row["thingId"] for row in ROWS]
    assert [row[1] for row in rows] == [row.get("title") for row in ROWS]
    assert [row[2] for row in rows] == ["title" not in row for row in ROWS]
    assert [str(row[3]).lower() for row in rows] == ["none", "false", "true", "none", "none"]
    assert [str(row[4])[:16].replace("T", " ") for row in rows[1:3]] == ["2026-01-31 20:30", "2026-02-01 00:00"]


def test_csv_is_as_in_rfc_4180(tmp_path: Path) -> None:
    content = Path(file(write(tmp_path, "csv", "none"))).read_bytes().decode()
    header, first = content.split("\r\n", 1)
    assert header == '"thingId","title","count","share","mark","isDone","doneDate","fields","_extra"'
    assert first.startswith('"1","a ""quoted"", title\r\nof two lines",-3,0.25,7,,,,\r\n')
    assert '"100002000000040111","",,,,false,"2026-01-31T20:30:00.500000Z",,\r\n' in first
    assert first.endswith('"null","NULL",,,,,,,"{""badge"":""gold"",""level"":{""name"":""2""}}"\r\n')


def test_parquet_has_real_types(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    found = pq.ParquetFile(file(write(tmp_path, "parquet", "zstd")))
    assert {field.name: str(field.type) for field in found.schema_arrow} == {
        "thingId": "string",
        "title": "string",
        "count": "int64",
        "share": "double",
        "mark": "double",
        "isDone": "bool",
        "doneDate": "timestamp[us, tz=UTC]",
        "fields": "string",
        "_extra": "string",
    }
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"
    rows = found.read().to_pylist()
    assert rows[1]["doneDate"] == datetime(2026, 1, 31, 20, 30, 0, 500_000, tzinfo=UTC)
    assert [row["mark"] for row in rows] == [7.0, None, None, 7.5, None]
    assert msgspec.json.decode(rows[2]["_extra"]) == {"mark": "unlimited"}


def test_pandas_reads_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(file(write(tmp_path, "parquet", "zstd")))
    assert list(frame["thingId"]) == [row["thingId"] for row in ROWS]
    assert str(frame["doneDate"].dtype).startswith("datetime64")
    assert str(frame["doneDate"].dt.tz) == "UTC"


@pytest.mark.parametrize(("name", "compression"), [("csv", "gzip"), ("parquet", None), ("jsonl", "zstd")])
def test_an_operator_writes_the_chosen_format(
    lms: Simulator, tmp_path: Path, name: OutputFormat, compression: Compression | None
) -> None:
    need(name, compression)
    summary = execute(
        ISpringModuleResultsOperator(
            task_id="t", output_path=str(tmp_path), output_format=name, compression=compression, page_size=50
        )
    )
    assert isinstance(summary, dict)
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


def test_what_zoho_adds_survives_in_parquet(lms: Simulator, tmp_path: Path) -> None:
    need("parquet", None)
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    options: dict[str, Any] = {"task_id": "t", "course_id": course.id, "learner_ids": learner.id}
    expected = execute(ZohoPeopleEntityProgressOperator(**options))
    summary = execute(ZohoPeopleEntityProgressOperator(**options, output_path=str(tmp_path), output_format="parquet"))
    assert present(read_records(summary)) == present(expected)
    assert any("sessionId" in row["_extra"] for row in expected if "_extra" in row)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_format": "xlsx"}, "output_format: expected 'jsonl' or 'csv' or 'parquet', got 'xlsx'"),
        ({"compression": "brotli"}, "compression: expected 'none' or 'gzip' or 'zstd', got 'brotli'"),
    ],
)
def test_a_format_that_is_not_there_is_refused_before_the_first_request(
    lms: Simulator, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        execute(ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path), **options))
    assert lms.ispring.requests == []


@pytest.mark.parametrize(
    ("module", "name", "compression", "message"),
    [
        ("pyarrow", "parquet", None, r"output_format: .* pip install 'airflow-provider-lms\[parquet\]'"),
        ("backports", "csv", "zstd", r"compression: .* pip install 'airflow-provider-lms\[zstd\]'"),
    ],
)
def test_what_a_format_needs_is_named_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, compression: str | None, message: str
) -> None:
    if module == "backports" and sys.version_info >= (3, 14):
        pytest.skip("zstd is in the standard library")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=message):
        Format.chosen(name, compression)
