"""An operator gives its worker slot back while the LMS has locked the account, and resumes from there."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, TaskDeferred
from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

from airflow_provider_lms import clock as clock_module
from airflow_provider_lms.hooks.base import ClientOptions
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.rate_limit import Reservation
from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.waiting import LEAVING
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers.turn import TurnTrigger
from tests.conftest import RESULTS
from tests.rows import delivered, present
from tests.tasks import execute


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1)}


def operator(path: Path, **options: Any) -> ISpringModuleResultsOperator:
    options = {"deferrable": True, "max_wait": 0, "page_size": 20, "output_path": str(path), **options}
    return ISpringModuleResultsOperator(task_id="t", **options)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def deferred(task: LmsExtractOperator[Any], context: Any) -> TaskDeferred:
    """What the operator leaves to the triggerer."""
    with pytest.raises(TaskDeferred) as raised:
        execute(task, context)
    return raised.value


def resumed(task: LmsExtractOperator[Any], found: TaskDeferred) -> Any:
    """What the operator returns when the triggerer sends it back. Airflow keeps as JSON what it has left."""
    return getattr(task, found.method_name)(context(), event=None, **json.loads(json.dumps(found.kwargs)))


def seconds(found: TaskDeferred) -> float:
    """For how long the worker slot is given back."""
    if isinstance(found.trigger, TurnTrigger):
        return found.trigger.expected_at - clock_module.timestamp()
    assert isinstance(found.trigger, TimeDeltaTrigger)
    left: timedelta = found.trigger.moment - datetime.now(UTC)
    return left.total_seconds()


def test_a_long_lock_is_waited_for_without_a_worker_slot(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"), on=4)
    task = operator(tmp_path)
    before = datetime.now(UTC)
    found = deferred(task, context())
    assert found.method_name == "execute_after_wait"
    assert isinstance(found.trigger, TimeDeltaTrigger)
    assert found.trigger.moment - before >= timedelta(seconds=120)
    assert found.trigger.moment - datetime.now(UTC) <= timedelta(seconds=132)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("part-")] == ["_checkpoint.json"]

    clock.advance(59)
    sent = len(lms.ispring.requests)
    found = deferred(task, context())
    assert len(lms.ispring.requests) == sent
    clock.advance(61)
    summary = resumed(task, found)
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) == summary["pages"] + 1


def test_a_lock_that_another_task_has_met_defers_without_a_request(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"))
    deferred(operator(tmp_path / "one"), context())
    sent = len(lms.ispring.requests)
    deferred(operator(tmp_path / "other"), context())
    assert len(lms.ispring.requests) == sent


def test_a_crawl_resumes_at_the_next_learner_and_type(
    lms: Simulator, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = lms.zoho
    connection = lms.connection("zoho_people")
    connection["extra"]["lock_seconds"] = 300
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(connection))
    course = account.courses[0]
    task = ZohoPeopleEntityProgressOperator(
        task_id="t",
        course_id=course.id,
        entity_types=[0, 1],
        learner_ids=[learner.id for learner in account.world.everyone[:5]],
        output_path=str(tmp_path),
        deferrable=True,
    )
    third = account.world.everyone[2]
    account.fail(f"GET /api/v1/courses/{course.id}/learners/{third.id}/progress", faults.status(429))
    found = deferred(task, context())
    before = len(account.calls)
    clock.advance(300)
    summary = resumed(task, found)
    assert len(account.calls) - before == 1 + 6  # the batches, then three learners of two types
    learners = account.world.everyone[:5]
    expected = [row for each in learners for kind in (0, 1) for row in account.world.entities(course, each, kind)]
    assert summary["records"] == len(expected)


def test_the_log_says_that_the_slot_is_given_back(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"))
    caplog.set_level(logging.INFO)
    deferred(operator(tmp_path), context())
    assert f"{LEAVING} for about 1" in caplog.text + capsys.readouterr().out


def test_a_short_lock_is_waited_for_in_place(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="29"), on=2)
    assert execute(operator(tmp_path, max_wait=60), context())["records"] == len(lms.ispring.module_results())
    assert sum(clock.naps) >= 29


LIMITS = [{"requests_per_window": 2, "window_seconds": 3600}, {"requests_per_day": 2}]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_rate_limit_that_is_used_up_fails_and_keeps_the_checkpoint(
    lms: Simulator, tmp_path: Path, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_ispring(lms, monkeypatch, limit)
    with pytest.raises(LmsRateLimited, match="used up"):
        execute(operator(tmp_path, deferrable=False), context())
    assert (tmp_path / "_checkpoint.json").exists()


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.usefixtures("clock")
def test_a_rate_limit_that_is_used_up_is_waited_for_without_a_worker_slot(
    lms: Simulator, tmp_path: Path, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_ispring(lms, monkeypatch, limit)
    found = deferred(operator(tmp_path), context())
    span = limit.get("window_seconds", 86_400)
    assert span - 10 < seconds(found) < span * 1.01
    assert (tmp_path / "_checkpoint.json").exists()


def connect_ispring(lms: Simulator, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    connection = {**lms.connection("ispring_learn"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))


def test_a_task_comes_back_for_what_it_has_reserved(
    lms: Simulator, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes 21 calls, where 10 a minute are allowed. Another task has already reserved those of the first minute."""
    account = lms.zoho
    account.limits = Limits(requests=10)
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(lms.connection("zoho_people")))
    other = ZohoPeopleHook(options=ClientOptions(reservation=Reservation("other"))).get_conn()
    other.reserve()
    learners = account.world.everyone[:10]
    task = ZohoPeopleEntityProgressOperator(
        task_id="t",
        course_id=account.courses[0].id,
        entity_types=[0, 1],
        learner_ids=[each.id for each in learners],
        output_path=str(tmp_path),
        deferrable=True,
    )
    found = deferred(task, context())
    assert isinstance(found.trigger, TurnTrigger)
    clock.advance(seconds(found))
    summary = resumed(task, found)
    rows = [
        row for each in learners for kind in (0, 1) for row in account.world.entities(account.courses[0], each, kind)
    ]
    assert summary["records"] == len(rows)
    assert account.locks == 0
    assert max(clock.naps) > 30, "in its turn it waits on the worker"


