"""The progress of learners in courses, and in the entities of a course such as tests and sessions.

The vendor prints one sample, of offline tests; fields of other entity types are kept in ``extra``. The fields of course
progress are not documented; these are the ones that third parties met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Id, Record
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.parameters import parse_choices
from airflow_provider_lms.lms.zoho_people.listings.api import (
    BATCH,
    COURSE,
    ENVELOPE,
    LEARNER,
    MODULE,
    ONE_PIECE,
    PAGES,
    BatchId,
    CourseId,
    LearnerId,
    Number,
    ResponseLearnerId,
    envelope,
)

ENTITY_TYPES: Mapping[int, str] = {
    0: "offline_tests",
    1: "online_tests",
    2: "assignments",
    3: "files",
    4: "contents",
    5: "sessions",
    6: "links",
    7: "pre_learning_tests",
    8: "post_learning_tests",
    9: "feedbacks",
}
"""The kinds of entities in a course, by Zoho's number."""


class EntityProgress(Record, kw_only=True):
    """A learner's progress in one entity of a course, such as a test.

    ``learner_id`` is the one that was asked for; where Zoho answers with another id, that is ``response_learner_id``.
    ``test_id`` is set for tests only. Entities of other types have ids in fields that Zoho does not document; these are
    in ``extra``. So no declared fields identify every record, and datasets have an empty primary key.
    ``duration`` is Zoho's text, such as "10 minutes"; ``duration_minutes`` is its value if it can be read. ``status``
    is Zoho's word; only "completed" is documented.
    """

    course_id: Annotated[Id, about("The course.", references="courses")]
    batch_id: Annotated[str | None, about("The batch, if the course is blended.", references="batches")] = None
    learner_id: Annotated[Id, about("The learner that was asked for.", personal="indirect")]
    response_learner_id: Annotated[
        str | None, about("The learner that the response names, if it is another.", personal="indirect")
    ] = None
    entity_type: Annotated[int, about("The kind of entity, as Zoho's number from 0 to 9.")]
    entity_type_name: Annotated[str, about("The kind of entity, such as offline_tests.")]
    test_id: Annotated[str | None, about("The test, for the four kinds of tests.")] = None
    test_name: Annotated[str | None, about("The test's name.")] = None
    status: Annotated[
        str | None, about("Zoho's word for the progress; only completed is documented.", personal="indirect")
    ] = None
    is_mandatory: Annotated[bool | None, about("Whether the learner must complete it.")] = None
    user_mark: Annotated[Number, about("The learner's mark.", personal="indirect")] = None
    test_mark: Annotated[Number, about("The highest mark.")] = None
    maximum_attempts_allowed: Annotated[Number, about("How often the learner may try, or unlimited.")] = None
    duration: Annotated[str | None, about("How long it takes, as Zoho's text, such as 10 minutes.")] = None
    duration_minutes: Annotated[
        float | None, about("The duration in minutes, if its text can be read. Computed by this package.")
    ] = None
    read_at: Annotated[
        datetime | None, about("When Zoho was asked: what happened later may be missing. Set by this package.")
    ] = None


class SingleEntityProgress(EntityProgress, kw_only=True):
    """A learner's progress in the one entity that was asked for."""

    entity_id: Annotated[Id, about("The entity that was asked for.")]


