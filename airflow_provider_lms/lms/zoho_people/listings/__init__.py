"""The listings of Zoho People: one declaration and one record type each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.zoho_people.listings import account, content, courses, plans, progress

LISTINGS: Mapping[str, Listing[Any]] = {
    each.name: each
    for each in (
        progress.ENTITY_PROGRESS,
        progress.COURSE_PROGRESS,
        progress.MODULE_PROGRESS,
        progress.SINGLE_ENTITY_PROGRESS,
        courses.COURSES,
        courses.COURSE_DETAILS,
        courses.COURSE_SETTINGS,
        courses.COURSE_SHARES,
        courses.BATCHES,
        courses.BATCH_SCHEDULERS,
        courses.COURSE_MODULES,
        content.SESSIONS,
        content.FILES,
        content.CONTENTS,
        content.LINKS,
        content.ONLINE_TESTS,
        content.OFFLINE_TESTS,
        content.ASSIGNMENTS,
        plans.LEARNING_PLANS,
        plans.LEARNING_PLAN_LEARNERS,
        plans.LEARNING_PLAN_PROGRESS,
        plans.LEARNING_PLAN_COURSES,
        account.EMPLOYEES,
        account.TRAINERS,
        account.CATEGORIES,
        account.ROOMS,
    )
}
"""Every listing by its name."""
