"""Several writers of one folder at once: one dataset stands, whole, and never a mixture."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import DatasetConflict, TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.storage.source import WholeListing
from tests.storage.conftest import WANTED, GetStore, place_in
from tests.storage.place import Place

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("LMS_ROUNDS", "20"))
WRITER = """
import logging, random, sys, time
from tests.storage.test_writers import pages, write

output, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
chance, gave_way = random.Random(name), 0


def slowly(found):
    pause = chance.choice((0, 0, 0.001, 0.01))
    for page in found:
        time.sleep(pause)
        yield page


logging.disable()  # nobody reads the pipe until the end, so a long log would block
print("ready", flush=True)
sys.stdin.readline()
for number in range(rounds):
    writer = f"{name}-{number}"
    found = slowly(pages(writer, chance.randint(1, 8)))
    gave_way += write(output, writer, found, part_bytes=chance.choice((1, 1_000, 100_000))) is None
print(gave_way)
"""


def pages(writer: str, count: int) -> Iterator[Page[CourseResult]]:
    """So many pages of two records each; each record tells who wrote it, its number and how many there are."""
    for page in range(count):
        records = [
            CourseResult(user_id=writer, course_id=str(2 * count), completion_status=str(2 * page + n)) for n in (0, 1)
        ]
        yield Page(records, page + 1, str(page + 1) if page + 1 < count else None, resumable=True)


def write(output: str, writer: str, found: Iterator[Page[Any]], *, part_bytes: int = 1) -> dict[str, Any] | None:
    """The summary; None where another writer was in the way."""
    description = Description("course_results", CourseResult, ("user_id",), "completion_date", "https://lms.test", {})
    dataset = Dataset(folder("output_path", output), TaskInstanceKey("dag", "task", writer, -1, 1), "replace")
    try:
        return dataset.write(
            WholeListing(lambda *_: found), description, PartOptions(Format("jsonl", "none"), part_bytes, 300)
        )
    except DatasetConflict:
        return None


def writer_of(output: str) -> str:
    """Who wrote the dataset, of which all is there and nothing else."""
    records = list(read_records(output))
    (writer,) = {record["userId"] for record in records}
    assert [record["completionStatus"] for record in records] == [str(n) for n in range(int(records[0]["courseId"]))]
    return str(writer)


def test_a_writer_whose_parts_others_took_for_abandoned_fails_and_their_dataset_stands(place: Place) -> None:
    output = str(place)

    def overtaken() -> Iterator[Page[CourseResult]]:
        for page in pages("slow", 4):
            if page.number == 4:
                write(output, "first", pages("first", 2))
                write(output, "second", pages("second", 3))
            yield page

    assert write(output, "slow", overtaken()) is None
    assert writer_of(output) == "second"


@pytest.mark.processes
@pytest.mark.parametrize("kind", WANTED or ["disk", pytest.param("s3", marks=pytest.mark.s3)])
def test_processes_that_write_one_folder_again_and_again_never_mix(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path)
    if kind != "disk":
        get_store: GetStore = request.getfixturevalue("get_store")
        output = str(place_in(get_store(kind), kind, tmp_path))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, output, name, str(ROUNDS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for writer in writers:
        while _line(writer) != "ready":
            pass
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    found = []
    while any(writer.poll() is None for writer in writers):
        # A dataset is there for a reader until the second commit after it.
        with suppress(FileNotFoundError):
            found.append(writer_of(output))
    last = [writer.communicate()[0].splitlines()[-1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert writer_of(output)
    with capsys.disabled():
        print(f"\n{kind}: {ROUNDS} rounds of two writers, of whom {' and '.join(last)} gave way; ", end="")
        print(f"{len(found)} reads, of {len(set(found))} datasets, all whole.")
    assert len(found) > 0


def _line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    line = writer.stdout.readline()
    assert line, "the writer did not start"
    return line.strip()