class ModuleProgress(Record, kw_only=True):
    """A learner's progress in one entity of a module, of whatever type.

    Zoho documents no field. These are the fields of progress in a test; an entity's id is not among them, so no
    declared fields identify every record.
    """

    course_id: CourseId
    batch_id: BatchId = None
    module_id: Annotated[Id, about("The module.")]
    learner_id: LearnerId
    response_learner_id: ResponseLearnerId = None
    entity_type: Annotated[Number, about("The kind of entity, as Zoho's number.", known="assumed")] = None
    test_id: Annotated[str | None, about("The test, for the four kinds of tests.", known="assumed")] = None
    test_name: Annotated[str | None, about("The test's name.", known="assumed")] = None
    status: Annotated[str | None, about("Zoho's word for the progress.", known="assumed", personal="indirect")] = None
    is_mandatory: Annotated[bool | None, about("Whether the learner must complete it.", known="assumed")] = None
    user_mark: Annotated[Number, about("The learner's mark.", known="assumed", personal="indirect")] = None
    test_mark: Annotated[Number, about("The highest mark.", known="assumed")] = None
    duration: Annotated[str | None, about("How long it takes, as Zoho's text.", known="assumed")] = None
    duration_minutes: Annotated[
        float | None,
        about("The duration in minutes, if its text can be read. Computed by this package.", known="assumed"),
    ] = None


class CourseProgress(Record, kw_only=True):
    """A learner's progress in a course. Dates are Zoho's text; their format is not documented."""

    course_id: Annotated[Id, about("The course.", known="seen", references="courses")]
    batch_id: Annotated[
        str | None, about("The batch, if the course is blended.", known="seen", references="batches")
    ] = None
    learner_id: Annotated[Id, about("The learner.", known="seen", personal="indirect")]
    response_learner_id: Annotated[
        str | None,
        about(
            "The learner that the response names, if it is another than the one asked for.",
            known="seen",
            personal="indirect",
        ),
    ] = None
    course_name: Annotated[str | None, about("The course's name.", known="seen")] = None
    course_type: Annotated[str | None, about("The course's type.", known="seen")] = None
    batch_name: Annotated[str | None, about("The batch's name.", known="seen")] = None
    enrolled_date: Annotated[
        str | None, about("When the learner was enrolled: Zoho's text.", known="seen", personal="indirect")
    ] = None
    completion_date: Annotated[
        str | None, about("When the learner has completed the course: Zoho's text.", known="seen", personal="indirect")
    ] = None
    completion_percentage: Annotated[
        Number, about("How much is done, in percent.", known="seen", personal="indirect")
    ] = None
    completion_status: Annotated[
        str | None, about("Zoho's word for the progress.", known="seen", personal="indirect")
    ] = None
    completed_entities_count: Annotated[
        Number, about("How many entities are completed.", known="seen", personal="indirect")
    ] = None
    total_entities_count: Annotated[Number, about("How many entities the course has.", known="seen")] = None
    manager_evaluation_marks: Annotated[
        Number, about("The marks that the manager has given.", known="seen", personal="indirect")
    ] = None


def parse_entity_types(name: str, value: object) -> tuple[int, ...]:
    """Zoho's numbers of entity types that are given by number or name; None is all of them.

    :param name: the parameter's name, for the error.
    :raises ValueError: not one of :data:`ENTITY_TYPES`.
    """
    numbers = {str(number): number for number in ENTITY_TYPES} | {word: n for n, word in ENTITY_TYPES.items()}
    found = parse_choices(name, value, tuple(numbers), "Zoho's entity types")
    return tuple(ENTITY_TYPES) if found is None else tuple(dict.fromkeys(numbers[item] for item in found))


def parse_minutes(duration: object) -> float | None:
    """The minutes that a duration text means, if all of it can be read: "1 hour 30 minutes", "45 mins"."""
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        return None
    return sum(float(amount.replace(",", ".")) * _MINUTES[unit[0].lower()] for amount, unit in _PART.findall(duration))


def _with_entity_type(row: dict[str, Any], query: Query) -> dict[str, Any]:
    number = int(dict(query.fixed)[ENTITY_TYPE.param])
    return {
        **row,
        "entityType": number,
        "entityTypeName": ENTITY_TYPES[number],
        "durationMinutes": parse_minutes(row.get("duration")),
    }


def _with_type_in_path(row: dict[str, Any], query: Query) -> dict[str, Any]:
    name = next(name for name, segment in ENTITY.choices.items() if segment == query.path_ids[ENTITY.name])
    number = next(number for number, word in ENTITY_TYPES.items() if word == name)
    return {**_with_minutes(row, query), "entityType": number, "entityTypeName": name}


