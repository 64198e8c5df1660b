"""Content: items of all types, courses with their modules, and learning tracks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypedDict, TypeVar

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE, PAGES
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter, IdFilter
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing, Parent

log = logging.getLogger(__name__)

Ids: TypeAlias = Sequence[str] | str
C = TypeVar("C", bound="Content")

CONTENT_TYPES = (
    "iSpringSuiteModule",
    "Audio",
    "Video",
    "Image",
    "Quiz",
    "Survey",
    "SCORM",
    "Course",
    "LearningTrack",
    "WordDocument",
    "PowerPointPresentation",
    "PDFDocument",
    "ExcelSpreadsheet",
    "RolePlay",
    "Link",
    "Assignment",
    "Book",
    "Interaction",
    "Page",
    "OnlineQuiz",
    "ExternalCourse",
)


class Content(Record, kw_only=True):
    """A content item of any type. Copies in courses are not listed, only the originals.

    ``user_id`` is its author. ``type`` is a label, perhaps in the account's language, and ``content_item_type`` one of
    :data:`CONTENT_TYPES`.
    """

    content_item_id: Annotated[Id, about("The content item.")]
    title: Annotated[str | None, about("Its title.")] = None
    subtitle: Annotated[str | None, about("Its subtitle.")] = None
    description: Annotated[str | None, about("Its description.")] = None
    user_id: Annotated[str | None, about("Its author.", personal="indirect", references="users")] = None
    added_date: Annotated[datetime | None, about("When it was added, in UTC.")] = None
    view_url: Annotated[str | None, about("Its address for a browser.")] = None
    view_type: Annotated[
        str | None, about("Always there, according to the vendor's OpenAPI document, which does not say what it is.")
    ] = None
    type: Annotated[str | None, about("Its type; the values are not documented.")] = None
    content_item_type: Annotated[str | None, about("What kind of content it is, such as Course or Quiz.")] = None
    course_fields: Annotated[Any, about("Its custom fields: a list of objects.")] = None


class Course(Content, kw_only=True):
    """A course. ``content_item_id`` is the ``course_id`` of results, ``user_id`` its author."""

    content_item_id: Annotated[Id, about("The course: the courseId of results and enrollments.")]
    content_item_type: Annotated[str | None, about("What kind of content it is: Course.")] = None


class LearningTrack(Content, kw_only=True):
    """A learning track, which is a sequence of courses."""

    content_item_id: Annotated[Id, about("The learning track.")]
    content_item_type: Annotated[str | None, about("What kind of content it is: LearningTrack.")] = None


class CourseModule(Record, kw_only=True):
    """A module of a course: content, or a training."""

    course_id: Annotated[Id, about("The course.", references="courses")]
    module_id: Annotated[Id, about("The module: a content item's place in this course.")]
    item_id: Annotated[
        str | None, about("The content item or training itself, outside the course: the courseItemId of results.")
    ] = None
    title: Annotated[str | None, about("Its title.")] = None
    description: Annotated[str | None, about("Its description.")] = None
    author_id: Annotated[
        str | None, about("Its author; not there for trainings.", personal="indirect", references="users")
    ] = None
    added_date: Annotated[datetime | None, about("When it was added, in UTC.")] = None
    type: Annotated[str | None, about("material or training.")] = None
    training_type: Annotated[
        Any, about("The type of a training: an object with trainingTypeId and trainingTypeTitle.")
    ] = None
    view_url: Annotated[str | None, about("Its address for a browser; not there for trainings.")] = None
    sequential_number: Annotated[WholeNumber | None, about("Its place in the course.")] = None


class CourseField(Record, kw_only=True):
    """A custom field that courses can have. Its values are in ``course_fields`` of a course."""

    field_id: Annotated[Id, about("The field.")]
    field_custom_id: Annotated[str | None, about("The id that the organization gives it.")] = None
    field_label: Annotated[str | None, about("What people see as its name.")] = None
    field_type: Annotated[str | None, about("Its type: TEXT.")] = None


class CourseTreeItem(Record, kw_only=True):
    """A content item with its place in the tree of content. One without a ``parent_id`` is at the top."""

    content_item_id: Annotated[Id, about("The content item.")]
    title: Annotated[str | None, about("Its title.")] = None
    type: Annotated[str | None, about("Its type; the values are not documented.")] = None
    description: Annotated[str | None, about("Its description.")] = None
    added_date: Annotated[datetime | None, about("When it was added, in UTC.")] = None
    view_url: Annotated[str | None, about("Its address for a browser.")] = None
    parent_id: Annotated[str | None, about("What it is in; null at the top.")] = None
    is_shared: Annotated[bool | None, about("Whether it is shared.")] = None


class LearningTrackCourse(Record, kw_only=True):
    """A course in a learning track."""

    learning_track_id: Annotated[Id, about("The learning track.", references="learning_tracks")]
    course_id: Annotated[Id, about("The course.", references="courses")]


class ContentFilters(TypedDict, total=False):
    """Filters of content. All of them narrow the listing together; None means no filter.

    :param content_item_ids: content items.
    :param content_types: of :data:`CONTENT_TYPES`.
    """

    content_item_ids: Ids | None
    content_types: Ids | None


def _only(kind: str, records: list[C]) -> list[C]:
    """Those that say they are of a type, since the LMS may have ignored the filter.

    ``type`` is a label, such as "Learning track". It counts only where ``content_item_type`` is absent, which is
    optional.
    """
    said = [(each.content_item_type or each.type or "").replace(" ", "").casefold() for each in records]
    kept = [record for record, found in zip(records, said, strict=True) if found == kind.casefold()]
    if len(kept) < len(records):
        log.warning(
            "%d content items are dropped, since they do not say that they are a %s.", len(records) - len(kept), kind
        )
    return kept


def _courses_only(records: list[Course]) -> list[Course]:
    return _only("Course", records)


def _learning_tracks_only(records: list[LearningTrack]) -> list[LearningTrack]:
    return _only("LearningTrack", records)


CONTENTS = Listing(
    name="contents",
    path="/contents",
    record=Content,
    rows="contentItems",
    row="contentItem",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("content_item_id",),
    filters=(
        IdFilter("content_item_ids", "contentItemIds[]", row="content_item_id"),
        ChoiceFilter("content_types", "contentTypes[]", CONTENT_TYPES, owner="iSpring's types of content"),
    ),
    source="OpenAPI GET /contents",
)

COURSES = Listing(
    name="courses",
    path="/contents",
    record=Course,
    rows="contentItems",
    row="contentItem",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("content_item_id",),
    params=(("contentTypes[]", "Course"),),
    refine=_courses_only,
    source="OpenAPI GET /contents",
)

COURSE_MODULES = Listing(
    name="course_modules",
    path="/course/{course_id}/modules",
    record=CourseModule,
    rows="modules",
    row="module",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("module_id",),
    path_ids=(PathId("course_id", "courseId"),),
    # The article has itemId, the OpenAPI document contentItemId.
    aliases={"itemId": "contentItemId"},
    parent=Parent(COURSES, {"course_id": "content_item_id"}),
    source="Getting a List of Course Content and Trainings",
)

COURSE_FIELDS = Listing(
    name="course_fields",
    path="/course_fields",
    record=CourseField,
    rows="courseFields",
    row="courseField",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("field_id",),
    source="OpenAPI GET /course_fields",
)

COURSE_TREE = Listing(
    name="course_tree",
    path="/courses_tree",
    record=CourseTreeItem,
    rows="contentItems",
    row="contentItem",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("content_item_id",),
    filters=(IdFilter("content_item_ids", "contentItemIds[]", row="content_item_id"),),
    source="OpenAPI GET /courses_tree",
)

LEARNING_TRACKS = Listing(
    name="learning_tracks",
    path="/contents",
    record=LearningTrack,
    rows="contentItems",
    row="contentItem",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("content_item_id",),
    params=(("contentTypes[]", "LearningTrack"),),
    refine=_learning_tracks_only,
    source="OpenAPI GET /contents",
)

LEARNING_TRACK_COURSES = Listing(
    name="learning_track_courses",
    path="/learning_track/courses",
    record=LearningTrackCourse,
    rows="learningTracksCourses",
    row="learningTracksCourse",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("learning_track_id", "course_id"),
    path_ids=(PathId("learning_track_id", "learningTrackId", param="learningTrackIds"),),
    parent=Parent(LEARNING_TRACKS, {"learning_track_id": "content_item_id"}),
    source="OpenAPI GET /learning_track/courses",
)
