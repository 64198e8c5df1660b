"""The simulator's people and courses as Zoho People knows them: under 18-digit ids, with entities of ten types."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.simulator import world as worlds

_SELF_PACED, _BLENDED = 1, 2
_BATCHES = 2
_NAMES = (
    ("testId", "testName", "Offline test"),
    ("testId", "testName", "Online test"),
    ("assignmentId", "assignmentName", "Assignment"),
    ("fileId", "fileName", "File"),
    ("contentId", "contentName", "Content"),
    ("sessionId", "sessionName", "Session"),
    ("linkId", "linkName", "Link"),
    ("testId", "testName", "Pre-learning test"),
    ("testId", "testName", "Post-learning test"),
    ("feedbackId", "feedbackName", "Feedback"),
)
_TESTS = (0, 1, 7, 8)


@dataclass(frozen=True)
class Learner:
    id: str
    number: int


@dataclass(frozen=True)
class Batch:
    id: str
    name: str
    course_id: str
    learners: int

    def row(self) -> dict[str, Any]:
        """The fields of the vendor's sample, with ids as text."""
        return {
            "learnersCount": self.learners,
            "startDateAsDisplayString": "05-Jan-2026",
            "endDateAsDisplayString": "27-Feb-2026",
            "name": self.name,
            "schedulerId": 0,
            "minimumCapacity": 10,
            "maximumCapacity": 40,
            "cancelBatchWhenMinimumCapacityIsNotMet": False,
            "batchId": self.id,
            "courseId": self.course_id,
            "publishStatus": "published",
            "allowWaitlisting": False,
        }


@dataclass(frozen=True)
class Course:
    """A course; one with batches is blended."""

    id: str
    number: int
    name: str
    batches: tuple[Batch, ...]

    @property
    def type(self) -> int:
        return _BLENDED if self.batches else _SELF_PACED

    def row(self) -> dict[str, Any]:
        """No row of a course is printed. Name, type and code are called as in the request that creates it."""
        return {"courseId": int(self.id), "name": self.name, "type": self.type, "courseCode": f"C-{self.number}"}


@dataclass
class ZohoEnrollments:
    """What has changed since a world began.

    :param learners: by course and batch, where the learners are not those of the world any more. None is no batch.
    :param began: the dates of enrollments made since then, by learner and course.
    :param finished: learners and courses, by their ids, in which all entities are completed whatever chance says.
    """

    learners: dict[tuple[str, str | None], tuple[Learner, ...]]
    began: dict[tuple[str, str], date]
    finished: set[tuple[str, str]]

    def copy(self) -> ZohoEnrollments:
        """The same, which later changes leave as it is."""
        return ZohoEnrollments(dict(self.learners), dict(self.began), set(self.finished))


