"""Manifests and checkpoints that something else has written, or that are damaged.

``LMS_EXAMPLES=100000`` tries so many random ones in place of 200.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.errors import ManifestError
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import DatasetConflict, TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.storage.source import WholeListing
from tests.storage.place import Place, on_disk

RUN = TaskInstanceKey("dag", "task", "run", -1, 1)
EXAMPLES = settings(
    max_examples=int(os.environ.get("LMS_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Lost(Exception):
    """The LMS went away."""


def pages(*, fails: bool = False) -> Iterator[Page[CourseResult]]:
    for number in (1, 2):
        records = [CourseResult(user_id=f"u{number}", course_id="c", completion_status="passed")]
        yield Page(records, number, str(number), resumable=True)
    if fails:
        raise Lost
    yield Page([], 3, None)


def write(place: Place, *, fails: bool = False) -> None:
    description = Description("course_results", CourseResult, ("user_id",), None, "https://lms.test", {"q": 1})
    dataset = Dataset(folder("output_path", str(place)), RUN, "replace")
    starts: list[str | None] = []

    def read(start: str | None, _: int) -> Iterator[Page[CourseResult]]:
        starts.append(start)
        return pages(fails=fails) if start is None else iter([Page([], 3, None)])

    dataset.write(WholeListing(read), description, PartOptions(Format("jsonl", "none"), 1, 300))


def users(place: Place) -> list[str]:
    return [record["userId"] for record in read_records(str(place))]


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def manifest(place: Place) -> dict[str, Any]:
    write(place)
    found: dict[str, Any] = json.loads((place / "_manifest.json").read_text())
    return found


NOT_JSON = [
    b"", b"\x00", b"\xff\xfe\x00", b'{"version": 2', b"<html/>", '{"version": 2}'.encode("utf-16"),
    b'{"version": "\xff"}', b'\xef\xbb\xbf{"version": 2}', b'{"version": NaN}',
    f'{{"version": 2, "query": {nested(50_000)}}}'.encode(),
    nested(50_000).encode(), b'{"version": 1e999}', b'{"version": ' + b"9" * 5_000 + b"}",
    b"null", b"2", b'"text"',
]  # fmt: skip
DATES = [0, -1, "yesterday", "2026-01-01", "2026-01-01T00:00:00", "0000-00-00T00:00:00Z", "2026-02-30T00:00:00Z", {}]
NUMBERS = [-1, 1.5, "1", None, [], 10**30, True]
NAMES = [
    "", ".", "..", "/etc/passwd", "../other/part", "a/b", "a\\b", "file:///etc/passwd", "part?versionId=1", "part#1",
    "%2e%2e%2fpart", "_manifest.json", ".hidden", "part\n", "part\x00", "a" * 300, 7, None, {},
]  # fmt: skip
DAMAGE: list[tuple[str, list[Any]]] = [
    ("version", [None, "2", 2.0, True, [], {}, 0, -1]),
    ("format", ["xml", "", None, "jsonl\n", 1]),
    ("compression", ["lzma", None, "zstd "]),
    ("schema", [None, {}, ["userId"], [{}], [{"name": "userId"}], [{"name": "a", "type": "weird"}], [{"name": 1}]]),
    ("query", [None, [], "q"]),
    ("run", [None, [], {"dag_id": 1}, "run"]),
    ("started_at", DATES),
    ("finished_at", DATES),
    ("watermark", [*DATES[:-1], 10**18]),
    ("pages", NUMBERS),
    ("records", NUMBERS),
    ("complete", [None, "yes", 1]),
    ("files", [None, {}, "part", [None], [[]], [{}]]),
    ("previous", [None, {}, "part", *([name] for name in NAMES)]),
    ("primary_key", [None, "userId", [1]]),
]
FILE_DAMAGE: list[tuple[str, list[Any]]] = [
    ("name", NAMES),
    ("records", NUMBERS),
    ("bytes", NUMBERS),
    ("sha256", [None, 1]),
    ("watermark", [*DATES[:-1], 10**18]),
]


def each_of(damage: list[tuple[str, list[Any]]]) -> list[tuple[str, Any]]:
    return [(field, value) for field, values in damage for value in values]


@pytest.mark.parametrize("content", NOT_JSON)
def test_bytes_that_are_no_manifest_say_so_and_what_to_do(place: Place, content: bytes) -> None:
    (place / "_manifest.json").write_bytes(content)
    for use in (lambda: read_manifest(str(place)), lambda: users(place), lambda: write(place)):
        with pytest.raises(
            ManifestError, match=r"_manifest.json: this is not a manifest of .*Choose another"
        ) as caught:
            use()
        assert len(str(caught.value)) < 500
        assert caught.value.__suppress_context__
    assert (place / "_manifest.json").read_bytes() == content


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("field", "value"), each_of(DAMAGE))
def test_a_manifest_with_a_wrong_value_is_damaged(tmp_path: Path, version: int, field: str, value: Any) -> None:
    place = on_disk(tmp_path)
    damaged = {**manifest(place), "version": version, field: value}
    if version == 1 and field == "watermark":
        damaged["latest_completion_date"] = value
    (place / "_manifest.json").write_text(json.dumps(damaged))
    refuses(place)


@pytest.mark.parametrize(("field", "value"), each_of(FILE_DAMAGE))
def test_a_manifest_with_a_wrong_value_in_a_file_is_damaged(tmp_path: Path, field: str, value: Any) -> None:
    place = on_disk(tmp_path)
    damaged = manifest(place)
    damaged["files"][0][field] = value
    (place / "_manifest.json").write_text(json.dumps(damaged))
    refuses(place)


def refuses(place: Place) -> None:
    for use in (lambda: read_manifest(str(place)), lambda: users(place), lambda: write(place)):
        with pytest.raises(ManifestError, match=r"(damaged|not a manifest).*delete the file"):
            use()


def test_the_way_out_of_a_damaged_manifest_works(place: Place) -> None:
    (place / "_manifest.json").write_bytes(b"x")
    (place / "_manifest.json").unlink()
    write(place)
    assert users(place) == ["u1", "u2"]


@pytest.mark.parametrize("name", ["../outside/part-1.jsonl", "/outside/part-1.jsonl", "..", "file:///outside/part-1"])
def test_nothing_outside_the_folder_is_read_or_removed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "part-1.jsonl").write_text('{"userId": "secret"}\n')
    place = on_disk(tmp_path / "inside")
    whole = manifest(place)
    for damaged in (
        {**whole, "files": [{**whole["files"][0], "name": name}]},
        {**whole, "previous": [name]},
    ):
        (place / "_manifest.json").write_text(json.dumps(damaged))
        refuses(place)
    (place / "_manifest.json").write_text(json.dumps(whole))
    (place / "_checkpoint.json").unlink()
    with pytest.raises(Lost):
        write(place, fails=True)
    unfinished = json.loads((place / "_checkpoint.json").read_text())
    (split,) = unfinished["splits"]
    files = [{**whole["files"][0], "name": name}]
    for damaged in ({**unfinished, "leftovers": [name]}, {**unfinished, "splits": [{**split, "files": files}]}):
        (place / "_checkpoint.json").write_text(json.dumps(damaged))
        for _ in range(3):
            write(place)
    assert (outside / "part-1.jsonl").exists()


@pytest.mark.parametrize("name", ["another.csv", "part-of-somebody-else.jsonl", "README"])
def test_a_file_of_somebody_else_is_not_removed_whatever_a_manifest_says(place: Place, name: str) -> None:
    whole = manifest(place)
    (place / name).write_text("somebody else's")
    (place / "_manifest.json").write_text(json.dumps({**whole, "previous": [name]}))
    for _ in range(2):
        write(place)
    assert (place / name).read_text() == "somebody else's"


CHECKPOINT_DAMAGE: list[tuple[str, list[Any]]] = [
    ("version", [None, "2", 1.5]),
    ("fingerprint", [None, 1]),
    ("run", [None, "run"]),
    ("splits", [None, "x", [], [{}], [{}, {}], [{"ended": True}]]),
    ("splits.next", [None, 5, {}, "", "1", "x" * 8_193]),
    ("splits.files", [None, "x", [{}], []]),
    ("splits.pages", [*NUMBERS, 0, 1]),
    ("splits.keys", [None, "x", [1], ["a"]]),
    ("splits.ended", [None, "x", True]),
    ("digest", [None, "", "x"]),
    ("leftovers", [None, "x", *([name] for name in NAMES)]),
    ("started_at", DATES),
    ("written_at", DATES),
]


@pytest.mark.parametrize("content", NOT_JSON)
def test_a_checkpoint_that_cannot_be_read_costs_only_the_pages(
    place: Place, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Lost):
        write(place, fails=True)
    (place / "_checkpoint.json").write_bytes(content)
    write(place)
    assert users(place) == ["u1", "u2"]
    assert "is ignored: everything is read again" in caplog.text


@pytest.mark.parametrize(("field", "value"), each_of(CHECKPOINT_DAMAGE))
def test_a_checkpoint_with_a_wrong_value_costs_only_the_pages(tmp_path: Path, field: str, value: Any) -> None:
    place = on_disk(tmp_path)
    with pytest.raises(Lost):
        write(place, fails=True)
    damaged = json.loads((place / "_checkpoint.json").read_text())
    (damaged["splits"][0] if field.startswith("splits.") else damaged)[field.rpartition(".")[2]] = value
    (place / "_checkpoint.json").write_text(json.dumps(damaged))
    write(place)
    assert users(place) == ["u1", "u2"]


def test_a_checkpoint_from_the_far_future_is_not_valid_forever(place: Place) -> None:
    with pytest.raises(Lost):
        write(place, fails=True)
    whole = json.loads((place / "_checkpoint.json").read_text())
    for date in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        (place / "_checkpoint.json").write_text(json.dumps({**whole, "written_at": date}))
        found = checkpoints.find(folder("output_path", str(place)))
        assert found is not None
        assert not found.belongs_to(whole["fingerprint"], RUN)


# Anything at all: the only outcomes are a valid dataset and the documented error.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def mutated(document: dict[str, Any], draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """The document with some values replaced, anywhere in it, or some of its bytes."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        parent, key = copy, draw(st.sampled_from(sorted(copy)))
        while isinstance(parent[key], dict | list) and parent[key] and draw(st.booleans()):
            parent = parent[key]
            key = draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else list(range(len(parent)))))
        parent[key] = draw(JSON | st.sampled_from([nested(2_000), 10**400, *NAMES, *DATES]))
    content = bytearray(json.dumps(copy).encode())
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


@EXAMPLES
@given(data=st.data())
def test_any_manifest_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    place = on_disk(tmp_path_factory.mktemp("any"))
    content = mutated(manifest(place), data.draw) if data.draw(st.booleans()) else data.draw(st.binary())
    (place / "_manifest.json").write_bytes(content)
    for use in (lambda: read_manifest(str(place)), lambda: write(place)):
        with suppress(ManifestError, DatasetConflict):  # another map index may be a valid value
            use()


@EXAMPLES
@given(data=st.data())
def test_any_checkpoint_lets_a_retry_through(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    place = on_disk(tmp_path_factory.mktemp("any"))
    with pytest.raises(Lost):
        write(place, fails=True)
    unfinished = json.loads((place / "_checkpoint.json").read_text())
    content = mutated(unfinished, data.draw) if data.draw(st.booleans()) else data.draw(st.binary())
    (place / "_checkpoint.json").write_bytes(content)
    write(place)
    assert users(place) == ["u1", "u2"]
