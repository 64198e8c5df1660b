"""What the simulated iSpring Learn holds now: the world as it began, with all changes since then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from airflow_provider_lms.simulator.people import BLOCKED, TERMINATED, Department, User
from airflow_provider_lms.simulator.world import Course, Module, Result, World

Change = Callable[[Result], Result]


@dataclass(frozen=True)
class Team:
    """A group.

    :param members: the ids of its users, as keys in order.
    """

    id: str
    name: str
    is_smart: bool
    members: Mapping[str, None]


class ISpringState:
    """The people and enrollments of an account.

    Everything is copied from the world when it is first looked at: a benchmark's world of 200,000 results should cost
    those nothing that only list its users.

    :param world: how it begins.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.deactivations: dict[str, datetime] = {}
        """When users will be deactivated, by their ids."""
        self.terminations: dict[str, datetime] = {}
        self._watched: set[str] = set()
        self._soonest_due: datetime | None = None

    @cached_property
    def users(self) -> dict[str, User]:
        return {user.id: user for user in self._world.people}

    @cached_property
    def departments(self) -> dict[str, Department]:
        return {department.id: department for department in self._world.departments}

    @cached_property
    def groups(self) -> dict[str, Team]:
        return {
            group.id: Team(group.id, group.name, group.is_smart, dict.fromkeys(user.id for user in group.members))
            for group in self._world.groups
        }

    @cached_property
    def course_results(self) -> list[Result]:
        return list(self._world.course_results)

    @cached_property
    def module_results(self) -> list[Result]:
        return list(self._world.module_results)

    def copy(self) -> ISpringState:
        """The same, which later changes leave as it is."""
        copy = ISpringState(self._world)
        copy.users, copy.departments, copy.groups = dict(self.users), dict(self.departments), dict(self.groups)
        copy.course_results, copy.module_results = list(self.course_results), list(self.module_results)
        copy.deactivations, copy.terminations = dict(self.deactivations), dict(self.terminations)
        return copy

    def change_users(self, users: Iterable[User]) -> None:
        """Put users in the place of those with the same ids, also in results."""
        changed = {user.id: user for user in users}
        self.users.update(changed)

        def renew(row: Result) -> Result:
            user = changed.get(row.user.id)
            return row if user is None else replace(row, user=user)

        self.course_results[:] = map(renew, self.course_results)
        self.module_results[:] = map(renew, self.module_results)

    def add_user(self, user: User) -> None:
        """Add one who is in no course yet."""
        self.users[user.id] = user

    def enrollments_of(self, user_id: str, course_id: str) -> list[Result]:
        """The enrollments of a user in a course, the latest last."""
        rows = [row for row in self.course_results if row.user.id == user_id and row.course.id == course_id]
        return sorted(rows, key=lambda row: row.access)

    def enrollment(self, enrollment_id: str) -> Result | None:
        """The result of an enrollment in its course; None if there is no such enrollment."""
        return next((row for row in self.course_results if row.enrollment_id == enrollment_id), None)

    def add_enrollment(self, result: Result) -> None:
        """Add an enrollment: a result for the course and one for each of its modules."""
        self.course_results.append(result)
        self.module_results.extend(_of_module(result, module) for module in result.course.modules)
        self._watch(result)

    def change_enrollment(self, enrollment_id: str, change: Change) -> None:
        """Change the results of an enrollment."""
        for rows in (self.course_results, self.module_results):
            for number, row in enumerate(rows):
                if row.enrollment_id == enrollment_id:
                    rows[number] = change(row)
        if (changed := self.enrollment(enrollment_id)) is not None:
            self._watch(changed)

    def remove_enrollments(self, enrollment_ids: Collection[str]) -> None:
        """Remove enrollments with their results."""
        for rows in (self.course_results, self.module_results):
            rows[:] = [row for row in rows if row.enrollment_id not in enrollment_ids]

    def let_dues_pass(self, now: datetime, *, of_all: bool = False) -> None:
        """Let enrollments become overdue.

        :param of_all: also those of the world. Without, only those made or changed since it began: a world stays as it
            was made until its clock is moved.
        """
        if not of_all and (self._soonest_due is None or self._soonest_due >= now):
            return
        for rows in (self.course_results, self.module_results):
            for number, row in enumerate(rows):
                if not row.overdue and (of_all or row.enrollment_id in self._watched) and is_overdue(row, now):
                    rows[number] = replace(row, overdue=True)
        self._soonest_due = None
        for row in self.course_results:
            if row.enrollment_id in self._watched:
                self._watch(row)

    def let_schedules_pass(self, now: datetime) -> None:
        """Deactivate and terminate the users whose dates have come."""
        for dates, status in ((self.deactivations, BLOCKED), (self.terminations, TERMINATED)):
            come = [user_id for user_id, moment in dates.items() if moment <= now]
            for user_id in come:
                del dates[user_id]
            # A later date of deactivation does not bring back a user who was terminated meanwhile.
            users = [user for user_id in come if (user := self.users[user_id]).status != TERMINATED]
            if users:
                self.change_users(replace(user, status=status) for user in users)

    def _watch(self, row: Result) -> None:
        self._watched.add(row.enrollment_id)
        if row.due is not None and row.completion is None and not row.overdue:
            self._soonest_due = row.due if self._soonest_due is None else min(self._soonest_due, row.due)


def is_overdue(row: Result, now: datetime) -> bool:
    return row.completion is None and row.due is not None and row.due < now


def not_started(
    user: User,
    course: Course,
    enrollment_id: str,
    *,
    access: datetime,
    due: datetime | None,
    expiration: datetime | None,
    now: datetime,
) -> Result:
    """The result of an enrollment that just began."""
    return Result(
        user=user,
        course=course,
        module=None,
        enrollment_id=enrollment_id,
        access=access,
        due=due,
        expiration=expiration,
        completion=None,
        seconds=0,
        status="not_started",
        score=None,
        progress=None,
        overdue=due is not None and due < now,
        views=0,
    )


def _of_module(result: Result, module: Module) -> Result:
    return replace(result, module=module)
