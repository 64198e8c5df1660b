"""Completions of a course of iSpring Learn since a date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow_provider_lms.lms.filters import one_id
from airflow_provider_lms.lms.ispring.client import ISpringLearnClient
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.lms.ispring.records import USER_STATUSES, CourseResult
from airflow_provider_lms.lms.news import Completion
from airflow_provider_lms.lms.plan import Plan, Reading


class CompletionsReader:
    """Reads a course again and again.

    :param client: the account to read.
    :param course_id: the course.
    :param completed_statuses: iSpring's words for a completed course; None takes the usual ones.
    """

    dated = True

    def __init__(
        self, client: ISpringLearnClient, *, course_id: str, completed_statuses: Iterable[str] | str | None = None
    ) -> None:
        self._client = client
        self._filters: dict[str, Any] = {
            "course_ids": one_id("course_id", course_id),
            "completion_statuses": STATUSES.given(completed_statuses).completed,
            "user_statuses": USER_STATUSES,
        }
        client.course_results(**self._filters)  # checks them; nothing is sent before a page is taken

    def plan(self, since: datetime) -> Plan[list[Completion]]:
        """Who has completed it since then, in whatever account."""
        read = yield Reading(
            lambda start: self._client.course_results(**self._filters, completion_date=(since, None), start=start),
            _completion,
        )
        return [each for each in read.kept if each.completed_at is not None]

    def close(self) -> None:
        """Close the client's connections to the LMS."""
        self._client.close()


def _completion(row: CourseResult) -> Completion:
    return Completion(row.user_id, row.enrollment_id, row.completion_date)
