"""Endpoints of the simulated iSpring Learn that only list what there is, as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_lms.simulator import ispring_tables as tables
from airflow_provider_lms.simulator import ispring_trainings as trainings


@dataclass(frozen=True)
class Endpoint:
    """An endpoint.

    :param call: a pattern for method and path. Its groups are the ids in the path.
    :param rows: what it answers with; called with the account, the request and the ids.
    :param shape: ``paged`` and ``named``: an object that holds the rows under ``name``; ``list``: a bare list;
        ``object``: the only row, within ``response`` as the OpenAPI document has it; ``bare object``: the row as it is.
    :param name: the name of the rows; for a list, the XML element of one.
    :param root: the root element in XML.
    :param lists: the query parameters that may repeat, with or without brackets.
    :param others: the other query parameters, apart from those for pages.
    """

    call: str
    rows: Callable[..., Sequence[Any]]
    shape: Literal["paged", "named", "list", "object", "bare object"]
    name: str = ""
    root: str = "response"
    lists: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def parameters(self) -> frozenset[str]:
        if self.call.startswith("POST"):
            return frozenset((*(f"{name}[]" for name in self.lists), *self.others))
        paging = ("pageSize", "pageToken") if self.shape == "paged" else ()
        return frozenset((*paging, *self.lists, *(f"{name}[]" for name in self.lists), *self.others))


def find(call: str) -> tuple[Endpoint, tuple[str, ...]] | None:
    """The endpoint of a call, and the ids in its path."""
    for endpoint in _ENDPOINTS:
        if (match := re.fullmatch(endpoint.call, call)) is not None:
            return endpoint, match.groups()
    return None


_ID = "([^/]+)"
_JOB = "POST /job-training"
_PERIOD = ("activityDate[startDate]", "activityDate[endDate]")
_ATTEMPTS = ("attemptDate[startDate]", "attemptDate[endDate]")
_ENDPOINTS = (
    Endpoint("GET /departments", tables.departments, "paged", "departments"),
    Endpoint("GET /groups", tables.groups, "paged", "groups"),
    Endpoint(f"GET /group/{_ID}", tables.group, "bare object"),
    Endpoint("GET /role", tables.roles, "list", "role"),
    Endpoint("GET /user/profile/fields", tables.profile_fields, "list", "userFieldInfo"),
    Endpoint(f"GET /course/{_ID}/modules", tables.course_modules, "named", "modules"),
    Endpoint("GET /course_fields", tables.course_fields, "named", "courseFields"),
    Endpoint("GET /courses_tree", tables.courses_tree, "list", "contentItem", lists=("contentItemIds",)),
    Endpoint(
        "GET /learning_track/courses",
        tables.learning_track_courses,
        "list",
        "learningTracksCourse",
        others=("learningTrackIds",),
    ),
    Endpoint(f"GET /content/{_ID}/final_statuses", tables.final_statuses, "list", "status", root="statuses"),
    Endpoint("GET /gamification/points", tables.points, "list", "userPointsInfo", lists=("userIds",)),
    Endpoint("GET /report/active-users-by-period", tables.active_users, "list", "id", others=_PERIOD),
    Endpoint(f"GET /certificate/{_ID}", tables.certificate, "bare object", root="attachment"),
    Endpoint(
        "GET /quizzes", tables.quizzes, "paged", "results", lists=("quizIds", "contentItemIds", "parentCourseIds")
    ),
    Endpoint(
        "GET /report/answer-breakdown",
        tables.answers,
        "paged",
        "results",
        root="results",
        lists=("userIds", "enrollmentIds", "departmentIds", "groupIds"),
        others=("quizId", "parentCourseId", *_ATTEMPTS),
    ),
    Endpoint("GET /assignments", tables.assignments, "paged", "assignments", others=("ungraded",)),
    Endpoint(
        f"GET /assignment/{_ID}/attempts/ungraded", tables.ungraded_attempts, "list", "attempt", lists=("userIds",)
    ),
    Endpoint(f"GET /training/day/{_ID}", trainings.training_day, "object"),
    Endpoint(f"GET /training/session/participants/{_ID}", trainings.participants, "paged", "participants"),
    Endpoint(f"GET /training/{_ID}/sessions", trainings.training_sessions, "list", "trainingSession"),
    Endpoint(f"GET /training/{_ID}", trainings.training, "object"),
    Endpoint(
        f"{_JOB}/checklist/sessions/list",
        trainings.checklists,
        "list",
        "checklistSessions",
        lists=("checklistIds", "sessionIds"),
    ),
    Endpoint(
        f"{_JOB}/sessions/result/list",
        trainings.job_results,
        "list",
        "jobTrainingSessionResult",
        lists=("sessionIds",),
        others=("checklistId", "sessionStatus"),
    ),
    Endpoint(
        f"{_JOB}/completed-session/criterion-group/result/list",
        trainings.criterion_groups,
        "list",
        "criterionGroupResultData",
        lists=("sessionIds", "groupIds"),
        others=("checklistId",),
    ),
    Endpoint(
        f"{_JOB}/completed-session/criterion/result/list",
        trainings.criteria,
        "list",
        "criterionResultData",
        lists=("sessionIds", "groupIds", "criterionIds"),
        others=("checklistId",),
    ),
)