class ZohoWorld:
    """A world in Zoho's terms. Every second course is blended; its learners are in one of two batches.

    :param world: the people and courses.
    """

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        finished = {(zoho_id(3, learner), zoho_id(1, course)) for learner, course in world.finished}
        self.enrollments = ZohoEnrollments({}, {}, finished)

    @property
    def finished(self) -> set[tuple[str, str]]:
        """Learners and courses, by their ids, in which all entities are completed."""
        return self.enrollments.finished

    @finished.setter
    def finished(self, finished: set[tuple[str, str]]) -> None:
        self.enrollments.finished = finished

    @cached_property
    def courses(self) -> tuple[Course, ...]:
        return tuple(
            Course(
                id=zoho_id(1, number),
                number=number,
                name=course.title,
                batches=tuple(
                    Batch(
                        id=zoho_id(2, number * 10 + position),
                        name=f"Batch {position + 1}",
                        course_id=zoho_id(1, number),
                        learners=len(range(position, self._world.enrollments(number), _BATCHES)),
                    )
                    for position in range(_BATCHES if number % 2 else 0)
                ),
            )
            for number, course in enumerate(self._world.catalog)
        )

    @cached_property
    def everyone(self) -> tuple[Learner, ...]:
        return tuple(Learner(zoho_id(3, number), number) for number in range(self._world.users))

    @cached_property
    def _some(self) -> dict[int, tuple[Learner, ...]]:
        """The learners of courses that not everybody is in, by the number of the course."""
        enrolled = {course.number: self._world.enrolled(course.number) for course in self.courses}
        return {
            number: tuple(each for each in self.everyone if each.number in learners)
            for number, learners in enrolled.items()
            if learners is not None
        }

    def learners(self, course: Course, batch: Batch | None) -> Sequence[Learner]:
        """The learners of a self-paced course, or of a batch."""
        changed = self.enrollments.learners.get((course.id, None if batch is None else batch.id))
        if changed is not None:
            return changed
        enrolled = self._some.get(course.number, self.everyone)
        return enrolled if batch is None else enrolled[course.batches.index(batch) :: len(course.batches)]

    def batch_of(self, course: Course, learner: Learner) -> Batch | None:
        """The batch that a learner is in; None if in none."""
        return next((batch for batch in course.batches if learner in self.learners(course, batch)), None)

    def enroll(self, course: Course, batch: Batch | None, learner: Learner) -> None:
        """Enroll a learner who is not in the course. Nothing is completed in it."""
        self._set_learners(course, batch, (*self.learners(course, batch), learner))
        self.enrollments.began[learner.id, course.id] = clock.utcnow().date()

    def move(self, course: Course, batch: Batch, learner: Learner) -> None:
        """Move a learner of a blended course to a batch."""
        self._leave(course, self.batch_of(course, learner), learner)
        self._set_learners(course, batch, (*self.learners(course, batch), learner))

    def unenroll(self, course: Course, batch: Batch | None, learner: Learner) -> None:
        """Take a learner out of a course or batch."""
        self._leave(course, batch, learner)
        self.enrollments.finished.discard((learner.id, course.id))

    def _leave(self, course: Course, batch: Batch | None, learner: Learner) -> None:
        self._set_learners(course, batch, tuple(each for each in self.learners(course, batch) if each != learner))

    def _set_learners(self, course: Course, batch: Batch | None, learners: tuple[Learner, ...]) -> None:
        self.enrollments.learners[course.id, None if batch is None else batch.id] = learners

    def modules(self, course: Course) -> list[dict[str, Any]]:
        """The modules of a course, or of each of its batches."""
        return [
            {
                "moduleId": int(zoho_id(14, course.number * 1_000 + position)),
                "moduleName": f"Module {position + 1}",
                "description": f"Part {position + 1} of {course.name}",
                "duration": 30,
                "lockType": 0,
            }
            for position in range(self._world.modules)
        ]

    def entity_count(self, kind: int) -> int:
        """How many entities of a type a course has."""
        return self._world.modules * (10 if kind == 3 else 1)

    def entity_id(self, course: Course, kind: int, position: int) -> str:
        return zoho_id(4 + kind, course.number * 1_000 + position)

    def person(self, learner: Learner) -> worlds.User:
        return self._world.people[learner.number]

    @property
    def departments(self) -> Sequence[worlds.Department]:
        return self._world.departments

    def department(self, learner: Learner) -> worlds.Department:
        return next(each for each in self.departments if each.id == self.person(learner).department_id)

    def entities(self, course: Course, learner: Learner, kind: int) -> list[dict[str, Any]]:
        """A learner's progress in all entities of a type: one for each module of the course, of files ten."""
        chance = random.Random(f"{self._world.seed}/{course.id}/{learner.id}/{kind}")  # noqa: S311
        rows = [self._entity(chance, course, kind, position) for position in range(self.entity_count(kind))]
        if (learner.id, course.id) in self.enrollments.finished:
            return [{**row, "status": "completed"} for row in rows]
        if (learner.id, course.id) in self.enrollments.began:
            return [_not_started(row) for row in rows]
        return rows

    def course_progress(self, course: Course, learner: Learner, *, only_mandatory: bool = False) -> dict[str, Any]:
        """What Zoho tells of a learner in a course.

        :param only_mandatory: count only the entities that the learner must complete.
        """
        rows = [row for kind in range(10) for row in self.entities(course, learner, kind)]
        if only_mandatory:
            rows = [row for row in rows if row["isMandatory"]]
        done = sum(row["status"] == "completed" for row in rows)
        batch, began = self.batch_of(course, learner), self.enrollments.began.get((learner.id, course.id))
        open_status = "notstarted" if began is not None and not done else "inprogress"
        progress = {
            "learnerId": int(learner.id),
            "courseId": int(course.id),
            "courseName": course.name,
            "courseType": course.type,
            "enrolledDate": "05-01-2026" if began is None else began.strftime("%d-%m-%Y"),
            "completionPercentage": 100 * done // len(rows),
            "completionStatus": "completed" if done == len(rows) else open_status,
            "completedEntitiesCount": done,
            "totalEntitiesCount": len(rows),
        }
        return progress | ({} if batch is None else {"batchId": int(batch.id), "batchName": batch.name})

    def _entity(self, chance: random.Random, course: Course, kind: int, position: int) -> dict[str, Any]:
        id_name, name, word = _NAMES[kind]
        row: dict[str, Any] = {
            "duration": chance.choice(("10 minutes", "1 hour", "1 hour 30 minutes")),
            id_name: int(self.entity_id(course, kind, position)),
            name: f"{word} {position + 1}",
            "isMandatory": chance.random() < 0.5,
            "status": chance.choice(("completed", "completed", "inprogress", "notstarted")),
        }
        if kind in _TESTS:
            mark = chance.randint(0, 100) if row["status"] == "completed" else None
            row |= {"userMark": mark, "testMark": 100}
            if chance.random() < 0.5:
                row["maximumAttemptsAllowed"] = chance.choice((1, 3, "unlimited"))
        return row


def _not_started(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "status": "notstarted"} | ({"userMark": None} if "userMark" in row else {})


def zoho_id(kind: int, number: int) -> str:
    """18 digits, beyond what a double holds exactly."""
    return str(100_002_000_000_000_001 + kind * 10_000_000 + number * 2)
