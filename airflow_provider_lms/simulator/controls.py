"""Steers a simulator while it runs: the same methods for tests in its process and for requests from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.clock import Clock
from airflow_provider_lms.simulator import faults
from airflow_provider_lms.simulator.recorded_world import Recorded, RecordedWorld, anonymize
from airflow_provider_lms.simulator.shifted_clock import ShiftedClock

if TYPE_CHECKING:
    from airflow_provider_lms.simulator.server import Simulator
    from airflow_provider_lms.simulator.vendor import Vendor


class Controls:
    """What can be changed in a simulator while it runs.

    Where ``lms`` is a parameter, it is a connection type; None means all simulated LMSs.

    Example::

        def test_my_dag_waits_for_three_learners(lms):
            lms.controls.complete(lms.ispring.courses[0].id, learners=3)
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._clock_before: Clock | None = None
        self._moved = 0.0

    def status(self) -> dict[str, Any]:
        """What is simulated, and how it stands, as JSON can hold it."""
        return {
            "url": self._simulator.url,
            "now": clock.utcnow().isoformat(timespec="seconds"),
            "clock_moved_seconds": self._moved,
            "seconds_before_each_reply": self._simulator.latency,
            "lms": {
                name: {
                    "lock_seconds_left": round(vendor.lock_seconds_left, 1),
                    "requests": len(vendor.requests),
                    "courses": [
                        {
                            "id": course.id,
                            "title": course.title,
                            "learners": course.learners,
                            "completed": course.completed,
                        }
                        for course in vendor.course_states()
                    ],
                }
                for name, vendor in self._simulator.vendors.items()
            },
        }

    def complete(self, course: str, learners: int = 1, *, learner_ids: Collection[str] | None = None) -> dict[str, Any]:
        """Let learners complete a course: the first ones that have not, and that have access by now.

        :param course: its id, or its title. A title means the course in every LMS that has it.
        :param learners: how many; fewer if no more are left.
        :param learner_ids: these, in place of a number. With a title, each LMS takes those that it knows.
        :return: for each LMS the course and the ids of the learners who had not completed it before.
        :raises ValueError: there is no such course, or somebody is not an active learner of it.
        """
        courses = {
            name: state.id
            for name, vendor in self._simulator.vendors.items()
            for state in vendor.course_states()
            if course == state.id or course.casefold() == state.title.casefold()
        }
        if not courses:
            raise ValueError(f"course: there is no course {course!r}. The status of the simulator lists them.")
        vendors = self._simulator.vendors
        if learner_ids is not None:
            known = {name: {*learner_ids}.intersection(vendors[name].learner_ids(courses[name])) for name in courses}
            if unknown := {*learner_ids}.difference(*known.values()):
                raise ValueError(f"learner_ids: not active learners of the course: {', '.join(sorted(unknown))}.")
            courses = {name: course_id for name, course_id in courses.items() if known[name]}
        return {
            name: {"course_id": course_id, "learner_ids": vendors[name].complete(course_id, learners, learner_ids)}
            for name, course_id in courses.items()
        }

    def fail(
        self,
        status: int = 403,
        *,
        call: str | None = None,
        times: int = 1,
        lms: str | None = None,
        before: bool = False,
    ) -> None:
        """Let coming requests fail.

        :param status: the HTTP status of the replies.
        :param call: method and path, such as ``GET /learners/results``; None is every call but that for a token.
        :param times: how many requests.
        :param before: fail before anything is done. Without, a write takes effect although its reply is an error.
        """
        for vendor in self._vendors(lms):
            vendor.fail(call, faults.status(status), times=times, before=before)

    def lock(self, seconds: float = 60.0, *, lms: str | None = None) -> None:
        """Lock an account, as after too many requests."""
        for vendor in self._vendors(lms):
            vendor.lock(seconds)

    def revoke(self, *, lms: str | None = None) -> None:
        """Make every access token invalid."""
        for vendor in self._vendors(lms):
            vendor.revoke_tokens()

    def slow(self, seconds: float) -> None:
        """Wait before each reply; 0 replies at once."""
        self._simulator.latency = seconds

    def move_clock(self, seconds: float) -> None:
        """Move the simulator's clock ahead.

        Locks, windows and access tokens end accordingly. Completions get the new date. Learners of iSpring Learn who
        are past their due date become overdue, and users whose day has come are deactivated or terminated. A clock
        cannot be moved back. In a test, which runs in the same process,
        :func:`~airflow_provider_lms.testing.fake_clock` is usually what you want: this moves the clock of the whole
        package, until the simulator ends.
        """
        if seconds <= 0:
            raise ValueError(f"seconds: expected more than 0, got {seconds!r}. The clock only moves ahead.")
        self._moved += seconds
        before = clock.replace(Clock())
        self._clock_before = self._clock_before or before
        clock.replace(ShiftedClock(before, seconds))
        for vendor in self._simulator.vendors.values():
            vendor.time_passed()

    def load(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
        """Serve the courses and the progress of a dataset, with people who are made up.

        :param rows: of ``course_results`` or ``course_progress``, as ``read_records`` gives them.
        :return: how many learners and courses there are now.
        :raises ValueError: the rows are of another listing, or there are none.
        """
        return self.load_recorded(anonymize(rows))

    def load_recorded(self, rows: Iterable[Recorded]) -> dict[str, int]:
        """The same, if the rows were anonymized already."""
        world = RecordedWorld.of(rows, self._simulator.world)
        self._simulator.world = world
        for vendor in self._simulator.vendors.values():
            vendor.show(world)
        return {"learners": world.users, "courses": world.courses}

    def end(self) -> None:
        """Set the clock right again."""
        if self._clock_before is not None:
            clock.replace(self._clock_before)
            self._clock_before = None

    def _vendors(self, lms: str | None) -> Iterable[Vendor]:
        if lms is None:
            return self._simulator.vendors.values()
        if lms not in self._simulator.vendors:
            raise ValueError(f"lms: expected {' or '.join(self._simulator.vendors)}, got {lms!r}.")
        return [self._simulator.vendors[lms]]
