"""The people, courses and results that the simulator serves: the same for the same seed, size and date."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import groupby

from airflow_provider_lms.simulator.people import ACTIVE as ACTIVE
from airflow_provider_lms.simulator.people import BLOCKED as BLOCKED
from airflow_provider_lms.simulator.people import TERMINATED as TERMINATED
from airflow_provider_lms.simulator.people import Department as Department
from airflow_provider_lms.simulator.people import Group as Group
from airflow_provider_lms.simulator.people import Subordination
from airflow_provider_lms.simulator.people import User as User

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

DONE = ("complete", "passed", "accepted")
MISSED = ("failed", "declined")
OVER = (*DONE, *MISSED)
UNDERWAY = ("in_progress", "pending", "incomplete")
PASSING_SCORE = 60.0


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

    @property
    def duration(self) -> int:
        """The vendor does not say in which unit."""
        return 600 * len(self.modules)


@dataclass(frozen=True)
class Item:
    """A content item of any type. A course is one of them."""

    id: str
    title: str
    kind: str
    author_id: str
    added: datetime


@dataclass(frozen=True)
class Session:
    """A session of a training."""

    id: str
    title: str
    start: datetime
    instructor_id: str
    day_ids: tuple[str, ...]
    participants: tuple[User, ...]


@dataclass(frozen=True)
class Training:
    """A training. It is the last module of its course."""

    id: str
    course: Course
    sessions: tuple[Session, ...]

    @property
    def title(self) -> str:
        return f"Meet the experts: {self.course.title}"


@dataclass(frozen=True)
class Result:
    """A learner's result in a module, or in a whole course if ``module`` is None."""

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

    @property
    def passing_score(self) -> float | None:
        return None if self.score is None else PASSING_SCORE


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
        ids = [self.id_of("department", name) for name in DEPARTMENTS]
        parents = (None, ids[0], ids[0], ids[2], ids[2])
        return tuple(
            Department(
                id_,
                name,
                parent,
                code=name.upper().replace(" ", "-"),
                subordination=Subordination.to(self.id_of("user", "0") if parent else None),
            )
            for id_, name, parent in zip(ids, DEPARTMENTS, parents, strict=True)
        )

    @property
    def role_id(self) -> str:
        """The role of all learners."""
        return self.id_of("role", "learner")

    @cached_property
    def people(self) -> tuple[User, ...]:
        rng, logins = self._rng("people"), self._rng("logins")
        return tuple(
            User(
                id=self.id_of("user", str(number)),
                first_name=rng.choice(FIRST_NAMES),
                last_name=rng.choice(LAST_NAMES),
                email=f"learner{number}@example.com",
                department_id=rng.choice(self.departments).id,
                status=BLOCKED if number >= self.users - self.blocked else ACTIVE,
                added=self.midnight - timedelta(days=rng.randint(90, 900)),
                last_login=self.midnight - timedelta(seconds=logins.randint(1, 60 * 86_400)),
                role_id=self.role_id,
                subordination=Subordination.to(self.id_of("user", "0") if number else None),
            )
            for number in range(self.users)
        )

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        return tuple(
            Group(self.id_of("group", name), name, number == 0, self.people[:: number + 1])
            for number, name in enumerate(("Everyone", "First-aiders", "Works council"))
        )

    @cached_property
    def catalog(self) -> tuple[Course, ...]:
        return tuple(
            Course(
                id=self.id_of("course", str(number)),
                title=f"{SUBJECTS[number % len(SUBJECTS)]} {number + 1}",
                author_id=self.id_of("author", "1"),
                added=self.midnight - timedelta(days=365 + number),
                modules=tuple(
                    Module(
                        id=self.id_of("module", f"{number}/{position}"),
                        item_id=self.id_of("item", f"{number}/{position}"),
                        title=f"Chapter {position + 1} & test",
                    )
                    for position in range(self.modules)
                ),
            )
            for number in range(self.courses)
        )

    @cached_property
    def library(self) -> tuple[Item, ...]:
        """All content: the courses, two learning tracks, and for each course a quiz and an assignment."""
        author, added = self.id_of("author", "1"), self.midnight - timedelta(days=300)
        courses = [Item(each.id, each.title, "Course", each.author_id, each.added) for each in self.catalog]
        tracks = [
            Item(self.id_of("LearningTrack", title), title, "LearningTrack", author, added)
            for title in ("Onboarding", "Safety first")
        ]
        tasks = [
            Item(self.id_of(kind, course.id), f"{kind} of {course.title}", kind, author, added)
            for kind in ("Quiz", "Assignment")
            for course in self.catalog
        ]
        return (*courses, *tracks, *tasks)

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        return tuple(
            Training(
                self.id_of("training", course.id),
                course,
                tuple(self._session(course, number) for number in range(2)),
            )
            for course in self.catalog
        )

    def _session(self, course: Course, number: int) -> Session:
        days = tuple(self.id_of("day", f"{course.id}/{number}/{day}") for day in range(2))
        return Session(
            id=self.id_of("session", f"{course.id}/{number}"),
            title=f"Session {number + 1} & questions",
            start=self.midnight + timedelta(days=7 * (number + 1), hours=9),
            instructor_id=self.id_of("author", "1"),
            day_ids=days,
            participants=self.people[number::2],
        )

    def enrolled(self, course: int) -> Set[int] | None:  # noqa: ARG002
        """The learners of a course, by their numbers; None is everybody.

        :param course: its number.
        """
        return None

    def enrollments(self, course: int) -> int:
        """How many learners a course has.

        :param course: its number.
        """
        enrolled = self.enrolled(course)
        return self.users if enrolled is None else len(enrolled)

    @property
    def finished(self) -> Collection[tuple[int, int]]:
        """Learners and courses, by their numbers, of which it is known that the learner has completed the course."""
        return ()

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
    def midnight(self) -> datetime:
        return datetime.combine(self.as_of, time(), UTC)

    def _rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311

    def id_of(self, kind: str, name: str) -> str:
        """The id of a thing: the same for the same seed, kind and name."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.seed}/{kind}/{name}"))

    def _enrollment(self, rng: random.Random, user: User, course: Course) -> list[Result]:
        access = self.midnight - timedelta(days=rng.randint(15, 60), seconds=rng.randrange(86_400))
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
            status, progress = rng.choice(UNDERWAY), round(rng.uniform(1, 99), 2)
        else:
            status, progress = rng.choice((*DONE, *DONE, *MISSED)), 100.0
        # Completions crowd into the last two weeks, so that any of these days has some.
        completion = self.midnight - timedelta(seconds=rng.randint(1, 14 * 86_400)) if status in OVER else None
        return Result(
            user=user,
            course=course,
            module=module,
            enrollment_id=self.id_of("enrollment", user.id + course.id),
            access=access,
            due=due,
            expiration=expiration,
            completion=completion,
            seconds=0 if status == "not_started" else rng.randint(1, 7_200),
            status=status,
            score=_score(status, rng.random()) if status in ("passed", "failed") else None,
            progress=progress,
            overdue=due is not None and (completion or self.midnight) > due,
            views=0 if status == "not_started" else rng.randint(1, 9),
        )


def _score(status: str, share: float) -> float:
    """A score that goes with the status: the passing score or more for passed, less for failed."""
    low, high = (PASSING_SCORE, 100.0) if status == "passed" else (0.0, PASSING_SCORE - 1)
    return round(low + (high - low) * share, 1)


def _decisive(results: list[Result]) -> Result | None:
    """The module whose status the course takes: the last that was missed, else the last underway, else the last.

    None if some modules are completed and the others not begun.
    """
    for statuses in (MISSED, UNDERWAY):
        if found := [result for result in results if result.status in statuses]:
            return found[-1]
    begun = {result.status in DONE for result in results}
    return results[-1] if len(begun) == 1 else None


def _over_all(results: list[Result]) -> Result:
    first, decisive = results[0], _decisive(results)
    status = "in_progress" if decisive is None else decisive.status
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
        score=None if decisive is None else decisive.score,
        progress=None if status == "not_started" else round(progress, 2),
        overdue=any(result.overdue for result in results),
        views=sum(result.views for result in results),
    )
