"""The people, courses and results of the simulated iSpring Learn, and how they change while it runs."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from airflow_provider_lms import clock
from airflow_provider_lms.simulator.ispring_rows import result_row
from airflow_provider_lms.simulator.ispring_state import ISpringState, not_started
from airflow_provider_lms.simulator.people import ACTIVE, User
from airflow_provider_lms.simulator.read_delay import ReadDelay
from airflow_provider_lms.simulator.vendor import CourseState, Vendor
from airflow_provider_lms.simulator.world import DONE, OVER, Course, Result, World


@dataclass(frozen=True)
class Invitation:
    """An invitation that was sent to a new user."""

    user_id: str
    channel: Literal["email", "sms"]
    message: str | None


class ISpringAccount(Vendor):
    """What an account holds.

    What the vendor does not document about writes is an option: an attribute that a test may set.

    :param world: what there is to read at first.
    """

    enroll_again: Literal["ignored", "second", "refused"] = "ignored"
    """What becomes of a new enrollment in a course that the learner is enrolled in: nothing, a second enrollment, or
    HTTP 400 for the whole request."""

    reenroll: Literal["second", "restarted", "moved"] = "second"
    """What re-enrolling does: it makes a second enrollment; or the same one gets the new dates, and either its progress
    begins anew or stays."""

    group_members: Literal["replaced", "added"] = "replaced"
    """What ``POST /group/{id}/members`` does with the users that it names."""

    user_groups: Literal["replaced", "added"] = "added"
    """What the ``groupIds`` of ``POST /user/{id}`` do with the groups that the user is in."""

    default_due_period: timedelta | None = timedelta(days=30)
    """What ``dueDateType`` ``default`` means, which each course has as a setting; None is no due date."""

    invites_unless_told: bool = False
    """Whether a new user gets an e-mail if ``sendLoginEmail`` is left out."""

    read_delay_seconds: float = 0.0
    """How long after a write reads still show the state before it. :meth:`record`, :meth:`enroll` and
    :meth:`complete` are no writes, but what they change is hidden as well while a write is."""

    time_zone: tzinfo = UTC
    """The zone of dates without one in the bodies of writes. Reads have UTC."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.invitations: list[Invitation] = []

    @property
    def world(self) -> World:
        """What the account began with. Another one takes the place of everything that was changed."""
        return self._world

    @world.setter
    def world(self, world: World) -> None:
        with self._mutex:
            self._world = world
            self.state = ISpringState(world)
            self._read_delay = ReadDelay[ISpringState]()

    def show(self, world: World) -> None:
        self.world = world

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.world.catalog

    @property
    def users(self) -> tuple[User, ...]:
        return tuple(self.state.users.values())

    def role_types(self) -> dict[str, str]:
        """The types of the account's roles by their ids."""
        return {
            self.world.role_id: "learner",
            self.world.id_of("role", "owner"): "owner",
            self.world.id_of("role", "coach"): "custom",
        }

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within it, a write is carried out. Unless it is refused, reads show it after their delay."""
        before = self.state.copy() if self.read_delay_seconds else None
        yield
        if before is not None:
            self._read_delay.add(before, self.read_delay_seconds)

    @contextmanager
    def as_shown(self) -> Iterator[None]:
        """Within it, the state is the one that reads show."""
        state = self.state
        self.state = self._read_delay.shown(state)
        try:
            yield
        finally:
            self.state = state

    def record(self, user: User, course: Course, status: str, *, completion: datetime | None = None) -> None:
        """Give a learner a status in a course and in its modules, in the latest enrollment.

        :param completion: when; None is now, for statuses that end a course.
        """
        with self._mutex:
            latest = self.state.enrollments_of(user.id, course.id)[-1]
            self._record(latest, status, completion)

    def _record(self, enrollment: Result, status: str, completion: datetime | None = None) -> None:
        if completion is None and status in OVER:
            completion = clock.utcnow()
        self.state.change_enrollment(
            enrollment.enrollment_id,
            lambda row: replace(
                row,
                status=status,
                completion=completion,
                score=None,
                progress=100.0 if status in DONE else None,
                overdue=False,
            ),
        )

    def enroll(
        self,
        user: User,
        course: Course,
        *,
        access: datetime | None = None,
        due: datetime | None = None,
        expiration: datetime | None = None,
    ) -> str:
        """Enroll a learner in a course, again if need be; return the enrollment's id.

        :param access: when the learner may begin; None is now.
        :param due: None is no due date.
        :param expiration: when the course is closed for the learner; None is never.
        """
        now, enrollment_id = clock.utcnow(), str(uuid.uuid4())
        with self._mutex:
            current = self.state.users.get(user.id, user)
            result = not_started(
                current, course, enrollment_id, access=access or now, due=due, expiration=expiration, now=now
            )
            self.state.add_enrollment(result)
        return enrollment_id

    def unenroll(self, user: User, course: Course) -> None:
        """Take a learner out of a course, with all enrollments."""
        with self._mutex:
            enrollments = self.state.enrollments_of(user.id, course.id)
            self.state.remove_enrollments({row.enrollment_id for row in enrollments})

    def module_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of module results holds for active users, as the vendor's JSON."""
        rows = self.state.module_results
        return [result_row(r) for r in rows if _visible(r.user) and course in (None, r.course)]

    def course_results(self, course: Course | None = None) -> list[dict[str, Any]]:
        """What the listing of course results holds for active users, as the vendor's JSON."""
        return [result_row(r) for r in self.results() if _visible(r.user) and course in (None, r.course)]

    def results(self) -> list[Result]:
        """The results in courses as they are now, of all users."""
        return self.state.course_results

    def course_states(self) -> list[CourseState]:
        rows = self.results()
        return [
            CourseState(
                course.id,
                course.title,
                learners=len({row.user.id for row in rows if row.course == course}),
                completed=len({row.user.id for row in rows if row.course == course and row.status in DONE}),
            )
            for course in self.courses
        ]

    def learner_ids(self, course_id: str) -> list[str]:
        return list(self._latest_of(course_id))

    def complete(self, course_id: str, learners: int, learner_ids: Collection[str] | None = None) -> list[str]:
        with self._mutex:
            now = clock.utcnow()
            chosen = [
                row
                for user_id, row in self._latest_of(course_id).items()
                if row.status not in DONE and row.access <= now and (learner_ids is None or user_id in learner_ids)
            ]
            if learner_ids is None:
                chosen = chosen[:learners]
            for row in chosen:
                self._record(row, "complete")
            return [row.user.id for row in chosen]

    def _latest_of(self, course_id: str) -> dict[str, Result]:
        """The latest enrollment of each active user in a course, by the user's id."""
        found: dict[str, Result] = {}
        for row in self.results():
            if row.course.id == course_id and _visible(row.user):
                before = found.get(row.user.id)
                if before is None or row.access >= before.access:
                    found[row.user.id] = row
        return found

    def catch_up(self) -> None:
        """Do what time has brought since the last request."""
        with self._mutex:
            now = clock.utcnow()
            self.state.let_schedules_pass(now)
            self.state.let_dues_pass(now)

    def time_passed(self) -> None:
        with self._mutex:
            now = clock.utcnow()
            self.state.let_schedules_pass(now)
            self.state.let_dues_pass(now, of_all=True)


def _visible(user: User) -> bool:
    return user.status == ACTIVE
