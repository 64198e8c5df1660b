"""The filters of iSpring Learn's results, and how they go into a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from airflow_provider_lms.lms.filters import Range, choices, date_range, ids
from airflow_provider_lms.lms.ispring.records import COMPLETION_STATUSES, USER_STATUSES
from airflow_provider_lms.lms.query import Pairs, Query

Ids: TypeAlias = Sequence[str] | str


class ResultFilters(TypedDict, total=False):
    """Filters of both results listings. All of them narrow the listing together; None means no filter.

    :param user_ids: learners.
    :param course_ids: courses.
    :param enrollment_ids: enrollments.
    :param department_ids: departments, with their sub-departments.
    :param completion_statuses: of :data:`COMPLETION_STATUSES`.
    :param user_statuses: 1 active, 3 blocked, 5 terminated; the LMS reads active users only if it is left out.
    :param access_date: (start, end) of the assignment. Either end may be None; a naive one is UTC; the start is floored
        and the end ceiled to the second. Whether the ends belong to the range is not documented.
    :param due_date: (start, end), as above.
    :param completion_date: (start, end), as above.
    """

    user_ids: Ids | None
    course_ids: Ids | None
    enrollment_ids: Ids | None
    department_ids: Ids | None
    completion_statuses: Ids | None
    user_statuses: Sequence[int | str] | int | str | None
    access_date: Range | None
    due_date: Range | None
    completion_date: Range | None


class ModuleResultFilters(ResultFilters, total=False):
    """Further filters of module results.

    :param module_ids: modules of courses.
    :param course_item_ids: content items or trainings, which have other ids than the modules they are used in.
    """

    module_ids: Ids | None
    course_item_ids: Ids | None


ROW_IDS = {
    "user_ids": "user_id",
    "course_ids": "course_id",
    "module_ids": "module_id",
    "course_item_ids": "course_item_id",
    "enrollment_ids": "enrollment_id",
}
"""Filters by ids that rows hold, with the attribute of a row."""

_RANGES = ("access_date", "due_date", "completion_date")


def result_query(paging: Pairs, given: Mapping[str, Any]) -> Query:
    """The filters as the LMS names them; each is checked here."""
    row_ids = {key(name): found for name in ROW_IDS if (found := ids(name, given.get(name))) is not None}
    lists = {
        "department_ids": ids("department_ids", given.get("department_ids")),
        # The vendor's sample sends completionStatus, its parameter table and OpenAPI document completionStatuses.
        "completion_statuses": choices(
            "completion_statuses", given.get("completion_statuses"), COMPLETION_STATUSES, "iSpring's statuses"
        ),
        "user_statuses": choices("user_statuses", given.get("user_statuses"), USER_STATUSES, "iSpring's user statuses"),
    }
    fixed = [*paging, *((key(name), item) for name, items in lists.items() for item in items or ())]
    for name in _RANGES:
        for end, moment in zip(("startDate", "endDate"), date_range(name, given.get(name)) or (), strict=False):
            if moment is not None:
                fixed.append((f"{camel(name)}[{end}]", moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return Query(tuple(fixed), row_ids)


def camel(name: str) -> str:
    """A name as the LMS writes it."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def key(name: str) -> str:
    """The query parameter of a list."""
    return camel(name) + "[]"
