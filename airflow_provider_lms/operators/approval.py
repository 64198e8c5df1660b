"""Somebody approves a plan in Airflow's UI. Needs Airflow 3.1 or newer, and the extra ``approval``.

The approval names the plan by its hash, so that it holds for this plan alone: a plan that is made anew, for example
because its task was cleared, needs another approval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowOptionalProviderFeatureException,
    AirflowSkipException,
    Param,
)

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except ModuleNotFoundError as error:
    raise AirflowOptionalProviderFeatureException(
        "An approval in the UI needs Airflow 3.1 and the extra 'approval': pip install 'airflow-provider-lms[approval]'"
    ) from error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

HASH = "approved_hash"
"""The field of the form that holds the plan's hash, and the XCom that an approving person leaves it in."""


class SyncApprovalOperator(ApprovalOperator):
    """Shows a plan, and waits until somebody approves or rejects it.

    There is no default answer: with a ``response_timeout``, the task fails when nobody has answered. After a rejection,
    what comes after the task is skipped. A plan without changes needs no approval: the task itself is skipped.

    :param plan: what the task that made the plan has returned (templated).
    :param subject: the heading (templated).

    Everything else is a parameter of Airflow's ``ApprovalOperator``, such as ``response_timeout``, ``notifiers`` and
    ``assigned_users``.

    Example::

        approve = SyncApprovalOperator(task_id="approve", plan=plan.output, response_timeout=timedelta(days=2))
        apply = ISpringEnrollmentSyncOperator(
            task_id="apply",
            mode="apply",
            plan=plan.output,
            approved_hash="{{ ti.xcom_pull('approve', key='approved_hash') }}",
            output_path="s3://lake/lms/reports/{{ run_id }}",
        )
        plan >> approve >> apply
    """

    template_fields: Sequence[str] = ("plan", *ApprovalOperator.template_fields)

    def __init__(self, *, plan: Any, subject: str | None = None, **approval: Any) -> None:
        # Airflow hands the DAG's params to every operator. They are no fields of this form. Airflow 3.1 does not say
        # which params are whose, so there all are dropped.
        given = approval.pop("params", None) or {}
        approval["params"] = [name for name, each in given.items() if getattr(each, "source", None) == "task"] or None
        for name in ("defaults", "params", "body"):
            if approval.get(name) is not None:
                raise ValueError(f"{name}: leave it out. A plan is approved by a person, who sees the plan's summary.")
        # The hash is not known when the DAG is parsed, but the form has this field.
        approval["params"] = {HASH: _hash_field(None)}
        super().__init__(subject=subject or "A plan waits for an approval", **approval)
        # Some releases of Airflow 3.1 show the DAG's params in the form as well.
        for name in [name for name in self.params if name != HASH]:
            del self.params[name]
        self.plan = plan

    def execute(self, context: Context) -> Any:
        """Ask for the approval.

        :raises ValueError: ``plan`` is not what a planning task has returned.
        :raises AirflowSkipException: the plan has no changes.
        """
        if not isinstance(self.plan, Mapping) or not {"sha256", "summary", "changes"} <= self.plan.keys():
            raise ValueError("plan: expected what the task that made the plan has returned, such as plan.output.")
        if not self.plan["changes"]:
            raise AirflowSkipException("The plan has no changes, so there is nothing to approve.")
        self.body = self.plan["summary"]
        self.params[HASH] = _hash_field(self.plan["sha256"])
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Push the hash of the plan that was approved as ``approved_hash``, and return Airflow's own answer.

        After a rejection there is no such XCom. Airflow then has no return value either.
        """
        answer = super().execute_complete(context, event)
        # Not the hash of the plan as it is now: it may have been made anew while somebody read the old one.
        shown = (answer["params_input"] or {}).get(HASH)
        if shown and answer["chosen_options"] == [self.APPROVE]:
            context["ti"].xcom_push(HASH, shown)
        return answer


def _hash_field(value: str | None) -> Param:
    return Param(value, type=["null", "string"], title="Hash of the plan", description="Leave it as it is.")
