"""What the modules of a course consist of: sessions, files, contents, links, tests and assignments.

The vendor prints a sample for links. For the others it prints none: ids and names are called as in that sample and in
the progress of learners, other fields as in the request that creates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.records import Id, Record
from airflow_provider_lms.lms.listing.spec import Listing, Parent
from airflow_provider_lms.lms.zoho_people.listings.api import (
    BATCH,
    COURSE,
    ENVELOPE,
    MODULE,
    PAGES,
    BatchId,
    CourseId,
    ModuleId,
    Number,
)
from airflow_provider_lms.lms.zoho_people.listings.courses import BATCHES, COURSE_MODULES, COURSES

R = TypeVar("R", bound="Entity")

_Name: TypeAlias = Annotated[str | None, about("Its name.", known="assumed")]
_Description: TypeAlias = Annotated[str | None, about("Its description.", known="assumed")]
_IsMandatory: TypeAlias = Annotated[bool | None, about("Whether learners must complete it.", known="assumed")]
_LockUntil: TypeAlias = Annotated[str | None, about("Until when it is locked: Zoho's text.", known="assumed")]
_GradeCategory: TypeAlias = Annotated[str | None, about("The category of its grades.", known="assumed")]


class Entity(Record, kw_only=True):
    """A part of a module. Fields that Zoho sends beside these are kept."""

    course_id: CourseId
    batch_id: BatchId = None
    module_id: ModuleId = None


class Session(Entity, kw_only=True):
    """A session of a batch, in a classroom or online."""

    session_id: Annotated[Id, about("The session.", known="assumed")]
    session_name: _Name = None
    description: _Description = None
    type: Annotated[str | None, about("0 in a classroom, 1 online.", known="assumed")] = None
    date: Annotated[str | None, about("Its day: Zoho's text.", known="assumed")] = None
    start_time: Annotated[str | None, about("When it begins: Zoho's text.", known="assumed")] = None
    end_time: Annotated[str | None, about("When it ends: Zoho's text.", known="assumed")] = None
    room_id: Annotated[str | None, about("The room.", known="assumed", references="rooms")] = None
    trainer_erecno: Annotated[
        str | None,
        about("The trainer's employee record.", known="assumed", personal="indirect", references="employees"),
    ] = None
    grade_category_id: _GradeCategory = None
    lock_until: _LockUntil = None


class File(Entity, kw_only=True):
    """A file to study."""

    file_id: Annotated[Id, about("The file.", known="assumed")]
    file_name: _Name = None
    description: _Description = None
    is_mandatory: _IsMandatory = None
    lock_until: _LockUntil = None


class Content(Entity, kw_only=True):
    """An article to read."""

    content_id: Annotated[Id, about("The article.", known="assumed")]
    content_name: _Name = None
    description: _Description = None
    is_mandatory: _IsMandatory = None
    lock_until: _LockUntil = None


class Link(Entity, kw_only=True):
    """A link to a page outside of the LMS."""

    link_id: Annotated[Id, about("The link.")]
    link_name: Annotated[str | None, about("Its name.")] = None
    link: Annotated[str | None, about("The address that it leads to.")] = None
    description: Annotated[str | None, about("Its description.")] = None
    is_mandatory: Annotated[bool | None, about("Whether learners must open it: isMandatoryLink.")] = None
    can_mark_as_complete: Annotated[bool | None, about("Whether it can be marked as completed.")] = None
    is_locked: Annotated[bool | None, about("Whether it is locked.")] = None
    lock_until: Annotated[str | None, about("Until when it is locked: Zoho's text, such as 23-12-2021.")] = None
    resources: Annotated[Any, about("Its attachments, each with name and address.")] = None
    can_user_edit: Annotated[bool | None, about("Whether the token's owner may change it.")] = None
    can_user_delete: Annotated[bool | None, about("Whether the token's owner may delete it.")] = None


class OnlineTest(Entity, kw_only=True):
    """A test that learners take in the LMS."""

    test_id: Annotated[Id, about("The test.", known="assumed")]
    test_name: _Name = None
    description: _Description = None
    duration_for: Annotated[str | None, about("What the duration limits: none, test or question.", known="assumed")] = (
        None
    )
    duration: Annotated[str | None, about("How long it may take, in minutes.", known="assumed")] = None
    maximum_attempts_allowed: Annotated[
        Number, about("How often a learner may try, or unlimited.", known="assumed")
    ] = None
    pass_percentage: Annotated[Number, about("The marks that are needed, in percent.", known="assumed")] = None
    is_mandatory: _IsMandatory = None
    grade_category_id: _GradeCategory = None
    lock_until: _LockUntil = None


class OfflineTest(Entity, kw_only=True):
    """A test that learners take outside of the LMS."""

    test_id: Annotated[Id, about("The test.", known="assumed")]
    test_name: _Name = None
    description: _Description = None
    marks: Annotated[Number, about("The highest mark.", known="assumed")] = None
    duration: Annotated[str | None, about("How long it takes, in minutes.", known="assumed")] = None
    is_mandatory: _IsMandatory = None
    lock_until: _LockUntil = None


class Assignment(Entity, kw_only=True):
    """A task that learners hand in."""

    assignment_id: Annotated[Id, about("The assignment.", known="assumed")]
    assignment_name: _Name = None
    description: _Description = None
    maximum_marks: Annotated[Number, about("The highest mark.", known="assumed")] = None
    submission_type: Annotated[
        str | None, about("What is handed in: fileAttachment, text or noSubmission.", known="assumed")
    ] = None
    submission_from: Annotated[str | None, about("From when on it can be handed in: Zoho's text.", known="assumed")] = (
        None
    )
    submission_to: Annotated[str | None, about("Until when it can be handed in: Zoho's text.", known="assumed")] = None
    late_submission: Annotated[str | None, about("allow or doNotAllow.", known="assumed")] = None
    is_mandatory: _IsMandatory = None
    lock_until: _LockUntil = None


_OF_EVERY_COURSE = Parent(COURSES, {"course_id": "course_id"})
_OF_EVERY_BATCH = Parent(BATCHES, {"course_id": "course_id", "batch_id": "batch_id"})
_OF_EVERY_MODULE = Parent(COURSE_MODULES, {"course_id": "course_id", "batch_id": "batch_id", "module_id": "module_id"})

_COURSE = "/courses/{course_id}[/batches/{batch_id}]"


def _entities(
    record: type[R], path: str, *, entity: str, parent: Parent, source: str, aliases: Mapping[str, str] | None = None
) -> Listing[R]:
    """The declaration of one kind of entity.

    :param path: the endpoint. Its last part is Zoho's name for the list of rows.
    :param entity: what the names of its id and its name begin with.
    """
    rows = path.rpartition("/")[2]
    return Listing(
        name=_NAMES.get(rows, rows),
        path=path,
        record=record,
        rows=rows,
        pager=PAGES,
        envelope=ENVELOPE,
        key=("course_id", "batch_id", f"{entity}_id"),
        path_ids=(COURSE, BATCH, MODULE),
        aliases={f"{entity}Id": "id", f"{entity}Name": "name", **(aliases or {})},
        parent=parent,
        source=source,
    )


_NAMES = {"onlineTests": "online_tests", "offlineTests": "offline_tests"}

SESSIONS = _entities(
    Session,
    "/courses/{course_id}/batches/{batch_id}[/modules/{module_id}]/sessions",
    entity="session",
    parent=_OF_EVERY_BATCH,
    source='LMS, "Fetch Course Batch Sessions", "Fetch Module Sessions"',
)
FILES = _entities(
    File,
    f"{_COURSE}[/modules/{{module_id}}]/files",
    entity="file",
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch course files", "Fetch module files"',
)
CONTENTS = _entities(
    Content,
    f"{_COURSE}[/modules/{{module_id}}]/contents",
    entity="content",
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch course contents", "Fetch module contents"',
)
LINKS = _entities(
    Link,
    f"{_COURSE}[/modules/{{module_id}}]/links",
    entity="link",
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch course or batch links", "Fetch module links"',
    aliases={"isMandatory": "isMandatoryLink"},
)
ONLINE_TESTS = _entities(
    OnlineTest,
    f"{_COURSE}/modules/{{module_id}}/onlineTests",
    entity="test",
    parent=_OF_EVERY_MODULE,
    source='LMS, "Fetch module online tests"',
)
OFFLINE_TESTS = _entities(
    OfflineTest,
    f"{_COURSE}[/modules/{{module_id}}]/offlineTests",
    entity="test",
    parent=_OF_EVERY_COURSE,
    source='LMS, "Fetch course offline tests", "Fetch module offline tests"',
)
ASSIGNMENTS = _entities(
    Assignment,
    f"{_COURSE}/modules/{{module_id}}/assignments",
    entity="assignment",
    parent=_OF_EVERY_MODULE,
    source='LMS, "Fetch module assignments"',
)
