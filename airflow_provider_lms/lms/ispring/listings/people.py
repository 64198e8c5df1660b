"""People: users, and their enrollments in courses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, TypedDict

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, PAGES
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import IdFilter
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing

Ids: TypeAlias = Sequence[str] | str


class User(Record, kw_only=True):
    """A user account.

    ``fields`` is the profile by upper-case name: ``EMAIL``, ``FIRST_NAME``, ``LAST_NAME``, ``LOGIN`` and others.
    ``status`` is 1 active, 3 inactive, 5 terminated. Both dates are kept as the LMS sends them, with or without a time.
    """

    user_id: Annotated[Id, about("The user.", personal="indirect")]
    department_id: Annotated[
        str | None, about("The user's department.", personal="indirect", references="departments")
    ] = None
    status: Annotated[WholeNumber | None, about("1 active, 3 inactive, 5 terminated.", personal="indirect")] = None
    role: Annotated[str | None, about("The name of the user's role.", personal="indirect")] = None
    role_id: Annotated[str | None, about("The user's role.", personal="indirect", references="roles")] = None
    user_roles: Annotated[
        Any,
        about(
            "All roles of the user: a list of objects with roleId and, where it is known, roleType and the "
            "manageableDepartmentIds.",
            personal="indirect",
        ),
    ] = None
    subordination: Annotated[
        Any,
        about(
            "Who supervises the user: an object with subordinationType (manual, inherit or no_supervisor) and, where "
            "there is one, supervisorId.",
            personal="indirect",
        ),
    ] = None
    co_subordination: Annotated[
        Any, about("Who else supervises the user: an object like subordination.", personal="indirect")
    ] = None
    added_date: Annotated[
        str | None, about("When the account was created: the LMS's text, with or without a time.", personal="indirect")
    ] = None
    last_login_date: Annotated[
        str | None, about("When the user last logged in: the LMS's text, with or without a time.", personal="indirect")
    ] = None
    fields: Annotated[
        Any,
        about(
            "The profile: an object by upper-case name, such as EMAIL, FIRST_NAME, LAST_NAME, LOGIN.", personal="direct"
        ),
    ] = None
    groups: Annotated[Any, about("The groups of the user: a list of their ids.", personal="indirect")] = None
    manageable_department_ids: Annotated[
        Any, about("The departments that the user manages: a list of their ids.", personal="indirect")
    ] = None
    work_leave_status: Annotated[
        Any,
        about(
            "Why and how long the user is away: an object with workLeaveReason, startDate and perhaps endDate.",
            personal="indirect",
        ),
    ] = None
    security_policy_acceptance_date: Annotated[
        str | None, about("When the user accepted the security policy: the LMS's text.", personal="indirect")
    ] = None
    privacy_policy_consent_acceptance_date: Annotated[
        str | None, about("When the user consented to the privacy policy: the LMS's text.", personal="indirect")
    ] = None


class UserFilters(TypedDict, total=False):
    """Filters of users. All of them narrow the listing together; None means no filter.

    :param user_ids: users.
    :param department_ids: departments. Whether their sub-departments belong to them is not documented.
    :param group_ids: groups.
    :param logins: login names.
    :param emails: e-mail addresses.
    """

    user_ids: Ids | None
    department_ids: Ids | None
    group_ids: Ids | None
    logins: Ids | None
    emails: Ids | None


class Enrollment(Record, kw_only=True):
    """An enrollment of a learner in a course. ``learner_id`` is the ``user_id`` of results.

    Dates are the vendor's text, usually a date without a time. ``should_lock_after_due_date`` says whether access ends
    with the due date. ``certificate`` holds ``issuedCertificateId``, ``issueDate`` and ``expiryDate`` where one was
    issued; they are also in fields of their own.
    ``enrollment_type_group`` is 0 for an enrollment by an administrator and 1 for one from the catalog.
    Archived and deleted enrollments are not listed.
    """

    enrollment_id: Annotated[Id, about("The enrollment.", personal="indirect")]
    course_id: Annotated[Id, about("The course.", references="courses")]
    learner_id: Annotated[
        Id, about("The learner: the userId of results and users.", personal="indirect", references="users")
    ]
    access_date: Annotated[
        str | None,
        about(
            "Since when the learner has had access: the LMS's text, usually a date without a time.", personal="indirect"
        ),
    ] = None
    due_date: Annotated[
        str | None, about("Until when the learner is to complete the course: the LMS's text.", personal="indirect")
    ] = None
    expiration_date: Annotated[
        str | None, about("When the learner's access ends: the LMS's text.", personal="indirect")
    ] = None
    should_lock_after_due_date: Annotated[bool | None, about("Whether access ends with the due date.")] = None
    certificate: Annotated[
        Any,
        about(
            "The certificate, if one was issued: issuedCertificateId, issueDate and expiryDate.", personal="indirect"
        ),
    ] = None
    enrollment_type_group: Annotated[
        WholeNumber | None, about("0 for an enrollment by an administrator, 1 for one from the catalog.")
    ] = None
    issued_certificate_id: Annotated[
        str | None,
        about("The certificate, if one was issued; taken from certificate.", personal="indirect"),
    ] = None
    cert_issue_date: Annotated[
        str | None, about("When it was issued: the LMS's text; taken from certificate.", personal="indirect")
    ] = None
    cert_expiry_date: Annotated[
        str | None, about("When it expires: the LMS's text; taken from certificate.", personal="indirect")
    ] = None


class EnrollmentFilters(TypedDict, total=False):
    """Filters of enrollments. All of them narrow the listing together; None means no filter.

    :param course_ids: courses.
    :param learner_ids: learners, by their user ids.
    :param enrollment_ids: enrollments.
    """

    course_ids: Ids | None
    learner_ids: Ids | None
    enrollment_ids: Ids | None


def _with_profile(records: list[User]) -> list[User]:
    """Turn each profile into a dict by upper-case name. It comes as a list of names and values, or as an object."""
    for record in records:
        fields = record.fields
        if isinstance(fields, list):
            fields = {field.get("name"): field.get("value") for field in fields if isinstance(field, dict)}
        if isinstance(fields, dict):
            record.fields = {str(name).upper(): value for name, value in fields.items()}
    return records


def _with_certificate(records: list[Enrollment]) -> list[Enrollment]:
    """Fill the fields that older versions of the LMS have in place of ``certificate``."""
    for record in records:
        if isinstance(found := record.certificate, dict):
            record.issued_certificate_id = _text(found.get("issuedCertificateId"), record.issued_certificate_id)
            record.cert_issue_date = _text(found.get("issueDate"), record.cert_issue_date)
            record.cert_expiry_date = _text(found.get("expiryDate"), record.cert_expiry_date)
    return records


def _text(value: object, otherwise: str | None) -> str | None:
    return value if isinstance(value, str) and value else otherwise


USERS = Listing(
    name="users",
    path="/users/v2",
    record=User,
    rows="userProfiles",
    row="userProfile",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("user_id",),
    filters=(
        IdFilter("user_ids", "userIds[]", row="user_id"),
        IdFilter("department_ids", "departments[]", titled=True),
        IdFilter("group_ids", "groups[]"),
        IdFilter("logins", "logins[]", personal=True),
        IdFilter("emails", "emails[]", personal=True),
    ),
    refine=_with_profile,
    source="OpenAPI GET /users/v2",
)

ENROLLMENTS = Listing(
    name="enrollments",
    path="/enrollments",
    record=Enrollment,
    rows="enrollments",
    row="enrollment",
    # Of the listings with a POST form, this is the only one that takes JSON, and whose paging is documented.
    long_by_post=True,
    pager=PAGES,
    envelope=ENVELOPE,
    key=("enrollment_id",),
    filters=(
        IdFilter("course_ids", "courseIds[]", row="course_id", titled=True),
        IdFilter("learner_ids", "learnerIds[]", row="learner_id"),
        IdFilter("enrollment_ids", "enrollmentIds[]", row="enrollment_id"),
    ),
    refine=_with_certificate,
    source="Getting a List of Enrollments",
)
