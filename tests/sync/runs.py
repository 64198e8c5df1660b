"""Runs the operators that plan and apply, and tells what was planned and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_lms.operators.sync import LmsSyncOperator
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.sync.changes import as_json


class Runs:
    """A plan and what is done with it, in folders of their own.

    :param operator: the class of the operator.
    :param folder: for plans and reports.
    :param options: of every task.
    """

    def __init__(self, operator: type[LmsSyncOperator[Any]], folder: Path, **options: Any) -> None:
        self._operator = operator
        self._options = options
        self.plans, self.reports = folder / "plan", folder / "report"

    def plan(self, desired: object, **options: Any) -> dict[str, Any]:
        """Make a plan; what the task returns."""
        made: dict[str, Any] = self._run(mode="plan", desired=desired, output_path=str(self.plans), **options)
        return made

    def apply(self, plan: dict[str, Any], **options: Any) -> dict[str, int]:
        """Apply a plan; how often there was each outcome."""
        outcomes: dict[str, int] = self.applied(plan, **options)["outcomes"]
        return outcomes

    def applied(self, plan: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Apply a plan; what the task returns."""
        given = {"plan": plan, "approved_hash": plan["sha256"], "output_path": str(self.reports), **options}
        result: dict[str, Any] = self._run(mode="apply", **given)
        return result

    def rows(self) -> list[dict[str, Any]]:
        """The changes of the last plan."""
        return [*read_records(str(self.plans))]

    def planned(self) -> list[tuple[str, str | None, str | None]]:
        """The changes of the last plan: action, person, and the reason if it is skipped."""
        return [(row["action"], row["personId"], row["reason"]) for row in read_records(str(self.plans))]

    def details(self) -> dict[str, str | None]:
        """Why each change of the last report came out as it did, by person."""
        return {row["personId"]: row["detail"] for row in read_records(str(self.reports))}

    def outcomes(self) -> list[str]:
        """The outcome of each change of the last report."""
        return [row["outcome"] for row in read_records(str(self.reports))]

    def texts(self) -> str:
        """All of the last plan, as text."""
        return as_json([*read_records(str(self.plans))])

    def _run(self, **options: Any) -> Any:
        return self._operator(task_id="sync", **{**self._options, **options}).execute({})
