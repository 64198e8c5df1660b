"""An operator gives its worker slot back while the LMS has locked the account, and goes on from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, TaskDeferred

from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from tests.conftest import RESULTS
from tests.rows import delivered, present


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1)}


def operator(path: Path, **options: Any) -> ISpringModuleResultsOperator:
    options = {"deferrable": True, "max_wait": 0, "page_size": 20, "output_path": str(path), **options}
    return ISpringModuleResultsOperator(task_id="t", **options)


@pytest.fixture
def unlock(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], None]:
    """As if the lock that tasks share had passed."""

    def forget() -> None:
        fresh = tmp_path_factory.mktemp("lms") / "coordination.sqlite"
        monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", fresh.as_uri())

    return forget


def deferred(task: Any, context: Any) -> Any:
    with pytest.raises(TaskDeferred) as raised:
        task.execute(context)
    return raised.value


def test_a_long_lock_is_waited_for_without_a_worker_slot(
    lms: Simulator, tmp_path: Path, unlock: Callable[[], None]
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"), on=4)
    task = operator(tmp_path)
    found = deferred(task, context())
    assert found.method_name == "execute_after_lock"
    assert 120 <= (found.trigger.moment - datetime.now(UTC)).total_seconds() <= 132
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("part-")] == ["_checkpoint.json"]

    unlock()
    summary = task.execute_after_lock(context())
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) == summary["pages"] + 1


def test_a_lock_that_another_task_has_met_defers_without_a_request(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"))
    deferred(operator(tmp_path / "one"), context())
    sent = len(lms.ispring.requests)
    deferred(operator(tmp_path / "other"), context())
    assert len(lms.ispring.requests) == sent


def test_a_sweep_goes_on_at_the_next_learner_and_type(
    lms: Simulator, tmp_path: Path, unlock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
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
    deferred(task, context())
    before = len(account.calls)
    unlock()
    summary = task.execute_after_lock(context())
    assert len(account.calls) - before == 1 + 6  # the batches, then three learners of two types
    learners = account.world.everyone[:5]
    expected = [row for each in learners for kind in (0, 1) for row in account.world.entities(course, each, kind)]
    assert summary["records"] == len(expected)


def test_a_short_lock_is_waited_for_in_place(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="1"), on=2)
    assert operator(tmp_path, max_wait=10).execute(context())["records"] == len(lms.ispring.module_results())


@pytest.mark.parametrize("limit", [{"requests_per_window": 2, "window_seconds": 3600}, {"requests_per_day": 2}])
def test_a_budget_that_is_used_up_fails_and_keeps_the_checkpoint(
    lms: Simulator, tmp_path: Path, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**lms.connection("ispring_learn"), "extra": limit}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))
    with pytest.raises(LmsRateLimited, match="used up"):
        operator(tmp_path).execute(context())
    assert (tmp_path / "_checkpoint.json").exists()


@pytest.mark.parametrize(("options", "ti"), [({"output_path": None}, True), ({"deferrable": False}, True), ({}, False)])
def test_nothing_defers_without_a_checkpoint_to_go_on_from(
    lms: Simulator, tmp_path: Path, options: dict[str, Any], ti: bool
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="120"))
    with pytest.raises(LmsRateLimited):
        operator(tmp_path, **options).execute(context() if ti else {})


class OfOne:
    """What Airflow keeps of assets, by asset; these are no keys of a dict on every Airflow."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getitem__(self, _: Any) -> Any:
        return self._value


def test_outlets_are_told_of_a_dataset_and_their_watermark_only_moves_on(lms: Simulator, tmp_path: Path) -> None:
    asset, state, event = Asset("results"), {}, SimpleNamespace(extra={})
    store = SimpleNamespace(get=state.get, set=state.__setitem__)
    found = {**context(), "outlet_events": OfOne(event), "asset_state_store": OfOne(store)}
    task = operator(tmp_path, outlets=[asset])
    summary = task.execute(found)
    latest = max(row["completionDate"] for row in delivered(lms.ispring.module_results()) if "completionDate" in row)
    assert state == {"latest_completion_date": latest}
    assert event.extra == {"uri": summary["uri"], "records": summary["records"], "latest_completion_date": latest}
    assert read_manifest(summary["uri"])["latest_completion_date"] == latest

    operator(tmp_path, outlets=[asset], completion_statuses="not_started").execute(found)
    assert state == {"latest_completion_date": latest}
    state["latest_completion_date"] = "2020-01-01T00:00:00.5Z"
    operator(tmp_path, outlets=[asset], max_pages=2).execute(found)
    assert state == {"latest_completion_date": "2020-01-01T00:00:00.5Z"}
    task.execute(found)
    assert state == {"latest_completion_date": latest}


def test_outlets_are_told_by_the_retry_too_of_what_an_earlier_try_has_written(lms: Simulator, tmp_path: Path) -> None:
    task = operator(tmp_path, outlets=[Asset("results")], if_exists="fail")
    summary = task.execute(context())
    sent, event = len(lms.ispring.requests), SimpleNamespace(extra={})
    assert task.execute({**context(), "outlet_events": OfOne(event)}) == summary
    assert event.extra["uri"] == summary["uri"]
    assert len(lms.ispring.requests) == sent
