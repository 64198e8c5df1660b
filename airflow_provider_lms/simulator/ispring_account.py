"""The people, courses and results of the simulated iSpring Learn, and how they change while it runs."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.simulator.ispring_rows import result_row
from airflow_provider_lms.simulator.vendor import CourseState, Vendor
from airflow_provider_lms.simulator.world import ACTIVE, DONE, OVER, Course, Result, User, World


class ISpringAccount(Vendor):
    """What an account holds.

    :param world: what there is to read.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self._course_rows: list[Result] | None = None

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.world.catalog

    @property
    def users(self) -> tuple[User, ...]:
        return self.world.people

    def record(self, user: User, course: Course, status: str, *, completion: datetime | None = None) -> None:
        """Give a learner a status in a course, in the latest enrollment.

        :param completion: when; None is now, for statuses that end a course.
        """
        if completion is None and status in OVER:
            completion = clock.utcnow()
        with self._mutex:
            rows = self._rows_of_courses()
            own = [n for n, row in enumerate(rows) if (row.user, row.course) == (user, course)]
            latest = max(own, key=lambda n: rows[n].access)
            done = status in DONE
            rows[latest] = replace(
                rows[latest],
                status=status,
                completion=completion,
                score=None,
                progress=100.0 if done else None,
                overdue=False,
            )

    def enroll(self, user: User, course: Course, *, access: datetime | None = None, due: datetime | None = None) -> str:
        """Enroll a learner in a course, again if need be; return the enrollment's id."""
        access = access or clock.utcnow()
        enrollment = str(uuid.uuid4())
        started = Result(
            user, course, None, enrollment, access, due, None, None, 0, "not_started", None, None,
            overdue=due is not None and due < clock.utcnow(), views=0,
        )  # fmt: skip
        with self._mutex:
            self._rows_of_courses().append(started)
        return enrollment

    def unenroll(self, user: User, course: Course) -> None:
        """Take a learner out of a course, with all enrollments."""
        with self._mutex:
            rows = self._rows_of_courses()
            rows[:] = [row for row in rows if (row.user, row.course) != (user, course)]

    def module_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of module results holds for active users, as the vendor's JSON."""
        return [result_row(r) for r in self.world.module_results if _visible(r.user) and course in (None, r.course)]

    def course_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of course results holds for active users, as the vendor's JSON."""
        rows = self._rows_of_courses()
        return [result_row(r) for r in rows if _visible(r.user) and course in (None, r.course)]

    def results(self) -> list[Result]:
        """The results in courses as they are now, of all users."""
        return self._rows_of_courses()

    def _rows_of_courses(self) -> list[Result]:
        if self._course_rows is None:
            self._course_rows = list(self.world.course_results)
        return self._course_rows

    def course_states(self) -> list[CourseState]:
        rows = self._rows_of_courses()
        return [
            CourseState(
                course.id,
                course.title,
                learners=len({row.user.id for row in rows if row.course == course}),
                completed=len({row.user.id for row in rows if row.course == course and row.status in DONE}),
            )
            for course in self.courses
        ]

    def complete(self, course_id: str, learners: int) -> list[str]:
        with self._mutex:
            (course,) = [course for course in self.courses if course.id == course_id]
            rows = [row for row in self._rows_of_courses() if row.course == course and _visible(row.user)]
            done = {row.user.id for row in rows if row.status in DONE}
            open_users = {row.user.id: row.user for row in rows if row.user.id not in done}
            chosen = list(open_users.values())[:learners]
            for user in chosen:
                self.record(user, course, "complete")
            return [user.id for user in chosen]

    def show(self, world: World) -> None:
        with self._mutex:
            self.world = world
            self._course_rows = None

    def time_passed(self) -> None:
        with self._mutex:
            now, rows = clock.utcnow(), self._rows_of_courses()
            for number, row in enumerate(rows):
                if row.completion is None and row.due is not None and row.due < now:
                    rows[number] = replace(row, overdue=True)


def _visible(user: User) -> bool:
    return user.status == ACTIVE
