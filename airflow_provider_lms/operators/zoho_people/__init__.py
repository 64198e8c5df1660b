"""Operators for the LMS of Zoho People."""

from airflow_provider_lms.operators.zoho_people.base import ZohoPeopleExtractOperator, ZohoPeopleExtractOptions
from airflow_provider_lms.operators.zoho_people.courses import (
    ZohoPeopleBatchesOperator,
    ZohoPeopleCourseModulesOperator,
    ZohoPeopleCoursesOperator,
)
from airflow_provider_lms.operators.zoho_people.listing import ZohoPeopleListingOperator
from airflow_provider_lms.operators.zoho_people.people import (
    ZohoPeopleEmployeesOperator,
    ZohoPeopleLearningPlanProgressOperator,
)
from airflow_provider_lms.operators.zoho_people.progress import (
    ZohoPeopleCourseProgressOperator,
    ZohoPeopleEntityProgressOperator,
)
from airflow_provider_lms.operators.zoho_people.sync import ZohoPeopleEnrollmentSyncOperator

__all__ = [
    "ZohoPeopleBatchesOperator",
    "ZohoPeopleCourseModulesOperator",
    "ZohoPeopleCourseProgressOperator",
    "ZohoPeopleCoursesOperator",
    "ZohoPeopleEmployeesOperator",
    "ZohoPeopleEnrollmentSyncOperator",
    "ZohoPeopleEntityProgressOperator",
    "ZohoPeopleExtractOperator",
    "ZohoPeopleExtractOptions",
    "ZohoPeopleLearningPlanProgressOperator",
    "ZohoPeopleListingOperator",
]
