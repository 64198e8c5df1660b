"""Writes to enrollments of the simulated iSpring Learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airflow_provider_lms import clock
from airflow_provider_lms.simulator import ispring_bodies as bodies
from airflow_provider_lms.simulator.ispring_account import ISpringAccount
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.ispring_state import is_overdue
from airflow_provider_lms.simulator.people import User
from airflow_provider_lms.simulator.world import Course, Result


@dataclass(frozen=True)
class _Dates:
    access: datetime
    due: datetime | None
    expiration: datetime | None


def enroll(account: ISpringAccount, body: bodies.NewEnrollment) -> None:
    dates = _dates(account, body)
    courses, users = _courses(account, map(str, body.course_ids)), users_of(account, map(str, body.learner_ids))
    known = {(row.user.id, row.course.id) for row in account.results()}
    pairs = [(user, course, (user.id, course.id) in known) for course in courses for user in users]
    if account.enroll_again == "refused" and any(is_enrolled for _, _, is_enrolled in pairs):
        raise Refused(400, "A learner is already enrolled")
    for user, course, is_enrolled in pairs:
        if account.enroll_again == "second" or not is_enrolled:
            _add(account, user, course, dates)


def update(account: ISpringAccount, body: bodies.UpdateEnrollment, enrollment_id: str) -> None:
    _enrollment(account, enrollment_id)
    _move(account, enrollment_id, _dates(account, body), restart=False)


def reenroll(account: ISpringAccount, body: bodies.UpdateEnrollment, enrollment_id: str) -> None:
    enrollment, dates = _enrollment(account, enrollment_id), _dates(account, body)
    if account.reenroll == "second":
        _add(account, enrollment.user, enrollment.course, dates)
    else:
        _move(account, enrollment_id, dates, restart=account.reenroll == "restarted")


def delete(account: ISpringAccount, body: bodies.DeleteEnrollments) -> None:
    enrollment_ids = set(map(str, body.enrollment_ids))
    if enrollment_ids - {row.enrollment_id for row in account.results()}:
        raise Refused(400, "Unknown enrollment")
    account.state.remove_enrollments(enrollment_ids)


def users_of(account: ISpringAccount, user_ids: Iterable[str]) -> list[User]:
    """The users that a body names, each once.

    :raises Refused: one does not exist.
    """
    users = account.state.users
    found = dict.fromkeys(user_ids)
    if found.keys() - users.keys():
        raise Refused(400, "Unknown user")
    return [users[each] for each in found]


def _courses(account: ISpringAccount, course_ids: Iterable[str]) -> list[Course]:
    courses, found = {course.id: course for course in account.courses}, dict.fromkeys(course_ids)
    others = {item.id for item in account.world.library} - courses.keys()
    if found.keys() & others:
        # The vendor takes learning tracks and single items too, but shows no row of a result for them.
        raise Refused(501, "This simulator enrolls learners in courses only")
    if found.keys() - courses.keys():
        raise Refused(400, "Unknown course")
    return [courses[each] for each in found]


def _enrollment(account: ISpringAccount, enrollment_id: str) -> Result:
    if (found := account.state.enrollment(enrollment_id)) is None:
        raise Refused(404, "Unknown enrollment")
    return found


def _add(account: ISpringAccount, user: User, course: Course, dates: _Dates) -> None:
    account.enroll(user, course, access=dates.access, due=dates.due, expiration=dates.expiration)


def _move(account: ISpringAccount, enrollment_id: str, dates: _Dates, *, restart: bool) -> None:
    now = clock.utcnow()

    def change(row: Result) -> Result:
        row = replace(row, access=dates.access, due=dates.due, expiration=dates.expiration)
        if restart:
            row = replace(row, completion=None, seconds=0, status="not_started", score=None, progress=None, views=0)
        return replace(row, overdue=is_overdue(row, now))

    account.state.change_enrollment(enrollment_id, change)


def _dates(account: ISpringAccount, body: bodies.Dates) -> _Dates:
    # Whether the vendor ignores a value for another type is not documented. Here the mistake is told.
    for name, given, kind in (
        ("dueDate", body.due_date, "due_date"),
        ("duePeriod", body.due_period, "due_period"),
    ):
        if (given is not None) != (body.due_date_type == kind):
            raise Refused(400, f"{name} goes with dueDateType {kind}, and only with it")
    access = clock.utcnow()
    if body.access_date is not None:
        access = bodies.moment(body.access_date, "accessDate", account.time_zone)
    due = None
    if body.due_date is not None:
        due = bodies.moment(body.due_date, "dueDate", account.time_zone)
    elif body.due_period is not None:
        due = access + timedelta(hours=body.due_period)
    elif body.due_date_type == "default" and account.default_due_period is not None:
        due = access + account.default_due_period
    return _Dates(access, due, due if body.lock_after_due_date else None)
