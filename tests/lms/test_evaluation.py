"""What completion means: cohort, requirement and evaluation, without an LMS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_lms.lms.course import evaluation as evaluations
from airflow_provider_lms.lms.course.criteria import BLOCKED_CHOICES, CHOICES, Criteria, parse_requirement, parse_share
from airflow_provider_lms.lms.course.evaluation import MAX_IDS, Evaluation
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerProgress
from airflow_provider_lms.lms.course.reading import CourseReading
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.lms.zoho_people.course import STATUSES as ZOHO_STATUSES

THIS_YEAR = datetime(2026, 1, 10, tzinfo=UTC)
LAST_YEAR = datetime(2025, 1, 10, tzinfo=UTC)
OPEN = ("not_started", "in_progress", "pending", "incomplete")
NAMES = [f"learner-{number}" for number in range(8)]


def criteria(
    required_share: object = 1.0, required_count: object = None, min_cohort: object = 1, **options: Any
) -> Criteria:
    found = parse_requirement(required_share, required_count, min_cohort)
    required = {"share": found.share, "count": found.count, "min_cohort": found.min_cohort}
    return Criteria(**{"statuses": STATUSES, **required, **options})


def group(status: str, count: int, **options: Any) -> list[LearnerProgress]:
    return [LearnerProgress(f"{status}-{number}", status=status, **options) for number in range(count)]


def evaluate(criteria: Criteria, *people: LearnerProgress) -> Evaluation:
    return evaluations.evaluate(criteria, CourseSnapshot(people))


statuses = st.sampled_from(STATUSES.known)
learners = st.builds(
    LearnerProgress,
    learner_id=st.sampled_from(NAMES),
    status=statuses,
    access_date=st.sampled_from((None, LAST_YEAR, THIS_YEAR)),
    overdue=st.booleans(),
    blocked=st.booleans(),
)
all_criteria = st.builds(
    criteria,
    required_share=st.sampled_from((0.01, "50%", 0.8, 1.0)),
    min_cohort=st.integers(1, 4),
    named=st.none() | st.lists(st.sampled_from(NAMES), unique=True, min_size=1).map(tuple),
    on_unsuccessful=st.sampled_from(CHOICES),
    on_missing=st.sampled_from(CHOICES),
    on_overdue=st.sampled_from(CHOICES),
    on_blocked=st.sampled_from(BLOCKED_CHOICES),
)


@pytest.mark.parametrize(
    ("given", "cohort", "required"),
    [
        (0.55, 100, 55),
        ("55%", 100, 55),
        ("0.55", 100, 55),
        ("80%", 10, 8),
        (" 80 % ", 11, 9),
        (0.07, 100, 7),
        (0.28, 100, 28),
        (1, 7, 7),
        (1.0, 7, 7),
        ("100%", 7, 7),
        ("33.3%", 1000, 333),
        ("1/3", 9, 3),
        (0.0001, 5, 1),
    ],
)
def test_a_share_is_rounded_up_exactly(given: object, cohort: int, required: int) -> None:
    assert criteria(given).required(cohort) == required


@given(percent=st.integers(1, 100), cohort=st.integers(0, 1_000_000))
def test_a_share_means_the_same_however_it_is_written(percent: int, cohort: int) -> None:
    exact = (percent * cohort + 99) // 100
    for written in (f"{percent}%", percent / 100, str(percent / 100), f"{percent}/100"):
        assert criteria(written).required(cohort) == exact


@given(thousandths=st.integers(1, 1_000), cohort=st.integers(0, 100_000))
def test_tenths_of_a_percent_are_exact_too(thousandths: int, cohort: int) -> None:
    exact = -(-thousandths * cohort // 1_000)
    assert criteria(thousandths / 1_000).required(cohort) == exact
    assert criteria(f"{thousandths / 10}%").required(cohort) == exact


@pytest.mark.parametrize("wrong", [0, -0.1, 1.01, "101%", "0%", "", "%", "half", None, True, float("nan"), "1/0", [1]])
def test_a_share_that_cannot_be_meant_is_named(wrong: object) -> None:
    with pytest.raises(ValueError, match="required_share: expected a share above 0 and up to 1"):
        parse_share("required_share", wrong)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.5, 3, 1), "required_count: it replaces required_share"),
        ((1.0, 0, 1), "required_count: expected a whole number of at least 1, got 0"),
        ((1.0, "many", 1), "required_count: expected a whole number"),
        ((1.0, None, 0), "min_cohort: expected a whole number of at least 1, got 0"),
        ((1.0, None, 1.5), "min_cohort: expected a whole number"),
        ((1.0, None, True), "min_cohort: expected a whole number"),
    ],
)
def test_a_requirement_that_cannot_be_meant_is_named(given: tuple[object, object, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_requirement(*given)


@pytest.mark.parametrize("count", [3, "3"])
def test_a_count_goes_in_place_of_the_share(count: object) -> None:
    wanted = criteria(required_count=count)
    assert [wanted.required(cohort) for cohort in (1, 3, 100)] == [3, 3, 3]
    assert evaluate(wanted, *group("passed", 2), *group("pending", 5)).outcome == "open"
    assert evaluate(wanted, *group("passed", 3), *group("pending", 5)).outcome == "met"


def test_an_empty_cohort_is_never_met() -> None:
    for wanted in (criteria(), criteria(0.01), criteria(required_count=1), criteria(named=("a",), on_missing="ignore")):
        evaluation = evaluate(wanted)
        assert (evaluation.outcome, evaluation.cohort) == ("open", 0)
    assert evaluate(criteria(on_unsuccessful="ignore"), *group("failed", 3)).outcome == "open"


def test_a_cohort_below_its_least_size_is_open() -> None:
    wanted = criteria(min_cohort=3)
    assert evaluate(wanted, *group("complete", 2)).outcome == "open"
    assert evaluate(wanted, *group("complete", 3)).outcome == "met"
    lost = criteria(min_cohort=3, on_unsuccessful="fail")
    assert evaluate(lost, *group("failed", 2)).outcome == "open"
    assert evaluate(lost, *group("failed", 3)).outcome == "impossible"


@pytest.mark.parametrize("status", ["complete", "passed", "accepted", "PASSED", "Complete"])
def test_ispring_words_that_mean_completed(status: str) -> None:
    assert evaluate(criteria(), LearnerProgress("a", status=status)).completed == ["a"]


@pytest.mark.parametrize("status", [*OPEN, "archived", "", None])
def test_all_other_words_are_open(status: str | None) -> None:
    evaluation = evaluate(criteria(on_unsuccessful="fail"), LearnerProgress("a", status=status))
    assert (evaluation.outcome, evaluation.pending) == ("open", ["a"])


def test_both_sets_of_words_may_be_others() -> None:
    wanted = criteria(statuses=STATUSES.replaced_by('["Pending", "complete"]', "incomplete"), on_unsuccessful="fail")
    evaluation = evaluate(
        wanted, *group("PENDING", 1), *group("passed", 1), *group("Incomplete", 1), *group("failed", 1)
    )
    assert evaluation.completed == ["PENDING-0"]
    assert evaluation.unsuccessful == ["Incomplete-0"]
    assert evaluation.pending == ["passed-0", "failed-0"]
    with pytest.raises(ValueError, match="completed_statuses: the list is empty"):
        STATUSES.replaced_by([])
    with pytest.raises(ValueError, match="unsuccessful_statuses: each id must be a non-empty string"):
        STATUSES.replaced_by(None, [""])


def test_without_a_word_it_counts_whether_it_is_done() -> None:
    evaluation = evaluate(
        criteria(statuses=ZOHO_STATUSES),
        LearnerProgress("a", done=True),
        LearnerProgress("b"),
        LearnerProgress("c", status="Done"),
    )
    assert (evaluation.completed, evaluation.pending) == (["a"], ["b", "c"])
    assert (
        evaluate(criteria(statuses=ZOHO_STATUSES), LearnerProgress("a", status="inprogress", done=True)).outcome
        == "open"
    )


def test_an_unknown_word_is_open_and_warned_of_once() -> None:
    evaluation = evaluate(criteria(), *group("archived", 3), *group("Retired", 1), *group("passed", 1))
    assert evaluation.pending == ["archived-0", "archived-1", "archived-2", "Retired-0"]
    told: set[str] = set()
    assert evaluation.warning(told) == (
        "The LMS sent statuses that it does not document: Retired, archived. They count as not completed."
    )
    assert evaluation.warning(told) is None
    meant = criteria(statuses=STATUSES.replaced_by(["archived", "passed"], ["retired"]))
    assert evaluate(meant, *group("archived", 3), *group("Retired", 1)).warning(set()) is None
    assert evaluate(criteria(statuses=ZOHO_STATUSES), *group("archived", 1)).warning(set()) is None


def test_the_latest_enrollment_counts() -> None:
    last = LearnerProgress("a", {"enrollment_id": "old"}, "passed", access_date=LAST_YEAR)
    this = LearnerProgress("a", {"enrollment_id": "new"}, "in_progress", access_date=THIS_YEAR)
    for order in ((last, this), (this, last)):
        assert evaluate(criteria(), *order).pending == ["a"]
    undated = LearnerProgress("a", {"enrollment_id": "undated"}, "passed")
    assert evaluate(criteria(), undated, this).pending == ["a"]
    done = msgspec.structs.replace(this, status="complete")
    assert evaluate(criteria(), msgspec.structs.replace(last, status="failed"), done).completed == ["a"]


def test_of_equally_late_enrollments_the_least_done_counts() -> None:
    enrollments = [
        LearnerProgress("a", {"enrollment_id": str(n)}, status, access_date=THIS_YEAR)
        for n, status in enumerate(("passed", "failed"))
    ]
    assert evaluate(criteria(), *enrollments).unsuccessful == ["a"]
    assert evaluate(
        criteria(), *enrollments, LearnerProgress("a", {"enrollment_id": "3"}, "pending", access_date=THIS_YEAR)
    ).pending == ["a"]


def test_an_enrollment_is_evaluated_by_itself() -> None:
    old = LearnerProgress("a", {"enrollment_id": "old"}, "passed", access_date=LAST_YEAR)
    new = LearnerProgress("a", {"enrollment_id": "new"}, "pending", access_date=THIS_YEAR)
    assert evaluate(criteria(named=("old",), id_kind="enrollment_id"), old, new).completed == ["old"]
    assert evaluate(criteria(named=("old", "new", "none"), id_kind="enrollment_id"), old, new).missing == ["none"]


def test_ids_are_compared_ignoring_case_and_reported_as_given() -> None:
    evaluation = evaluate(criteria(named=("ABC", "Def", "abc")), LearnerProgress("abc", status="passed"))
    assert (evaluation.completed, evaluation.missing, evaluation.cohort) == (["ABC"], ["Def"], 2)
    everybody = evaluate(criteria(), LearnerProgress("aBc", status="passed"), LearnerProgress("AbC", status="passed"))
    assert (everybody.completed, everybody.cohort) == (["aBc"], 1)


@pytest.mark.parametrize(("choice", "outcome", "cohort"), [("count", "open", 3), ("ignore", "met", 1)])
def test_blocked_accounts_count_or_leave_the_cohort(choice: str, outcome: str, cohort: int) -> None:
    people = (*group("passed", 1), *group("pending", 1, blocked=True), *group("complete", 1, blocked=True))
    evaluation = evaluate(criteria(on_blocked=choice), *people)
    assert (evaluation.outcome, evaluation.cohort) == (outcome, cohort)


@pytest.mark.parametrize(
    ("choice", "outcome", "cohort"), [("wait", "open", 2), ("fail", "impossible", 2), ("ignore", "met", 1)]
)
@pytest.mark.parametrize("why", ["on_missing", "on_unsuccessful", "on_overdue"])
def test_what_waits_fails_or_leaves_the_cohort(why: str, choice: str, outcome: str, cohort: int) -> None:
    other = {
        "on_missing": [],
        "on_unsuccessful": [LearnerProgress("b", status="failed")],
        "on_overdue": [LearnerProgress("b", status="in_progress", overdue=True)],
    }[why]
    evaluation = evaluate(criteria(named=("a", "b"), **{why: choice}), LearnerProgress("a", status="passed"), *other)
    assert (evaluation.outcome, evaluation.cohort) == (outcome, cohort)


def test_a_missing_learner_is_not_taken_as_one_who_has_not_begun() -> None:
    evaluation = evaluate(
        criteria(named=("a", "b"), on_overdue="fail", on_unsuccessful="fail"), LearnerProgress("a", status="passed")
    )
    assert (evaluation.outcome, evaluation.pending, evaluation.missing) == ("open", [], ["b"])


def test_one_who_has_completed_is_not_overdue() -> None:
    late = LearnerProgress("a", {"enrollment_id": "1"}, "passed", access_date=THIS_YEAR, overdue=True)
    assert evaluate(criteria(on_overdue="fail"), late).outcome == "met"
    # Equally late: the one that is not completed is not past its due date.
    evaluation = evaluate(
        criteria(on_overdue="fail"),
        late,
        LearnerProgress("a", {"enrollment_id": "2"}, "pending", access_date=THIS_YEAR),
    )
    assert (evaluation.outcome, evaluation.overdue) == ("open", 0)


def test_a_failed_learner_past_the_due_date_is_lost_only_if_overdue_ones_are() -> None:
    failed = LearnerProgress("a", status="failed", overdue=True)
    assert evaluate(criteria(on_unsuccessful="wait"), failed).outcome == "open"
    assert evaluate(criteria(on_unsuccessful="wait", on_overdue="fail"), failed).outcome == "impossible"
    assert evaluate(criteria(on_unsuccessful="fail", on_overdue="ignore"), failed).outcome == "impossible"


@pytest.mark.parametrize(("failed", "outcome"), [(2, "open"), (3, "impossible")])
def test_it_is_impossible_only_once_it_cannot_be_met_without_the_lost(failed: int, outcome: str) -> None:
    people = (*group("failed", failed), *group("in_progress", 10 - failed))
    for wanted in (criteria("80%", on_unsuccessful="fail"), criteria(required_count=8, on_unsuccessful="fail")):
        evaluation = evaluate(wanted, *people)
        assert (evaluation.outcome, evaluation.failed) == (outcome, failed)


def test_a_cohort_that_may_grow_to_the_count_is_not_given_up() -> None:
    wanted = criteria(required_count=5, on_unsuccessful="fail")
    assert evaluate(wanted, *group("failed", 3)).outcome == "open"


def test_none_of_the_named_in_a_course_with_others_is_a_failure_where_ids_may_be_of_another_kind() -> None:
    wanted = criteria(named=("x", "y"), fail_if_no_id_matches=True)
    evaluation = evaluate(wanted, LearnerProgress("a"))
    assert evaluation.outcome == "impossible"
    assert evaluation.describe_failure().startswith("None of the named learners is in the course")
    assert evaluate(wanted, LearnerProgress("x")).outcome == "open"
    assert evaluate(wanted).outcome == "open"
    assert evaluations.evaluate(wanted, CourseSnapshot((), populated=True)).outcome == "impossible"
    assert evaluate(criteria(named=("x", "y")), LearnerProgress("a")).outcome == "open"


@given(criteria=all_criteria, people=st.lists(learners, max_size=12))
def test_every_learner_of_the_cohort_is_in_one_group(criteria: Criteria, people: list[LearnerProgress]) -> None:
    evaluation = evaluate(criteria, *people)
    groups = (evaluation.completed, evaluation.pending, evaluation.unsuccessful, evaluation.missing)
    everybody = [name for group in groups for name in group]
    assert len(everybody) == len(set(everybody)) == evaluation.cohort
    assert set(everybody) <= set(criteria.named or {each.learner_id for each in people})
    assert evaluation.outcome != "met" or (
        len(evaluation.completed) >= evaluation.required and evaluation.cohort >= max(1, criteria.min_cohort)
    )


@given(criteria=all_criteria, people=st.lists(learners, max_size=12), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(criteria: Criteria, people: list[LearnerProgress], random: Random) -> None:
    shuffled = random.sample(people, len(people))
    one, other = evaluate(criteria, *people), evaluate(criteria, *shuffled)
    assert _in_order(one) == _in_order(other)


@given(
    criteria=all_criteria,
    people=st.lists(learners, min_size=1, max_size=12),
    who=st.integers(0, 11),
    status=statuses,
)
def test_what_is_met_stays_met_when_one_more_completes(
    criteria: Criteria, people: list[LearnerProgress], who: int, status: str
) -> None:
    before = evaluate(criteria, *people)
    after = evaluate(criteria, *_completing(people[who % len(people)].learner_id, people))
    if before.outcome == "met":
        assert after.outcome == "met"
    assert set(before.completed) <= set(after.completed)


@given(criteria=all_criteria, people=st.lists(learners, min_size=1, max_size=12), who=st.integers(0, 11))
def test_what_can_be_met_stays_so_when_one_more_completes(
    criteria: Criteria, people: list[LearnerProgress], who: int
) -> None:
    # A learner who comes back into the cohort may make it large enough to be evaluated at all.
    assume("ignore" not in (criteria.on_unsuccessful, criteria.on_missing, criteria.on_overdue))
    before = evaluate(criteria, *people)
    after = evaluate(criteria, *_completing(people[who % len(people)].learner_id, people))
    if before.outcome == "open":
        assert after.outcome != "impossible"


@given(people=st.lists(learners, max_size=12), status=st.sampled_from(OPEN))
def test_last_years_completion_never_counts_for_this_years_enrollment(
    people: list[LearnerProgress], status: str
) -> None:
    again = [
        LearnerProgress(name, status=status, access_date=THIS_YEAR + timedelta(days=1))
        for name in {each.learner_id for each in people}
    ]
    assert evaluate(criteria(0.01), *people, *again).completed == []


@given(criteria=all_criteria)
def test_criteria_survive_json(criteria: Criteria) -> None:
    plain = json.loads(json.dumps(msgspec.json.decode(msgspec.json.encode(criteria))))
    assert msgspec.convert(plain, Criteria) == criteria
    assert _is_plain(plain)


def test_criteria_are_small_without_names() -> None:
    assert len(msgspec.json.encode(criteria(statuses=STATUSES, on_missing="fail"))) < 400
    ids = tuple(f"{number:036}" for number in range(1_000))
    assert len(msgspec.json.encode(criteria(named=ids))) < 1_000 * 39 + 400


def test_a_result_counts_all_and_shows_a_hundred() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    people = [*group("passed", 150), *group("pending", 120), *group("failed", 3)]
    named = (*(each.learner_id for each in people), "nobody")
    snapshot = CourseSnapshot(people, checked_at=at)
    result = evaluations.evaluate(criteria("50%", named=named), snapshot).result("course")
    shown = {name: result.pop(f"{name}_ids") for name in ("completed", "pending", "unsuccessful", "missing")}
    assert result == {
        "course_id": "course",
        "cohort": 274,
        "required": 137,
        "completed": 150,
        "pending": 120,
        "unsuccessful": 3,
        "missing": 1,
        "checked_at": "2026-01-02T03:04:05Z",
    }
    assert {name: len(ids) for name, ids in shown.items()} == {
        "completed": MAX_IDS, "pending": MAX_IDS, "unsuccessful": 3, "missing": 1,
    }  # fmt: skip
    assert shown["missing"] == ["nobody"]
    assert _is_plain(result)


def test_descriptions_name_nobody() -> None:
    evaluation = evaluate(
        criteria(named=("anna", "b", "c"), on_missing="fail"), LearnerProgress("anna", status="failed", overdue=True)
    )
    assert evaluation.describe() == "0 of 3 completed, 3 required; 1 failed, 2 missing, 1 overdue"
    assert evaluation.describe_failure() == f"The requirement cannot be met any more: {evaluation.describe()}."


def test_the_same_criteria_are_evaluated_once_however_many_ask() -> None:
    cache = CourseReading(CourseSnapshot(group("passed", 3)), one_page=True, consistent=True)
    assert cache.evaluate(criteria()) is cache.evaluate(criteria())
    assert cache.evaluate(criteria("50%")) is not cache.evaluate(criteria())


def _completing(name: str, people: Sequence[LearnerProgress]) -> list[LearnerProgress]:
    return [msgspec.structs.replace(each, status="complete") if each.learner_id == name else each for each in people]


def _in_order(evaluation: Evaluation) -> dict[str, Any]:
    found = msgspec.structs.asdict(evaluation)
    return {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in found.items()
        if name != "checked_at"
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, float, bool)
