"""A whole account in every format, on a disk and in object stores: others read what the simulator's world holds.

``LMS_ROWS=100000`` takes so many rows in place of 2,000.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import pytest

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.world import Course, Result
from airflow_provider_lms.storage import read_manifest, read_records
from tests.storage.conftest import WANTED, GetStore, place_in
from tests.storage.formats import ALL, need
from tests.storage.place import Place, on_disk
from tests.tasks import execute

Row = tuple[Any, ...]

ROWS = int(os.environ.get("LMS_ROWS", "2000"))
COURSES, MODULES = 10, 4
DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}


class UntitledWorld(World):
    """A world with modules whose title is an empty text."""

    @cached_property
    def catalog(self) -> tuple[Course, ...]:
        return tuple(
            dataclasses.replace(course, modules=(dataclasses.replace(course.modules[0], title=""), *course.modules[1:]))
            for course in super().catalog
        )


class Written(NamedTuple):
    """A dataset, and how others get at it.

    :param files: what they call its files.
    :param store: the file system these are in, an fsspec one.
    """

    summary: dict[str, Any]
    files: list[str]
    store: Any
    schema: list[dict[str, str]]

    @property
    def format(self) -> str:
        return str(self.summary["format"])

    def in_order(self, rows: Iterable[dict[str, Any]]) -> Iterator[Row]:
        """The values of rows, in the schema's order."""
        return (tuple(row[field["name"]] for field in self.schema) for row in rows)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """An account of so many rows; the operator's connection leads to it."""
    world = UntitledWorld(users=ROWS // (COURSES * MODULES), courses=COURSES, modules=MODULES, blocked=0)
    with Simulator(world) as lms, pytest.MonkeyPatch.context() as patch:
        shared = tmp_path_factory.mktemp("shared") / "coordination.sqlite"
        patch.setenv("AIRFLOW__LMS__COORDINATION_URL", shared.as_uri())
        patch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        yield lms


@pytest.fixture(scope="module", params=WANTED or ["disk", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where datasets go."""
    folder = tmp_path_factory.mktemp("world")
    if request.param == "disk":
        return on_disk(folder)
    get_store: GetStore = request.getfixturevalue("get_store")
    return place_in(get_store(request.param), request.param, folder)


@pytest.fixture(scope="module", params=ALL, ids="-".join)
def written(request: pytest.FixtureRequest, account: Simulator, place: Place) -> Written:
    """The account's module results, in several parts."""
    name, compression = request.param
    need(name, compression)
    summary = execute(
        ISpringModuleResultsOperator(
            task_id="t",
            output_path=f"{place}/{name}-{compression}",
            output_format=name,
            compression=compression,
            page_size=max(ROWS // 100, 100),
            part_bytes=ROWS * 10,
        )
    )
    assert isinstance(summary, dict)
    # Parquet writes its first bytes after 20,000 rows.
    assert len(summary["files"]) > (name != "parquet" or ROWS > 20_000)
    files = [
        place.fs.unstrip_protocol(f"{place.path}/{file['uri'].removeprefix(f'{place}/')}") for file in summary["files"]
    ]
    return Written(summary, files, place.fs, read_manifest(summary["uri"])["schema"])


@pytest.fixture(scope="module")
def world(account: Simulator) -> list[dict[str, Any]]:
    """What the world holds, under the vendor's names, with Python's types."""
    return list(map(_row, account.world.module_results))


def test_this_package_reads_the_world(written: Written, world: list[dict[str, Any]]) -> None:
    dates = [field["name"] for field in written.schema if field["type"] == "timestamp"]
    found = (
        {**row, **{date: datetime.fromisoformat(row[date]) for date in dates if row[date] is not None}}
        for row in read_records(written.summary)
    )
    assert _first_difference(written.in_order(found), written.in_order(world)) is None


def test_pyarrow_reads_the_world(written: Written, world: list[dict[str, Any]]) -> None:
    pytest.importorskip("pyarrow")
    found = chain.from_iterable(_arrow_table(written, file).to_pylist() for file in written.files)
    assert _first_difference(written.in_order(found), written.in_order(world)) is None


@pytest.mark.parametrize("written", [each for each in ALL if each[0] == "parquet"], ids="-".join, indirect=True)
def test_pandas_reads_the_world_from_parquet(written: Written, world: list[dict[str, Any]]) -> None:
    pytest.importorskip("pandas")
    found = chain.from_iterable(map(_records, (_frame(written, file) for file in written.files)))
    assert _first_difference(written.in_order(found), written.in_order(world)) is None


def test_duckdb_reads_the_world(written: Written, world: list[dict[str, Any]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    columns = {field["name"]: DUCKDB[field["type"]] for field in written.schema}
    read, options = {
        "jsonl": ("read_json", f", columns = {columns}"),
        "csv": (
            "read_csv",
            f", header = true, allow_quoted_nulls = false, columns = {columns | {'_extra': 'VARCHAR'}}",
        ),
        "parquet": ("read_parquet", ""),
    }[written.format]
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
        database.register_filesystem(written.store)
        database.sql("SET TimeZone = 'UTC'")
        found = database.sql(f"SELECT {', '.join(columns)} FROM {read}({written.files}{options})").fetchall()
    assert _first_difference(found, written.in_order(world)) is None


def _row(result: Result) -> dict[str, Any]:
    assert result.module is not None
    return {
        "userId": result.user.id,
        "courseId": result.course.id,
        "enrollmentId": result.enrollment_id,
        "accessDate": result.access,
        "dueDate": result.due,
        "expirationDate": result.expiration,
        "completionDate": result.completion,
        "timeSpent": result.seconds,
        "completionStatus": result.status,
        "awardedScore": result.score,
        "passingScore": result.passing_score,
        "progress": result.progress,
        "isOverdue": result.overdue,
        "viewsCount": result.views,
        "moduleId": result.module.id,
        "moduleTitle": result.module.title,
        "courseItemId": result.module.item_id,
    }


def _arrow_table(written: Written, file: str) -> Any:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(field["name"], types[field["type"]]) for field in written.schema])
    if written.format == "parquet":
        with written.store.open(file) as content:
            table = pyarrow.parquet.read_table(content)
        assert table.schema.equals(schema.append(pa.field("_extra", pa.string())))
        return table
    compression = {".gz": "gzip", ".zst": "zstd"}.get(file[file.rindex(".") :])
    with written.store.open(file) as raw, pa.input_stream(raw, compression=compression) as content:
        if written.format == "jsonl":
            return pyarrow.json.read_json(content, parse_options=pyarrow.json.ParseOptions(explicit_schema=schema))
        options = pyarrow.csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        return pyarrow.csv.read_csv(content, convert_options=options)


def _frame(written: Written, file: str) -> Any:
    import pandas

    with written.store.open(file) as content:
        return pandas.read_parquet(content, dtype_backend="pyarrow")


def _records(frame: Any) -> Iterator[dict[str, Any]]:
    """The rows of a data frame, with Python's None and datetime for what pandas has of its own."""
    import pandas

    for row in frame.to_dict("records"):
        yield {
            name: None
            if value is pandas.NA or value is pandas.NaT
            else value.to_pydatetime()
            if isinstance(value, pandas.Timestamp)
            else value
            for name, value in row.items()
        }


def _first_difference(found: Iterable[Row], expected: Iterable[Row]) -> tuple[int, Any, Any] | None:
    """The number of the first row whose values or types differ, with both rows."""
    for number, (one, other) in enumerate(zip_longest(found, expected)):
        if one is None or other is None or _typed(one) != _typed(other):
            return number, one, other
    return None


def _typed(row: Row) -> list[tuple[type, Any, Any]]:
    """Values with their types, since 1, 1.0 and True are equal, and dates with their distance from UTC."""
    return [(type(value), value, value.utcoffset() if isinstance(value, datetime) else None) for value in row]
