"""Enrollments: to create, edit, renew and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from http import HTTPStatus
from typing import Literal, TypeAlias

from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.ispring.writes.api import ENROLLMENT, change
from airflow_provider_lms.lms.parameters import (
    DateLike,
    parse_date,
    parse_datetime,
    parse_flag,
    parse_required_ids,
    refuse_title,
)

Ids: TypeAlias = Sequence[str] | str
Due: TypeAlias = Literal["unlimited", "default"] | date | timedelta | str
"""``unlimited``; ``default``, which is the course's own; a day, as a date or an ISO 8601 text; or a period of whole
hours."""

_ENROLL = change("POST", "/enrollment", HTTPStatus.CREATED)
_EDIT = change("POST", "/enrollment/{enrollment_id}", HTTPStatus.OK, ENROLLMENT)
_REENROLL = change("POST", "/enrollment/{enrollment_id}/reenroll", HTTPStatus.OK, ENROLLMENT)
_DELETE = change("POST", "/enrollment/delete", HTTPStatus.NO_CONTENT)

_HOUR = timedelta(hours=1)


class EnrollmentWrites(LmsClient):
    """Changes of enrollments."""

    def enroll(
        self,
        course_ids: Ids,
        learner_ids: Ids,
        *,
        due: Due,
        access_date: DateLike | None = None,
        lock_after_due_date: bool | None = None,
    ) -> None:
        """Enroll each learner in each course, learning track or standalone content; trainings cannot be given.

        The LMS does not tell the ids of the new enrollments. Read them with ``client.enrollments(course_ids=...,
        learner_ids=...)``. What it does with a learner who is enrolled already is not documented, so read first.

        :param course_ids: the courses.
        :param learner_ids: the learners, by their user ids.
        :param due: when the course must be completed; see :data:`Due`.
        :param access_date: since when the learners have access, in whole seconds; None is now. It is sent in UTC. The
            vendor's sample has no zone, and no page says which one the LMS takes it in.
        :param lock_after_due_date: whether access ends with the due date; None leaves it to the LMS.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsBadRequest: the LMS rejected a parameter, such as an id that does not exist.
        :raises LmsPermissionError: the API key's role may not enroll these learners, or in this course.
        :raises LmsUnconfirmed: nobody knows whether they are enrolled. Read the enrollments, and send what is missing.

        Example::

            client.enroll("f0e7400a-ca31-11e9-b6fc-0a580af40a22", ["4f9bf619-7993-5ce8-b473-1d769a72e140"],
                          due=timedelta(days=30))

        Source: vendor page on new enrollments; OpenAPI ``POST /enrollment``.
        """
        courses = parse_required_ids("course_ids", course_ids)
        for each in courses:
            refuse_title("course_ids", each)
        body: dict[str, object] = {
            "courseIds": courses,
            "learnerIds": parse_required_ids("learner_ids", learner_ids),
            **_terms(due, lock_after_due_date),
        }
        if access_date is not None:
            body["accessDate"] = _moment(access_date)
        _ENROLL.send(self._transport, body)

    def edit_enrollment(
        self, enrollment_id: str, *, access_date: DateLike, due: Due, lock_after_due_date: bool | None = None
    ) -> None:
        """Change the dates of an enrollment. The LMS requires both dates, also the one that stays.

        :param enrollment_id: the enrollment.
        :param access_date: since when the learner has access; see :meth:`enroll`.
        :param due: when the course must be completed; see :data:`Due`.
        :param lock_after_due_date: whether access ends with the due date. What None does is not documented.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such enrollment.
        :raises LmsUnconfirmed: nobody knows whether it was changed.

        Source: OpenAPI ``POST /enrollment/{enrollmentId}``.
        """
        body = {"accessDate": _moment(access_date), **_terms(due, lock_after_due_date)}
        _EDIT.send(self._transport, body, enrollment_id=enrollment_id)

    def reenroll(
        self, enrollment_id: str, *, access_date: DateLike, due: Due, lock_after_due_date: bool | None = None
    ) -> None:
        """Enroll a learner anew in the course of an enrollment.

        What becomes of the old enrollment and its results, and whether the new one has another id, is not documented.

        :param enrollment_id: the enrollment.
        :param access_date: since when the learner has access; see :meth:`enroll`.
        :param due: when the course must be completed; see :data:`Due`.
        :param lock_after_due_date: whether access ends with the due date; None leaves it to the LMS.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such enrollment.
        :raises LmsUnconfirmed: nobody knows whether the learner was enrolled anew.

        Source: OpenAPI ``POST /enrollment/{enrollmentId}/reenroll``.
        """
        body = {"accessDate": _moment(access_date), **_terms(due, lock_after_due_date)}
        _REENROLL.send(self._transport, body, enrollment_id=enrollment_id)

    def delete_enrollments(self, enrollment_ids: Ids) -> None:
        """Delete enrollments. The LMS lists none of them any more, and no call brings them back.

        :param enrollment_ids: the enrollments.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsUnconfirmed: nobody knows whether they were deleted.

        Source: OpenAPI ``POST /enrollment/delete``.
        """
        _DELETE.send(self._transport, {"enrollmentIds": parse_required_ids("enrollment_ids", enrollment_ids)})


def _terms(due: Due, lock_after_due_date: bool | None) -> dict[str, object]:
    """The part of a body that says until when."""
    terms = _due(due)
    if lock_after_due_date is not None:
        terms["lockAfterDueDate"] = parse_flag("lock_after_due_date", lock_after_due_date)
    return terms


def _due(due: Due) -> dict[str, object]:
    if due in ("unlimited", "default"):
        return {"dueDateType": due}
    if isinstance(due, timedelta):
        if due < _HOUR or due % _HOUR:
            raise ValueError(f"due: expected whole hours, at least one, got {due}.")
        return {"dueDateType": "due_period", "duePeriod": due // _HOUR}
    try:
        return {"dueDateType": "due_date", "dueDate": parse_date("due", due).isoformat()}
    except ValueError as error:
        raise ValueError(f"{error} Or give 'unlimited', 'default' or a timedelta.") from None


def _moment(access_date: DateLike) -> str:
    # The format of the vendor's sample: the OpenAPI document calls it a date for two of the calls, a datetime for one.
    moment = parse_datetime("access_date", access_date)
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")
