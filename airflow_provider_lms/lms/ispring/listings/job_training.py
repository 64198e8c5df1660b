"""Job training: checklists by which observers judge employees at work, and the results. All are read by POST."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter, IdFilter
from airflow_provider_lms.lms.listing.records import Id, Record
from airflow_provider_lms.lms.listing.spec import Listing

SESSION_STATUSES = ("NOT_STARTED", "IN_PROGRESS", "PASSED")


class Checklist(Record, kw_only=True):
    """A checklist, with the sessions in which it is used."""

    checklist_id: Annotated[Id, about("The checklist.")]
    checklist_title: Annotated[str | None, about("Its title.")] = None
    checklist_status: Annotated[str | None, about("PUBLISHED or HIDDEN.")] = None
    session_ids: Annotated[Any, about("Its sessions: a list of their ids.")] = None


class _Observation(Record, kw_only=True):
    """What all results tell."""

    checklist_id: Annotated[str | None, about("The checklist.", references="checklists")] = None
    session_id: Annotated[Id, about("The session.", personal="indirect")]
    employee_id: Annotated[str | None, about("Who was observed.", personal="indirect", references="users")] = None
    observer_id: Annotated[str | None, about("Who has observed.", personal="indirect", references="users")] = None
    total_points: Annotated[float | None, about("The points that can be reached.", known="assumed")] = None
    points: Annotated[float | None, about("The points that were reached.", personal="indirect")] = None


class JobTrainingResult(_Observation, kw_only=True):
    """The result of a session."""

    watermark: ClassVar[str | None] = "completion_date"

    checklist_title: Annotated[str | None, about("The checklist's title.")] = None
    session_status: Annotated[str | None, about("NOT_STARTED, IN_PROGRESS or PASSED.", personal="indirect")] = None
    start_date: Annotated[datetime | None, about("When it is to begin, in UTC.", personal="indirect")] = None
    actual_start_date: Annotated[datetime | None, about("When it has begun, in UTC.", personal="indirect")] = None
    completion_date: Annotated[datetime | None, about("When it was completed, in UTC.", personal="indirect")] = None
    result: Annotated[float | None, about("The result; its scale is not documented.", personal="indirect")] = None


class CriterionGroupResult(_Observation, kw_only=True):
    """The result in a group of criteria, of a completed session."""

    group_id: Annotated[Id, about("The group of criteria.")]
    group_title: Annotated[str | None, about("The group's title.")] = None
    result: Annotated[float | None, about("The result; its scale is not documented.", personal="indirect")] = None


class CriterionResult(_Observation, kw_only=True):
    """The result in one criterion, of a completed session."""

    criterion_id: Annotated[Id, about("The criterion.")]
    group_id: Annotated[str | None, about("The group of criteria.")] = None
    criterion_title: Annotated[str | None, about("The criterion's title.")] = None
    skipped: Annotated[bool | None, about("Whether the criterion was skipped.", personal="indirect")] = None


CHECKLISTS = Listing(
    name="checklists",
    path="/job-training/checklist/sessions/list",
    record=Checklist,
    rows="checklists",
    row="checklistSessions",
    shape="rows",
    method="POST",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("checklist_id",),
    filters=(
        IdFilter("checklist_ids", "checklistIds[]", row="checklist_id"),
        IdFilter("session_ids", "sessionIds[]"),
    ),
    source="OpenAPI POST /job-training/checklist/sessions/list",
)

JOB_TRAINING_RESULTS = Listing(
    name="job_training_results",
    path="/job-training/sessions/result/list",
    record=JobTrainingResult,
    rows="results",
    row="jobTrainingSessionResult",
    shape="rows",
    method="POST",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("session_id",),
    filters=(
        IdFilter("checklist_id", "checklistId", single=True),
        ChoiceFilter(
            "session_status", "sessionStatus", SESSION_STATUSES, owner="iSpring's statuses", row="session_status"
        ),
        IdFilter("session_ids", "sessionIds[]", row="session_id"),
    ),
    source="OpenAPI POST /job-training/sessions/result/list",
)

CRITERION_GROUP_RESULTS = Listing(
    name="criterion_group_results",
    path="/job-training/completed-session/criterion-group/result/list",
    record=CriterionGroupResult,
    rows="results",
    row="criterionGroupResultData",
    shape="rows",
    method="POST",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("session_id", "group_id"),
    filters=(
        IdFilter("checklist_id", "checklistId", single=True),
        IdFilter("session_ids", "sessionIds[]", row="session_id"),
        IdFilter("group_ids", "groupIds[]", row="group_id"),
    ),
    source="OpenAPI POST /job-training/completed-session/criterion-group/result/list",
)

CRITERION_RESULTS = Listing(
    name="criterion_results",
    path="/job-training/completed-session/criterion/result/list",
    record=CriterionResult,
    rows="results",
    row="criterionResultData",
    shape="rows",
    method="POST",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("session_id", "criterion_id"),
    filters=(
        IdFilter("checklist_id", "checklistId", single=True),
        IdFilter("session_ids", "sessionIds[]", row="session_id"),
        IdFilter("group_ids", "groupIds[]", row="group_id"),
        IdFilter("criterion_ids", "criterionIds[]", row="criterion_id"),
    ),
    source="OpenAPI POST /job-training/completed-session/criterion/result/list",
)
