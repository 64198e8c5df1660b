"""The listings of iSpring Learn: one declaration and one record type each.

Sources: the vendor's help pages, and its OpenAPI document "Learn Rest Api" 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_lms.lms.ispring.listings import (
    activity,
    assessments,
    content,
    job_training,
    organization,
    people,
    results,
    trainings,
)
from airflow_provider_lms.lms.listing.spec import Listing

LISTINGS: Mapping[str, Listing[Any]] = {
    each.name: each
    for each in (
        results.MODULE_RESULTS,
        results.COURSE_RESULTS,
        content.COURSES,
        people.USERS,
        people.ENROLLMENTS,
        organization.DEPARTMENTS,
        organization.GROUPS,
        organization.GROUP_MEMBERS,
        organization.ROLES,
        organization.PROFILE_FIELDS,
        content.CONTENTS,
        content.COURSE_MODULES,
        content.COURSE_FIELDS,
        content.COURSE_TREE,
        content.LEARNING_TRACKS,
        content.LEARNING_TRACK_COURSES,
        activity.FINAL_STATUSES,
        activity.GAMIFICATION_POINTS,
        activity.ACTIVE_USERS,
        activity.CERTIFICATES,
        assessments.QUIZZES,
        assessments.QUIZ_ANSWERS,
        assessments.ASSIGNMENTS,
        assessments.UNGRADED_ATTEMPTS,
        trainings.TRAININGS,
        trainings.TRAINING_SESSIONS,
        trainings.TRAINING_DAYS,
        trainings.TRAINING_PARTICIPANTS,
        job_training.CHECKLISTS,
        job_training.JOB_TRAINING_RESULTS,
        job_training.CRITERION_GROUP_RESULTS,
        job_training.CRITERION_RESULTS,
    )
}
"""Every listing by its name."""
