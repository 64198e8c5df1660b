"""Trainings: their sessions, days and participants.

The LMS has no list of trainings. They are found as modules of courses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE, PAGES, unwrap
from airflow_provider_lms.lms.ispring.listings.content import COURSE_MODULES, CourseModule
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing, Parent


class Training(Record, kw_only=True):
    """A training, which takes place in sessions."""

    training_id: Annotated[Id, about("The training: the itemId of a module.")]
    title: Annotated[str, about("Its title.")]
    organizer: Annotated[str | None, about("Who organizes it.", personal="indirect", references="users")] = None
    sessions: Annotated[Any, about("Its sessions: a list of their ids.")] = None
    type: Annotated[str | None, about("Its type; the values are not documented.")] = None


class TrainingSession(Record, kw_only=True):
    """A session of a training."""

    training_id: Annotated[Id, about("The training.", references="trainings")]
    id: Annotated[Id, about("The session.")]
    title: Annotated[str | None, about("Its title.")] = None
    start_time: Annotated[datetime | None, about("When it begins, in UTC.")] = None
    duration: Annotated[WholeNumber | None, about("How long it takes; its unit is not documented.")] = None
    instructor: Annotated[str | None, about("Who gives it; whether as an id is not documented.", personal="direct")] = (
        None
    )
    day_ids: Annotated[Any, about("Its days: a list of their ids.")] = None


class TrainingDay(Record, kw_only=True):
    """A day of a session."""

    day_id: Annotated[Id, about("The day.")]
    session_id: Annotated[str | None, about("The session.", references="training_sessions")] = None
    training_id: Annotated[str | None, about("The training.", references="trainings")] = None
    start_time: Annotated[datetime, about("When it begins, in UTC.")]
    duration: Annotated[WholeNumber | None, about("How long it takes, in seconds.")] = None
    location: Annotated[str | None, about("Where it takes place.")] = None
    url: Annotated[str | None, about("Where it takes place on the web.")] = None


class TrainingParticipant(Record, kw_only=True):
    """A participant of a session."""

    session_id: Annotated[Id, about("The session.", references="training_sessions")]
    user_id: Annotated[Id, about("The participant.", personal="indirect", references="users")]


def _is_training(module: CourseModule) -> bool:
    return module.type == "training" and module.item_id is not None


def _has_days(session: TrainingSession) -> bool:
    return isinstance(session.day_ids, list)


_OF_EVERY_TRAINING = Parent(COURSE_MODULES, {"training_id": "item_id"}, where=_is_training)

TRAININGS = Listing(
    name="trainings",
    path="/training/{training_id}",
    record=Training,
    rows="trainings",
    shape="row",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("training_id",),
    path_ids=(PathId("training_id", "trainingId"),),
    complete=unwrap,
    parent=_OF_EVERY_TRAINING,
    source="OpenAPI GET /training/{trainingId}",
)

TRAINING_SESSIONS = Listing(
    name="training_sessions",
    path="/training/{training_id}/sessions",
    record=TrainingSession,
    rows="trainingSessions",
    row="trainingSession",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("id",),
    path_ids=(PathId("training_id", "trainingId"),),
    parent=_OF_EVERY_TRAINING,
    source="OpenAPI GET /training/{trainingId}/sessions",
)

TRAINING_DAYS = Listing(
    name="training_days",
    path="/training/day/{day_id}",
    record=TrainingDay,
    rows="days",
    shape="row",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("day_id",),
    path_ids=(PathId("day_id", "dayId"),),
    complete=unwrap,
    parent=Parent(TRAINING_SESSIONS, {"day_id": "day_ids"}, where=_has_days),
    source="OpenAPI GET /training/day/{dayId}",
)

TRAINING_PARTICIPANTS = Listing(
    name="training_participants",
    path="/training/session/participants/{session_id}",
    record=TrainingParticipant,
    rows="participants",
    row="id",
    id_field="userId",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("session_id", "user_id"),
    path_ids=(PathId("session_id", "sessionId"),),
    parent=Parent(TRAINING_SESSIONS, {"session_id": "id"}),
    source="OpenAPI GET /training/session/participants/{sessionId}",
)
