"""Who stands where in a course of iSpring Learn, read by as few requests as will do."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from airflow_provider_lms.lms.completion import Key, Snapshot, Standing, Statuses
from airflow_provider_lms.lms.errors import LmsBadRequest
from airflow_provider_lms.lms.filters import Range, one_id
from airflow_provider_lms.lms.ispring.client import ISpringLearnClient
from airflow_provider_lms.lms.ispring.records import COMPLETION_STATUSES, CourseResult
from airflow_provider_lms.lms.plan import Plan, Read, Reading

Wanted: TypeAlias = Mapping[Key, Iterable[str]]
Standings: TypeAlias = Generator[Reading[Standing], Read[Standing], list[Standing]]

STATUSES = Statuses(
    completed=("complete", "passed", "accepted"), unsuccessful=("failed", "declined"), known=COMPLETION_STATUSES
)
"""What iSpring's words mean. The vendor calls none of the unsuccessful ones final."""

_ROUNDS_UNKNOWN = 10
"""After so many readings a user id is asked for again that the LMS did not know: to search for it costs requests."""

_FILTERS: Mapping[Key, str] = {"learner_id": "user_ids", "enrollment_id": "enrollment_ids"}


@dataclass(frozen=True)
class _Accounts:
    """The accounts of one listing: rows do not tell their status, so each is asked for apart."""

    statuses: tuple[str, ...]
    blocked: bool

    def standing(self, row: CourseResult) -> Standing:
        overdue = bool(row.is_overdue) or (row.due_date is not None and row.due_date < datetime.now(UTC))
        return Standing(
            learner_id=row.user_id,
            enrollment_id=row.enrollment_id,
            status=row.completion_status,
            access_date=row.access_date,
            overdue=overdue,
            blocked=self.blocked,
        )


_ACTIVE = _Accounts(("1",), blocked=False)
_BLOCKED = _Accounts(("3", "5"), blocked=True)


class CourseReader:
    """Reads a course again and again.

    It is read whole or by ids, whichever takes fewer requests; how many pages it has is learned by reading.

    :param client: the account to read.
    :param course_id: the course.
    :param department_ids: only learners of these departments.
    :param access_date: only those assigned in this range.
    :raises ValueError: a parameter cannot be meant as it is given.
    """

    def __init__(
        self,
        client: ISpringLearnClient,
        *,
        course_id: str,
        department_ids: Iterable[str] | str | None = None,
        access_date: Range | None = None,
    ) -> None:
        self._client = client
        access = None if access_date is None else (access_date[0], access_date[1])
        self._filters: dict[str, Any] = {
            "course_ids": one_id("course_id", course_id),
            "department_ids": department_ids,
            "access_date": access,
        }
        client.course_results(**self._filters)  # checks them; nothing is sent before a page is taken
        self._pages_at_least = {_ACTIVE: 1, _BLOCKED: 1}
        self._unknown: set[str] = set()
        self._rounds = 0

    def close(self) -> None:
        """Close the client's connections to the LMS."""
        self._client.close()

    def plan(self, wanted: Wanted | None) -> Plan[Snapshot]:
        """Where learners stand.

        :param wanted: ids of those who matter, by what they are; None is everybody.
        """
        if self._rounds % _ROUNDS_UNKNOWN == 0:
            self._unknown.clear()
        self._rounds += 1
        standings = yield from self._standings(_ACTIVE, wanted)
        rest = None if wanted is None else _without(wanted, standings)
        if rest is None or any(rest.values()):
            standings += yield from self._standings(_BLOCKED, rest)
        return Snapshot(standings)

    def _standings(self, accounts: _Accounts, wanted: Wanted | None) -> Standings:
        if wanted is None:
            found = yield self._reading(accounts)
            return found.kept
        by_ids: list[dict[str, Any]] = [{_FILTERS[key]: tuple(ids)} for key, ids in wanted.items() if ids]
        requests = sum(self._client.requests(**{**self._filters, **ids}) for ids in by_ids)
        if requests > 1 and self._pages_at_least[accounts] <= requests:
            found = yield self._reading(accounts, at_most=requests)
            if found.complete:
                return found.kept
            self._pages_at_least[accounts] = requests + 1
        kept: list[Standing] = []
        for ids in by_ids:
            try:
                skip = {"on_unknown_user": "skip", "unknown_users": self._unknown}
                found = yield self._reading(accounts, {**ids, **skip})
            except LmsBadRequest:
                # Only user ids are searched for the one that the LMS does not know.
                found = yield self._reading(accounts)
            kept += found.kept
        return kept

    def _reading(
        self, accounts: _Accounts, ids: Mapping[str, Any] | None = None, at_most: int | None = None
    ) -> Reading[Standing]:
        filters = {**self._filters, **(ids or {}), "user_statuses": accounts.statuses}
        return Reading(lambda start: self._client.course_results(**filters, start=start), accounts.standing, at_most)


def _without(wanted: Wanted, found: Iterable[Standing]) -> dict[Key, list[str]]:
    """Those who have not been found."""
    seen = {key: {(getattr(each, key) or "").casefold() for each in found} for key in wanted}
    return {key: [name for name in ids if name.casefold() not in seen[key]] for key, ids in wanted.items()}
