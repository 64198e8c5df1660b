"""Applies changes of enrollments to iSpring Learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.lms.parameters import parse_datetime
from airflow_provider_lms.sync.changes import Action, Change
from airflow_provider_lms.sync.chunks import in_chunks
from airflow_provider_lms.sync.ispring.enrollments import day_of, enrollments_of, is_before, latest, same_day
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.sync.ispring.enrollments import DueDate


class EnrollmentTarget:
    """The enrollments of an account.

    :param client: of the account.
    """

    def __init__(self, client: ISpringLearnClient) -> None:
        self._client = client

    def chunks(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        """What the same request says to several people of a course goes into one request."""

        def request(change: Change) -> tuple[str | None, ...]:
            if change.action in (Action.UPDATE, Action.REENROLL):
                return (change.change_id,)
            return change.action, change.course_id, None if change.action == Action.UNENROLL else change.new

        return in_chunks(changes, request)

    def states(self, changes: Sequence[Change]) -> Mapping[str, Mapping[str, Any]]:
        courses = sorted({each.course_id or "" for each in changes})
        people = sorted({each.person_id or "" for each in changes})
        found = enrollments_of(self._client, courses, people)
        departments: dict[str, str | None] = {}
        if any(each.action == Action.UNENROLL for each in changes):
            departments = {each.user_id: each.department_id for each in records(self._client.users(user_ids=people))}
        return {
            each.change_id: {
                **_state(found.get((each.person_id or "", each.course_id or ""), ())),
                "department_id": departments.get(each.person_id or ""),
            }
            for each in changes
        }

    def is_fulfilled(self, change: Change, state: Mapping[str, Any]) -> bool:
        new, old = change.new_values, change.old_values
        if change.action == Action.UNENROLL:
            return not {*new["removed"]} & {*state["enrollment_ids"]}
        if state["enrollment_id"] is None or not _has_due_date(new, state["due_date"]):
            return False
        if change.action == Action.UPDATE:
            # The request names the access date as well, so it must come back as it was.
            access = day_of(old["access_date"])
            same_access = access is not None and same_day(state["access_date"], access)
            return bool(same_access and state["enrollment_id"] == old["enrollment_id"])
        if change.action == Action.ENROLL:
            access = day_of(new.get("access_date"))
            return access is None or same_day(state["access_date"], access)
        is_new = (state["enrollment_id"], state["access_date"]) != (old["enrollment_id"], old["access_date"])
        return is_new and not is_before(state["access_date"], date.fromisoformat(new["enrolled_since"]))

    def send(self, changes: Sequence[Change]) -> None:
        first, client = changes[0], self._client
        new, old = first.new_values, first.old_values
        if first.action == Action.ENROLL:
            learners = [each.person_id or "" for each in changes]
            client.enroll([first.course_id or ""], learners, due=_due(new), access_date=_access(new))
        elif first.action == Action.UNENROLL:
            client.delete_enrollments([id_ for each in changes for id_ in each.new_values["removed"]])
        elif first.action == Action.REENROLL:
            client.reenroll(old["enrollment_id"], access_date=_access(new) or clock.utcnow(), due=_due(new))
        else:
            client.edit_enrollment(
                old["enrollment_id"],
                access_date=_access_again(old["access_date"]),
                due=_due(new),
                lock_after_due_date=old["should_lock_after_due_date"],
            )


def _state(enrollments: Iterable[Any]) -> Mapping[str, Any]:
    found = [*enrollments]
    last = latest(found)
    return {
        "enrollment_ids": sorted(each.enrollment_id for each in found),
        "enrollment_id": last and last.enrollment_id,
        "access_date": last and last.access_date,
        "due_date": last and last.due_date,
        "should_lock_after_due_date": last and last.should_lock_after_due_date,
    }


def _has_due_date(new: Mapping[str, Any], found: str | None) -> bool:
    if "due_date" in new:
        return same_day(found, date.fromisoformat(new["due_date"]))
    return new.get("due") != "unlimited" or found is None


def _due(new: Mapping[str, Any]) -> date | DueDate:
    return date.fromisoformat(new["due_date"]) if "due_date" in new else new["due"]


def _access_again(found: str) -> datetime:
    """The access date as it is to be sent back.

    Of a day without a time, the noon is sent: it is the same day in almost all zones. A midnight would move to the day
    before with each request, where the account is east of UTC.
    """
    moment = parse_datetime("access_date", found)
    return moment.replace(hour=12) if len(found) <= len("2026-01-01") else moment


def _access(new: Mapping[str, Any]) -> datetime | None:
    """When access begins; None is now. For today it is now: the LMS's midnight may be another one."""
    day = day_of(new.get("access_date"))
    if day is None or day == clock.utcnow().date():
        return None
    return datetime(day.year, day.month, day.day)
