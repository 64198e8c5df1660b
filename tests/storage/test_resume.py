"""A retry goes on where the try before ended: nothing lost, nothing twice, little read again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsRateLimited
from airflow_provider_lms.lms.ispring.records import CourseResult
from airflow_provider_lms.lms.paging import Page
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import DatasetConflict, Run
from airflow_provider_lms.storage.parts import Parts
from tests.conftest import RESULTS
from tests.rows import delivered, present

RUN = Run("dag", "task", "run", -1, 1)
RETRY = Run("dag", "task", "run", -1, 2)
LINES = Format("jsonl", "none")
LAST = 6


class Lost(Exception):
    """The LMS went away."""


class Refused(Exception):
    """The LMS accepts no such continuation."""


class Listing:
    """Six pages of two records; page n+1 continues at "n"."""

    def __init__(self, *, fails_at: int | None = None, resumable: tuple[int, ...] = tuple(range(1, LAST))) -> None:
        self.fails_at = fails_at
        self.resumable = resumable
        self.refuses = False
        self.asked: list[tuple[str | None, int]] = []
        self.read = 0

    def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
        self.asked.append((start, before))
        if start is not None and self.refuses:
            raise Refused
        for number in range(int(start or 0) + 1, LAST + 1):
            if number == self.fails_at:
                raise Lost
            self.read += 1
            records = [CourseResult(user_id=f"u{number}{n}", course_id="c", completion_status="x") for n in "ab"]
            yield Page(records, number, str(number) if number < LAST else None, resumable=number in self.resumable)


def write(
    path: Path, listing: Listing, *, run: Run = RUN, query: str = "q", written_as: Format = LINES, part_bytes: int = 1
) -> dict[str, Any]:
    description = Description("course_results", CourseResult, "https://lms.test", {"q": query})
    dataset = Dataset(folder("output_path", str(path)), run, "replace")
    return dataset.write(listing, description, Parts(written_as, part_bytes, 300), (Refused,))


def fail(path: Path, at: int, **options: Any) -> Listing:
    listing = Listing(fails_at=at)
    with pytest.raises(Lost):
        write(path, listing, **options)
    return listing


def users(path: Path) -> list[str]:
    return [record["userId"] for record in read_records(str(path))]


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


EVERYBODY = [f"u{number}{n}" for number in range(1, LAST + 1) for n in "ab"]


def test_pages_without_a_record_are_not_read_again(tmp_path: Path) -> None:
    asked: list[str | None] = []

    def empty(start: str | None, _: int) -> Iterator[Page[CourseResult]]:
        asked.append(start)
        yield Page([], 1, "1")
        if len(asked) == 1:
            raise Lost
        yield Page([], 2, None)

    description = Description("course_results", CourseResult, "https://lms.test", {"q": "q"})
    for run in (RUN, RETRY):
        dataset = Dataset(folder("output_path", str(tmp_path)), run, "replace")
        try:
            dataset.write(empty, description, Parts(LINES, 1, 300))
        except Lost:
            continue
    assert asked == [None, "1"]
    assert names(tmp_path) == {"_manifest.json"}


@pytest.mark.parametrize("part_bytes", [1, 1_000_000])
def test_a_retry_reads_just_the_rest_and_ends_like_an_undisturbed_run(tmp_path: Path, part_bytes: int) -> None:
    fail(tmp_path, 4, part_bytes=part_bytes)
    listing = Listing()
    summary = write(tmp_path, listing, run=RETRY, part_bytes=part_bytes)

    assert listing.asked == [("3", 3)]
    assert users(tmp_path) == EVERYBODY
    assert (summary["pages"], summary["records"]) == (LAST, 2 * LAST)
    assert names(tmp_path) == {"_manifest.json", *(Path(file["uri"]).name for file in summary["files"])}
    assert read_manifest(str(tmp_path))["complete"] is True


def test_a_retry_that_has_nothing_more_to_read_tells_that_more_is_there(tmp_path: Path) -> None:
    fail(tmp_path, 4)
    listing = Listing()
    description = Description("course_results", CourseResult, "https://lms.test", {"q": "q"})
    dataset = Dataset(folder("output_path", str(tmp_path)), RETRY, "replace")
    dataset.write(lambda start, before: islice(listing(start, before), 3 - before), description, Parts(LINES, 1, 300))
    assert read_manifest(str(tmp_path))["complete"] is False
    assert users(tmp_path) == EVERYBODY[:6]


def test_several_tries_in_a_row(tmp_path: Path) -> None:
    for at in (2, 2, 5):
        fail(tmp_path, at)
    listing = Listing()
    write(tmp_path, listing, run=RETRY)
    assert listing.asked == [("4", 4)]
    assert users(tmp_path) == EVERYBODY


@pytest.mark.parametrize(
    "other",
    [
        {"run": Run("dag", "task", "tomorrow", -1, 1)},
        {"run": Run("dag", "another", "run", -1, 1)},
        {"run": Run()},
        {"query": "another"},
        {"written_as": Format("csv", "none")},
        {"written_as": Format("jsonl", "gzip")},
    ],
)
def test_another_run_query_or_format_begins_at_the_beginning(tmp_path: Path, other: dict[str, Any]) -> None:
    fail(tmp_path, 4)
    abandoned = {name for name in names(tmp_path) if name.startswith("part-")}
    assert len(abandoned) == 3
    listing = Listing()
    write(tmp_path, listing, **other)
    assert listing.asked == [(None, 0)]
    assert users(tmp_path) == EVERYBODY
    write(tmp_path, Listing(), **other)
    assert not names(tmp_path) & abandoned, "what was abandoned goes with the generation before"


def test_what_is_abandoned_is_remembered_over_failures(tmp_path: Path) -> None:
    fail(tmp_path, 3)
    abandoned = {name for name in names(tmp_path) if name.startswith("part-")}
    tomorrow = Run("dag", "task", "tomorrow", -1, 1)
    fail(tmp_path, 3, run=tomorrow)
    write(tmp_path, Listing(), run=tomorrow)
    assert users(tmp_path) == EVERYBODY
    write(tmp_path, Listing(), run=tomorrow)
    assert not names(tmp_path) & abandoned


def test_outside_a_task_the_same_query_within_an_hour_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(tmp_path, 4, run=Run())
    listing = Listing()
    write(tmp_path, listing, run=Run())
    assert listing.asked == [("3", 3)]

    fail(tmp_path, 4, run=Run())
    later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(minutes=61))
    monkeypatch.setattr(checkpoints, "datetime", later)
    listing = Listing()
    write(tmp_path, listing, run=Run())
    assert listing.asked == [(None, 0)]


def test_a_checkpoint_of_more_than_two_days_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(tmp_path, 4)
    later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(days=2))
    monkeypatch.setattr(checkpoints, "datetime", later)
    listing = Listing()
    write(tmp_path, listing, run=RETRY)
    assert listing.asked == [(None, 0)]
    assert datetime.now(UTC).year >= 2026


def test_a_continuation_that_is_no_longer_accepted_leads_to_a_clean_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fail(tmp_path, 4)
    listing = Listing()
    listing.refuses = True
    write(tmp_path, listing, run=RETRY)
    assert listing.asked == [("3", 3), (None, 0)]
    assert users(tmp_path) == EVERYBODY
    assert "all is read anew" in caplog.text


def test_the_same_error_later_on_is_an_error(tmp_path: Path) -> None:
    fail(tmp_path, 3)

    class Late(Listing):
        def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
            for page in super().__call__(start, before):
                if page.number == 5:
                    raise Refused
                yield page

    listing = Late()
    with pytest.raises(Refused):
        write(tmp_path, listing, run=RETRY)
    assert listing.asked == [("2", 2)]


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_where_a_part_is_not_whole_all_is_read_anew(tmp_path: Path, damage: str) -> None:
    fail(tmp_path, 4)
    part = sorted(tmp_path.glob("part-*"))[1]
    part.unlink() if damage == "missing" else part.write_bytes(part.read_bytes()[:-1])
    listing = Listing()
    write(tmp_path, listing, run=RETRY)
    assert listing.asked == [(None, 0)]
    assert users(tmp_path) == EVERYBODY


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 9}'])
def test_a_checkpoint_that_cannot_be_read_is_not_used(tmp_path: Path, content: str) -> None:
    (tmp_path / "_checkpoint.json").write_text(content)
    listing = Listing()
    write(tmp_path, listing)
    assert listing.asked == [(None, 0)]
    assert users(tmp_path) == EVERYBODY


def test_reading_goes_on_only_where_a_page_allows_it(tmp_path: Path) -> None:
    listing = Listing(fails_at=6, resumable=(3,))
    with pytest.raises(Lost):
        write(tmp_path, listing, part_bytes=150)
    checkpoint = json.loads((tmp_path / "_checkpoint.json").read_text())
    assert (checkpoint["next"], checkpoint["pages"]) == ("3", 3)
    listing = Listing()
    write(tmp_path, listing, run=RETRY)
    assert listing.asked == [("3", 3)]
    assert users(tmp_path) == EVERYBODY


def test_without_such_a_page_parts_are_closed_all_the_same_and_a_failure_leaves_none(tmp_path: Path) -> None:
    summary = write(tmp_path, Listing(resumable=()))
    assert len(summary["files"]) > 1
    before = names(tmp_path)
    with pytest.raises(Lost):
        write(tmp_path, Listing(fails_at=6, resumable=()))
    assert names(tmp_path) == before


def test_two_tries_at_once_never_mix(tmp_path: Path) -> None:
    fail(tmp_path, 4)

    class Slow(Listing):
        def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
            for page in super().__call__(start, before):
                if page.number == 5:
                    write(tmp_path, Listing(), run=RETRY)
                yield page

    write(tmp_path, Slow(), run=RETRY)
    assert users(tmp_path) == EVERYBODY
    write(tmp_path, Listing(), run=RETRY)
    assert users(tmp_path) == EVERYBODY


def test_two_map_indexes_that_share_a_folder_are_told_so_before_either_has_committed(tmp_path: Path) -> None:
    fail(tmp_path, 4, run=Run("dag", "task", "run", 0, 1))
    dataset = Dataset(folder("output_path", str(tmp_path)), Run("dag", "task", "run", 1, 1), "replace")
    with pytest.raises(DatasetConflict, match="a folder of its own"):
        dataset.written()


def context(try_number: int) -> dict[str, Any]:
    ti = {"dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": -1, "try_number": try_number}
    return {"ti": SimpleNamespace(**ti)}


def test_an_operators_retry_asks_only_for_the_pages_that_are_missing(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringModuleResultsOperator(
        task_id="t", output_path=str(tmp_path), page_size=50, part_bytes=30_000, max_wait=0
    )
    lms.ispring.fail(RESULTS, faults.cut_document(), on=7)
    with pytest.raises(LmsBrokenPage, match="page 7"):
        operator.execute(context(1))
    sent = lms.ispring.count(RESULTS)
    summary = operator.execute(context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) - sent == summary["pages"] - 6


def test_page_tokens_that_are_forgotten_lead_to_a_clean_start(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path), page_size=50, max_wait=0)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=7)
    with pytest.raises(LmsBrokenPage):
        operator.execute(context(1))
    lms.ispring.forget_page_tokens()
    summary = operator.execute(context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


def test_max_pages_counts_those_of_the_try_before(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringModuleResultsOperator(
        task_id="t", output_path=str(tmp_path), page_size=10, max_wait=0, max_pages=5
    )
    lms.ispring.fail(RESULTS, faults.cut_document(), on=4)
    with pytest.raises(LmsBrokenPage):
        operator.execute(context(1))
    summary = operator.execute(context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())[:50]
    assert read_manifest(summary["uri"])["complete"] is False


def test_a_sweep_that_the_day_ended_goes_on_at_a_learner_and_type(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = lms.zoho.courses[0]
    learners = [learner.id for learner in lms.zoho.world.everyone[:4]]
    options: dict[str, Any] = {"course_id": course.id, "learner_ids": learners, "entity_types": [0, 3, 5]}
    operator = ZohoPeopleEntityProgressOperator(task_id="t", output_path=str(tmp_path), **options)
    connection = lms.connection("zoho_people")

    def a_day(requests: int | None) -> None:
        extra = {**connection["extra"], "requests_per_day": requests}
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps({**connection, "extra": extra}))

    a_day(8)
    with pytest.raises(LmsRateLimited, match=r"requests_per_day \(8\) are used up"):
        operator.execute(context(1))
    a_day(None)
    sent = len(lms.zoho.calls)
    summary = operator.execute(context(2))
    undisturbed = ZohoPeopleEntityProgressOperator(task_id="t", max_xcom_records=10_000, **options).execute({})
    assert present(read_records(summary)) == present(undisturbed)
    # 16 pages, one call for the batches; files of a learner are two pages, and the second was not read.
    assert sent == 8
    again = [call for call in lms.zoho.calls[:sent] if call in lms.zoho.calls[sent : sent + 11]]
    assert len([call for call in again if "progress" in call.call]) <= 1


EXTRACT = """
import sys
from types import SimpleNamespace
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
ti = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=int(sys.argv[2]))
operator = ISpringModuleResultsOperator(task_id="t", output_path=sys.argv[1], page_size=20, part_bytes=20_000)
operator.execute({"ti": ti})
"""


def test_a_worker_that_is_killed_again_and_again_gets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, chance, kept = int(os.environ.get("LMS_KILLS", "3")), random.Random(5), []
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "shared.sqlite").as_uri())
    with Simulator(World(users=200, courses=3), latency=0.02) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        for number in range(1, kills + 2):
            found = checkpoints.find(folder("output_path", str(tmp_path / "out")))
            kept.append(found.pages if found else 0)
            sent = lms.ispring.count(RESULTS)
            with subprocess.Popen([sys.executable, "-c", EXTRACT, str(tmp_path / "out"), str(number)]) as worker:
                if number <= kills:
                    pages = chance.randint(1, 12)
                    while lms.ispring.count(RESULTS) < sent + pages and worker.poll() is None:
                        time.sleep(0.002)
                    worker.kill()
            assert number <= kills or worker.returncode == 0
        assert present(read_records(str(tmp_path / "out"))) == delivered(lms.ispring.module_results())
        asked = lms.ispring.count(RESULTS)
        pages = read_manifest(str(tmp_path / "out"))["pages"]
    with capsys.disabled():
        print(f"\n{kills} kills: {pages} pages, {asked} requests, {asked - pages} of them again.")
        print(f"Thanks to the checkpoint, the retries skipped {sum(kept)} pages, the last one {kept[-1]}.")
    # A part holds at most three pages, and a kill costs at most one part and the request under way.
    assert asked - pages <= kills * 4
    assert sum(kept) > 0
    # The simulator may count a request of the worker that was killed after the next one has begun.
    assert asked - sent <= pages - kept[-1] + 1
