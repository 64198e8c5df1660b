"""Who has completed a course of iSpring Learn since a date."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_lms.lms.course.event_cursor import Completion
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ReadFlow
from airflow_provider_lms.lms.course.readers import CompletionsQuery
from airflow_provider_lms.lms.ispring.client import ISpringLearnClient
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.lms.ispring.listings.results import USER_STATUSES, CourseResult, ResultFilters
from airflow_provider_lms.lms.parameters import parse_id


class ISpringCompletionsReader:
    """Reads the completions of a course again and again.

    :param client: the account to read; it is closed with the reader.
    :param query: what to read.
    :raises ValueError: a field of the query is invalid.
    """

    dated = True

    def __init__(self, client: ISpringLearnClient, query: CompletionsQuery) -> None:
        self._client = client
        self._course = parse_id("course_id", query.course_id)
        self._course_exists = False
        self._filters: ResultFilters = {
            "course_ids": self._course,
            "completion_statuses": STATUSES.replaced_by(query.completed_statuses).completed,
            "user_statuses": USER_STATUSES,
        }
        client.count_requests(**self._filters)  # checks the filters; sends nothing

    def read_flow(self, since: datetime) -> ReadFlow[list[Completion]]:
        """Read who has completed the course since a date, whatever the state of the account is.

        :raises LmsNotFound: there is no such course.
        """
        filters: ResultFilters = {**self._filters, "completion_date": (since, None)}
        result = yield ListingRequest(lambda start: self._client.course_results(**filters, start=start), _completion)
        if not result.kept and not self._course_exists:
            yield ListingRequest(lambda _: self._client.known_course(self._course), lambda row: row)
        self._course_exists = True
        self._client.report_drift()
        return [each for each in result.kept if each.completed_at is not None]

    def close(self) -> None:
        """Close the connections to the LMS."""
        self._client.close()


def _completion(row: CourseResult) -> Completion:
    return Completion(row.user_id, row.enrollment_id, row.completion_date)
