"""Plans enrollments in Zoho People's LMS: who is to be in which course, or in which batch of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from airflow_provider_lms.lms.parameters import parse_ids, parse_object
from airflow_provider_lms.sync.builder import PlanBuilder
from airflow_provider_lms.sync.changes import Action, Reason
from airflow_provider_lms.sync.desired import as_text
from airflow_provider_lms.sync.matching import Matching
from airflow_provider_lms.sync.plan import PlanRefused
from airflow_provider_lms.sync.reading import records

if TYPE_CHECKING:
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.listings.account import Employee
    from airflow_provider_lms.sync.limits import Limits
    from airflow_provider_lms.sync.plan import Plan

COLUMNS = ("person", "course_id", "batch_id")
"""What a desired row may say, by our names."""
REQUIRED = ("person", "course_id")
MANAGED = ("department_ids",)

Removals: TypeAlias = Literal["never", "unenroll"]
MatchBy: TypeAlias = Literal["record_id", "email", "employee_id"]
LearnerId: TypeAlias = Literal["record_id", "zuid", "employee_id"]

_ATTRIBUTES = {"record_id": "erecno", "email": "email_id", "employee_id": "employee_id", "zuid": "zuid"}
_ACTIVE = "active"

Place: TypeAlias = tuple[str, "str | None"]
"""A course, and the batch if it has any."""


@dataclass(frozen=True)
class ZohoEnrollmentOptions:
    """How enrollments are planned.

    :param match_by: what people are found by.
    :param learner_id_is: which of an employee's ids the LMS calls a learner's id. Zoho does not say.
    :param department_ids: the departments whose people the plan may touch; None is everybody, and then nothing is
        removed.
    :param removals: ``unenroll`` removes the enrollments of these people that no row asks for.
    :param allow_undocumented: whether to unenroll although Zoho's page names two parameters for it.
    :param limits: how much may change.
    """

    match_by: MatchBy
    learner_id_is: LearnerId
    department_ids: tuple[str, ...] | None
    removals: Removals
    allow_undocumented: bool
    limits: Limits

    @staticmethod
    def parse_manage(value: object) -> tuple[str, ...] | None:
        """The departments as a DAG author gives them.

        :raises ValueError: something else is named.
        """
        given = parse_object("manage", value)
        if given is None:
            return None
        if given.keys() != {*MANAGED}:
            raise ValueError(f"manage: expected an object with {MANAGED[0]}, got {value!r}.")
        if given[MANAGED[0]] is None:
            raise ValueError("manage['department_ids']: expected ids, got None.")
        return parse_ids("manage['department_ids']", given[MANAGED[0]], numeric=True)


class _Wanted(NamedTuple):
    """A desired row."""

    number: int
    person: str | None
    course_id: str | None
    batch_id: str | None

    @property
    def place(self) -> Place:
        return self.course_id or "", self.batch_id


def plan_enrollments(
    client: ZohoPeopleClient, rows: Iterable[Mapping[str, Any]], options: ZohoEnrollmentOptions
) -> Plan:
    """Compare desired enrollments with the account. Sends nothing that changes anything.

    :param rows: each with ``person`` and ``course_id``, and ``batch_id`` if the course is blended.
    :raises ValueError: there are no rows.
    :raises PlanRefused: most learners are no employees by the id that ``learner_id_is`` names.
    :raises InconsistentRead: the account changed while it was read.
    :raises LmsError: the account could not be read to the end.
    """
    wanted = [_Wanted(number, *(as_text(row.get(name)) for name in COLUMNS)) for number, row in enumerate(rows, 1)]
    return _Planner(client, wanted, options).plan()


class _Planner:
    def __init__(self, client: ZohoPeopleClient, wanted: Sequence[_Wanted], options: ZohoEnrollmentOptions) -> None:
        self._client = client
        self._wanted = wanted
        self._options = options
        self._employees = [*records(client.employees())]
        self._places = in_order({each.place for each in wanted if each.course_id})
        self._learners = learners_of(client, {*self._places, *self._other_batches()})
        self._named: set[tuple[str, str]] = set()
        """Whom rows name, or may name, with the course. They keep it and their batch, also if the row is skipped."""
        self._plan = PlanBuilder("enrollments")

    def plan(self) -> Plan:
        options = self._options
        unmatched = self._unmatched()
        for employee, row in self._pairs():
            learner_id = self._learner_id(employee)
            if learner_id is None:
                self._skip(row, employee, Reason.LACKS_VALUES)
            elif learner_id in self._learners[row.place]:
                self._plan.unchanged += 1
            elif any(learner_id in found for place, found in self._learners.items() if place[0] == row.course_id):
                self._skip(row, employee, Reason.IN_ANOTHER_BATCH)
            else:
                self._add(Action.ENROLL, row, employee, row.place, learner_id)
        if options.removals == "unenroll":
            self._unenroll()
        if unmatched:
            self._plan.notes.append(f"{unmatched:,} learners of these courses are no employees. They are left alone.")
        enrolled = {each for place in self._places for each in self._learners[place]}
        managed = sum(self._is_managed(each) and self._learner_id(each) in enrolled for each in self._employees)
        settings = {
            "match_by": options.match_by,
            "learner_id_is": options.learner_id_is,
            "manage": options.department_ids and {"department_ids": [*options.department_ids]},
            "removals": options.removals,
            "allow_undocumented": options.allow_undocumented,
        }
        return self._plan.plan(self._client.asset_root, settings, options.limits, managed)

    def _other_batches(self) -> Iterator[Place]:
        """All batches of the blended courses: whoever is in one of them must not be enrolled in a second."""
        for course_id in sorted({course_id for course_id, batch_id in self._places if batch_id is not None}):
            yield from ((course_id, each.batch_id) for each in records(self._client.batches(course_id)))

    def _unmatched(self) -> int:
        """How many learners are no employees.

        :raises PlanRefused: most of them are none. Then the ids mean something else, and everybody would be
            enrolled again.
        """
        known = {self._learner_id(each) for each in self._employees}
        learners = {each for found in self._learners.values() for each in found}
        if len(learners & known) * 2 < len(learners):
            raise PlanRefused(
                f"learner_id_is: only {len(learners & known):,} of the {len(learners):,} learners of these courses are "
                f"employees by {self._options.learner_id_is!r}, so it cannot be told who is enrolled. Try "
                "'record_id', 'zuid' or 'employee_id'."
            )
        return len(learners - known)

    def _pairs(self) -> Iterator[tuple[Employee, _Wanted]]:
        """The rows that name one employee in scope, each once."""
        people: Matching[Employee] = Matching()
        for employee in self._employees:
            people.add(employee, self._key(employee))
        seen: set[tuple[str, Place]] = set()
        for row in self._wanted:
            found, reason, candidates = people.find(row.person)
            self._named.update((each.erecno, row.course_id or "") for each in candidates)
            if reason is None and row.course_id is None:
                reason = Reason.NO_COURSE
            if found is not None and reason is None:
                reason = self._why_not(found, row, seen)
            if found is None or reason is not None:
                self._skip(row, found, reason)
                continue
            seen.add((found.erecno, row.place))
            yield found, row

    def _why_not(self, employee: Employee, row: _Wanted, seen: set[tuple[str, Place]]) -> Reason | None:
        if (employee.erecno, row.place) in seen:
            return Reason.DUPLICATE
        if not self._is_managed(employee):
            return Reason.OUT_OF_SCOPE
        return None if (employee.employee_status or _ACTIVE).casefold() == _ACTIVE else Reason.INACTIVE

    def _unenroll(self) -> None:
        for employee in self._employees:
            learner_id = self._learner_id(employee)
            for place in self._places:
                if (
                    learner_id in self._learners[place]
                    and self._is_managed(employee)
                    and (employee.erecno, place[0]) not in self._named
                ):
                    self._add(Action.UNENROLL, None, employee, place, learner_id or "")

    def _is_managed(self, employee: Employee) -> bool:
        departments = self._options.department_ids
        return departments is None or employee.department_id in departments

    def _key(self, employee: Employee) -> str | None:
        """What an employee is found by."""
        found: str | None = getattr(employee, _ATTRIBUTES[self._options.match_by])
        return found

    def _learner_id(self, employee: Employee) -> str | None:
        found: str | None = getattr(employee, _ATTRIBUTES[self._options.learner_id_is])
        return found

    def _add(self, action: Action, row: _Wanted | None, employee: Employee, place: Place, learner_id: str) -> None:
        is_enrolled = action == Action.UNENROLL
        self._plan.add(
            action,
            {"enrolled": is_enrolled, "learner_id": learner_id},
            {"enrolled": not is_enrolled},
            row and row.number,
            person=self._key(employee) if row is None else row.person,
            person_id=employee.erecno,
            course_id=place[0],
            batch_id=place[1],
        )

    def _skip(self, row: _Wanted, employee: Employee | None, reason: Reason | None) -> None:
        self._plan.skip(
            reason,
            row.number,
            person=row.person,
            person_id=None if employee is None else employee.erecno,
            course_id=row.course_id,
            batch_id=row.batch_id,
        )


def in_order(places: Iterable[Place]) -> list[Place]:
    """Courses and batches in an order that does not depend on the rows."""
    return sorted(places, key=lambda place: (place[0], place[1] or ""))


def learners_of(client: ZohoPeopleClient, places: Iterable[Place]) -> Mapping[Place, set[str]]:
    """The ids of the learners of courses and batches."""
    return {
        (course_id, batch_id): {
            each.learner_id for each in records(client.course_progress(course_id, batch_id=batch_id))
        }
        for course_id, batch_id in in_order(places)
    }
