"""Counts rows of datasets into the figures of the report.

Groups of few people are merged, since a share of three people tells about each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from airflow_provider_lms.report.rows import Enrolled, ExpiringCertificate, Person, Stage

EXPIRY_DAYS = (30, 60, 90)
"""Within how many days from now certificates expire."""

_SOON = timedelta(days=14)
_LITTLE = 50.0
"""An open enrollment is at risk if it is due within these days and no more than this percentage is done."""
_MOST_GROUPS = 20
_MOST_PEOPLE = 200
_WEEKS = 26
_UNKNOWN = "Not known"
"""The department and manager of learners who are not in the dataset of people."""


@dataclass(eq=False)  # two groups may have the same figures
class EnrollmentGroup:
    """Enrollments that belong together, such as those in a course.

    :param label: the name of the course, department or manager.
    :param learners: whose they are.
    :param enrollments: how many there are by stage.
    :param overdue: how many are past their due date and not completed.
    :param at_risk: how many may not be completed in time.
    :param expiring: how many certificates expire, by the least of :data:`EXPIRY_DAYS` in which they do.
    """

    label: str
    learners: set[str] = field(default_factory=set)
    enrollments: Counter[Stage] = field(default_factory=Counter)
    overdue: int = 0
    at_risk: int = 0
    expiring: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All enrollments."""
        return self.enrollments.total()

    @property
    def completed(self) -> int:
        """The completed ones."""
        return self.enrollments[Stage.COMPLETED]

    @property
    def share(self) -> float:
        """The share of completed ones, from 0 to 1."""
        return self.completed / self.total if self.total else 0.0

    def add(self, each: Enrolled, *, at_risk: bool) -> None:
        """Count an enrollment in."""
        self.learners.add(each.learner)
        self.enrollments[each.stage] += 1
        self.overdue += each.overdue and each.stage is not Stage.COMPLETED
        self.at_risk += at_risk

    def merge(self, other: EnrollmentGroup) -> None:
        """Count another group in."""
        self.learners |= other.learners
        self.enrollments += other.enrollments
        self.overdue += other.overdue
        self.at_risk += other.at_risk
        self.expiring += other.expiring


@dataclass(frozen=True)
class LearnerAtRisk:
    """A learner who may not complete a course in time."""

    name: str
    course: str
    due: date | None
    progress: float | None
    overdue: bool


@dataclass(frozen=True)
class Figures:
    """What the report shows. A list is None if its dataset was not given.

    :param whole: all enrollments together.
    :param weeks: how many enrollments were completed in each week, by its Monday.
    :param undated: how many completed ones have no date that can be read.
    :param expiring: certificates that expire soon, by course.
    :param unread_expiries: how many certificates have a date that cannot be read.
    :param learners_at_risk: None if people are not shown.
    """

    whole: EnrollmentGroup
    courses: Sequence[EnrollmentGroup]
    departments: Sequence[EnrollmentGroup] | None
    managers: Sequence[EnrollmentGroup] | None
    weeks: Mapping[date, int]
    undated: int
    expiring: Sequence[EnrollmentGroup] | None
    unread_expiries: int
    learners_at_risk: Sequence[LearnerAtRisk] | None


@dataclass(frozen=True)
class Privacy:
    """How much the report tells about people.

    :param show_people: whether it names them.
    :param smallest_group: groups of fewer people are merged, unless people are shown.
    """

    show_people: bool
    smallest_group: int

    def check(self, whole: EnrollmentGroup) -> None:
        """Refuse a report about nobody, or about too few people.

        :raises ValueError: it is.
        """
        if not whole.total:
            raise ValueError("results: there are no enrollments, so there is nothing to report.")
        people = len(whole.learners)
        if not self.show_people and people < self.smallest_group:
            raise ValueError(
                f"results: the report would be about {people} people. With fewer than {self.smallest_group}, its "
                "figures tell about single people: let it name people (show_people), or give more results."
            )


class _Groups:
    """The groups that enrollments belong to.

    :param people: learners and managers by id; None if they were not given.
    :param departments: the names of departments by id.
    """

    def __init__(self, people: Mapping[str, Person] | None, departments: Mapping[str, str]) -> None:
        self._people = people
        self._departments = departments
        self.whole = EnrollmentGroup("all")
        self.courses: dict[str, EnrollmentGroup] = {}
        self.departments: dict[str, EnrollmentGroup] = {}
        self.managers: dict[str, EnrollmentGroup] = {}
        self.without_manager: dict[str, EnrollmentGroup] = {}

    def of(self, each: Enrolled) -> list[EnrollmentGroup]:
        """Those that an enrollment belongs to."""
        found = [self.whole, self.courses.setdefault(each.course, EnrollmentGroup(each.title))]
        if self._people is None:
            return found
        person = self._people.get(each.learner)
        if person is None:
            unknown = self.departments, self.without_manager
            return [*found, *(each.setdefault(_UNKNOWN, EnrollmentGroup(_UNKNOWN)) for each in unknown)]
        name = self._departments.get(person.department or "") or person.department_name or person.department
        department = self.departments.setdefault(person.department or "", EnrollmentGroup(name or "No department"))
        if person.manager is None:
            manager = self.without_manager.setdefault("", EnrollmentGroup("No manager"))
        else:
            manager = self.managers.setdefault(
                person.manager, EnrollmentGroup(_name(self._people, person.manager, person.manager))
            )
        return [*found, department, manager]


