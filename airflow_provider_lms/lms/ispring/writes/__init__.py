"""Changes in iSpring Learn, as methods of its client."""

from __future__ import annotations

from airflow_provider_lms.lms.ispring.writes.enrollments import EnrollmentWrites
from airflow_provider_lms.lms.ispring.writes.organization import OrganizationWrites
from airflow_provider_lms.lms.ispring.writes.users import UserWrites


class TypedWrites(EnrollmentWrites, UserWrites, OrganizationWrites):
    """The calls that change something. Each is sent once, and its parameters are checked before.

    None deletes a person, changes the password of an account that exists, or alters what a learner has achieved:
    results, marks, attendance.
    """
