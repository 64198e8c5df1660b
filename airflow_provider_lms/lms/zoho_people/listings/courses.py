"""Courses, what is set for them, whom they are shared with, their batches and their modules.

The vendor prints a sample for batches, shares, and part of one for batch schedulers. For the others it prints none: the
field names are those that third parties met, or those of the request that creates a course or module.
"""

from __future__ import annotations

from typing import Annotated, Any

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import IdFilter
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing, Parent
from airflow_provider_lms.lms.zoho_people.listings.api import (
    BATCH,
    COURSE,
    ENVELOPE,
    ONE_PIECE,
    PAGES,
    BatchId,
    CourseId,
    Number,
    envelope,
)


class Course(Record, kw_only=True):
    """A course. Fields that Zoho sends beside these are kept."""

    course_id: Annotated[Id, about("The course.", known="seen")]
    course_name: Annotated[str | None, about("Its name.", known="seen")] = None
    course_type: Annotated[
        str | None, about("Its type, such as self-paced or blended; the values are not documented.", known="seen")
    ] = None


class CourseDetails(Course, kw_only=True):
    """All that Zoho tells of one course, or of one batch of a blended course."""

    batch_id: BatchId = None
    course_code: Annotated[str | None, about("The code that the organization gave it.", known="assumed")] = None
    description: Annotated[str | None, about("Its description.", known="assumed")] = None
    about_course: Annotated[str | None, about("What it is about.", known="assumed")] = None
    duration: Annotated[str | None, about("How long it takes, in durationUnit.", known="assumed")] = None
    duration_unit: Annotated[str | None, about("minute, hour or day.", known="assumed")] = None
    categories: Annotated[Any, about("Its categories.", known="assumed")] = None


class CourseSettings(Record, kw_only=True):
    """What is set for a course."""

    course_id: CourseId
    permission_settings: Annotated[
        Any, about("Who can enroll and unenroll, and when what counts as completed.", known="assumed")
    ] = None


class CourseShare(Record, kw_only=True):
    """A person whom a course is shared with."""

    course_id: CourseId
    erecno: Annotated[Id, about("The person's employee record.", personal="indirect", references="employees")]
    employee_id: Annotated[
        str | None, about("The person's number in the organization, such as 1001.", personal="indirect")
    ] = None
    display_name: Annotated[str | None, about("The person's name.", personal="direct")] = None
    email_id: Annotated[str | None, about("The person's e-mail address.", personal="direct")] = None
    display_picture_url: Annotated[str | None, about("The person's picture.", personal="direct")] = None


class Batch(Record, kw_only=True):
    """A batch of a blended course. Fields that Zoho sends beside these are kept.

    Dates are Zoho's text, such as "22-Dec-2021".
    """

    course_id: Annotated[Id, about("The course.", references="courses")]
    batch_id: Annotated[Id, about("The batch.")]
    name: Annotated[str | None, about("Its name.")] = None
    start_date_as_display_string: Annotated[str | None, about("Its first day: Zoho's text, such as 22-Dec-2021.")] = (
        None
    )
    end_date_as_display_string: Annotated[str | None, about("Its last day: Zoho's text, such as 27-Jan-2022.")] = None
    learners_count: Annotated[WholeNumber | None, about("How many learners it has.")] = None
    minimum_capacity: Annotated[WholeNumber | None, about("How many learners it needs.")] = None
    maximum_capacity: Annotated[WholeNumber | None, about("How many learners it can have.")] = None
    allow_waitlisting: Annotated[bool | None, about("Whether learners can wait for a place.")] = None
    cancel_batch_when_minimum_capacity_is_not_met: Annotated[
        bool | None, about("Whether it is canceled if too few learners enroll.")
    ] = None
    publish_status: Annotated[str | None, about("Zoho's word; only published is documented.")] = None
    scheduler_id: Annotated[str | None, about("The scheduler of the batch.")] = None


