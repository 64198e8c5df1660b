"""Entity progress, read by what has changed since an earlier dataset."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.storage import compare_datasets, dataset, read_manifest, read_records
from airflow_provider_lms.storage.errors import StorageError
from airflow_provider_lms.tables.columns import READ_AT
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.storage.formats import need
from tests.tasks import execute

LEARNERS = 30
_PAGES_EACH = 4
"""Of a learner: one of each kind of entities, and of files two."""
KINDS = ["online_tests", "assignments", "files"]
SECRET = "a secret that nobody can guess"

Summary = dict[str, Any]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    """A simulator with more learners than a page of Zoho has, and without a rate limit."""
    del clock  # it is set before the simulator starts
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with Simulator(World(users=LEARNERS, courses=2, modules=3)) as found:
        found.zoho.limits.requests = 100_000
        connect(found, monkeypatch)
        yield found


def connect(lms: Simulator, monkeypatch: pytest.MonkeyPatch, secret: str = SECRET) -> None:
    connection = lms.connection("zoho_people")
    extra = {**connection.get("extra", {}), "hash_secret": secret, "requests_per_window": 100_000}
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps({**connection, "extra": extra}))


def operator(lms: Simulator, path: Path, **options: Any) -> ZohoPeopleEntityProgressOperator:
    """An operator that reads a self-paced course into a folder, by what has changed in it."""
    chosen: dict[str, Any] = {
        "task_id": "t",
        "course_id": lms.zoho.courses[0].id,
        "entity_types": KINDS,
        "output_path": str(path),
        "previous": str(path),
    }
    return ZohoPeopleEntityProgressOperator(**{**chosen, **options})


def crawl(lms: Simulator, path: Path, **options: Any) -> Summary:
    """Read a course, as :func:`operator` does it."""
    summary: Summary = execute(operator(lms, path, **options))
    return summary


def contents(source: Any) -> list[str]:
    """The rows without the date of reading, in an order of their own."""
    rows = [{name: value for name, value in row.items() if name != READ_AT} for row in read_records(source)]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def truth(lms: Simulator, path: Path, **options: Any) -> list[str]:
    """What a full crawl finds now."""
    return contents(crawl(lms, path / "truth", **{**options, "previous": None}))


def finish(lms: Simulator, *numbers: int, course: int = 0) -> set[str]:
    """Let learners complete a course; return their ids."""
    learners = {lms.zoho.world.everyone[number].id for number in numbers}
    lms.zoho.world.finished |= {(each, lms.zoho.courses[course].id) for each in learners}
    return learners


def read_learners(lms: Simulator) -> set[str]:
    """Whose details were asked for, since the requests were last forgotten."""
    found = {request.call.split("/learners/")[1].split("/")[0] for request in details(lms)}
    lms.zoho.requests.clear()
    return found


def details(lms: Simulator) -> list[Any]:
    return [request for request in lms.zoho.requests if "/learners/" in request.call]


def attempt(number: int) -> Mapping[str, Any]:
    return {"ti": SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, try_number=number)}


def breaking(whole: Callable[[Request], Reply | None], *, after: int) -> Callable[[Request], Reply | None]:
    """An LMS that fails for good after so many requests."""
    left = [after]

    def reply(request: Request) -> Reply | None:
        left[0] -= 1
        return whole(request) if left[0] >= 0 else Reply(status=500, content="broken", media_type="text/plain")

    return reply


@pytest.mark.parametrize("course", [0, 1], ids=["self-paced", "blended"])
@pytest.mark.parametrize("output_format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("columns", [{}, {"hash_columns": ["learnerId", "batchId"], "drop_columns": ["courseId"]}])
def test_only_learners_who_changed_are_read(
    lms: Simulator, tmp_path: Path, clock: FakeClock, course: int, output_format: Any, columns: dict[str, Any]
) -> None:
    need(output_format, None)
    options = {"course_id": lms.zoho.courses[course].id, "output_format": output_format, **columns}
    first = crawl(lms, tmp_path / "out", **options)
    assert (first["carried"], len(read_learners(lms))) == (0, LEARNERS)
    before = {row["testId"]: row for row in read_records(first)} if columns else {}
    clock.advance(60)
    changed = finish(lms, 3, 8, course=course)
    second = crawl(lms, tmp_path / "out", full_crawl_every="365d", **options)
    asked = read_learners(lms)
    assert changed <= asked
    assert len(asked) <= 3  # it is the turn of one learner, who may be one of these
    assert contents(second) == truth(lms, tmp_path, **options)
    assert second["carried"] == second["records"] - len(asked) * second["records"] // LEARNERS
    assert (second["complete"], second["records"]) == (True, first["records"])
    assert set(before) <= {row["testId"] for row in read_records(second)}


def test_a_row_that_was_carried_over_keeps_its_date_and_was_not_read(
    lms: Simulator, tmp_path: Path, clock: FakeClock
) -> None:
    first = crawl(lms, tmp_path / "1", entity_types="online_tests")
    clock.advance(60)
    finish(lms, *range(5))
    second = crawl(lms, tmp_path / "2", entity_types="online_tests", previous=first, full_crawl_every="365d")
    dates = {row["learnerId"]: row[READ_AT] for row in read_records(first)}
    old = [row for row in read_records(second) if row[READ_AT] == dates[row["learnerId"]]]
    assert len(old) == second["carried"] == read_manifest(second["uri"])["carried"] > 0
    counts = compare_datasets(first, second, ["learnerId", "testId"]).counts
    assert counts["not_read"] == second["carried"]
    assert counts["updated"] > 0
    assert (counts["inserted"], counts["deleted"]) == (0, 0)


def test_the_log_tells_what_was_saved(
    lms: Simulator, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crawl(lms, tmp_path)
    clock.advance(86_400)
    finish(lms, 1, 2, 3)
    lms.zoho.limits.requests = 30
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
    caplog.set_level(logging.INFO)
    crawl(lms, tmp_path, full_crawl_every="15d")
    (line,) = [line for line in caplog.messages if "learners changed" in line]
    # Two of 30 have their turn each day; one listing of 30 learners takes two calls.
    changed, due = 3, 2
    calls = (changed + due) * len(KINDS) + 2
    assert line.startswith(
        f"Course {lms.zoho.courses[0].id}: {changed} of {LEARNERS} learners changed, plus {due} whose turn it is: "
        f"{calls} calls instead of {LEARNERS * len(KINDS)}, "
    )
    assert line.endswith(", 34 s instead of 3 min.")


def test_learners_who_left_are_not_carried_over_and_those_who_joined_are_read(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lms.zoho.world
    whole = world.everyone
    with monkeypatch.context() as patch:
        patch.setattr(world, "everyone", whole[:-2])
        crawl(lms, tmp_path / "out")
    read_learners(lms)
    monkeypatch.setattr(world, "everyone", whole[2:])
    crawl(lms, tmp_path / "out", full_crawl_every="365d")
    assert {each.id for each in whole[-2:]} <= read_learners(lms)
    assert contents(str(tmp_path / "out")) == truth(lms, tmp_path)


def test_each_learner_has_a_turn_and_never_all_at_once(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    crawl(lms, tmp_path)
    read_learners(lms)
    turns = []
    for _ in range(21):
        clock.advance(86_400)
        summary = crawl(lms, tmp_path)
        turns.append(read_learners(lms))
        oldest = min(datetime.fromisoformat(row[READ_AT]) for row in read_records(summary))
        assert clock.utcnow() - oldest <= timedelta(days=7)
    assert {len(turn) for turn in turns} == {5}  # a seventh of 30
    assert len(set().union(*turns[:6])) == LEARNERS


def test_all_are_read_if_the_last_run_is_too_long_ago(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    crawl(lms, tmp_path)
    read_learners(lms)
    clock.advance(7 * 86_400)
    assert crawl(lms, tmp_path)["carried"] == 0
    assert len(read_learners(lms)) == LEARNERS


UNUSABLE: dict[str, tuple[Callable[[Path], Any] | None, dict[str, Any], str]] = {
    "other types": (None, {"entity_types": "links"}, "it has other filters"),
    "other columns": (None, {"columns": ["learnerId", "batchId", "readAt"]}, "it has other filters, columns"),
    "other course": (None, {"course_id": 1}, "it has other filters"),
    "now hashed": (None, {"hash_columns": "learnerId", "columns": None}, "it has other secrets for hashes"),
    "states are gone": (lambda path: next(path.glob("states-*")).unlink(), {}, "is gone"),
    "states are damaged": (lambda path: next(path.glob("states-*")).write_text("{}"), {}, "is damaged"),
    "not complete": (lambda path: change_manifest(path, complete=False), {}, "max_pages cut it short"),
    "not consistent": (lambda path: change_manifest(path, consistent=False), {}, "it may lack some"),
    "no states": (lambda path: change_manifest(path, states=None), {}, "it was written without 'previous'"),
    "damaged": (lambda path: (path / "_manifest.json").write_text("{"), {}, "this is not a manifest"),
    "other account": (lambda path: change_manifest(path, host="https://other"), {}, "it has other accounts"),
    "other version": (lambda path: change_manifest(path, schema_version=9), {}, "it has other schema versions"),
}


def change_manifest(path: Path, **changes: Any) -> None:
    manifest = path / "_manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_dataset_that_does_not_fit_is_not_used_and_the_log_says_why(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    break_it, options, reason = UNUSABLE[name]
    if "course_id" in options:
        options = {"course_id": lms.zoho.courses[1].id}
    crawl(lms, tmp_path / "1")
    read_learners(lms)
    if break_it is not None:
        break_it(tmp_path / "1")
    summary = crawl(lms, tmp_path / "2", previous=str(tmp_path / "1"), **options)
    assert (summary["carried"], len(read_learners(lms))) == (0, LEARNERS)
    # Airflow 2 warns of an operator that is executed outside a task.
    ours = [each for each in caplog.records if each.name.startswith("airflow_provider_lms")]
    (warning,) = [each.getMessage() for each in ours if each.levelno == logging.WARNING]
    assert reason in warning
    assert warning.endswith("Everything is read.")


def test_rows_with_new_fields_are_not_carried_over_where_none_are_allowed(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = {"entity_types": "online_tests"}
    call = f"GET /api/v1/courses/{lms.zoho.courses[0].id}/learners/{lms.zoho.world.everyone[0].id}/progress"
    with_new_field = faults.content(
        lambda page: {**page, "learnerProgress": [{**row, "isNew": "1"} for row in page["learnerProgress"]]}
    )
    lms.zoho.fail(call, with_new_field)
    assert crawl(lms, tmp_path, **allowed)["new_fields"] == ["isNew"]
    carried = crawl(lms, tmp_path, **allowed)
    assert (carried["carried"], carried["new_fields"]) == (carried["records"], ["isNew"])
    assert crawl(lms, tmp_path, **allowed, schema_contract="freeze")["carried"] == 0
    assert "its rows have fields that schema_contract='freeze' does not take" in caplog.text


def test_states_that_cannot_be_written_leave_no_parts_behind(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageError("full")

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "put_states", fail)
        with pytest.raises(StorageError):
            execute(operator(lms, tmp_path / "out", part_bytes=1), attempt(1))
    splits = json.loads((tmp_path / "out" / "_checkpoint.json").read_text())["splits"]
    kept = {file["name"] for split in splits for file in split["files"]}
    assert kept == {path.name for path in (tmp_path / "out").iterdir()} - {"_checkpoint.json"}
    execute(operator(lms, tmp_path / "out"), attempt(2))
    assert contents(str(tmp_path / "out")) == truth(lms, tmp_path)


def test_another_secret_means_other_hashes(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crawl(lms, tmp_path, hash_columns="learnerId")
    connect(lms, monkeypatch, "another secret that nobody can guess")
    assert crawl(lms, tmp_path, hash_columns="learnerId")["carried"] == 0
    assert "it has other secrets for hashes" in caplog.text


def test_nothing_tells_who_the_learners_are(lms: Simulator, tmp_path: Path) -> None:
    crawl(lms, tmp_path, hash_columns="learnerId", drop_columns="courseId")
    written = "".join(path.read_text() for path in tmp_path.iterdir() if path.suffix in (".json", ".jsonl"))
    assert written
    assert not [each.id for each in lms.zoho.world.everyone if each.id in written]


def test_other_learners_may_be_named(lms: Simulator, tmp_path: Path) -> None:
    learners = [each.id for each in lms.zoho.world.everyone]
    crawl(lms, tmp_path / "out", learner_ids=learners[:5])
    read_learners(lms)
    second = crawl(lms, tmp_path / "out", learner_ids=learners[3:8], full_crawl_every="365d")
    asked = read_learners(lms)
    assert set(learners[5:8]) <= asked <= set(learners[3:8])
    assert len(asked) <= 4
    assert contents(second) == truth(lms, tmp_path, learner_ids=learners[3:8])


@pytest.mark.parametrize("has_previous", [False, True])
@pytest.mark.parametrize("after", range(8, 60, 17))
def test_a_change_during_an_attempt_that_fails_is_found_by_the_next_run(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, has_previous: bool
) -> None:
    options: dict[str, Any] = {"full_crawl_every": "365d", "part_bytes": 1, "max_wait": 0}
    if has_previous:
        crawl(lms, tmp_path / "out", **options)
        finish(lms, *range(1, LEARNERS, 2))
        read_learners(lms)
    with monkeypatch.context() as patch:
        patch.setattr(lms.zoho, "reply", breaking(lms.zoho.reply, after=after))
        with pytest.raises(LmsError):
            execute(operator(lms, tmp_path / "out", **options), attempt(1))
    kept = sum(split["pages"] for split in json.loads((tmp_path / "out" / "_checkpoint.json").read_text())["splits"])
    finish(lms, *range(0, LEARNERS, 2))
    lms.zoho.requests.clear()
    summary = execute(operator(lms, tmp_path / "out", **options), attempt(2))
    changed = LEARNERS if not has_previous else LEARNERS // 2
    new = LEARNERS // 2 if has_previous else 0  # they changed between the attempts
    assert len(details(lms)) == _PAGES_EACH * (changed + new) - kept
    assert summary["records"] == len(truth(lms, tmp_path))
    crawl(lms, tmp_path / "out", full_crawl_every="365d")
    assert contents(str(tmp_path / "out")) == truth(lms, tmp_path)


@pytest.mark.parametrize("columns", [{}, {"columns": ["learnerId", "batchId", "readAt", "testName"]}])
def test_other_credentials_between_two_attempts_double_nothing(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"part_bytes": 1, "max_wait": 0, **columns}
    with monkeypatch.context() as patch:
        patch.setattr(lms.zoho, "reply", breaking(lms.zoho.reply, after=40))
        with pytest.raises(LmsError):
            execute(operator(lms, tmp_path / "out", **options), attempt(1))
    lms.zoho.refresh_token = "1000.another"
    connect(lms, monkeypatch)
    execute(operator(lms, tmp_path / "out", **options), attempt(2))
    assert contents(str(tmp_path / "out")) == truth(lms, tmp_path, **columns)


def test_retries_take_no_further_turns(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    crawl(lms, tmp_path)
    clock.advance(86_400)
    read_learners(lms)
    for number in (1, 2, 3):
        with monkeypatch.context() as patch:
            patch.setattr(lms.zoho, "reply", breaking(lms.zoho.reply, after=8))
            with pytest.raises(LmsError):
                execute(operator(lms, tmp_path, part_bytes=1, max_wait=0), attempt(number))
    execute(operator(lms, tmp_path, part_bytes=1), attempt(4))
    assert len(read_learners(lms)) == 5  # a seventh of 30


def test_an_attempt_without_states_is_not_resumed(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl(lms, tmp_path / "out")
    options: dict[str, Any] = {"part_bytes": 1, "max_wait": 0}
    with monkeypatch.context() as patch:
        patch.setattr(lms.zoho, "reply", breaking(lms.zoho.reply, after=20))
        with pytest.raises(LmsError):
            execute(operator(lms, tmp_path / "out", previous=None, **options), attempt(1))
    execute(operator(lms, tmp_path / "out", **options), attempt(2))
    read_learners(lms)
    assert contents(str(tmp_path / "out")) == truth(lms, tmp_path)
    read_learners(lms)
    crawl(lms, tmp_path / "out")
    assert not read_learners(lms)


def test_of_several_rows_of_a_learner_each_may_change(lms: Simulator, tmp_path: Path) -> None:
    call = f"GET /api/v1/courses/{lms.zoho.courses[0].id}/course-progress"
    learner = lms.zoho.world.everyone[0].id
    for percentage in (10, 20):
        lms.zoho.fail(call, faults.content(partial(_with_another_row_before_the_first, percentage)))
        read_learners(lms)
        crawl(lms, tmp_path, full_crawl_every="365d")
    assert read_learners(lms) == {learner}


def _with_another_row_before_the_first(percentage: int, page: dict[str, Any]) -> dict[str, Any]:
    first, *rest = page["courseProgress"]
    return {**page, "courseProgress": [{**first, "completionPercentage": percentage}, first, *rest]}


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_always_as_of_their_date(lms: Simulator, tmp_path: Path, clock: FakeClock, seed: int) -> None:
    chance = random.Random(seed)
    history: list[tuple[str, dict[str, list[str]]]] = []
    for _ in range(8):
        clock.advance(chance.uniform(3_600, 200_000))
        finish(lms, *chance.sample(range(LEARNERS), chance.randrange(4)))
        moment = clock.utcnow().isoformat().replace("+00:00", "Z")
        history.append((moment, by_learner(crawl(lms, tmp_path / "full", previous=None))))
        out = crawl(lms, tmp_path / "out", parallel_requests=chance.choice([1, 4]), part_bytes=2_000)
        dates = {row["learnerId"]: row[READ_AT] for row in read_records(out)}
        found = by_learner(out)
        for learner, rows in found.items():
            then = [state for at, state in history if at <= dates[learner]][-1]
            assert rows == then[learner]
        assert found == history[-1][1]  # each change in this world shows in the course's progress


def by_learner(source: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in contents(source):
        found.setdefault(json.loads(line)["learnerId"], []).append(line)
    return found


def test_files_of_earlier_datasets_are_removed(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    for number in range(4):
        finish(lms, number)
        summary = crawl(lms, tmp_path)
        clock.advance(3_600)
    manifest = read_manifest(summary["uri"])
    named = {each["name"] for each in manifest["files"]} | {manifest["states"]["name"]}
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(("part", "states"))} == {
        *named,
        *manifest["previous"],
    }
    assert sum(name.startswith("states") for name in manifest["previous"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_path": None}, "previous: give an output_path"),
        ({"max_pages": 3}, "previous: leave out max_pages"),
        ({"columns": ["learnerId", "status"]}, "with previous, keep learnerId, batchId and readAt"),
        ({"drop_columns": "readAt"}, "with previous, keep learnerId, batchId and readAt"),
        ({"hash_columns": "readAt"}, "with previous, keep learnerId, batchId and readAt"),
        ({"full_crawl_every": "weekly"}, "full_crawl_every: expected a timedelta or a text such as '7d'"),
        ({"full_crawl_every": 7}, "full_crawl_every: expected a timedelta"),
        ({"full_crawl_every": "0d"}, "full_crawl_every: expected 1 h or more, got '0d'"),
        ({"previous": "relative"}, "previous: 'relative' is relative"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_first_request(
    lms: Simulator, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        crawl(lms, tmp_path, **options)
    assert not lms.zoho.requests


@pytest.mark.parametrize("interval", ["2d", "48h", timedelta(days=2)])
def test_an_interval_is_a_text_or_a_timedelta(
    lms: Simulator, tmp_path: Path, clock: FakeClock, interval: timedelta | str
) -> None:
    crawl(lms, tmp_path)
    read_learners(lms)
    clock.advance(86_400)
    crawl(lms, tmp_path, full_crawl_every=interval)
    assert len(read_learners(lms)) == LEARNERS // 2


CRAWL = """
import sys
from types import SimpleNamespace
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
output, run, number, course = sys.argv[1:]
ti = SimpleNamespace(dag_id="dag", task_id="task", run_id=run, map_index=-1, try_number=int(number))
ZohoPeopleEntityProgressOperator(
    task_id="t", course_id=course, entity_types=["links", "assignments"], output_path=output, previous=output,
    part_bytes=3_000, parallel_requests=4, full_crawl_every="30d",
).execute({"ti": ti})
"""


@pytest.mark.processes
def test_workers_that_are_killed_lose_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, chance, learners = int(os.environ.get("LMS_KILLS", "3")), random.Random(7), 100
    out = str(tmp_path / "out")
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with Simulator(World(users=learners, courses=1, modules=2), latency=0.02) as lms:
        lms.zoho.limits.requests = 1_000_000
        connect(lms, monkeypatch)
        course = lms.zoho.courses[0].id
        killed = run = 0
        while killed < kills:
            run += 1
            for number in range(1, 6):
                finish(lms, *chance.sample(range(learners), 2))
                sent, requests = len(lms.zoho.requests), chance.randint(8, 40)
                with subprocess.Popen([sys.executable, "-c", CRAWL, out, str(run), str(number), course]) as worker:
                    while killed < kills and worker.poll() is None and len(lms.zoho.requests) < sent + requests:
                        time.sleep(0.002)
                    if killed < kills and worker.poll() is None:
                        worker.kill()
                        killed += 1
                if worker.returncode == 0:
                    break
        for last in (1, 2):  # the first may resume, and then leaves later changes to the second
            done = subprocess.run([sys.executable, "-c", CRAWL, out, f"last {last}", "1", course], check=False)
            assert done.returncode == 0
        found, manifest = contents(out), read_manifest(out)
        assert found == truth(lms, tmp_path, course_id=course, entity_types=["links", "assignments"])
    assert manifest["carried"] > 0
    with capsys.disabled():
        print(f"\n{killed} kills in {run} runs: {manifest['records']} records, {manifest['carried']} carried over.")
