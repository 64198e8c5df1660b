"""A retry resumes where the last attempt stopped: nothing lost, nothing twice, little read again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsRateLimited
from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Reading
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import DatasetConflict, TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.storage.source import WholeListing
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS
from tests.rows import delivered, present
from tests.storage.place import Place
from tests.tasks import execute

RUN = TaskInstanceKey("dag", "task", "run", -1, 1)
RETRY = TaskInstanceKey("dag", "task", "run", -1, 2)
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
    path: Place,
    listing: Listing,
    *,
    run: TaskInstanceKey = RUN,
    query: str = "q",
    written_as: Format = LINES,
    part_bytes: int = 1,
) -> dict[str, Any]:
    description = Description(
        "course_results", CourseResult, ("user_id",), "completion_date", "https://lms.test", {"q": query}
    )
    dataset = Dataset(folder("output_path", str(path)), run, "replace")
    return dataset.write(WholeListing(listing, (Refused,)), description, PartOptions(written_as, part_bytes, 300))


def fail(path: Place, at: int, **options: Any) -> Listing:
    listing = Listing(fails_at=at)
    with pytest.raises(Lost):
        write(path, listing, **options)
    return listing


def users(path: Place) -> list[str]:
    return [record["userId"] for record in read_records(str(path))]


def names(path: Place) -> set[str]:
    return {file.name for file in path.iterdir()}


EVERYBODY = [f"u{number}{n}" for number in range(1, LAST + 1) for n in "ab"]


def test_pages_without_a_record_are_not_read_again(place: Place) -> None:
    asked: list[str | None] = []

    def empty(start: str | None, _: int) -> Iterator[Page[CourseResult]]:
        asked.append(start)
        yield Page([], 1, "1")
        if len(asked) == 1:
            raise Lost
        yield Page([], 2, None)

    description = Description(
        "course_results", CourseResult, ("user_id",), "completion_date", "https://lms.test", {"q": "q"}
    )
    for run in (RUN, RETRY):
        dataset = Dataset(folder("output_path", str(place)), run, "replace")
        try:
            dataset.write(WholeListing(empty), description, PartOptions(LINES, 1, 300))
        except Lost:
            continue
    assert asked == [None, "1"]
    assert len(names(place) - {"_manifest.json"}) == 1


@pytest.mark.parametrize("part_bytes", [1, 1_000_000])
def test_a_retry_reads_just_the_rest_and_ends_like_an_undisturbed_run(place: Place, part_bytes: int) -> None:
    fail(place, 4, part_bytes=part_bytes)
    listing = Listing()
    summary = write(place, listing, run=RETRY, part_bytes=part_bytes)

    assert listing.asked == [("3", 3)]
    assert users(place) == EVERYBODY
    assert (summary["pages"], summary["records"]) == (LAST, 2 * LAST)
    assert names(place) == {"_manifest.json", *(Path(file["uri"]).name for file in summary["files"])}
    assert read_manifest(str(place))["complete"] is True


def test_a_retry_that_may_read_no_more_pages_says_that_more_are_there(place: Place) -> None:
    fail(place, 4)
    listing = Listing()
    description = Description(
        "course_results", CourseResult, ("user_id",), "completion_date", "https://lms.test", {"q": "q"}
    )
    dataset = Dataset(folder("output_path", str(place)), RETRY, "replace")
    dataset.write(
        WholeListing(lambda start, before: islice(listing(start, before), 3 - before)),
        description,
        PartOptions(LINES, 1, 300),
    )
    assert read_manifest(str(place))["complete"] is False
    assert users(place) == EVERYBODY[:6]


def test_several_attempts_in_a_row(place: Place) -> None:
    for at in (2, 2, 5):
        fail(place, at)
    listing = Listing()
    write(place, listing, run=RETRY)
    assert listing.asked == [("4", 4)]
    assert users(place) == EVERYBODY


@pytest.mark.parametrize(
    "other",
    [
        {"run": TaskInstanceKey("dag", "task", "tomorrow", -1, 1)},
        {"run": TaskInstanceKey("dag", "another", "run", -1, 1)},
        {"run": TaskInstanceKey()},
        {"query": "another"},
        {"written_as": Format("csv", "none")},
        {"written_as": Format("jsonl", "gzip")},
    ],
)
def test_another_run_query_or_format_starts_at_the_first_page(place: Place, other: dict[str, Any]) -> None:
    fail(place, 4)
    abandoned = {name for name in names(place) if name.startswith("part-")}
    assert len(abandoned) == 3
    listing = Listing()
    write(place, listing, **other)
    assert listing.asked == [(None, 0)]
    assert users(place) == EVERYBODY
    write(place, Listing(), **other)
    assert not names(place) & abandoned, "what was abandoned is removed with the previous dataset"


def test_abandoned_parts_are_remembered_over_failures(place: Place) -> None:
    fail(place, 3)
    abandoned = {name for name in names(place) if name.startswith("part-")}
    tomorrow = TaskInstanceKey("dag", "task", "tomorrow", -1, 1)
    fail(place, 3, run=tomorrow)
    write(place, Listing(), run=tomorrow)
    assert users(place) == EVERYBODY
    write(place, Listing(), run=tomorrow)
    assert not names(place) & abandoned


HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(("seconds", "asked"), [(HOUR - 60, ("3", 3)), (HOUR + 60, (None, 0))])
def test_outside_a_task_the_same_query_resumes_for_an_hour(
    place: Place, seconds: int, asked: tuple[str | None, int]
) -> None:
    with fake_clock() as clock:
        fail(place, 4, run=TaskInstanceKey())
        clock.advance(seconds)
        listing = Listing()
        write(place, listing, run=TaskInstanceKey())
    assert listing.asked == [asked]
    assert users(place) == EVERYBODY


@pytest.mark.parametrize(("seconds", "asked"), [(2 * DAY - 60, ("3", 3)), (2 * DAY + 60, (None, 0))])
def test_a_retry_of_a_task_resumes_for_two_days(place: Place, seconds: int, asked: tuple[str | None, int]) -> None:
    with fake_clock() as clock:
        fail(place, 4)
        clock.advance(seconds)
        listing = Listing()
        write(place, listing, run=RETRY)
    assert listing.asked == [asked]
    assert users(place) == EVERYBODY


def test_a_continuation_that_is_no_longer_accepted_leads_to_a_clean_start(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    fail(place, 4)
    listing = Listing()
    listing.refuses = True
    write(place, listing, run=RETRY)
    assert listing.asked == [("3", 3), (None, 0)]
    assert users(place) == EVERYBODY
    assert "Reading again." in caplog.text


def test_the_same_error_later_on_is_an_error(place: Place) -> None:
    fail(place, 3)

    class Late(Listing):
        def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
            for page in super().__call__(start, before):
                if page.number == 5:
                    raise Refused
                yield page

    listing = Late()
    with pytest.raises(Refused):
        write(place, listing, run=RETRY)
    assert listing.asked == [("2", 2)]


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_where_a_part_is_not_complete_everything_is_read_again(
    place: Place, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fail(place, 4)
    part = sorted(place.glob("part-*"))[1]
    part.unlink() if damage == "missing" else part.write_bytes(part.read_bytes()[:-1])
    listing = Listing()
    write(place, listing, run=RETRY)
    assert listing.asked == [(None, 0)]
    assert users(place) == EVERYBODY
    assert "are missing or damaged. Reading everything again." in caplog.text


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 9}'])
def test_a_checkpoint_that_cannot_be_read_is_not_used(place: Place, content: str) -> None:
    (place / "_checkpoint.json").write_text(content)
    listing = Listing()
    write(place, listing)
    assert listing.asked == [(None, 0)]
    assert users(place) == EVERYBODY


def test_a_checkpoint_of_another_version_is_not_used_but_its_parts_are_removed_in_the_end(place: Place) -> None:
    fail(place, 4)
    path = place / "_checkpoint.json"
    checkpoint = json.loads(path.read_text())
    path.write_text(json.dumps({**checkpoint, "version": 1}))
    listing = Listing()
    write(place, listing, run=RETRY)
    assert listing.asked == [(None, 0)]
    write(place, Listing(), run=RETRY)
    assert not names(place) & {file["name"] for file in checkpoint["splits"][0]["files"]}


def test_reading_resumes_only_where_a_page_allows_it(place: Place) -> None:
    listing = Listing(fails_at=6, resumable=(3,))
    with pytest.raises(Lost):
        write(place, listing, part_bytes=150)
    (split,) = json.loads((place / "_checkpoint.json").read_text())["splits"]
    assert (split["next"], split["pages"]) == ("3", 3)
    listing = Listing()
    write(place, listing, run=RETRY)
    assert listing.asked == [("3", 3)]
    assert users(place) == EVERYBODY


@pytest.mark.parametrize(("more", "records"), [(0, [4, 2, 4, 2]), (1, [6, 6])])
def test_a_part_waits_for_such_a_page_until_it_has_twice_its_size(place: Place, more: int, records: list[int]) -> None:
    # Every page has the same size, and reading could resume after page 3 alone. A part of one page is full after
    # page 1 and has twice its size after page 2. A part of one byte more has not.
    page = write(place / "page by page", Listing())["files"][0]["bytes"]
    summary = write(place / "out", Listing(resumable=(3,)), part_bytes=page + more)
    assert [file["records"] for file in summary["files"]] == records


def test_without_such_a_page_parts_are_closed_all_the_same_and_a_failure_leaves_none(place: Place) -> None:
    summary = write(place, Listing(resumable=()))
    assert len(summary["files"]) > 1
    before = names(place)
    with pytest.raises(Lost):
        write(place, Listing(fails_at=6, resumable=()))
    assert names(place) == before


def test_two_attempts_at_once_never_mix(place: Place) -> None:
    fail(place, 4)

    class Slow(Listing):
        def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
            for page in super().__call__(start, before):
                if page.number == 5:
                    write(place, Listing(), run=RETRY)
                yield page

    write(place, Slow(), run=RETRY)
    assert users(place) == EVERYBODY
    write(place, Listing(), run=RETRY)
    assert users(place) == EVERYBODY


def test_two_map_indexes_that_share_a_folder_are_told_so_before_either_has_committed(place: Place) -> None:
    fail(place, 4, run=TaskInstanceKey("dag", "task", "run", 0, 1))
    dataset = Dataset(folder("output_path", str(place)), TaskInstanceKey("dag", "task", "run", 1, 1), "replace")
    with pytest.raises(DatasetConflict, match="its own folder"):
        dataset.committed_summary()


def context(try_number: int) -> dict[str, Any]:
    ti = {"dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": -1, "try_number": try_number}
    return {"ti": SimpleNamespace(**ti)}


def test_an_operators_retry_asks_only_for_the_pages_that_are_missing(lms: Simulator, place: Place) -> None:
    operator = ISpringModuleResultsOperator(
        task_id="t", output_path=str(place), page_size=50, part_bytes=30_000, max_wait=0
    )
    lms.ispring.fail(RESULTS, faults.cut_document(), on=7)
    with pytest.raises(LmsBrokenPage, match="page 7"):
        execute(operator, context(1))
    sent = lms.ispring.count(RESULTS)
    summary = execute(operator, context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) - sent == summary["pages"] - 6


def test_page_tokens_that_are_forgotten_lead_to_a_clean_start(lms: Simulator, place: Place) -> None:
    operator = ISpringModuleResultsOperator(task_id="t", output_path=str(place), page_size=50, max_wait=0)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=7)
    with pytest.raises(LmsBrokenPage):
        execute(operator, context(1))
    lms.ispring.forget_page_tokens()
    summary = execute(operator, context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize("damaged", ["", "x", "[]", "9" * 5_000, "\x00", "-1", "../..", "\n", "[" * 8_000])
def test_an_operator_gets_over_a_checkpoint_whose_position_is_damaged(
    lms: Simulator, place: Place, damaged: str
) -> None:
    operator = ISpringModuleResultsOperator(task_id="t", output_path=str(place), page_size=50, max_wait=0)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=4)
    with pytest.raises(LmsBrokenPage):
        execute(operator, context(1))
    checkpoint = json.loads((place / "_checkpoint.json").read_text())
    (split,) = checkpoint["splits"]
    (place / "_checkpoint.json").write_text(json.dumps({**checkpoint, "splits": [{**split, "next": damaged}]}))
    summary = execute(operator, context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize(
    "error", [KeyError("unit"), TypeError("text"), OverflowError(), RecursionError(), IndexError()]
)
def test_an_error_from_inside_at_a_saved_position_leads_to_a_clean_start(
    lms: Simulator, place: Place, error: Exception
) -> None:
    class Operator(ISpringModuleResultsOperator):
        def read(self, client: Any, start: str | None) -> Reading[Any]:
            if start is not None:
                raise error
            return super().read(client, start)

    operator = Operator(task_id="t", output_path=str(place), page_size=50, max_wait=0)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=4)
    with pytest.raises(LmsBrokenPage):
        execute(operator, context(1))
    summary = execute(operator, context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())


def test_max_pages_counts_the_pages_of_the_last_attempt(lms: Simulator, place: Place) -> None:
    operator = ISpringModuleResultsOperator(task_id="t", output_path=str(place), page_size=10, max_wait=0, max_pages=5)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=4)
    with pytest.raises(LmsBrokenPage):
        execute(operator, context(1))
    summary = execute(operator, context(2))
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())[:50]
    assert read_manifest(summary["uri"])["complete"] is False


def test_a_crawl_that_the_day_ended_resumes_at_a_learner_and_type(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = lms.zoho.courses[0]
    learners = [learner.id for learner in lms.zoho.world.everyone[:4]]
    options: dict[str, Any] = {"course_id": course.id, "learner_ids": learners, "entity_types": [0, 3, 5]}
    operator = ZohoPeopleEntityProgressOperator(task_id="t", output_path=str(place), **options)
    connection = lms.connection("zoho_people")

    def a_day(requests: int | None) -> None:
        extra = {**connection["extra"], "requests_per_day": requests}
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps({**connection, "extra": extra}))

    with fake_clock() as clock:
        a_day(8)
        with pytest.raises(LmsRateLimited, match=r"requests_per_day \(8\) are used up"):
            execute(operator, context(1))
        a_day(None)
        clock.advance(DAY)
        sent = len(lms.zoho.calls)
        summary = execute(operator, context(2))
    undisturbed = execute(ZohoPeopleEntityProgressOperator(task_id="t", max_xcom_records=10_000, **options))
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


@pytest.mark.processes
def test_a_worker_that_is_killed_again_and_again_gets_through(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, chance, kept = int(os.environ.get("LMS_KILLS", "3")), random.Random(5), []
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path.parent / f"{tmp_path.name}.sqlite").as_uri())
    with Simulator(World(users=200, courses=3), latency=0.02) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        for number in range(1, kills + 2):
            found = checkpoints.find(folder("output_path", str(place / "out")))
            kept.append(found.pages if found else 0)
            sent = lms.ispring.count(RESULTS)
            with subprocess.Popen([sys.executable, "-c", EXTRACT, str(place / "out"), str(number)]) as worker:
                if number <= kills:
                    pages = chance.randint(1, 12)
                    while lms.ispring.count(RESULTS) < sent + pages and worker.poll() is None:
                        time.sleep(0.002)
                    worker.kill()
            assert number <= kills or worker.returncode == 0
        assert present(read_records(str(place / "out"))) == delivered(lms.ispring.module_results())
        asked = lms.ispring.count(RESULTS)
        pages = read_manifest(str(place / "out"))["pages"]
    with capsys.disabled():
        print(f"\n{kills} kills: {pages} pages, {asked} requests, {asked - pages} of them again.")
        print(f"Thanks to the checkpoint, the retries skipped {sum(kept)} pages, the last one {kept[-1]}.")
    # A part holds at most three pages, and a kill costs at most one part and the request under way.
    assert asked - pages <= kills * 4
    assert sum(kept) > 0
    # The simulator may count a request of the worker that was killed after the next one has begun.
    assert asked - sent <= pages - kept[-1] + 1