class BatchScheduler(Record, kw_only=True):
    """What creates the batches of a course at regular times."""

    course_id: CourseId
    scheduler_id: Annotated[Id, about("The scheduler.", known="assumed")]
    batch_name: Annotated[str | None, about("The name of its batches.", known="assumed")] = None
    source_batch: Annotated[Any, about("The batch that is copied.")] = None
    clone_type: Annotated[Number, about("What is copied; the values are not documented.")] = None
    start_date: Annotated[str | None, about("When it begins: Zoho's text.", known="assumed")] = None
    end_date: Annotated[str | None, about("When it ends: Zoho's text.", known="assumed")] = None
    frequency: Annotated[Number, about("Every how many units it creates a batch.", known="assumed")] = None
    frequency_unit: Annotated[str | None, about("The unit of frequency, such as week.")] = None
    days_of_the_week: Annotated[Any, about("On which days, as Zoho's numbers.")] = None
    notify_applicable_users: Annotated[bool | None, about("Whether people are told of a new batch.")] = None


class CourseModule(Record, kw_only=True):
    """A module of a course, or of one batch of a blended course. Fields that Zoho sends beside these are kept.

    ``duration`` is in minutes. ``lock_type`` is 0 for an unlocked module, 1 for one that is locked until
    ``lock_until``, and 2 for one that is locked until the module before it is completed.
    """

    course_id: Annotated[Id, about("The course.", references="courses")]
    batch_id: Annotated[str | None, about("The batch, if the course is blended.", references="batches")] = None
    module_id: Annotated[Id, about("The module.", known="seen")]
    module_name: Annotated[str | None, about("Its name.", known="seen")] = None
    description: Annotated[str | None, about("Its description.", known="seen")] = None
    duration: Annotated[str | None, about("How long it takes, in minutes.", known="seen")] = None
    lock_type: Annotated[
        Number, about("0 unlocked, 1 locked until lockUntil, 2 locked until the module before it is completed.")
    ] = None
    lock_until: Annotated[str | None, about("Until when it is locked: Zoho's text.", known="assumed")] = None


COURSES = Listing(
    name="courses",
    path="/courses",
    record=Course,
    rows="courses",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("course_id",),
    aliases={"courseId": "id", "courseName": "name", "courseType": "type"},
    source='LMS, "Fetch all courses"',
)

_OF_EVERY_COURSE = Parent(COURSES, {"course_id": "course_id"})
_BATCH_ID = IdFilter("batch_id", "batchId")


def _with_batch(row: dict[str, Any], query: Query) -> dict[str, Any]:
    return {**row, "batchId": dict(query.fixed).get(_BATCH_ID.param)}


COURSE_DETAILS = Listing(
    name="course_details",
    path="/courses/{course_id}",
    record=CourseDetails,
    rows="course",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("course_id", "batch_id"),
    path_ids=(COURSE,),
    filters=(_BATCH_ID,),
    aliases={"courseName": "name", "courseType": "type"},
    complete=_with_batch,
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch single course"',
)

COURSE_SETTINGS = Listing(
    name="course_settings",
    path="/courses/{course_id}/settings",
    record=CourseSettings,
    rows="settings",
    pager=ONE_PIECE,
    envelope=envelope("settings", "courseSettings"),
    key=("course_id",),
    path_ids=(COURSE,),
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch course settings"',
)

COURSE_SHARES = Listing(
    name="course_shares",
    path="/courses/{course_id}/share",
    record=CourseShare,
    rows="sharedUsers",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("course_id", "erecno"),
    path_ids=(COURSE,),
    aliases={"displayPictureUrl": "displayPictureURL"},
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch shared users of a course"',
)

BATCHES = Listing(
    name="batches",
    path="/courses/{course_id}/batches",
    record=Batch,
    rows="batches",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("batch_id",),
    path_ids=(COURSE,),
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch all batches"',
)

BATCH_SCHEDULERS = Listing(
    name="batch_schedulers",
    path="/courses/{course_id}/batches/schedulers",
    record=BatchScheduler,
    rows="batchScheduler",
    pager=PAGES,
    envelope=envelope("batchScheduler", "batchSchedulers", "schedulers"),
    key=("course_id", "scheduler_id"),
    path_ids=(COURSE,),
    # The vendor's sample spells it like this.
    aliases={"schedulerId": "id", "notifyApplicableUsers": "notifyApplicaleUsers"},
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch batch schedulers"',
)

COURSE_MODULES = Listing(
    name="course_modules",
    path="/courses/{course_id}[/batches/{batch_id}]/modules",
    record=CourseModule,
    rows="modules",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("course_id", "batch_id", "module_id"),
    path_ids=(COURSE, BATCH),
    aliases={"moduleId": "id", "moduleName": "name"},
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch all modules"',
)
