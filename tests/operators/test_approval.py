"""What SyncApprovalOperator asks, and what it returns. ``tests/end_to_end`` has it in a running Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowOptionalProviderFeatureException,
    AirflowSkipException,
    Param,
)

try:
    from airflow.providers.standard.operators import hitl

    from airflow_provider_lms.operators.approval import SyncApprovalOperator
except (ModuleNotFoundError, AirflowOptionalProviderFeatureException):
    pytest.skip("people approve since Airflow 3.1", allow_module_level=True)

PLAN = {"plan": "file:///plans/1", "sha256": "a" * 64, "changes": {"enroll": 2}, "summary": "| enroll | 2 |"}


class Waits(Exception):
    """The operator waits for an answer."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What somebody is asked."""
    found: dict[str, Any] = {}

    def wait(*_: object, **__: object) -> None:
        raise Waits

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **given: found.update(given))
    monkeypatch.setattr(SyncApprovalOperator, "defer", wait)
    monkeypatch.setattr(hitl, "TaskAwaitingInput", Waits, raising=False)
    monkeypatch.setattr(Waits, "__init__", lambda *_, **__: None)
    return found


def _context(pushed: dict[str, Any] | None = None) -> Any:
    found = {} if pushed is None else pushed
    ti = SimpleNamespace(id="1", xcom_push=found.__setitem__)
    return {"task_instance": ti, "ti": ti}


def _answer(option: str, **params: str | None) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": params,
        "responded_at": datetime(2026, 1, 1, tzinfo=UTC),
        "responded_by_user": None,
    }


def test_it_shows_the_summary_and_the_hash_and_has_no_default_answer(asked: dict[str, Any]) -> None:
    with pytest.raises(Waits):
        SyncApprovalOperator(task_id="approve", plan=PLAN).execute(_context())
    assert asked["body"] == "| enroll | 2 |"
    assert asked["params"]["approved_hash"]["value"] == "a" * 64
    assert asked["defaults"] is None


@pytest.mark.parametrize("tells_them_apart", [True, False])
def test_the_params_of_the_dag_are_no_fields_of_the_form(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tells_them_apart: bool
) -> None:
    if not tells_them_apart:  # like the first releases of Airflow 3.1
        monkeypatch.delattr("airflow.sdk.definitions.param.ParamsDict.filter_params_by_source", raising=False)
    with DAG("dag", schedule=None, params={"desired": Param("/people.csv", type="string")}):
        approve = SyncApprovalOperator(task_id="approve", plan=PLAN)
    with pytest.raises(Waits):
        approve.execute(_context())
    assert asked["params"].keys() == {"approved_hash"}


def test_a_plan_without_changes_is_skipped_and_asks_nobody(asked: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException):
        SyncApprovalOperator(task_id="approve", plan={**PLAN, "changes": {}}).execute(_context())
    assert asked == {}


@pytest.mark.parametrize("plan", [None, "file:///plans/1", {"plan": "file:///plans/1"}])
def test_anything_but_a_plan_is_an_error(plan: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="plan: expected what the task that made the plan has returned"):
        SyncApprovalOperator(task_id="approve", plan=plan).execute(_context())
    assert asked == {}


def test_an_approval_leaves_the_hash_that_was_shown_and_not_that_of_the_plan_as_it_is_now() -> None:
    pushed: dict[str, Any] = {}
    approve = SyncApprovalOperator(task_id="approve", plan={**PLAN, "sha256": "b" * 64})
    found = approve.execute_complete(_context(pushed), _answer("Approve", approved_hash="a" * 64))
    assert pushed == {"approved_hash": "a" * 64}
    assert found["chosen_options"] == ["Approve"]


def test_a_rejection_leaves_no_hash() -> None:
    pushed: dict[str, Any] = {}
    approve = SyncApprovalOperator(task_id="approve", plan=PLAN)
    approve.execute_complete(_context(pushed), _answer("Reject", approved_hash="a" * 64))
    assert pushed == {}


def test_an_approval_without_the_field_approves_nothing() -> None:
    pushed: dict[str, Any] = {}
    approve = SyncApprovalOperator(task_id="approve", plan=PLAN)
    approve.execute_complete(_context(pushed), _answer("Approve"))
    assert pushed == {}


@pytest.mark.parametrize("name", ["defaults", "params", "body"])
def test_what_would_answer_in_place_of_a_person_is_refused(name: str) -> None:
    if name == "params" and not hasattr(Param(None), "source"):
        pytest.skip("Airflow 3.1 does not tell a task's params from its DAG's, so none is used.")
    given: Any = {"defaults": "Approve", "params": {"approved_hash": "a"}, "body": "Fine"}[name]
    with pytest.raises(ValueError, match=f"{name}: leave it out"):
        SyncApprovalOperator(task_id="approve", plan=PLAN, **{name: given})
