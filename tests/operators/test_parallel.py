"""Reading with several requests in flight: the same dataset, resumed like any other, and kind to the LMS."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.hooks.base import ClientOptions
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.parallel import read_parallel
from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.operators.ispring import (
    ISpringCourseModulesOperator,
    ISpringCourseResultsOperator,
    ISpringListingOperator,
    ISpringModuleResultsOperator,
)
from airflow_provider_lms.operators.zoho_people import (
    ZohoPeopleCourseModulesOperator,
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleEntityProgressOperator,
    ZohoPeopleLearningPlanProgressOperator,
)
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.storage import progress_log, read_manifest, read_records
from airflow_provider_lms.storage.formats.lines import JsonLines
from airflow_provider_lms.tables.columns import READ_AT
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS
from tests.rows import delivered, ordered, present
from tests.tasks import execute

NOBODY = "00000000-0000-4000-8000-00000000000{}"
ISPRING = ("courses", "users", "all courses", "all users", "all dates", "children", "grandchildren")
ZOHO = ("personal children", "children with batches", "batches", "crawl", "crawl of batches")


def simulator(monkeypatch: pytest.MonkeyPatch, store: Path, latency: float = 0.0) -> Iterator[Simulator]:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (store / "coordination.sqlite").as_uri())
    with Simulator(World(users=12, courses=7, modules=3), latency=latency) as found:
        found.zoho.limits.requests = 100_000
        for conn_type in found.vendors:
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_type.upper()}_DEFAULT", json.dumps(found.connection(conn_type)))
        yield found


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator with more courses than usual."""
    yield from simulator(monkeypatch, tmp_path_factory.mktemp("lms"))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One that takes a moment for each reply, so that requests overlap."""
    yield from simulator(monkeypatch, tmp_path_factory.mktemp("lms"), latency=0.02)


def courses(lms: Simulator) -> list[str]:
    return [course.id for course in lms.ispring.courses]


def users(lms: Simulator) -> list[str]:
    return [user.id for user in lms.ispring.users]


def blended(lms: Simulator) -> str:
    return next(course.id for course in lms.zoho.courses if course.batches)


def task(lms: Simulator, name: str, path: Path, **options: Any) -> LmsExtractOperator[Any]:
    """An operator whose listing can be split."""
    some = ["links", "online_tests"]
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "courses": (ISpringModuleResultsOperator, {"course_ids": courses(lms), "page_size": 10}),
        "users": (ISpringCourseResultsOperator, {"user_ids": users(lms), "page_size": 4}),
        "all courses": (ISpringModuleResultsOperator, {"split_by": "course_ids", "page_size": 10}),
        "all users": (ISpringCourseResultsOperator, {"split_by": "user_ids", "page_size": 4}),
        "all dates": (ISpringCourseResultsOperator, {"split_by": "access_date", "page_size": 4}),
        "children": (ISpringCourseModulesOperator, {}),
        "grandchildren": (ISpringListingOperator, {"listing": "quiz_answers"}),
        "personal children": (ZohoPeopleLearningPlanProgressOperator, {}),
        "children with batches": (ZohoPeopleCourseModulesOperator, {}),
        "batches": (ZohoPeopleCourseProgressOperator, {"course_id": blended(lms)}),
        "crawl": (ZohoPeopleEntityProgressOperator, {"course_id": lms.zoho.courses[0].id, "entity_types": some}),
        "crawl of batches": (ZohoPeopleEntityProgressOperator, {"course_id": blended(lms), "entity_types": some}),
    }
    kind, parameters = kinds[name]
    found: LmsExtractOperator[Any] = kind(task_id="t", output_path=str(path), **{**parameters, **options})
    return found


def vendor(lms: Simulator, name: str) -> Vendor:
    return lms.ispring if name in ISPRING else lms.zoho


def attempt(number: int) -> Mapping[str, Any]:
    return {"ti": SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, try_number=number)}


def rows(summary: Any) -> list[str]:
    contents = ({name: value for name, value in row.items() if name != READ_AT} for row in read_records(summary))
    return [json.dumps(content, sort_keys=True) for content in contents]


def names(summary: Any) -> set[str]:
    return {Path(file["uri"]).name for file in summary["files"]}


def checkpoint(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((path / "_checkpoint.json").read_text())["splits"]
    return found


def is_split(summary: Any) -> bool:
    return {name.count("-") for name in names(summary)} == {4}


@pytest.mark.parametrize("name", [*ISPRING, *ZOHO])
def test_it_gives_the_same_records_with_hardly_more_requests(lms: Simulator, tmp_path: Path, name: str) -> None:
    requests = vendor(lms, name).requests
    serial = execute(task(lms, name, tmp_path / "serial"))
    expected, needed = sorted(rows(serial)), len(requests)
    assert expected
    for count in (2, 10):
        requests.clear()
        parallel = execute(task(lms, name, tmp_path / str(count), parallel_requests=count))
        assert sorted(rows(parallel)) == expected
        assert (parallel["complete"], parallel["records"]) == (True, serial["records"])
        assert is_split(parallel)
        # Each split may end in a page that is not full. Ids that nobody names are listed first.
        more = {"courses": 4 * count, "users": 4 * count, "all courses": 4 * count + 3, "all users": 4 * count + 3}
        assert len(requests) <= needed + more.get(name, 0) or name == "all dates"


def test_the_order_in_which_pages_arrive_does_not_matter(lms: Simulator, tmp_path: Path) -> None:
    found = set()
    for number in range(3):
        lms.ispring.fail(RESULTS, faults.slow(0.003 * number, pieces=3), on=1 + number, times=8)
        parallel = execute(task(lms, "courses", tmp_path / str(number), parallel_requests=4, part_bytes=2_000))
        assert len(parallel["files"]) > len(courses(lms))
        found.add("\n".join(rows(parallel)))
    assert len(found) == 1


def test_requests_overlap_but_are_never_more_than_allowed(slow: Simulator, tmp_path: Path) -> None:
    execute(task(slow, "courses", tmp_path / "serial"))
    assert slow.most_in_flight == 1
    execute(task(slow, "courses", tmp_path / "parallel", parallel_requests=3, page_size=2))
    assert slow.most_in_flight == 3


def test_the_connection_bounds_a_task(slow: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {**slow.connection(), "extra": {"parallel_requests": 2}}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))
    execute(task(slow, "courses", tmp_path, parallel_requests=50, page_size=2))
    assert slow.most_in_flight == 2


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", None])
def test_a_number_that_makes_no_sense_is_refused(lms: Simulator, tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^parallel_requests: "):
        execute(task(lms, "courses", tmp_path, parallel_requests=value))
    assert not lms.ispring.requests


@pytest.mark.parametrize("options", [{"course_ids": None}, {"course_ids": "one"}, {"max_pages": 100}])
def test_what_cannot_be_split_is_read_page_after_page(lms: Simulator, tmp_path: Path, options: dict[str, Any]) -> None:
    if options.get("course_ids") == "one":
        options = {"course_ids": courses(lms)[:1]}
    summary = execute(task(lms, "courses", tmp_path, parallel_requests=10, **options))
    assert not is_split(summary)
    assert rows(summary)


def test_no_parent_gives_a_dataset_without_records(lms: Simulator, tmp_path: Path) -> None:
    operator = task(lms, "children", tmp_path, parallel_requests=4)
    lms.ispring.world.__dict__["catalog"] = ()
    summary = execute(operator)
    assert (summary["records"], len(summary["files"]), summary["complete"]) == (0, 1, True)


@pytest.mark.parametrize("again", [1, 2, 7])
@pytest.mark.parametrize("name", [each for each in (*ISPRING, *ZOHO) if each != "batches"])  # it has only two pages
def test_a_retry_reads_only_what_is_left(lms: Simulator, tmp_path: Path, name: str, again: int) -> None:
    account, out = vendor(lms, name), tmp_path / "out"
    expected = sorted(rows(execute(task(lms, name, tmp_path / "serial"))))
    account.requests.clear()
    execute(task(lms, name, tmp_path / "parallel", parallel_requests=3, part_bytes=1))
    needed, first = len(account.requests), _before_the_first_split(account, lms, name)
    options: dict[str, Any] = {"part_bytes": 1, "max_wait": 0}
    with breaking(account, after=needed - 1), pytest.raises(LmsError):
        execute(task(lms, name, out, parallel_requests=3, **options), attempt(1))
    done = sum(split["pages"] for split in checkpoint(out))
    assert done
    account.requests.clear()
    summary = execute(task(lms, name, out, parallel_requests=again, **options), attempt(2))
    assert sorted(rows(summary)) == expected
    assert summary["complete"]
    # Whether a course exists is asked for those without a row in this attempt.
    listing = [request for request in account.requests if not request.call.startswith("GET /content/")]
    assert len(listing) <= needed - done + first
    assert {path.name for path in out.iterdir()} == {"_manifest.json", *names(summary)}


@contextmanager
def breaking(account: Vendor, *, after: int) -> Iterator[None]:
    """An LMS that fails for good after so many requests."""
    whole, left = account.reply, [after]

    def reply(request: Request) -> Reply | None:
        left[0] -= 1
        found = whole(request) if left[0] >= 0 else None
        return found or Reply(status=500, content="broken", media_type="text/plain")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(account, "reply", reply)
        yield


def _before_the_first_split(account: Vendor, lms: Simulator, name: str) -> int:
    """How many requests list what is split."""
    account.requests.clear()
    operator = task(lms, name, Path("/nowhere"))
    client = operator.connect(ClientOptions())
    reading: Any = operator.read(client, None)
    reading.splitter.find_keys()
    client.close()
    return len(account.requests)


@pytest.mark.parametrize("name", ["personal children", "crawl"])
def test_a_checkpoint_names_no_learner(lms: Simulator, tmp_path: Path, name: str) -> None:
    learners = [learner.id for learner in lms.zoho.world.everyone]
    with breaking(lms.zoho, after=10), pytest.raises(LmsError):
        execute(task(lms, name, tmp_path, parallel_requests=2, part_bytes=1, max_wait=0), attempt(1))
    keys = [key for split in checkpoint(tmp_path) for key in split["keys"]]
    assert len(keys) == len(learners)
    text = (tmp_path / "_checkpoint.json").read_text()
    assert not [learner for learner in learners if learner in text]


def test_a_retry_keeps_the_splits_whatever_it_may_have_in_flight(lms: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"part_bytes": 1, "max_wait": 0}
    with breaking(lms.ispring, after=10), pytest.raises(LmsError):
        execute(task(lms, "courses", tmp_path, parallel_requests=3, **options), attempt(1))
    kept = checkpoint(tmp_path)
    assert [key for split in kept for key in split["keys"]] == courses(lms)
    summary = execute(task(lms, "courses", tmp_path, **options), attempt(2))
    assert {file["name"] for split in kept for file in split["files"]} <= names(summary)


def test_a_checkpoint_of_a_serial_attempt_is_finished_as_one_split(lms: Simulator, tmp_path: Path) -> None:
    expected = rows(execute(task(lms, "courses", tmp_path / "serial")))
    lms.ispring.fail(RESULTS, faults.cut_document(), on=5)
    with pytest.raises(LmsError):
        execute(task(lms, "courses", tmp_path / "out", part_bytes=1, max_wait=0), attempt(1))
    summary = execute(task(lms, "courses", tmp_path / "out", parallel_requests=4, part_bytes=1), attempt(2))
    assert rows(summary) == expected


def test_a_split_whose_position_the_lms_rejects_begins_anew_alone(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    expected = sorted(rows(execute(task(lms, "courses", tmp_path / "serial"))))
    lms.ispring.fail(RESULTS, faults.cut_document(), on=15, times=1_000)
    with pytest.raises(LmsError):
        execute(task(lms, "courses", out, parallel_requests=2, part_bytes=1, max_wait=0), attempt(1))
    kept = checkpoint(out)
    ended = {file["name"] for split in kept if split["ended"] for file in split["files"]}
    unfinished = {file["name"] for split in kept if split["next"] for file in split["files"]}
    assert ended
    assert unfinished
    lms.ispring._planned.clear()
    lms.ispring.forget_page_tokens()
    summary = execute(task(lms, "courses", out, parallel_requests=2, part_bytes=1), attempt(2))
    assert sorted(rows(summary)) == expected
    assert "rejected the place where the last attempt stopped" in caplog.text
    assert ended <= names(summary)
    assert not unfinished & names(summary)
    execute(task(lms, "courses", out))
    assert not unfinished & {path.name for path in out.iterdir()}


def test_a_parent_that_came_or_went_between_two_attempts(lms: Simulator, tmp_path: Path) -> None:
    world, everything, out = lms.ispring.world, courses(lms), tmp_path / "out"

    def list_only(ids: list[str]) -> None:
        world.__dict__["library"] = [each for each in library if each.id in ids]

    library = world.library
    list_only(everything[:-1])
    with breaking(lms.ispring, after=5), pytest.raises(LmsError):
        execute(task(lms, "children", out, parallel_requests=2, part_bytes=1, max_wait=0), attempt(1))
    read_before = {key for split in checkpoint(out) if split["ended"] for key in split["keys"]}
    assert read_before
    list_only(everything[3:])
    summary = execute(task(lms, "children", out, parallel_requests=2), attempt(2))
    assert {json.loads(row)["courseId"] for row in rows(summary)} == {*everything[3:]} | read_before


def test_an_error_ends_all_threads(slow: Simulator, tmp_path: Path) -> None:
    slow.ispring.fail(RESULTS, faults.status(403), on=5)
    with pytest.raises(LmsError, match="GET /learners/modules/results"):
        execute(task(slow, "courses", tmp_path, parallel_requests=4))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lms-split")]


def test_threads_that_wait_are_woken(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After="600"))
    lms.ispring.fail(RESULTS, faults.status(403), on=4)
    with pytest.raises(LmsError, match="403"):
        execute(task(lms, "courses", tmp_path, parallel_requests=3))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lms-split")]


def test_a_user_that_the_lms_does_not_know_is_named_or_skipped(lms: Simulator, tmp_path: Path) -> None:
    expected = sorted(rows(execute(task(lms, "users", tmp_path / "serial"))))
    options: dict[str, Any] = {"user_ids": [*users(lms), NOBODY.format(1)], "parallel_requests": 3}
    with pytest.raises(LmsError, match=f"user_ids: the LMS does not know '{NOBODY.format(1)}'"):
        execute(task(lms, "users", tmp_path / "fail", **options))
    summary = execute(task(lms, "users", tmp_path / "skip", on_unknown_user="skip", **options))
    assert sorted(rows(summary)) == expected


def test_a_split_whose_users_are_all_unknown_is_no_error_but_a_listing_is(lms: Simulator, tmp_path: Path) -> None:
    unknown = [NOBODY.format(number) for number in range(6)]
    options: dict[str, Any] = {"on_unknown_user": "skip", "parallel_requests": 2}
    summary = execute(task(lms, "users", tmp_path / "some", user_ids=[*unknown, *users(lms)], **options))
    assert sorted(rows(summary)) == sorted(rows(execute(task(lms, "users", tmp_path / "serial"))))
    with pytest.raises(LmsError, match="knows none of these users"):
        execute(task(lms, "users", tmp_path / "none", user_ids=unknown, **options))


def test_a_course_that_does_not_exist_fails_the_task(lms: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"course_ids": [*courses(lms), NOBODY.format(1)], "parallel_requests": 3}
    with pytest.raises(LmsError, match="course_id: iSpring Learn has no course"):
        execute(task(lms, "courses", tmp_path, **options))
    assert not (tmp_path / "_manifest.json").exists()


def test_an_outage_in_one_split_is_waited_out(lms: Simulator, tmp_path: Path) -> None:
    expected = sorted(rows(execute(task(lms, "courses", tmp_path / "serial"))))
    lms.ispring.fail(RESULTS, faults.status(503), on=3, times=4)
    with fake_clock():
        summary = execute(task(lms, "courses", tmp_path / "out", parallel_requests=3))
    assert sorted(rows(summary)) == expected


def test_a_page_that_cannot_be_written_ends_the_reading(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(JsonLines, "write", write)
    with pytest.raises(OSError, match="disk full"):
        execute(task(lms, "courses", tmp_path, parallel_requests=3))
    assert not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lms-split")]


def test_only_the_thread_of_the_task_tells_airflow_of_a_token(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    connect = ISpringModuleResultsOperator.connect

    def listening(self: ISpringModuleResultsOperator, options: ClientOptions) -> ISpringLearnClient:
        def tell(token: str) -> None:
            told.append((threading.current_thread().name, token))

        return connect(self, ClientOptions(retry=options.retry, on_token=tell))

    monkeypatch.setattr(ISpringModuleResultsOperator, "connect", listening)
    lms.ispring.revoke_tokens(after_pages=6)
    execute(task(lms, "courses", tmp_path, parallel_requests=3))
    assert {name for name, _ in told} == {threading.current_thread().name}
    assert {token for _, token in told} == set(lms.ispring.tokens)
    assert len(lms.ispring.tokens) == 2


def test_the_log_tells_how_many_splits_are_done(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_log, "_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    execute(task(lms, "courses", tmp_path, parallel_requests=2))
    told = [message for message in caplog.messages if message.startswith("Reading module_results of 7 courses: ")]
    assert all("of 7 steps, " in message for message in told)


def test_a_frozen_schema_and_chosen_columns_hold_for_splits_too(lms: Simulator, tmp_path: Path) -> None:
    summary = execute(task(lms, "courses", tmp_path / "some", columns=["courseId"], parallel_requests=3))
    assert {tuple(json.loads(row)) for row in rows(summary)} == {("courseId",)}
    lms.ispring.fail(RESULTS, faults.content(_with_a_new_field), on=4)
    with pytest.raises(LmsError, match="shoe_size"):
        execute(task(lms, "courses", tmp_path / "frozen", schema_contract="freeze", parallel_requests=3))


def _with_a_new_field(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "results": [{**row, "shoe_size": 43} for row in content["results"]]}


def test_dates_need_no_further_splits_in_a_retry(lms: Simulator, tmp_path: Path) -> None:
    expected = sorted(rows(execute(task(lms, "all dates", tmp_path / "serial"))))
    out, options = tmp_path / "out", {"parallel_requests": 3, "part_bytes": 1, "max_wait": 0}
    with fake_clock() as clock:
        with breaking(lms.ispring, after=9), pytest.raises(LmsError):
            execute(task(lms, "all dates", out, **options), attempt(1))
        clock.advance(3_600 * 30)
        summary = execute(task(lms, "all dates", out, **options), attempt(2))
    assert sorted(rows(summary)) == expected


def test_ids_that_a_filter_names_are_not_listed(lms: Simulator, tmp_path: Path) -> None:
    some = courses(lms)[:3]
    summary = execute(task(lms, "all courses", tmp_path, course_ids=some, parallel_requests=2))
    assert {json.loads(row)["courseId"] for row in rows(summary)} == {*some}
    assert not lms.ispring.count("GET /contents")


@pytest.mark.parametrize("value", ["departments", "", 5])
def test_a_split_by_that_makes_no_sense_is_refused(lms: Simulator, tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^split_by: "):
        execute(task(lms, "courses", tmp_path, split_by=value))
    assert not lms.ispring.requests


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", None])
def test_a_reader_without_a_request_in_flight_is_refused_and_not_empty(lms: Simulator, value: Any) -> None:
    with closing(ISpringLearnHook().get_conn()) as client:
        with pytest.raises(ValueError, match=r"^parallel_requests: "):
            list(read_parallel(client, client.read("course_modules"), value))
        found = read_parallel(client, client.read("course_modules"), 3)
        serial = sum(len(page.records) for page in client.read("course_modules"))
        assert sum(len(page.records) for page in found) == serial > 0


def test_parents_that_could_not_be_listed_are_not_taken_for_none(lms: Simulator) -> None:
    with closing(ISpringLearnHook().get_conn()) as client:
        splitter: Any = client.read("course_modules").splitter
        lms.ispring.fail("GET /contents", faults.status(403))
        with pytest.raises(LmsError):
            splitter.find_keys()
        assert sorted(splitter.find_keys()) == sorted(courses(lms))


EXTRACT = """
import sys
from types import SimpleNamespace
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
ti = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=int(sys.argv[2]))
operator = ISpringModuleResultsOperator(
    task_id="t", output_path=sys.argv[1], page_size=10, part_bytes=4_000, parallel_requests=10, split_by="course_ids"
)
operator.execute({"ti": ti})
"""


@pytest.mark.processes
def test_a_worker_that_is_killed_with_ten_requests_in_flight_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, chance = int(os.environ.get("LMS_KILLS", "3")), random.Random(7)
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with Simulator(World(users=40, courses=20, modules=2, blocked=0), latency=0.05) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        for number in range(1, kills + 2):
            sent = lms.ispring.count(RESULTS)
            with subprocess.Popen([sys.executable, "-c", EXTRACT, str(tmp_path / "out"), str(number)]) as worker:
                pages = chance.randint(5, 40)
                while number <= kills and lms.ispring.count(RESULTS) < sent + pages and worker.poll() is None:
                    time.sleep(0.002)
                if number <= kills:
                    worker.kill()
        assert worker.returncode == 0
        found, expected = read_records(str(tmp_path / "out")), lms.ispring.module_results()
        assert ordered(present(found)) == ordered(delivered(expected))
        asked, pages = lms.ispring.count(RESULTS), read_manifest(str(tmp_path / "out"))["pages"]
    with capsys.disabled():
        print(f"\n{kills} kills with up to 10 requests in flight: {pages} pages, {asked - pages} requests again.")
    # Of each thread, a part of at most two pages, a page that waits to be written, and the request under way.
    assert asked - pages <= kills * 10 * 4
    named = {file["name"] for file in read_manifest(str(tmp_path / "out"))["files"]}
    assert named <= {path.name for path in (tmp_path / "out").iterdir()}
