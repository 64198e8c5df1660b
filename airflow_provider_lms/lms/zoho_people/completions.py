"""Who has completed a course of Zoho People, whose dates have no documented format: all learners are read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from airflow_provider_lms.lms.completion import Goal
from airflow_provider_lms.lms.news import AT_MOST, Completion
from airflow_provider_lms.lms.plan import Plan
from airflow_provider_lms.lms.zoho_people.client import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.course import STATUSES, CourseReader


class CompletionsReader:
    """Reads a course again and again.

    :param client: the account to read.
    :param course_id: the course.
    :param completed_statuses: Zoho's words for a completed course; None takes the usual ones.
    """

    dated = False

    def __init__(
        self, client: ZohoPeopleClient, *, course_id: str, completed_statuses: Iterable[str] | str | None = None
    ) -> None:
        self._reader = CourseReader(client, course_id=course_id)
        self._statuses = STATUSES.given(completed_statuses)

    def plan(self, since: datetime) -> Plan[list[Completion]]:  # noqa: ARG002
        """Who has completed it, whenever that was.

        :raises ValueError: more than can be kept apart.
        """
        snapshot = yield from self._reader.plan(None)
        done = snapshot.judge(Goal(statuses=self._statuses)).completed
        if len(done) > AT_MOST:
            raise ValueError(
                f"course_id: {len(done):,} learners have completed the course, and without dates no more than "
                f"{AT_MOST:,} can be kept apart. Wait for it by a sensor, or read it whole."
            )
        return [Completion(learner) for learner in done]

    def close(self) -> None:
        """Close the client's connections to the LMS."""
        self._reader.close()
