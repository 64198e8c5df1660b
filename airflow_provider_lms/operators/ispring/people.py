"""Operators that read people and their enrollments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.operators.ispring.base import Ids, ISpringExtractOperator, ISpringExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.activity import Certificate
    from airflow_provider_lms.lms.ispring.listings.organization import Department
    from airflow_provider_lms.lms.ispring.listings.people import Enrollment, EnrollmentFilters, User
    from airflow_provider_lms.lms.ispring.reads import UsersFilters
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.spec import Listing


class ISpringUsersOperator(ISpringExtractOperator):
    """Reads the user accounts that the API key's role may see: ids, profile fields, departments, supervisors.

    All filters are templated and narrow the result together; None means no filter.

    :param user_ids: users.
    :param department_ids: departments.
    :param group_ids: groups.
    :param logins: users by their logins.
    :param emails: users by their e-mail addresses.

    Example::

        ISpringUsersOperator(task_id="users", output_path="s3://lake/lms/users", output_format="parquet")
    """

    template_fields: Sequence[str] = (
        "user_ids",
        "department_ids",
        "group_ids",
        "logins",
        "emails",
        *ISpringExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        user_ids: Ids = None,
        department_ids: Ids = None,
        group_ids: Ids = None,
        logins: Ids = None,
        emails: Ids = None,
        **common: Unpack[ISpringExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.user_ids = user_ids
        self.department_ids = department_ids
        self.group_ids = group_ids
        self.logins = logins
        self.emails = emails

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.people import USERS

        return USERS

    def filters(self) -> UsersFilters:
        """The filters as the client takes them."""
        return {
            "user_ids": self.user_ids,
            "department_ids": self.department_ids,
            "group_ids": self.group_ids,
            "logins": self.logins,
            "emails": self.emails,
        }

    def query(self) -> Mapping[str, object]:
        return {**self.filters(), **super().query()}

    def read(self, client: ISpringLearnClient, start: str | None) -> Iterator[Page[User]]:
        return client.read("users", page_size=self.page_size, start=start, **self.filters())


class ISpringDepartmentsOperator(ISpringExtractOperator):
    """Reads the departments: their names, codes, parents and supervisors.

    Example::

        ISpringDepartmentsOperator(task_id="departments", output_path="s3://lake/lms/departments")
    """

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.organization import DEPARTMENTS

        return DEPARTMENTS

    def read(self, client: ISpringLearnClient, start: str | None) -> Iterator[Page[Department]]:
        return client.read("departments", page_size=self.page_size, start=start)


class ISpringEnrollmentsOperator(ISpringExtractOperator):
    """Reads enrollments: who is enrolled in which course, until when, and with which certificate.

    All filters are templated and narrow the result together; None means no filter. Archived and deleted enrollments are
    not listed.

    :param course_ids: courses.
    :param learner_ids: learners, by their user ids.
    :param enrollment_ids: enrollments.

    Example::

        ISpringEnrollmentsOperator(
            task_id="enrollments", output_path="s3://lake/lms/enrollments", output_format="parquet"
        )
    """

    template_fields: Sequence[str] = (
        "course_ids",
        "learner_ids",
        "enrollment_ids",
        *ISpringExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        course_ids: Ids = None,
        learner_ids: Ids = None,
        enrollment_ids: Ids = None,
        **common: Unpack[ISpringExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_ids = course_ids
        self.learner_ids = learner_ids
        self.enrollment_ids = enrollment_ids

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.people import ENROLLMENTS

        return ENROLLMENTS

    def filters(self) -> EnrollmentFilters:
        """The filters as the client takes them."""
        return {
            "course_ids": self.course_ids,
            "learner_ids": self.learner_ids,
            "enrollment_ids": self.enrollment_ids,
        }

    def query(self) -> Mapping[str, object]:
        return {**self.filters(), **super().query()}

    def read(self, client: ISpringLearnClient, start: str | None) -> Iterator[Page[Enrollment]]:
        pages = client.enrollments(**self.filters(), page_size=self.page_size, start=start)
        return client.with_known_courses(pages, self.course_ids)


class ISpringCertificatesOperator(ISpringExtractOperator):
    """Reads the certificates of enrollments: one request for each certificate, so narrow the enrollments.

    All filters are templated; None means no filter. A retry resumes at the certificate where the last attempt stopped.
    The dates of a certificate are in the enrollments already.

    :param course_ids: courses.
    :param learner_ids: learners, by their user ids.
    :param enrollment_ids: enrollments.

    Example::

        ISpringCertificatesOperator(
            task_id="certificates", course_ids="{{ params.course_id }}", output_path="s3://lake/lms/certificates"
        )
    """

    template_fields: Sequence[str] = (
        "course_ids",
        "learner_ids",
        "enrollment_ids",
        *ISpringExtractOperator.template_fields,
    )

    def __init__(
        self,
        *,
        course_ids: Ids = None,
        learner_ids: Ids = None,
        enrollment_ids: Ids = None,
        **common: Unpack[ISpringExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_ids = course_ids
        self.learner_ids = learner_ids
        self.enrollment_ids = enrollment_ids

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.activity import CERTIFICATES

        return CERTIFICATES

    def filters(self) -> EnrollmentFilters:
        """The filters as the client takes them."""
        return {
            "course_ids": self.course_ids,
            "learner_ids": self.learner_ids,
            "enrollment_ids": self.enrollment_ids,
        }

    def query(self) -> Mapping[str, object]:
        return {**self.filters(), **super().query()}

    def read(self, client: ISpringLearnClient, start: str | None) -> Iterator[Page[Certificate]]:
        return client.read("certificates", page_size=self.page_size, start=start, **self.filters())
