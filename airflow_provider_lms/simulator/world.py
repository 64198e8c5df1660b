"""The people, courses and results that the simulator serves: the same for the same seed, size and date."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import groupby

FIRST_NAMES = ("Amara", "Bence", "Chloé", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Inés", "Jonas", "Kemi", "Łucja")
LAST_NAMES = ("Okafor", "Nagy", "Martin", "Ivanov", "Yılmaz", "Haddad", "Lindqvist", "Tanaka", "García", "O'Brien")
SUBJECTS = (
    "Fire safety",
    "Sales & service",
    "GDPR <basics>",
    "Введение",
    "Leadership",
    "Forklift driving",
    "“Hello” kit",
)
DEPARTMENTS = ("Head office", "Warehouse", "Shops", "Shops north", "Shops south")

ACTIVE, BLOCKED, TERMINATED = 1, 3, 5
DONE = ("complete", "passed", "accepted")
OVER = (*DONE, "failed", "declined")


@dataclass(frozen=True)
class Department:
    id: str
    name: str
    parent_id: str | None


@dataclass(frozen=True)
class User:
    id: str
    first_name: str
    last_name: str
    email: str
    department_id: str
    status: int
    added: datetime


@dataclass(frozen=True)
class Module:
    id: str
    item_id: str
    title: str


@dataclass(frozen=True)
class Course:
    id: str
    title: str
    author_id: str
    added: datetime
    modules: tuple[Module, ...]


@dataclass(frozen=True)
class Result:
    """A learner's result in a module, or in a whole course where ``module`` is None."""

    user: User
    course: Course
    module: Module | None
    enrollment_id: str
    access: datetime
    due: datetime | None
    expiration: datetime | None
    completion: datetime | None
    seconds: int
    status: str
    score: float | None
    progress: float | None
    overdue: bool
    views: int


@dataclass(frozen=True)
class World:
    """What there is to read.

    :param users: learners.
    :param courses: courses; every learner is enrolled in every course.
    :param modules: modules in each course.
    :param blocked: how many of the learners, counted from the last, have a blocked account.
    :param as_of: the day that just began; nothing happens after its midnight UTC.
    """

    users: int = 40
    courses: int = 3
    modules: int = 4
    blocked: int = 2
    seed: int = 1
    as_of: date = field(default_factory=lambda: datetime.now(UTC).date())

    @cached_property
    def departments(self) -> tuple[Department, ...]:
        ids = [self._id("department", name) for name in DEPARTMENTS]
        parents = (None, ids[0], ids[0], ids[2], ids[2])
        return tuple(map(Department, ids, DEPARTMENTS, parents))

    @cached_property
    def people(self) -> tuple[User, ...]:
        rng = self._rng("people")
        return tuple(
            User(
                id=self._id("user", str(number)),
                first_name=rng.choice(FIRST_NAMES),
                last_name=rng.choice(LAST_NAMES),
                email=f"learner{number}@example.com",
                department_id=rng.choice(self.departments).id,
                status=BLOCKED if number >= self.users - self.blocked else ACTIVE,
                added=self._midnight - timedelta(days=rng.randint(90, 900)),
            )
            for number in range(self.users)
        )

    @cached_property
    def catalog(self) -> tuple[Course, ...]:
        return tuple(
            Course(
                id=self._id("course", str(number)),
                title=f"{SUBJECTS[number % len(SUBJECTS)]} {number + 1}",
                author_id=self._id("author", "1"),
                added=self._midnight - timedelta(days=365 + number),
                modules=tuple(
                    Module(
                        id=self._id("module", f"{number}/{position}"),
                        item_id=self._id("item", f"{number}/{position}"),
                        title=f"Chapter {position + 1} & test",
                    )
                    for position in range(self.modules)
                ),
            )
            for number in range(self.courses)
        )

    @cached_property
    def module_results(self) -> tuple[Result, ...]:
        """One for each learner, course and module; those of one enrollment stand together."""
        rng = self._rng("results")
        return tuple(
            result for course in self.catalog for user in self.people for result in self._enrollment(rng, user, course)
        )

    @cached_property
    def course_results(self) -> tuple[Result, ...]:
        """One for each learner and course."""
        enrollments = groupby(self.module_results, key=lambda result: result.enrollment_id)
        return tuple(_over_all(list(results)) for _, results in enrollments)

    @cached_property
    def _midnight(self) -> datetime:
        return datetime.combine(self.as_of, time(), UTC)

    def _rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311

    def _id(self, kind: str, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.seed}/{kind}/{name}"))

    def _enrollment(self, rng: random.Random, user: User, course: Course) -> list[Result]:
        access = self._midnight - timedelta(days=rng.randint(15, 60), seconds=rng.randrange(86_400))
        due = access + timedelta(days=30) if rng.random() < 0.7 else None
        expiration = due if due and rng.random() < 0.3 else None
        pace = rng.random()
        return [
            self._module_result(rng, pace, user, course, module, access, due, expiration) for module in course.modules
        ]

    def _module_result(
        self,
        rng: random.Random,
        pace: float,
        user: User,
        course: Course,
        module: Module,
        access: datetime,
        due: datetime | None,
        expiration: datetime | None,
    ) -> Result:
        chance = rng.random()
        if chance > 0.35 + pace:
            status, progress = "not_started", None
        elif chance > pace:
            status, progress = rng.choice(("in_progress", "pending", "incomplete")), round(rng.uniform(1, 99), 2)
        else:
            status, progress = rng.choice((*DONE, *DONE, "failed", "declined")), 100.0
        # Completions crowd into the last two weeks, so that any of these days has some.
        completion = self._midnight - timedelta(seconds=rng.randint(1, 14 * 86_400)) if status in OVER else None
        return Result(
            user=user,
            course=course,
            module=module,
            enrollment_id=self._id("enrollment", user.id + course.id),
            access=access,
            due=due,
            expiration=expiration,
            completion=completion,
            seconds=0 if status == "not_started" else rng.randint(1, 7_200),
            status=status,
            score=round(rng.uniform(0, 100), 1) if status in ("passed", "failed") else None,
            progress=progress,
            overdue=due is not None and (completion or self._midnight) > due,
            views=0 if status == "not_started" else rng.randint(1, 9),
        )


def _over_all(results: list[Result]) -> Result:
    first, statuses = results[0], {result.status for result in results}
    if statuses <= set(DONE):
        status = "complete"
    elif "failed" in statuses:
        status = "failed"
    else:
        status = "not_started" if statuses == {"not_started"} else "in_progress"
    ends = [result.completion for result in results if result.completion]
    progress = sum(result.progress or 0.0 for result in results) / len(results)
    return Result(
        user=first.user,
        course=first.course,
        module=None,
        enrollment_id=first.enrollment_id,
        access=first.access,
        due=first.due,
        expiration=first.expiration,
        completion=max(ends) if status in OVER and ends else None,
        seconds=sum(result.seconds for result in results),
        status=status,
        score=None,
        progress=None if status == "not_started" else round(progress, 2),
        overdue=any(result.overdue for result in results),
        views=sum(result.views for result in results),
    )
