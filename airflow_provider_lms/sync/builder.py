"""Collects the changes of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms import clock
from airflow_provider_lms.sync.changes import Action, Change, Reason, Subject, change
from airflow_provider_lms.sync.plan import Plan, in_order

if TYPE_CHECKING:
    from airflow_provider_lms.sync.limits import Limits


class PlanBuilder:
    """A plan in the making.

    :param kind: what is changed, such as ``enrollments``.

    ``unchanged`` counts the desired rows that the LMS fulfills already. ``notes`` are for whoever approves the plan.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._changes: list[Change] = []
        self.unchanged = 0
        self.notes: list[str] = []

    def __len__(self) -> int:
        """How many changes there are so far, with those that are skipped."""
        return len(self._changes)

    def add(
        self,
        action: Action,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        row: int | None = None,
        **subject: Unpack[Subject],
    ) -> None:
        """Plan a change.

        :param old: what was found. Only if it is found again, the change is sent.
        :param new: what is wanted.
        :param row: the number of the desired row.
        :param subject: whom and what it is about.
        """
        self._changes.append(change(action, old=old, new=new, row=row, **subject))

    def skip(self, reason: Reason | None, row: int | None = None, **subject: Unpack[Subject]) -> None:
        """Note that nothing is done, and why.

        :param row: the number of the desired row.
        """
        self._changes.append(change(Action.SKIP, reason=reason, row=row, **subject))

    def plan(self, account: str | None, settings: Mapping[str, Any], limits: Limits, managed: int) -> Plan:
        """The plan.

        :param account: as the beginning of a URI.
        :param settings: how it was made.
        :param managed: how many people it may touch.
        """
        return Plan(
            kind=self._kind,
            account=account or "",
            planned_at=clock.utcnow(),
            settings={**settings, "max_changes": limits.max_changes, "max_removals": limits.max_removals},
            changes=in_order(self._changes),
            unchanged=self.unchanged,
            refusals=limits.exceeded(self._changes, managed),
            notes=self.notes,
        )