def count(
    rows: Iterable[Enrolled],
    people: Mapping[str, Person] | None,
    departments: Mapping[str, str],
    certificates: Iterable[ExpiringCertificate] | None,
    privacy: Privacy,
    as_of: date,
) -> Figures:
    """Count everything.

    :param people: learners and managers by id; None if they were not given.
    :param departments: their names by id.
    :param as_of: the day that the report is about.
    :raises ValueError: the report would be about nobody, or about too few people.
    """
    groups = _Groups(people, departments)
    weeks: Counter[date | None] = Counter()
    at_risk: list[Enrolled] = []
    for each in _latest(rows):
        risky = _is_at_risk(each, as_of)
        for group in groups.of(each):
            group.add(each, at_risk=risky)
        if each.stage is Stage.COMPLETED:
            weeks[None if each.completed_on is None else _monday(each.completed_on)] += 1
        if risky:
            at_risk.append(each)
    privacy.check(groups.whole)
    expiring, unread = (None, 0) if certificates is None else _expiring(certificates, groups.courses, as_of)
    return Figures(
        whole=groups.whole,
        courses=_shown(groups.courses.values(), privacy, "Other courses"),
        departments=None if people is None else _shown(groups.departments.values(), privacy, "Other departments"),
        managers=None if people is None else _managers(groups, privacy),
        weeks={monday: weeks[monday] for monday in _last_weeks(as_of)},
        undated=weeks[None],
        expiring=None if expiring is None else _shown(expiring, privacy, "Other courses"),
        unread_expiries=unread,
        learners_at_risk=_people_at_risk(at_risk, people) if privacy.show_people else None,
    )


def _latest(rows: Iterable[Enrolled]) -> Iterable[Enrolled]:
    """Of several enrollments of a learner in a course, the latest one counts."""
    found: dict[tuple[str, str], Enrolled] = {}
    for each in rows:
        before = found.get((each.learner, each.course))
        if before is None or before.enrolled_at <= each.enrolled_at:
            found[each.learner, each.course] = each
    return found.values()


def _is_at_risk(each: Enrolled, as_of: date) -> bool:
    if each.stage is Stage.COMPLETED:
        return False
    little = (each.progress or 0.0) <= _LITTLE
    return each.overdue or (each.due is not None and each.due <= as_of + _SOON and little)


def _shown(groups: Iterable[EnrollmentGroup], privacy: Privacy, other: str) -> list[EnrollmentGroup]:
    """The greatest groups, with all others in one.

    Small groups are merged. If they are too few people even together, the next group is merged with them. No group is
    shown if all of them together are too few people.
    """
    least = 1 if privacy.show_people else privacy.smallest_group
    ordered = sorted(groups, key=lambda group: (-len(group.learners), group.label))
    kept = [group for group in ordered if len(group.learners) >= least][:_MOST_GROUPS]
    rest = [group for group in ordered if group not in kept]
    merged = EnrollmentGroup(other)
    for group in rest:
        merged.merge(group)
    if not kept:
        merged.label = "All together"
    while rest and len(merged.learners) < least and kept:
        merged.merge(kept.pop())
    return [*kept, *([merged] if len(merged.learners) >= least else [])]


def _managers(groups: _Groups, privacy: Privacy) -> list[EnrollmentGroup]:
    named = list(groups.managers.values())
    if not privacy.show_people:
        # In an order that tells nothing but the figures that are shown anyway.
        for number, group in enumerate(sorted(named, key=lambda group: (-group.overdue, -group.total)), 1):
            group.label = f"Manager {number}"
    return _shown([*named, *groups.without_manager.values()], privacy, "Other managers")


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _last_weeks(as_of: date) -> list[date]:
    return [_monday(as_of) - timedelta(weeks=ago) for ago in range(_WEEKS - 1, -1, -1)]


def _expiring(
    certificates: Iterable[ExpiringCertificate], courses: Mapping[str, EnrollmentGroup], as_of: date
) -> tuple[list[EnrollmentGroup], int]:
    """The certificates that expire soon, by course, and how many have a date that cannot be read."""
    found: dict[str, EnrollmentGroup] = {}
    unread = 0
    for each in certificates:
        if each.expires_on is None:
            unread += 1
            continue
        left = (each.expires_on - as_of).days
        window = next((days for days in EXPIRY_DAYS if 0 <= left <= days), None)
        if window is not None:
            label = courses[each.course].label if each.course in courses else each.course
            group = found.setdefault(each.course, EnrollmentGroup(label))
            group.learners.add(each.learner)
            group.expiring[window] += 1
    return [*found.values()], unread


def _people_at_risk(rows: Iterable[Enrolled], people: Mapping[str, Person] | None) -> list[LearnerAtRisk]:
    found = [
        LearnerAtRisk(
            _name(people or {}, each.learner, each.learner), each.title, each.due, each.progress, each.overdue
        )
        for each in rows
    ]
    return sorted(found, key=lambda each: (not each.overdue, each.due or date.max, each.name))[:_MOST_PEOPLE]


def _name(people: Mapping[str, Person], key: str | None, otherwise: str) -> str:
    person = people.get(key or "")
    return (person.name if person else "") or (key or otherwise)
