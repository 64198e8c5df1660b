"""Readings of a course, and when a verdict may rest on them."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from msgspec import structs

from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.evaluation import Evaluation, evaluate
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerIds
from airflow_provider_lms.lms.course.read_flow import ReadFlow, observed, run_flow
from airflow_provider_lms.lms.course.readers import CourseReader


class CourseReading:
    """One reading of a course, or two that confirm each other. Each criteria is evaluated only once.

    Learners come and go while a course is read, so one reading of several pages may miss somebody who has not completed
    it. A verdict that ends the waiting therefore needs a second reading that comes to the same verdict.

    :param snapshot: what was read; of two readings, what both have found.
    :param one_page: whether it took only one page, so that nobody can have moved meanwhile.
    :param consistent: False if learners came or went while a listing was read. No verdict rests on such a reading.
    :param again: whether learners whom the LMS did not know before were asked for again.
    :param readings: the readings that this one is made of, if there are several.
    """

    def __init__(
        self,
        snapshot: CourseSnapshot,
        *,
        one_page: bool,
        consistent: bool,
        again: bool = False,
        readings: tuple[CourseReading, ...] = (),
    ) -> None:
        self.again = again
        self._snapshot = snapshot
        self._one_page = one_page
        self._consistent = consistent
        self._readings = readings
        self._evaluations: dict[Criteria, Evaluation] = {}
        # Weak, for the other one refers to this one: they should be gone as soon as nobody needs them.
        self._confirmed: Callable[[], CourseReading | None] = lambda: None

    def evaluate(self, criteria: Criteria) -> Evaluation:
        """The evaluation of this reading. It is open where the readings do not agree."""
        if criteria not in self._evaluations:
            found = evaluate(criteria, self._snapshot)
            verdicts = {found.outcome, *(each.evaluate(criteria).outcome for each in self._readings)}
            if len(verdicts) > 1 or not self._consistent:
                found = structs.replace(found, outcome="open")
            self._evaluations[criteria] = found
        return self._evaluations[criteria]

    def needs_confirmation(self, criteria: Criteria) -> bool:
        """Whether the verdict would end the waiting, and one reading is not enough for it."""
        evaluation = self.evaluate(criteria)
        is_fresh = self._one_page and not self._snapshot.remembered
        is_sure = is_fresh and not evaluation.missing and not evaluation.no_id_matched
        return evaluation.outcome != "open" and not self._readings and not is_sure

    def confirmed_by(self, second: CourseReading) -> CourseReading:
        """Both readings as one, which is the same for all who ask. A learner who is open in either is open."""
        both = self._confirmed()
        if both is None or both._readings[1] is not second:
            both = CourseReading(
                self._snapshot.joined(second._snapshot),
                one_page=False,
                consistent=self._consistent and second._consistent,
                readings=(self, second),
            )
            self._confirmed = weakref.ref(both)
        return both


def reading_flow(reader: CourseReader, learners: LearnerIds | None, *, again: bool = False) -> ReadFlow[CourseReading]:
    """Read a course.

    :param learners: those that matter; None is everybody.
    :param again: this is the second reading. It relies on nothing that was found before.
    """
    snapshot, listings = yield from observed(reader.read_flow(learners, again=again))
    return CourseReading(snapshot, one_page=listings.pages <= 1, consistent=listings.consistent, again=again)


def read_course(
    reader: CourseReader, criteria: Criteria, on_second: Callable[[Evaluation], None] = lambda _: None
) -> Evaluation:
    """Read a course and hold it against criteria; once more if the verdict would end the waiting. It may block.

    :param on_second: called before the second reading, with what the first one has come to.
    :raises LmsError: the course could not be read.
    """
    reading = run_flow(reading_flow(reader, criteria.learner_ids))
    if reading.needs_confirmation(criteria):
        on_second(reading.evaluate(criteria))
        reading = reading.confirmed_by(run_flow(reading_flow(reader, criteria.learner_ids, again=True)))
    return reading.evaluate(criteria)
