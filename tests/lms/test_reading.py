"""A verdict that ends the waiting rests on one page, or on two readings that agree."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerProgress, StatusMeanings
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ListingResult, ReadFlow, observed, run_flow
from airflow_provider_lms.lms.course.reading import CourseReading
from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.lms.listing.page import Page

STATUSES = StatusMeanings(completed=("passed",), unsuccessful=("failed",))


def reading(one_page: bool = False, consistent: bool = True, **learners: str) -> CourseReading:
    progress = [LearnerProgress(name, status=status) for name, status in learners.items()]
    return CourseReading(CourseSnapshot(progress), one_page=one_page, consistent=consistent)


def criteria(**options: Any) -> Criteria:
    return Criteria(statuses=STATUSES, **options)


EVERYBODY = criteria()


def test_one_page_is_enough_and_several_are_not() -> None:
    assert not reading(one_page=True, a="passed").needs_confirmation(EVERYBODY)
    assert reading(a="passed").needs_confirmation(EVERYBODY)
    assert not reading(a="open").needs_confirmation(EVERYBODY)
    impossible = criteria(on_unsuccessful="fail")
    assert reading(a="failed", b="passed").needs_confirmation(impossible)


def test_a_named_learner_who_was_not_seen_is_asked_for_once_more() -> None:
    named = criteria(named=("a", "b"), on_missing="ignore")
    first = reading(one_page=True, a="passed")
    assert first.needs_confirmation(criteria(named=("a", "b"), share="0.5"))
    both = first.confirmed_by(reading(one_page=True, a="passed", b="open"))
    assert both.evaluate(named).outcome == "open"
    assert both.evaluate(named).pending == ["b"]


def test_none_of_the_ids_known_is_asked_for_once_more() -> None:
    other_kind = criteria(named=("x",), fail_if_no_id_matches=True)
    first = reading(one_page=True, a="passed")
    assert first.needs_confirmation(other_kind)
    assert first.confirmed_by(reading(one_page=True, a="passed")).evaluate(other_kind).outcome == "impossible"
    assert first.confirmed_by(reading(one_page=True, x="open")).evaluate(other_kind).outcome == "open"


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (reading(a="passed", b="passed"), reading(a="passed", b="passed"), "met"),
        (reading(a="passed"), reading(a="passed", b="open"), "open"),
        (reading(a="passed", b="open"), reading(a="passed"), "open"),
        (reading(a="passed"), reading(b="passed"), "met"),
        (reading(a="passed"), reading(a="failed"), "open"),
        (reading(a="passed", consistent=False), reading(a="passed"), "open"),
        (reading(a="passed"), reading(a="passed", consistent=False), "open"),
    ],
)
def test_two_readings_agree_or_the_verdict_is_open(first: CourseReading, second: CourseReading, outcome: str) -> None:
    both = first.confirmed_by(second)
    assert both.evaluate(EVERYBODY).outcome == outcome
    assert not both.needs_confirmation(EVERYBODY)


def test_no_verdict_rests_on_an_inconsistent_reading() -> None:
    shifted = reading(consistent=False, one_page=True, a="passed")
    assert shifted.evaluate(EVERYBODY).outcome == "open"
    assert not shifted.needs_confirmation(EVERYBODY)


def test_a_learner_with_an_unreadable_value_is_open() -> None:
    odd = CourseSnapshot([LearnerProgress("a", status="passed", uncertain=True)])
    assert CourseReading(odd, one_page=True, consistent=True).evaluate(EVERYBODY).pending == ["a"]
    older = LearnerProgress("a", status="passed")
    snapshot = CourseSnapshot([older, LearnerProgress("a", status="passed", uncertain=True), older])
    assert CourseReading(snapshot, one_page=True, consistent=True).evaluate(EVERYBODY).outcome == "open"


def test_a_flow_tells_what_it_has_read() -> None:
    def request(*pages: Page[Any]) -> ListingRequest[Any]:
        return ListingRequest(lambda _: iter(pages), lambda record: record)

    def missing(_: object) -> Any:
        raise LmsNotFound("no")

    def flow() -> ReadFlow[int]:
        result: ListingResult[Any] = yield request(Page([1], 1, "x"), Page([2], 2, None, consistent=False))
        with pytest.raises(LmsNotFound):
            yield ListingRequest(missing, lambda record: record)
        last: ListingResult[Any] = yield request(Page([3], 1, None))
        return sum([*result.kept, *last.kept])

    value, read = run_flow(observed(flow()))
    assert (value, read.pages, read.consistent) == (6, 3, False)


def test_two_opposite_verdicts_are_none() -> None:
    fatal = criteria(on_unsuccessful="fail")
    met, impossible = reading(a="passed"), reading(a="failed")
    assert (met.evaluate(fatal).outcome, impossible.evaluate(fatal).outcome) == ("met", "impossible")
    assert met.confirmed_by(impossible).evaluate(fatal).outcome == "open"
    assert impossible.confirmed_by(met).evaluate(fatal).outcome == "open"
