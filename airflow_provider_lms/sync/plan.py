"""A plan: the changes that would bring an LMS into the desired state, and a digest that an approval names."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime  # the types of a plan are read when it is loaded
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms.sync.changes import Action, Change, as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDER = {action: number for number, action in enumerate(Action)}


class PlanRefused(Exception):
    """A plan must not be applied, or is not the one that was approved. The message says what to do."""


@dataclass(frozen=True)
class Plan:
    """What would be changed.

    :param kind: what is changed, such as ``enrollments``.
    :param account: the account, as the beginning of a URI, such as ``ispring-learn://acme``.
    :param planned_at: when it was made. A plan that is made anew is another one, even if it has the same changes.
    :param settings: how it was made: the scope, the limits.
    :param changes: in the order in which they are applied.
    :param unchanged: how many desired rows the LMS fulfills already.
    :param refusals: why it must not be applied; empty if it may be.
    :param notes: what else somebody should know who approves it. Nobody is named.
    """

    kind: str
    account: str
    planned_at: datetime
    settings: dict[str, Any]
    changes: list[Change]
    unchanged: int = 0
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def header(self) -> dict[str, Any]:
        """All but the changes, as JSON can hold it."""
        found: dict[str, Any] = msgspec.to_builtins(
            {
                "kind": self.kind,
                "account": self.account,
                "planned_at": self.planned_at,
                "settings": self.settings,
                "unchanged": self.unchanged,
                "refusals": self.refusals,
                "notes": self.notes,
            }
        )
        return found

    @property
    def sha256(self) -> str:
        """The digest of the whole plan. Nothing in it can change without another digest."""
        digest = hashlib.sha256(as_json(self.header).encode())
        for each in self.changes:
            digest.update(b"\n" + as_json(each).encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """How many changes there are of each action, without those that are skipped."""
        found = Counter(each.action for each in self.changes if each.action != Action.SKIP)
        return {action: found[action] for action in Action if found[action]}

    def skipped(self) -> dict[str, int]:
        """How often the plan skips something, by reason."""
        found = Counter(str(each.reason) for each in self.changes if each.action == Action.SKIP)
        return dict(sorted(found.items()))

    def check_approved(self, approved_hash: object, kind: str, account: str) -> None:
        """Refuse to apply anything but what somebody has approved.

        :param approved_hash: the digest that was approved.
        :param kind: what the task can change.
        :param account: of the client that would apply it.
        :raises PlanRefused: it is another plan, or it must not be applied, or it is about another account.
        """
        if not isinstance(approved_hash, str) or not approved_hash.strip():
            raise PlanRefused("approved_hash: it is empty, so no plan was approved.")
        if approved_hash.strip().lower() != self.sha256:
            raise PlanRefused(
                "approved_hash: this is not the plan that was approved. A plan that was made anew has another hash "
                "and needs a new approval."
            )
        if self.kind != kind:
            raise PlanRefused(f"plan: it is about {self.kind}, and this operator changes {kind}.")
        if self.account != account:
            raise PlanRefused(f"plan: it is about the account {self.account}, and the connection is for {account}.")
        if self.refusals:
            raise PlanRefused(f"plan: it must not be applied. {' '.join(self.refusals)}")


def in_order(changes: Sequence[Change]) -> list[Change]:
    """Changes as they are applied and shown. Those of one course stand together.

    :raises ValueError: two of them have the same id, which would be a defect of the planner.
    """
    found = sorted(
        changes,
        key=lambda each: (ORDER[Action(each.action)], each.course_id or "", each.batch_id or "", each.change_id),
    )
    if len({each.change_id for each in found}) != len(found):
        raise ValueError("Two changes of the plan are the same.")
    return found
