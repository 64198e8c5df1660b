"""Operators report what they have written, what had to be read again, and how long they were away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_lms.hooks import base
from airflow_provider_lms.hooks.base import ClientOptions
from airflow_provider_lms.lms.errors import LmsBrokenPage, WaitReason
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage.parts import PartWriter
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.conftest import RESULTS
from tests.observers import Recorder
from tests.tasks import execute


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What the clients of operators tell."""
    found = Recorder()
    init = ClientOptions.__init__

    def make(self: ClientOptions, *args: Any, **options: Any) -> None:
        init(self, *args, **{"make_observer": lambda *_: found, **options})

    monkeypatch.setattr(base.ClientOptions, "__init__", make)
    return found


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def context(attempt: int = 1) -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=attempt)}


def operator(path: Path, **options: Any) -> ISpringModuleResultsOperator:
    return ISpringModuleResultsOperator(task_id="t", output_path=str(path), page_size=200, **options)


def test_a_dataset_is_reported_when_it_is_committed(lms: Simulator, seen: Recorder, tmp_path: Path) -> None:
    summary = execute(operator(tmp_path))
    size = sum(path.stat().st_size for path in tmp_path.glob("part-*"))
    assert seen.written == [("module_results", summary["records"], size)]
    assert seen.reread == []


def test_a_dataset_that_an_earlier_attempt_has_committed_is_not_reported_again(
    lms: Simulator, seen: Recorder, tmp_path: Path
) -> None:
    for attempt in (1, 2):
        execute(operator(tmp_path, if_exists="fail"), context(attempt))
    assert len(seen.written) == 1


def test_records_in_xcom_have_no_bytes(lms: Simulator, seen: Recorder) -> None:
    execute(ZohoPeopleCoursesOperator(task_id="t"))
    assert seen.written == [("courses", len(lms.zoho.courses), 0)]


def test_nothing_is_written_by_a_task_that_fails(lms: Simulator, seen: Recorder, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.content(lambda _: {"x": 1}), on=3)
    with pytest.raises(LmsBrokenPage):
        execute(operator(tmp_path), context())
    assert seen.written == []
    assert seen.reread == []  # the part with the first two pages is kept


def test_pages_that_a_failed_attempt_could_not_keep_are_lost(
    lms: Simulator, seen: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: PartWriter) -> None:
        raise OSError("The disk is full.")

    lms.ispring.fail(RESULTS, faults.content(lambda _: {"x": 1}), on=3)
    monkeypatch.setattr(PartWriter, "interrupt", fail)
    with pytest.raises(OSError, match="full"):
        execute(operator(tmp_path), context())
    assert seen.reread == [("lost", 2)]


def test_parts_that_are_gone_are_read_again(lms: Simulator, seen: Recorder, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.content(lambda _: {"x": 1}), on=3)
    with pytest.raises(LmsBrokenPage):
        execute(operator(tmp_path), context())
    for part in tmp_path.glob("part-*"):
        part.unlink()
    execute(operator(tmp_path), context(2))
    assert seen.reread == [("lost", 2)]


def test_records_that_moved_make_pages_be_read_again(lms: Simulator, seen: Recorder) -> None:
    offsets: list[int] = []
    ids = [str(number) for number in range(1000, 1011)]

    def reply(request: Any, found: Any) -> Any:
        from dataclasses import replace

        offset = int(request.first("startIndex") or 0)
        offsets.append(offset)
        if len(offsets) == 3:
            del ids[0]
        page = [{"courseId": each, "courseName": each} for each in ids[offset : offset + 5]]
        more = offset + 5 < len(ids)
        return replace(found, status=200, content={"code": 200, "courses": page, "hasMoreRecords": more})

    lms.zoho.fail("GET /api/v1/courses", reply, times=1_000)
    execute(ZohoPeopleCoursesOperator(task_id="t"))
    assert offsets == [0, 4, 8, 0, 4, 8]
    assert seen.reread == [("moved", 1), ("moved", 1)]


def test_a_task_that_was_away_tells_for_how_long_and_why(
    lms: Simulator, seen: Recorder, tmp_path: Path, clock: FakeClock
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"), on=3)
    task = operator(tmp_path, deferrable=True)
    with pytest.raises(TaskDeferred) as raised:
        task.execute(context())
    clock.advance(150)
    assert seen.waits == []
    task.execute_after_wait(context(), None, **(raised.value.kwargs or {}))
    assert seen.waits == [(WaitReason.LOCK, 150, "triggerer")]
    assert seen.reread == []


def test_a_task_that_an_earlier_version_has_sent_away_comes_back(
    lms: Simulator, seen: Recorder, tmp_path: Path
) -> None:
    waiting = {"reservation": ["id"], "outage_since": None}
    operator(tmp_path, deferrable=True).execute_after_wait(context(), None, waiting=waiting)
    assert seen.waits == []
