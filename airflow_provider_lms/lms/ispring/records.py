"""iSpring Learn's listings: where they are, and what their rows hold.

Sources: the vendor's page on `module results
<https://ispringhelpdocs.com/ispring-learn/getting-user-results-on-the-course-modules-22612217.html>`_ and the vendor's
OpenAPI document "Learn Rest Api" 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from airflow_provider_lms.lms.documents import Resource
from airflow_provider_lms.lms.records import Record

COMPLETION_STATUSES = (
    "not_started",
    "in_progress",
    "pending",
    "complete",
    "passed",
    "accepted",
    "incomplete",
    "failed",
    "declined",
)
USER_STATUSES = ("1", "3", "5")


class LearnerResult(Record, kw_only=True):
    """What both results listings tell of a learner, for one enrollment.

    ``time_spent`` is in seconds, ``progress`` in percent from 0 to 100; dates are in UTC. A field without a value is
    None.
    """

    watermark: ClassVar[str | None] = "completion_date"

    user_id: str
    course_id: str
    enrollment_id: str | None = None
    access_date: datetime | None = None
    due_date: datetime | None = None
    expiration_date: datetime | None = None
    completion_date: datetime | None = None
    time_spent: int | None = None
    completion_status: str
    awarded_score: float | None = None
    passing_score: float | None = None
    progress: float | None = None
    is_overdue: bool | None = None
    views_count: int | None = None


class ModuleResult(LearnerResult, kw_only=True):
    """A learner's result in one module of a course.

    ``course_item_id`` is the content item or training itself, outside the course.
    """

    module_id: str
    module_title: str | None = None
    course_item_id: str | None = None


class CourseResult(LearnerResult, kw_only=True):
    """A learner's result in a course. The unit of ``duration`` is not documented."""

    course_title: str | None = None
    duration: int | None = None


class Course(Record, kw_only=True):
    """A course; ``content_item_id`` is the ``course_id`` of results, ``user_id`` its author."""

    content_item_id: str
    title: str | None = None
    subtitle: str | None = None
    description: str | None = None
    user_id: str | None = None
    added_date: datetime | None = None
    view_url: str | None = None
    type: str | None = None
    content_item_type: str | None = None
    course_fields: Any = None


class User(Record, kw_only=True):
    """A user account.

    ``fields`` holds the profile by upper-case name: ``EMAIL``, ``FIRST_NAME``, ``LAST_NAME``, ``LOGIN`` and others.
    ``status`` is 1 active, 3 inactive, 5 terminated. The two dates are kept as the LMS sends them, with or without a
    time.
    """

    user_id: str
    department_id: str | None = None
    status: int | None = None
    role: str | None = None
    role_id: str | None = None
    added_date: str | None = None
    last_login_date: str | None = None
    fields: Any = None


_TOKEN = "nextPageToken"  # noqa: S105
MODULE_RESULTS = Resource("/learners/modules/results", ModuleResult, rows="results", row="result", token=_TOKEN)
COURSE_RESULTS = Resource("/learners/results", CourseResult, rows="results", row="result", token=_TOKEN)
COURSES = Resource("/contents", Course, rows="contentItems", row="contentItem", token=_TOKEN)
USERS = Resource("/users/v2", User, rows="userProfiles", row="userProfile", token=_TOKEN)
RESOURCES: Mapping[str, Resource[Any]] = {
    "module_results": MODULE_RESULTS,
    "course_results": COURSE_RESULTS,
    "courses": COURSES,
    "users": USERS,
}
"""The listings by the name of the client's method."""