class Outage:
    """An LMS that fails from its third reply on, until the outage is over."""

    def __init__(self, lms: Simulator) -> None:
        self.is_on = True
        self._served = 0
        lms.ispring.fail(RESULTS, self._reply, times=1_000_000)

    def let_pass(self, replies: int) -> None:
        """Serve some replies and then fail again."""
        self._served = 2 - replies

    def _reply(self, request: Request, reply: Reply) -> Reply:
        self._served += 1
        return faults.status(503)(request, reply) if self.is_on and self._served > 2 else reply


def test_an_outage_is_waited_for_without_a_worker_slot(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    outage, task = Outage(lms), operator(tmp_path, max_wait=900)
    found = deferred(task, context())
    assert 15 < sum(clock.naps) <= 30
    assert 50 <= seconds(found) <= 66
    before = sum(clock.naps)
    clock.advance(60)
    with pytest.raises(TaskDeferred) as again:
        resumed(task, found)
    assert sum(clock.naps) - before <= 5, "an outage that goes on is not waited for as long again"
    outage.is_on = False
    clock.advance(60)
    assert resumed(task, again.value)["records"] == len(lms.ispring.module_results())


def test_an_outage_that_lasts_for_max_wait_fails_the_task(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    Outage(lms)
    task, began = operator(tmp_path, max_wait=900), clock.monotonic()
    found: TaskDeferred | None = deferred(task, context())
    error = None
    while found is not None:
        clock.advance(seconds(found))
        try:
            resumed(task, found)
        except TaskDeferred as again:
            found = again
        except LmsUnavailable as raised:
            found, error = None, raised
    assert error is not None
    assert 600 < clock.monotonic() - began <= 960
    assert (tmp_path / "_checkpoint.json").exists()


def test_an_outage_is_over_once_the_lms_has_answered(lms: Simulator, tmp_path: Path, clock: FakeClock) -> None:
    outage, task = Outage(lms), operator(tmp_path, max_wait=130)
    found = deferred(task, context())
    clock.advance(100)
    outage.let_pass(1)
    with pytest.raises(TaskDeferred) as again:
        resumed(task, found)
    assert 50 <= seconds(again.value) <= 66


def test_a_store_that_is_away_is_waited_for_without_a_worker_slot(
    lms: Simulator, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("redis")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with monkeypatch.context() as patch:
            patch.setenv("AIRFLOW__LMS__COORDINATION_URL", f"redis://127.0.0.1:{closed.getsockname()[1]}/0")
            found = deferred(operator(tmp_path, max_wait=900), context())
    assert 50 <= seconds(found) <= 66
    clock.advance(60)
    assert resumed(operator(tmp_path), found)["records"] == len(lms.ispring.module_results())


@pytest.mark.parametrize(("options", "ti"), [({"output_path": None}, True), ({"deferrable": False}, True), ({}, False)])
def test_nothing_defers_without_a_checkpoint_to_resume_from(
    lms: Simulator, tmp_path: Path, options: dict[str, Any], ti: bool
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"))
    with pytest.raises(LmsRateLimited):
        execute(operator(tmp_path, **options), context() if ti else {})


class OfOne:
    """What Airflow keeps of assets, by asset; these are no keys of a dict on every Airflow."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getitem__(self, _: Any) -> Any:
        return self._value


def test_outlets_are_updated_and_their_watermark_only_moves_forward(lms: Simulator, tmp_path: Path) -> None:
    asset, event = Asset("results"), SimpleNamespace(extra={})
    state: dict[str, str] = {}
    store = SimpleNamespace(get=state.get, set=state.__setitem__)
    found = {**context(), "outlet_events": OfOne(event), "asset_state_store": OfOne(store)}
    task = operator(tmp_path, outlets=[asset])
    summary = execute(task, found)
    latest = max(row["completionDate"] for row in delivered(lms.ispring.module_results()) if "completionDate" in row)
    assert state == {"watermark": latest}
    told = {"uri": summary["uri"], "records": summary["records"], "watermark": latest, "new_fields": []}
    assert event.extra == {**told, "schema_version": 1, "changed_partitions": None}
    assert read_manifest(summary["uri"])["watermark"] == latest

    execute(operator(tmp_path, outlets=[asset], completion_statuses="not_started"), found)
    assert state == {"watermark": latest}
    state["watermark"] = "2020-01-01T00:00:00.5Z"
    execute(operator(tmp_path, outlets=[asset], max_pages=2), found)
    assert state == {"watermark": "2020-01-01T00:00:00.5Z"}
    execute(task, found)
    assert state == {"watermark": latest}


def test_a_retry_updates_the_outlets_with_what_an_earlier_attempt_has_written(lms: Simulator, tmp_path: Path) -> None:
    task = operator(tmp_path, outlets=[Asset("results")], if_exists="fail")
    summary = execute(task, context())
    sent, event = len(lms.ispring.requests), SimpleNamespace(extra={})
    assert execute(task, {**context(), "outlet_events": OfOne(event)}) == summary
    assert event.extra["uri"] == summary["uri"]
    assert len(lms.ispring.requests) == sent
