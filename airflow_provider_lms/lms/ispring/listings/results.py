"""Results of learners in courses and in their modules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias, TypedDict

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, PAGES
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter, DateRangeFilter, IdFilter
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.parameters import DateRange

Ids: TypeAlias = Sequence[str] | str

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
    """What both results listings tell about a learner, for one enrollment.

    ``time_spent`` is in seconds, ``progress`` in percent from 0 to 100; dates are in UTC. A field without a value is
    None.
    """

    watermark: ClassVar[str | None] = "completion_date"

    user_id: Annotated[Id, about("The learner.", personal="indirect", references="users")]
    course_id: Annotated[Id, about("The course.", references="courses")]
    enrollment_id: Annotated[
        str | None,
        about(
            "The enrollment. A learner who is enrolled again has a further one.",
            personal="indirect",
            references="enrollments",
        ),
    ] = None
    access_date: Annotated[
        datetime | None, about("Since when the learner has had access to the course, in UTC.", personal="indirect")
    ] = None
    due_date: Annotated[
        datetime | None, about("Until when the learner is to complete the course, in UTC.", personal="indirect")
    ] = None
    expiration_date: Annotated[
        datetime | None, about("When the learner's access ends, in UTC.", personal="indirect")
    ] = None
    completion_date: Annotated[
        datetime | None, about("When the learner has completed it, in UTC.", personal="indirect")
    ] = None
    time_spent: Annotated[
        WholeNumber | None, about("How long the learner has spent on it, in seconds.", personal="indirect")
    ] = None
    completion_status: Annotated[
        str,
        about(
            "not_started, in_progress, pending, complete, passed, accepted, incomplete, failed or declined.",
            personal="indirect",
        ),
    ]
    awarded_score: Annotated[float | None, about("The learner's score.", personal="indirect")] = None
    passing_score: Annotated[float | None, about("The score that is needed to pass.")] = None
    progress: Annotated[float | None, about("How much is done, in percent from 0 to 100.", personal="indirect")] = None
    is_overdue: Annotated[
        bool | None, about("Whether the due date has passed without completion.", personal="indirect")
    ] = None
    views_count: Annotated[WholeNumber | None, about("How often the learner has opened it.", personal="indirect")] = (
        None
    )


class ModuleResult(LearnerResult, kw_only=True):
    """A learner's result in one module of a course.

    ``course_item_id`` is the content item or training itself, outside the course.
    """

    module_id: Annotated[Id, about("The module: a content item's place in this course.", references="course_modules")]
    module_title: Annotated[str | None, about("The module's title.")] = None
    course_item_id: Annotated[str | None, about("The content item or training itself, outside the course.")] = None


class CourseResult(LearnerResult, kw_only=True):
    """A learner's result in a course. The unit of ``duration`` is not documented."""

    course_title: Annotated[str | None, about("The course's title.")] = None
    duration: Annotated[WholeNumber | None, about("A duration; its unit is not documented.")] = None


class ResultFilters(TypedDict, total=False):
    """Filters of both results listings. All of them narrow the listing together; None means no filter.

    :param user_ids: learners.
    :param course_ids: courses.
    :param enrollment_ids: enrollments.
    :param department_ids: departments, with their sub-departments.
    :param completion_statuses: of :data:`COMPLETION_STATUSES`.
    :param user_statuses: 1 active, 3 blocked, 5 terminated. Without this filter the LMS reads active users only.
    :param access_date: (start, end) of the assignment. Either end may be None; without a zone it is UTC. The start is
        rounded down and the end up to the second. Whether the ends belong to the range is not documented.
    :param due_date: (start, end), as above.
    :param completion_date: (start, end), as above.
    """

    user_ids: Ids | None
    course_ids: Ids | None
    enrollment_ids: Ids | None
    department_ids: Ids | None
    completion_statuses: Ids | None
    user_statuses: Sequence[int | str] | int | str | None
    access_date: DateRange | None
    due_date: DateRange | None
    completion_date: DateRange | None


class ModuleResultFilters(ResultFilters, total=False):
    """Further filters of module results.

    :param module_ids: modules of courses.
    :param course_item_ids: content items or trainings. Their ids differ from those of the modules that use them.
    """

    module_ids: Ids | None
    course_item_ids: Ids | None


USER_IDS = IdFilter("user_ids", "userIds[]", row="user_id")

_FILTERS = (
    USER_IDS,
    IdFilter("course_ids", "courseIds[]", row="course_id", titled=True),
    IdFilter("enrollment_ids", "enrollmentIds[]", row="enrollment_id"),
    IdFilter("department_ids", "departmentIds[]", titled=True),
    # The vendor's sample sends completionStatus, its parameter table and OpenAPI document completionStatuses.
    ChoiceFilter(
        "completion_statuses",
        "completionStatuses[]",
        COMPLETION_STATUSES,
        owner="iSpring's statuses",
        row="completion_status",
    ),
    ChoiceFilter("user_statuses", "userStatuses[]", USER_STATUSES, owner="iSpring's user statuses"),
    DateRangeFilter("access_date", "accessDate"),
    DateRangeFilter("due_date", "dueDate"),
    DateRangeFilter("completion_date", "completionDate"),
)

MODULE_RESULTS = Listing(
    name="module_results",
    path="/learners/modules/results",
    record=ModuleResult,
    rows="results",
    row="result",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("user_id", "course_id", "module_id", "enrollment_id"),
    filters=(
        *_FILTERS,
        IdFilter("module_ids", "moduleIds[]", row="module_id"),
        IdFilter("course_item_ids", "courseItemIds[]", row="course_item_id"),
    ),
    source="Getting User Results on the Course Modules",
)

COURSE_RESULTS = Listing(
    name="course_results",
    path="/learners/results",
    record=CourseResult,
    rows="results",
    row="result",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("user_id", "course_id", "enrollment_id"),
    filters=_FILTERS,
    source="Getting User Results on the Courses",
)
