"""Operators for iSpring Learn."""

from airflow_provider_lms.operators.ispring.base import ISpringExtractOperator, ISpringExtractOptions
from airflow_provider_lms.operators.ispring.content import ISpringCourseModulesOperator, ISpringCoursesOperator
from airflow_provider_lms.operators.ispring.listing import ISpringListingOperator
from airflow_provider_lms.operators.ispring.people import (
    ISpringCertificatesOperator,
    ISpringDepartmentsOperator,
    ISpringEnrollmentsOperator,
    ISpringUsersOperator,
)
from airflow_provider_lms.operators.ispring.results import (
    ISpringCourseResultsOperator,
    ISpringModuleResultsOperator,
    ISpringResultOptions,
)
from airflow_provider_lms.operators.ispring.sync import ISpringEnrollmentSyncOperator, ISpringPeopleSyncOperator

__all__ = [
    "ISpringCertificatesOperator",
    "ISpringCourseModulesOperator",
    "ISpringCourseResultsOperator",
    "ISpringCoursesOperator",
    "ISpringDepartmentsOperator",
    "ISpringEnrollmentSyncOperator",
    "ISpringEnrollmentsOperator",
    "ISpringExtractOperator",
    "ISpringExtractOptions",
    "ISpringListingOperator",
    "ISpringModuleResultsOperator",
    "ISpringPeopleSyncOperator",
    "ISpringResultOptions",
    "ISpringUsersOperator",
]
