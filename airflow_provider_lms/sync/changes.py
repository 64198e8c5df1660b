"""One change of a plan, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypedDict, Unpack

import msgspec

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.records import Id, Record

_encode = msgspec.json.Encoder(order="deterministic").encode


class Action(StrEnum):
    """What a change does. Changes are applied in this order: people before their enrollments, removals last."""

    CREATE = "create"
    ACTIVATE = "activate"
    MOVE = "move"
    UPDATE = "update"
    SET_MANAGER = "set_manager"
    ENROLL = "enroll"
    REENROLL = "reenroll"
    UNENROLL = "unenroll"
    DEACTIVATE = "deactivate"
    SKIP = "skip"
    """Nothing, and ``reason`` says why."""


REMOVALS = (Action.UNENROLL, Action.DEACTIVATE)


class Reason(StrEnum):
    """Why a plan leaves somebody, or a row, as it is."""

    NO_PERSON = "no_person"
    """The row names nobody."""
    NO_COURSE = "no_course"
    """The row names no course."""
    UNKNOWN_COURSE = "unknown_course"
    """The LMS has no such course, or the connection's role may not see it."""
    NOT_FOUND = "not_found"
    """Nobody in the LMS has this id, e-mail address, login or number."""
    AMBIGUOUS = "ambiguous"
    """Several people in the LMS have it."""
    DUPLICATE = "duplicate"
    """An earlier row names the same person, and the same course if it is about enrollments."""
    OUT_OF_SCOPE = "out_of_scope"
    """The person does not belong to those that ``manage`` names."""
    ADMINISTRATOR = "administrator"
    """The account may administer the LMS, so no plan takes it away."""
    INACTIVE = "inactive"
    """The account is inactive or terminated."""
    SELF_ENROLLED = "self_enrolled"
    """The person chose the course in the catalog, so that the enrollment is not ours to remove."""
    IN_ANOTHER_BATCH = "in_another_batch"
    """The person is in another batch of the course."""
    COMPLETED = "completed"
    """The person has finished the course, and the result would go with the enrollment."""
    NOT_OVER = "not_over"
    """A new enrollment is due, but the person has not finished the one before."""
    NOT_YET = "not_yet"
    """The day from which the enrollment must be has not come."""
    LACKS_VALUES = "lacks_values"
    """The row lacks a value that the LMS needs, or the LMS has none of its own to send back."""
    TAKEN = "taken"
    """Somebody else has the login or the e-mail address."""
    UNKNOWN_MANAGER = "unknown_manager"
    """The row's manager was not found, or several people were."""
    UNKNOWN_DEPARTMENT = "unknown_department"
    """The row's department was not found, or several were."""
    REMOVALS_OFF = "removals_off"
    """The row asks for a removal, and ``removals`` does not allow it."""


class Outcome(StrEnum):
    """What came of a change."""

    DONE = "done"
    """It was carried out, and read back."""
    ALREADY = "already"
    """The LMS was in this state before anything was sent."""
    CHANGED = "changed"
    """The state is another one than when the plan was made, so nothing was sent."""
    REFUSED = "refused"
    """The LMS refused it."""
    UNCONFIRMED = "unconfirmed"
    """It was sent, but reading back does not show it."""
    OPEN = "open"
    """The task ended before it."""
    SKIPPED = "skipped"
    """The plan itself skips it."""


class Change(Record, kw_only=True):
    """A row of a plan."""

    change_id: Id
    action: Annotated[Id, about("What is done: create, activate, move, update, enroll and so on, or skip.")]
    person: Annotated[str | None, about("The person as desired rows name people.", personal="direct")] = None
    person_id: Annotated[str | None, about("The person's id in the LMS; null for a new one.", personal="indirect")] = (
        None
    )
    course_id: Annotated[str | None, about("The course of an enrollment.")] = None
    batch_id: Annotated[str | None, about("The batch, if the course has any.")] = None
    old: Annotated[
        str | None, about("What was found, as a JSON object. What is not in it is not compared.", personal="direct")
    ] = None
    new: Annotated[str | None, about("What is wanted, as a JSON object.", personal="direct")] = None
    reason: Annotated[str | None, about("Why nothing is done, for skip.")] = None
    row: Annotated[int | None, about("The number of the desired row, from 1 on; null if no row asks for it.")] = None

    @property
    def old_values(self) -> dict[str, Any]:
        """What was found when the plan was made."""
        return _decode(self.old)

    @property
    def new_values(self) -> dict[str, Any]:
        """What is wanted."""
        return _decode(self.new)


class AppliedChange(Change, kw_only=True):
    """A row of a report: a change, and what came of it."""

    outcome: Annotated[Id, about("done, already, changed, refused, unconfirmed, open or skipped.")]
    detail: Annotated[str | None, about("Why, as the LMS or this package says it.")] = None


class Subject(TypedDict, total=False):
    """Whom and what a change is about: see the fields of :class:`Change`."""

    person: str | None
    person_id: str | None
    course_id: str | None
    batch_id: str | None


def change(
    action: Action,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    reason: Reason | None = None,
    row: int | None = None,
    **subject: Unpack[Subject],
) -> Change:
    """A change with an id that is the same whenever the same is planned.

    :param row: the number of the desired row. Only what is skipped is told apart by it: several rows may be skipped for
        the same reason.
    """
    whom = subject.get("person_id") or subject.get("person")
    number = row if action == Action.SKIP else None
    identity = [action, whom, subject.get("course_id"), subject.get("batch_id"), reason, number]
    return Change(
        change_id=hashlib.sha256(_encode(identity)).hexdigest()[:24],
        action=action,
        **subject,
        old=None if old is None else as_json(old),
        new=None if new is None else as_json(new),
        reason=reason,
        row=row,
    )


def as_json(values: object) -> str:
    """The one JSON text for some values, whatever order they are in."""
    return _encode(values).decode()


def _decode(text: str | None) -> dict[str, Any]:
    return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])
