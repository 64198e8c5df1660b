"""Who has completed a course of Zoho People. Its dates have no documented format, so everybody is read."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.evaluation import evaluate
from airflow_provider_lms.lms.course.event_cursor import MAX_TRACKED, Completion
from airflow_provider_lms.lms.course.read_flow import ReadFlow
from airflow_provider_lms.lms.course.readers import CompletionsQuery
from airflow_provider_lms.lms.zoho_people.client import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.course import STATUSES, ZohoPeopleCourseQuery, ZohoPeopleCourseReader


class ZohoPeopleCompletionsReader:
    """Reads the completions of a course again and again.

    :param client: the account to read; it is closed with the reader.
    :param query: what to read.
    :raises ValueError: a field of the query is invalid.
    """

    dated = False

    def __init__(self, client: ZohoPeopleClient, query: CompletionsQuery) -> None:
        self._reader = ZohoPeopleCourseReader(client, ZohoPeopleCourseQuery(course_id=query.course_id))
        self._statuses = STATUSES.replaced_by(query.completed_statuses)

    def read_flow(self, since: datetime) -> ReadFlow[list[Completion]]:  # noqa: ARG002
        """Read who has completed the course, whenever that was.

        :raises ValueError: more learners have completed it than can be tracked.
        """
        snapshot = yield from self._reader.read_flow(None)
        completed = evaluate(Criteria(statuses=self._statuses), snapshot).completed
        if len(completed) > MAX_TRACKED:
            raise ValueError(
                f"course_id: {len(completed):,} learners have completed the course. Without dates, no more than "
                f"{MAX_TRACKED:,} can be tracked. Use a sensor, or read the whole course regularly."
            )
        return [Completion(learner) for learner in completed]

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._reader.close()
