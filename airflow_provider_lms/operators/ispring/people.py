"""Operators that read people and their enrollments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.links.dataset import DatasetLink
from airflow_provider_lms.operators.ispring.base import Ids, ISpringExtractOperator, ISpringExtractOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.activity import Certificate
    from airflow_provider_lms.lms.ispring.listings.organization import Department
    from airflow_provider_lms.lms.ispring.listings.people import Enrollment, EnrollmentFilters, User
    from airflow_provider_lms.lms.ispring.reads import UsersFilters
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.projection import ColumnChoice
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.storage.attachments import Attachments

_FILE = "downloadedFile"


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

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[User]:
        return client.read("users", page_size=self.page_size, start=start, **self.filters())


class ISpringDepartmentsOperator(ISpringExtractOperator):
    """Reads the departments: their names, codes, parents and supervisors.

    Example::

        ISpringDepartmentsOperator(task_id="departments", output_path="s3://lake/lms/departments")
    """

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.ispring.listings.organization import DEPARTMENTS

        return DEPARTMENTS

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[Department]:
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

    operator_extra_links = (DatasetLink(), CourseLink())
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

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[Enrollment]:
        pages = client.enrollments(**self.filters(), page_size=self.page_size, start=start)
        return client.with_known_courses(pages, self.course_ids)


class ISpringCertificatesOperator(ISpringExtractOperator):
    """Reads the certificates of enrollments: one request for each certificate, so narrow the enrollments.

    All filters are templated; None means no filter. A retry resumes at the certificate where the last attempt stopped.
    The dates of a certificate are in the enrollments already.

    :param course_ids: courses.
    :param learner_ids: learners, by their user ids.
    :param enrollment_ids: enrollments.
    :param download: store each certificate's PDF in the dataset's folder, which ``output_path`` names. The column
        ``downloadedFile`` holds the name of the file. ``url`` and ``_extra`` are left out, unless ``columns`` names
        them. The connection's ``timeout`` and ``max_body_bytes`` apply to each file.

    Example::

        ISpringCertificatesOperator(
            task_id="certificates",
            course_ids="{{ params.course_id }}",
            download=True,
            output_path="s3://lake/lms/certificates",
        )
    """

    operator_extra_links = (DatasetLink(), CourseLink())
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
        download: bool = False,
        **common: Unpack[ISpringExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.course_ids = course_ids
        self.learner_ids = learner_ids
        self.enrollment_ids = enrollment_ids
        self.download = download

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
        return {**self.filters(), "download": self.download or None, **super().query()}

    def check_parameters(self) -> None:
        from airflow_provider_lms.lms.parameters import parse_choice

        parse_choice("download", self.download, (False, True))
        if self.download and self.output_path is None:
            raise ValueError("download: the files need a folder. Set output_path.")

    def column_choice(self) -> ColumnChoice | None:
        from airflow_provider_lms.lms.listing.projection import ColumnChoice

        choice = super().column_choice()
        if not self.download:
            return choice
        choice = choice or ColumnChoice()
        kept = choice.columns
        if (kept is not None and _FILE not in kept) or _FILE in (*choice.drop_columns, *choice.hash_columns):
            raise ValueError(f"download: nobody could find the files without the column {_FILE!r}. Keep it as it is.")
        # The address may be a secret, and nobody needs it any more.
        if kept is not None or "url" in choice.hash_columns:
            return choice
        return replace(choice, drop_columns=(*choice.drop_columns, "url"))

    def attachments(self, directory: ObjectStoragePath) -> Attachments | None:
        from airflow_provider_lms.storage.attachments import Attachments

        return Attachments(directory, ".pdf") if self.download else None

    def attach(self, client: ISpringLearnClient, page: Page[Certificate], attachments: Attachments) -> None:
        for certificate in page.records:
            certificate.downloaded_file = _download(client, certificate, attachments)

    def read(self, client: ISpringLearnClient, start: str | None) -> Reading[Certificate]:
        return client.read("certificates", page_size=self.page_size, start=start, **self.filters())


def _download(client: ISpringLearnClient, certificate: Certificate, attachments: Attachments) -> str:
    """Store the PDF of a certificate; return the name of its file."""
    names: list[str] = []
    client.download_certificate(certificate, lambda pieces: names.append(attachments.add(pieces)))
    return names[0]
