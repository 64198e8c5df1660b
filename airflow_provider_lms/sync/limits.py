"""The brakes: what a plan may contain so that it can be applied."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_lms.lms.parameters import parse_int
from airflow_provider_lms.sync.changes import REMOVALS, Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_lms.sync.changes import Change

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Limits:
    """How much a plan may change.

    :param max_changes: how many changes.
    :param max_removals: how many people may lose an enrollment or their account: a number, or a share of the people
        that are managed, such as ``5%``.
    """

    max_changes: int
    max_removals: int | str

    @classmethod
    def parse(cls, max_changes: object, max_removals: object) -> Limits:
        """The limits as a DAG author gives them.

        :raises ValueError: a parameter is invalid.
        """
        if isinstance(max_removals, str) and (found := _PERCENT.fullmatch(max_removals.strip())) is not None:
            if float(found[1]) > 100:
                raise ValueError(f"max_removals: expected at most 100%, got {max_removals!r}.")
            return cls(parse_int("max_changes", max_changes), f"{found[1]}%")
        try:
            return cls(parse_int("max_changes", max_changes), parse_int("max_removals", max_removals, minimum=0))
        except ValueError as error:
            if not str(error).startswith("max_removals"):
                raise
            raise ValueError(
                f"max_removals: expected a number of people, or a share such as '5%', got {max_removals!r}."
            ) from None

    def exceeded(self, changes: Sequence[Change], managed: int) -> list[str]:
        """Why these changes are too many; empty if they are not.

        :param managed: how many people are managed.
        """
        count = sum(each.action != Action.SKIP for each in changes)
        removed = len({each.person_id for each in changes if each.action in REMOVALS})
        allowed, meaning = self._removals(managed)
        found = []
        if count > self.max_changes:
            found.append(f"{count:,} changes, and max_changes is {self.max_changes:,}.")
        if removed > allowed:
            found.append(f"{removed:,} people would lose something, and max_removals is {meaning}.")
        return found

    def _removals(self, managed: int) -> tuple[int, str]:
        if isinstance(self.max_removals, int):
            return self.max_removals, f"{self.max_removals:,}"
        allowed = math.floor(managed * float(self.max_removals.removesuffix("%")) / 100)
        return allowed, f"{self.max_removals} of {managed:,} people, which is {allowed:,}"


def check_removals(removals: str, *, names_people: bool) -> None:
    """Refuse to remove anything while nobody says whose.

    :param names_people: whether ``manage`` names departments or groups.
    :raises ValueError: removals are asked for, and it does not.
    """
    if removals != "never" and not names_people:
        raise ValueError(
            f"manage: removals={removals!r} needs departments or groups here. They say whom the rows are about: "
            "everybody else is left alone. The department at the top stands for everybody."
        )
