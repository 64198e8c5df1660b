"""Plans enrollments in iSpring Learn: who is to be in which course, and until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.course.progress import LearnerProgress, State
from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.sync.builder import PlanBuilder
from airflow_provider_lms.sync.changes import Action, Reason, Subject
from airflow_provider_lms.sync.desired import as_day, as_text
from airflow_provider_lms.sync.ispring.accounts import ACTIVE, Accounts, Manage, name_of
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.lms.ispring.listings.people import Enrollment, User
    from airflow_provider_lms.sync.limits import Limits
    from airflow_provider_lms.sync.plan import Plan

COLUMNS = ("person", "course_id", "due_date", "access_date", "enrolled_since")
"""What a desired row may say, by our names."""
REQUIRED = ("person", "course_id")
MANAGED = ("department_ids", "group_ids", "course_ids")

Removals: TypeAlias = Literal["never", "unenroll"]
DueDate: TypeAlias = Literal["default", "unlimited"]

_MOST_ASKED_FOR = 200
"""From so many people on, their results are not asked for by their ids."""
_ALL_STATUSES = ("1", "3", "5")
_SELF_ENROLLED = 1
"""The ``enrollment_type_group`` of an enrollment from the catalog."""


@dataclass(frozen=True)
class EnrollmentOptions:
    """How enrollments are planned.

    :param match_by: what people are found by.
    :param manage: whom the plan may touch; None is everybody, and then nothing is removed.
    :param removals: ``unenroll`` removes the enrollments of managed people that no row asks for.
    :param due: the due date of a new enrollment whose row has none.
    :param limits: how much may change.
    """

    match_by: str
    manage: Manage | None
    removals: Removals
    due: DueDate
    limits: Limits


class _Wanted(NamedTuple):
    """A desired row."""

    number: int
    person: str | None
    course_id: str | None
    due_date: date | None
    access_date: date | None
    enrolled_since: date | None


def plan_enrollments(client: ISpringLearnClient, rows: Iterable[Mapping[str, Any]], options: EnrollmentOptions) -> Plan:
    """Compare desired enrollments with the account. Sends nothing that changes anything.

    :param rows: each with ``person`` and ``course_id``, and perhaps ``due_date``, ``access_date`` (of a new
        enrollment) and ``enrolled_since``: an older enrollment is to be repeated.
    :raises ValueError: a row has a date that is none, or there are no rows.
    :raises InconsistentRead: the account changed while it was read.
    :raises LmsError: the account could not be read to the end.
    """
    wanted = [_wanted(number, row) for number, row in enumerate(rows, 1)]
    return _Planner(client, wanted, options).plan()


class _Planner:
    def __init__(self, client: ISpringLearnClient, wanted: Sequence[_Wanted], options: EnrollmentOptions) -> None:
        self._client = client
        self._wanted = wanted
        self._options = options
        self._accounts = Accounts(client, options.manage)
        managed = () if options.manage is None else map(str.lower, options.manage.course_ids)
        self._courses = sorted({each.course_id for each in wanted if each.course_id} | {*managed})
        self._enrollments = enrollments_of(client, self._courses)
        self._courses_with_people = {course_id for _, course_id in self._enrollments}
        self._known_courses: dict[str, bool] = {}
        self._named: set[tuple[str, str | None]] = set()
        """Whom rows name, or may name, with the course. They keep it, also if the row is skipped."""
        self._past_due = 0
        self._plan = PlanBuilder("enrollments")

    def plan(self) -> Plan:
        pairs = [*self._pairs()]
        repeated = {row.number: user for user, row in pairs if self._is_to_repeat(user, row)}
        over = self._finished(repeated.values())
        for user, row in pairs:
            found = self._latest(user, row)
            if found is None and not self._is_known(row.course_id or ""):
                self._skip(row, user, Reason.UNKNOWN_COURSE)
            elif found is None:
                self._enroll(user, row)
            elif row.enrolled_since is not None and day_of(found.access_date) is None:
                self._skip(row, user, Reason.LACKS_VALUES)
            elif row.number in repeated:
                self._repeat(user, row, found, is_over=found.enrollment_id in over)
            elif row.due_date is not None and not same_day(found.due_date, row.due_date):
                self._move_due_date(user, row, found)
            else:
                self._plan.unchanged += 1
        if self._past_due:
            self._plan.notes.append(f"Changes with a due date in the past: {self._past_due:,}.")
        if self._options.removals == "unenroll":
            self._unenroll()
        options = self._options
        settings = {
            "match_by": options.match_by,
            "manage": options.manage and options.manage.as_settings(),
            "removals": options.removals,
            "due": options.due,
        }
        return self._plan.plan(self._client.asset_root, settings, options.limits, self._with_something_to_lose())

    def _pairs(self) -> Iterator[tuple[User, _Wanted]]:
        """The rows that name one person in scope, each once."""
        people, seen = self._accounts.by(self._options.match_by), set()
        if not people:
            raise ValueError(f"match_by: nobody in the account has a value in {self._options.match_by!r}.")
        for row in self._wanted:
            user, reason, candidates = people.find(row.person)
            self._named.update((each.user_id, row.course_id) for each in candidates)
            if reason is None and row.course_id is None:
                reason = Reason.NO_COURSE
            if user is not None and reason is None:
                if (user.user_id, row.course_id) in seen:
                    reason = Reason.DUPLICATE
                elif not self._accounts.is_managed(user):
                    reason = Reason.OUT_OF_SCOPE
                elif user.status != ACTIVE:
                    reason = Reason.INACTIVE
            if user is None or reason is not None:
                self._skip(row, user, reason)
                continue
            seen.add((user.user_id, row.course_id))
            yield user, row

    def _latest(self, user: User, row: _Wanted) -> Enrollment | None:
        return latest(self._enrollments.get((user.user_id, row.course_id or ""), ()))

    def _is_known(self, course_id: str) -> bool:
        """Whether the LMS has a course. Asked only where nobody is: an unknown course reads as an empty one."""
        if course_id in self._courses_with_people:
            return True
        if course_id not in self._known_courses:
            self._known_courses[course_id] = True
            try:
                for _ in self._client.known_course(course_id):
                    pass  # it has no rows; only whether it can be read matters
            except LmsNotFound as error:
                if not error.is_refusal:
                    raise  # not the LMS's own words
                self._known_courses[course_id] = False
        return self._known_courses[course_id]

    def _is_to_repeat(self, user: User, row: _Wanted) -> bool:
        found = self._latest(user, row)
        return found is not None and row.enrolled_since is not None and is_before(found.access_date, row.enrolled_since)

    def _finished(self, users: Iterable[User], *, or_unknown: bool = False) -> set[str | None]:
        """The enrollments of users whose course is over, completed or not. Their results must not get lost.

        :param or_unknown: also those with a status that is not documented.
        """
        ids = sorted({each.user_id for each in users})
        if not ids or not self._courses:
            return set()
        # Long lists of ids make many requests; then all learners of the courses are read, and filtered here.
        asked = ids if len(ids) <= _MOST_ASKED_FOR else None
        results = self._client.course_results(user_ids=asked, course_ids=self._courses, user_statuses=_ALL_STATUSES)
        return {
            each.enrollment_id
            for each in records(results)
            if STATUSES.state_of(LearnerProgress(each.user_id, status=each.completion_status)) != State.OPEN
            or (or_unknown and STATUSES.unknown((each.completion_status,)))
        }

    def _enroll(self, user: User, row: _Wanted) -> None:
        new: dict[str, Any] = {"due": self._options.due} if row.due_date is None else {"due_date": f"{row.due_date}"}
        if row.access_date is not None:
            new["access_date"] = f"{row.access_date}"
        self._add(Action.ENROLL, user, row, {"enrollment_id": None}, new)

    def _repeat(self, user: User, row: _Wanted, found: Enrollment, *, is_over: bool) -> None:
        today = clock.utcnow().date()
        begin = max(row.enrolled_since or today, row.access_date or today)
        if begin > today:
            self._skip(row, user, Reason.NOT_YET)
        elif not is_over:
            self._skip(row, user, Reason.NOT_OVER)
        else:
            new: dict[str, Any] = {"enrolled_since": f"{row.enrolled_since}", "access_date": f"{begin}"}
            new |= {"due": self._options.due} if row.due_date is None else {"due_date": f"{row.due_date}"}
            old = {"enrollment_id": found.enrollment_id, "access_date": found.access_date}
            self._add(Action.REENROLL, user, row, old, new)

    def _move_due_date(self, user: User, row: _Wanted, found: Enrollment) -> None:
        if day_of(found.access_date) is None:
            self._skip(row, user, Reason.LACKS_VALUES)  # the request must name the day of access as well
            return
        old = {
            "enrollment_id": found.enrollment_id,
            "access_date": found.access_date,
            "due_date": found.due_date,
            "should_lock_after_due_date": found.should_lock_after_due_date,
        }
        self._add(Action.UPDATE, user, row, old, {"due_date": f"{row.due_date}"})

    def _unenroll(self) -> None:
        candidates = [(user, course_id) for user in self._accounts.managed for course_id in self._removable(user)]
        over = self._finished((user for user, _ in candidates), or_unknown=True)
        for user, course_id in candidates:
            found = self._enrollments[user.user_id, course_id]
            ours = [each for each in found if each.enrollment_type_group != _SELF_ENROLLED]
            open_ones = [each for each in ours if each.enrollment_id not in over]
            person = name_of(user, self._options.match_by)
            subject: Subject = {"person": person, "person_id": user.user_id, "course_id": course_id}
            if not ours:
                self._plan.skip(Reason.SELF_ENROLLED, **subject)
            elif len(open_ones) < len(ours):
                self._plan.skip(Reason.COMPLETED, **subject)
            else:
                ids = sorted(each.enrollment_id for each in found)
                old = {"enrollment_ids": ids, "department_id": user.department_id}
                new = {"removed": sorted(each.enrollment_id for each in ours)}
                self._plan.add(Action.UNENROLL, old, new, **subject)

    def _removable(self, user: User) -> Iterator[str]:
        """The courses that a user is in, and that no row may mean."""
        for course_id in self._courses:
            if (user.user_id, course_id) in self._enrollments and (user.user_id, course_id) not in self._named:
                yield course_id

    def _with_something_to_lose(self) -> int:
        """How many of the managed people are enrolled in these courses."""
        return len({user_id for user_id, _ in self._enrollments} & {each.user_id for each in self._accounts.managed})

    def _add(self, action: Action, user: User, row: _Wanted, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        subject: Subject = {"person": row.person, "person_id": user.user_id, "course_id": row.course_id}
        self._plan.add(action, old, new, row.number, **subject)
        self._past_due += row.due_date is not None and row.due_date < clock.utcnow().date()

    def _skip(self, row: _Wanted, user: User | None, reason: Reason | None) -> None:
        person_id = None if user is None else user.user_id
        self._plan.skip(reason, row.number, person=row.person, person_id=person_id, course_id=row.course_id)


def enrollments_of(
    client: ISpringLearnClient, course_ids: Sequence[str], learner_ids: Sequence[str] | None = None
) -> Mapping[tuple[str, str], list[Enrollment]]:
    """Enrollments by learner and course. The ids of courses are in lower case, as in plans.

    :param learner_ids: None is everybody.
    """
    found: dict[tuple[str, str], list[Enrollment]] = defaultdict(list)
    if course_ids:
        for each in records(client.enrollments(course_ids=course_ids, learner_ids=learner_ids)):
            found[each.learner_id, each.course_id.lower()].append(each)
    return found


def latest(enrollments: Iterable[Enrollment]) -> Enrollment | None:
    """The enrollment that counts of several ones of a learner in a course."""
    return max(enrollments, key=lambda each: (each.access_date or "", each.enrollment_id), default=None)


def same_day(found: str | None, wanted: date) -> bool:
    """Whether the LMS's text is a day, or one beside it.

    The LMS does not say in which zone it takes and tells days: a midnight of the account may be the day before in UTC.
    """
    day = day_of(found)
    return day is not None and abs((day - wanted).days) <= 1


def is_before(found: str | None, wanted: date) -> bool:
    """Whether the LMS's text is certainly before a day. What cannot be read is not.

    The day before is not certain: the LMS may tell days in another zone than it takes them in.
    """
    day = day_of(found)
    return day is not None and day < wanted - timedelta(days=1)


def day_of(text: str | None) -> date | None:
    """The day that a text begins with; None if it begins with none."""
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None


def _wanted(number: int, row: Mapping[str, Any]) -> _Wanted:
    def day(name: str) -> date | None:
        try:
            return as_day(name, row.get(name))
        except ValueError as error:
            raise ValueError(f"desired: row {number}: {error}") from None

    course_id = as_text(row.get("course_id"))
    if course_id is not None and len(course_id.split()) > 1:
        raise ValueError(f"desired: row {number}: course_id: expected the id of a course, which has no spaces.")
    return _Wanted(
        number,
        as_text(row.get("person")),
        course_id and course_id.lower(),
        day("due_date"),
        day("access_date"),
        day("enrolled_since"),
    )