def _with_minutes(row: dict[str, Any], query: Query) -> dict[str, Any]:  # noqa: ARG001
    return {**row, "durationMinutes": parse_minutes(row.get("duration"))}


_MANDATORY = {"isMandatory": "isMandatoryLink"}
"""What a link calls it."""

ENTITY = PathId(
    "entity_type",
    "entityTypeName",
    choices={
        "online_tests": "onlineTests",
        "offline_tests": "offlineTests",
        **{name: name for name in ("assignments", "links", "sessions", "files", "contents")},
    },
)
ENTITY_ID = PathId("entity_id", "entityId")

ENTITY_TYPE = ChoiceFilter(
    "entity_type", "entityType", tuple(map(str, ENTITY_TYPES)), owner="Zoho's entity types", echo="entityType"
)

ENTITY_PROGRESS = Listing(
    name="entity_progress",
    path="/courses/{course_id}[/batches/{batch_id}]/learners/{learner_id}/progress",
    record=EntityProgress,
    rows="learnerProgress",
    pager=PAGES,
    envelope=ENVELOPE,
    # No key: only tests have a documented id. With ``test_id`` in the key, all entities of another type of one learner
    # would share one key, and a merge by it would keep only one of them.
    key=(),
    path_ids=(COURSE, BATCH, LEARNER),
    filters=(ENTITY_TYPE,),
    aliases=_MANDATORY,
    complete=_with_entity_type,
    source='LMS, "Individual Learner, Individual Course All Entities of a Specify Entity Type Progress"',
)

SINGLE_ENTITY_PROGRESS = Listing(
    name="single_entity_progress",
    path="/courses/{course_id}[/batches/{batch_id}]/learners/{learner_id}/{entity_type}/{entity_id}/progress",
    record=SingleEntityProgress,
    rows="learnerProgress",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("course_id", "batch_id", "learner_id", "entity_type", "entity_id"),
    path_ids=(COURSE, BATCH, LEARNER, ENTITY, ENTITY_ID),
    aliases=_MANDATORY,
    complete=_with_type_in_path,
    source='LMS, "Individual Learner, Individual Course, Specific Entity Progress"',
)

MODULE_PROGRESS = Listing(
    name="module_progress",
    path="/courses/{course_id}[/batches/{batch_id}]/modules/{module_id}/learners/{learner_id}/progress",
    record=ModuleProgress,
    rows="learnerProgress",
    pager=ONE_PIECE,
    envelope=envelope("learnerProgress", "moduleProgress"),
    key=(),
    path_ids=(COURSE, BATCH, MODULE, LEARNER),
    aliases=_MANDATORY,
    complete=_with_minutes,
    source='LMS, "Individual Learner, Individual Course, Individual Module, All Entities Progress"',
)

COURSE_PROGRESS = Listing(
    name="course_progress",
    path="[/courses/{course_id}[/batches/{batch_id}]][/learners/{learner_id}]/course-progress",
    record=CourseProgress,
    rows="courseProgress",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("course_id", "batch_id", "learner_id"),
    path_ids=(COURSE, BATCH, LEARNER),
    filters=(ChoiceFilter("progress_type", "progressType", ("0", "1"), owner="Zoho's progress types"),),
    source='LMS, "Single course, all learners", "Single learner, all courses", "Single learner, single course"',
)

_UNIT = r"(?:hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
_PART = re.compile(rf"(\d+(?:[.,]\d+)?)\s*({_UNIT})\b", re.IGNORECASE)
_DURATION = re.compile(rf"\s*(?:\d+(?:[.,]\d+)?\s*{_UNIT}\b\.?,?\s*(?:and\s+)?)+", re.IGNORECASE)
_MINUTES = {"h": 60.0, "m": 1.0, "s": 1 / 60}
