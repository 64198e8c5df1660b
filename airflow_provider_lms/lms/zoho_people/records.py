"""Zoho People's listings: what their rows hold, and how they become records.

Source: the vendor's page "Individual Learner, Individual Course All Entities of a Specify Entity Type Progress". It
prints a sample of offline tests alone; fields of other entity types are kept as they come. The fields of course
progress, courses and batches are not documented: these are the ones that others met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from airflow_provider_lms.lms.filters import choices
from airflow_provider_lms.lms.records import Record

ENTITY_TYPES: Mapping[int, str] = dict(
    enumerate(
        (
            "offline_tests",
            "online_tests",
            "assignments",
            "files",
            "contents",
            "sessions",
            "links",
            "pre_learning_tests",
            "post_learning_tests",
            "feedbacks",
        )
    )
)
"""The kinds of entities of a course, by Zoho's number."""

Number: TypeAlias = int | float | str | None
"""A number; where Zoho sends a text that is none, such as "unlimited", it is kept."""


class EntityProgress(Record, kw_only=True):
    """A learner's progress in one entity of a course, such as a test.

    ``learner_id`` is the one that was asked for; where Zoho answers with another id, that is ``response_learner_id``.
    ``duration`` is Zoho's text, such as "10 minutes"; ``duration_minutes`` is its value where it can be read.
    ``status`` is Zoho's word: only "completed" is documented.
    """

    course_id: str
    batch_id: str | None = None
    learner_id: str
    response_learner_id: str | None = None
    entity_type: int
    entity_type_name: str
    test_id: str | None = None
    test_name: str | None = None
    status: str | None = None
    is_mandatory: bool | None = None
    user_mark: Number = None
    test_mark: Number = None
    maximum_attempts_allowed: Number = None
    duration: str | None = None
    duration_minutes: float | None = None


class CourseProgress(Record, kw_only=True):
    """A learner's progress in a course. Dates are Zoho's text, whose format is not documented."""

    course_id: str
    batch_id: str | None = None
    learner_id: str
    response_learner_id: str | None = None
    course_name: str | None = None
    course_type: str | None = None
    batch_name: str | None = None
    enrolled_date: str | None = None
    completion_date: str | None = None
    completion_percentage: Number = None
    completion_status: str | None = None
    completed_entities_count: Number = None
    total_entities_count: Number = None
    manager_evaluation_marks: Number = None


class Course(Record, kw_only=True):
    """A course; fields that Zoho sends beside these are kept."""

    course_id: str
    course_name: str | None = None
    course_type: str | None = None


class Batch(Record, kw_only=True):
    """A batch of a blended course; fields that Zoho sends beside these are kept."""

    course_id: str
    batch_id: str
    batch_name: str | None = None


RECORDS: Mapping[str, type[Record]] = {
    "entity_progress": EntityProgress,
    "course_progress": CourseProgress,
    "courses": Course,
    "batches": Batch,
}
"""The types of records by the name of the client's method."""


def entity_type_numbers(name: str, value: object) -> tuple[int, ...]:
    """Zoho's numbers of entity types given by number or name; None is all of them.

    :param name: the parameter's name, for the error.
    :raises ValueError: not one of :data:`ENTITY_TYPES`.
    """
    numbers = {str(number): number for number in ENTITY_TYPES} | {word: n for n, word in ENTITY_TYPES.items()}
    found = choices(name, value, tuple(numbers), "Zoho's entity types")
    return tuple(ENTITY_TYPES) if found is None else tuple(dict.fromkeys(numbers[item] for item in found))


def with_texts(value: Any) -> Any:
    """The same with every id as text, since 18 digits do not fit into the numbers of many readers.

    So are values whose kind is not documented.
    """
    if isinstance(value, list):
        return [with_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _text(item) if name in _TEXTS or name.endswith(_ID_NAMES) else with_texts(item)
        for name, item in value.items()
    }


def minutes(duration: object) -> float | None:
    """The minutes that a duration text means, where all of it can be read: "1 hour 30 minutes", "45 mins"."""
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        return None
    return sum(float(amount.replace(",", ".")) * _MINUTES[unit[0].lower()] for amount, unit in _PART.findall(duration))


_TEXTS = frozenset(("id", "courseType", "status", "completionStatus", "duration", "enrolledDate", "completionDate"))
_ID_NAMES = ("Id", "Ids", "ID", "IDs", "erecno", "Erecno")
_UNIT = r"(?:hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
_PART = re.compile(rf"(\d+(?:[.,]\d+)?)\s*({_UNIT})\b", re.IGNORECASE)
_DURATION = re.compile(rf"\s*(?:\d+(?:[.,]\d+)?\s*{_UNIT}\b\.?,?\s*(?:and\s+)?)+", re.IGNORECASE)
_MINUTES = {"h": 60.0, "m": 1.0, "s": 1 / 60}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else with_texts(value)
