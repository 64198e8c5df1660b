"""A world with the courses and the progress of a dataset, but with other people.

Nothing of a person is taken over: no name, no e-mail address, no id. Learners are numbered in the order in which they
appear, and the simulator makes up the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any

import msgspec

from airflow_provider_lms.simulator.world import DONE, OVER, Course, Result, World

MOST_LEARNERS = 1_000_000


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A learner's progress in a course, without the learner.

    :param learner: the learner's number, counted from 0.
    """

    learner: Annotated[int, msgspec.Meta(ge=0, lt=MOST_LEARNERS)]
    course_id: str
    course_title: str
    status: str
    access: datetime | None = None
    due: datetime | None = None
    completion: datetime | None = None
    seconds: int = 0
    score: float | None = None
    progress: float | None = None
    overdue: bool = False
    views: int = 0


def anonymize(rows: Iterable[Mapping[str, Any]]) -> Iterator[Recorded]:
    """What the simulator needs of the rows of a dataset.

    :param rows: of ``course_results`` (iSpring Learn) or ``course_progress`` (Zoho People), as ``read_records`` gives
        them.
    :raises ValueError: they are of another listing, or a column is missing.
    """
    numbers: dict[str, int] = {}
    for row in rows:
        person = row.get("userId") or row.get("learnerId")
        title = row.get("courseTitle") or row.get("courseName")
        if person is None or title is None or row.get("courseId") is None or row.get("completionStatus") is None:
            raise ValueError(
                "The dataset must be of course_results or course_progress, with the columns userId or learnerId, "
                "courseId, courseTitle or courseName, and completionStatus. They may be hashed."
            )
        number = numbers.setdefault(str(person), len(numbers))
        yield _of_ispring(row, number) if "courseTitle" in row else _of_zoho(row, number)


def _of_ispring(row: Mapping[str, Any], learner: int) -> Recorded:
    return Recorded(
        learner=learner,
        course_id=row["courseId"],
        course_title=row["courseTitle"],
        status=row["completionStatus"],
        access=_moment(row.get("accessDate")),
        due=_moment(row.get("dueDate")),
        completion=_moment(row.get("completionDate")),
        seconds=int(row.get("timeSpent") or 0),
        score=row.get("awardedScore"),
        progress=row.get("progress"),
        overdue=bool(row.get("isOverdue")),
        views=int(row.get("viewsCount") or 0),
    )


def _of_zoho(row: Mapping[str, Any], learner: int) -> Recorded:
    progress = _percentage(row.get("completionPercentage"))
    open_status = "in_progress" if progress else "not_started"
    is_done = str(row["completionStatus"]).casefold() in ("completed", "complete")
    return Recorded(
        learner=learner,
        course_id=row["courseId"],
        course_title=row["courseName"],
        status="complete" if is_done else open_status,
        progress=progress,
    )


def _percentage(value: object) -> float | None:
    """Zoho's number, which may be a text such as ``45%``."""
    try:
        return float(str(value).removesuffix("%"))
    except ValueError:
        return None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True)
class RecordedWorld(World):
    """A world with recorded progress. Everything that is not recorded is made up, as in any other world.

    Courses keep their ids and titles in iSpring Learn. Zoho People's ids are the simulator's own.

    :param recorded: the progress, in the order of the dataset.
    """

    recorded: tuple[Recorded, ...] = ()

    @classmethod
    def of(cls, recorded: Iterable[Recorded], like: World) -> RecordedWorld:
        """A world with this progress.

        :param like: gives it the seed, the day, and the number of modules in a course.
        :raises ValueError: nothing is recorded.
        """
        rows = tuple(recorded)
        if not rows:
            raise ValueError("The dataset has no rows.")
        return cls(
            users=max(row.learner for row in rows) + 1,
            courses=len({row.course_id for row in rows}),
            modules=like.modules,
            blocked=0,
            seed=like.seed,
            as_of=like.as_of,
            recorded=rows,
        )

    @cached_property
    def catalog(self) -> tuple[Course, ...]:
        titles = {row.course_id: row.course_title for row in self.recorded}
        courses = super().catalog
        return tuple(
            replace(course, id=course_id, title=title)
            for course, (course_id, title) in zip(courses, titles.items(), strict=True)
        )

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {course.id: number for number, course in enumerate(self.catalog)}

    @cached_property
    def _enrolled(self) -> Mapping[int, Set[int]]:
        found: dict[int, set[int]] = {}
        for row in self.recorded:
            found.setdefault(self._numbers[row.course_id], set()).add(row.learner)
        return found

    def enrolled(self, course: int) -> Set[int]:
        return self._enrolled[course]

    @property
    def finished(self) -> Collection[tuple[int, int]]:
        return {(row.learner, self._numbers[row.course_id]) for row in self.recorded if row.status in DONE}

    @cached_property
    def course_results(self) -> tuple[Result, ...]:
        return tuple(self._result(number, row) for number, row in enumerate(self.recorded))

    @cached_property
    def module_results(self) -> tuple[Result, ...]:
        """Each module stands as the whole course does."""
        return tuple(replace(each, module=module) for each in self.course_results for module in each.course.modules)

    def _result(self, number: int, row: Recorded) -> Result:
        user, course = self.people[row.learner], self.catalog[self._numbers[row.course_id]]
        completion = row.completion
        if completion is None and row.status in OVER:
            completion = self.midnight - timedelta(days=1 + number % 14)
        return Result(
            user=user,
            course=course,
            module=None,
            enrollment_id=self.id_of("enrollment", f"{user.id}{course.id}{number}"),
            access=row.access or self.midnight - timedelta(days=30),
            due=row.due,
            expiration=None,
            completion=completion,
            seconds=row.seconds,
            status=row.status,
            score=row.score,
            progress=row.progress,
            overdue=row.overdue,
            views=row.views,
        )
