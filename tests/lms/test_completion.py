"""What completion means: cohort, requirement and verdict, without an LMS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_lms.lms.completion import (
    BLOCKED_CHOICES,
    CHOICES,
    SHOWN,
    Goal,
    Snapshot,
    Standing,
    Verdict,
    requirement,
    share,
)
from airflow_provider_lms.lms.ispring.course import STATUSES
from airflow_provider_lms.lms.zoho_people.course import STATUSES as ZOHO_STATUSES

THIS_YEAR = datetime(2026, 1, 10, tzinfo=UTC)
LAST_YEAR = datetime(2025, 1, 10, tzinfo=UTC)
OPEN = ("not_started", "in_progress", "pending", "incomplete")
NAMES = [f"learner-{number}" for number in range(8)]


def goal(required_share: Any = 1.0, required_count: Any = None, min_cohort: Any = 1, **options: Any) -> Goal:
    return Goal(**{"statuses": STATUSES, **requirement(required_share, required_count, min_cohort), **options})


def group(status: str, count: int, **options: Any) -> list[Standing]:
    return [Standing(f"{status}-{number}", status=status, **options) for number in range(count)]


def judge(goal: Goal, *standings: Standing) -> Verdict:
    return Snapshot(standings).judge(goal)


statuses = st.sampled_from(STATUSES.known)
standings = st.builds(
    Standing,
    learner_id=st.sampled_from(NAMES),
    status=statuses,
    access_date=st.sampled_from((None, LAST_YEAR, THIS_YEAR)),
    overdue=st.booleans(),
    blocked=st.booleans(),
)
goals = st.builds(
    goal,
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
def test_a_share_is_rounded_up_exactly(given: Any, cohort: int, required: int) -> None:
    assert goal(given).required(cohort) == required


@given(percent=st.integers(1, 100), cohort=st.integers(0, 1_000_000))
def test_a_share_means_the_same_however_it_is_written(percent: int, cohort: int) -> None:
    exact = (percent * cohort + 99) // 100
    for written in (f"{percent}%", percent / 100, str(percent / 100), f"{percent}/100"):
        assert goal(written).required(cohort) == exact


@given(thousandths=st.integers(1, 1_000), cohort=st.integers(0, 100_000))
def test_tenths_of_a_percent_are_exact_too(thousandths: int, cohort: int) -> None:
    exact = -(-thousandths * cohort // 1_000)
    assert goal(thousandths / 1_000).required(cohort) == exact
    assert goal(f"{thousandths / 10}%").required(cohort) == exact


@pytest.mark.parametrize("wrong", [0, -0.1, 1.01, "101%", "0%", "", "%", "half", None, True, float("nan"), "1/0", [1]])
def test_a_share_that_cannot_be_meant_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match="required_share: expected a share above 0 and up to 1"):
        share("required_share", wrong)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.5, 3, 1), "required_count: it goes in place of required_share"),
        ((1.0, 0, 1), "required_count: expected a whole number of at least 1, got 0"),
        ((1.0, "many", 1), "required_count: expected a whole number"),
        ((1.0, None, 0), "min_cohort: expected a whole number of at least 1, got 0"),
        ((1.0, None, 1.5), "min_cohort: expected a whole number"),
        ((1.0, None, True), "min_cohort: expected a whole number"),
    ],
)
def test_a_requirement_that_cannot_be_meant_is_named(given: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        requirement(*given)


@pytest.mark.parametrize("count", [3, "3"])
def test_a_count_goes_in_place_of_the_share(count: Any) -> None:
    wanted = goal(required_count=count)
    assert [wanted.required(cohort) for cohort in (1, 3, 100)] == [3, 3, 3]
    assert judge(wanted, *group("passed", 2), *group("pending", 5)).outcome == "open"
    assert judge(wanted, *group("passed", 3), *group("pending", 5)).outcome == "met"


def test_an_empty_cohort_is_never_met() -> None:
    for wanted in (goal(), goal(0.01), goal(required_count=1), goal(named=("a",), on_missing="ignore")):
        verdict = judge(wanted)
        assert (verdict.outcome, verdict.cohort) == ("open", 0)
    assert judge(goal(on_unsuccessful="ignore"), *group("failed", 3)).outcome == "open"


def test_a_cohort_below_its_least_size_is_open() -> None:
    wanted = goal(min_cohort=3)
    assert judge(wanted, *group("complete", 2)).outcome == "open"
    assert judge(wanted, *group("complete", 3)).outcome == "met"
    lost = goal(min_cohort=3, on_unsuccessful="fail")
    assert judge(lost, *group("failed", 2)).outcome == "open"
    assert judge(lost, *group("failed", 3)).outcome == "impossible"


@pytest.mark.parametrize("status", ["complete", "passed", "accepted", "PASSED", "Complete"])
def test_ispring_words_that_mean_completed(status: str) -> None:
    assert judge(goal(), Standing("a", status=status)).completed == ["a"]


@pytest.mark.parametrize("status", [*OPEN, "archived", "", None])
def test_all_other_words_are_open(status: str | None) -> None:
    verdict = judge(goal(on_unsuccessful="fail"), Standing("a", status=status))
    assert (verdict.outcome, verdict.pending) == ("open", ["a"])


def test_both_sets_of_words_may_be_others() -> None:
    wanted = goal(statuses=STATUSES.given('["Pending", "complete"]', "incomplete"), on_unsuccessful="fail")
    verdict = judge(wanted, *group("PENDING", 1), *group("passed", 1), *group("Incomplete", 1), *group("failed", 1))
    assert verdict.completed == ["PENDING-0"]
    assert verdict.unsuccessful == ["Incomplete-0"]
    assert verdict.pending == ["passed-0", "failed-0"]
    with pytest.raises(ValueError, match="completed_statuses: the list is empty"):
        STATUSES.given([])
    with pytest.raises(ValueError, match="unsuccessful_statuses: each id must be a non-empty string"):
        STATUSES.given(None, [""])


def test_without_a_word_it_counts_whether_it_is_done() -> None:
    verdict = judge(goal(statuses=ZOHO_STATUSES), Standing("a", done=True), Standing("b"), Standing("c", status="Done"))
    assert (verdict.completed, verdict.pending) == (["a"], ["b", "c"])
    assert judge(goal(statuses=ZOHO_STATUSES), Standing("a", status="inprogress", done=True)).outcome == "open"


def test_an_unknown_word_is_open_and_told_once() -> None:
    verdict = judge(goal(), *group("archived", 3), *group("Retired", 1), *group("passed", 1))
    assert verdict.pending == ["archived-0", "archived-1", "archived-2", "Retired-0"]
    assert verdict.warnings() == [
        "The LMS tells a status that it does not document, 'Retired'; it counts as not completed.",
        "The LMS tells a status that it does not document, 'archived'; it counts as not completed.",
    ]
    meant = goal(statuses=STATUSES.given(["archived", "passed"], ["retired"]))
    assert judge(meant, *group("archived", 3), *group("Retired", 1)).warnings() == []
    assert judge(goal(statuses=ZOHO_STATUSES), *group("archived", 1)).warnings() == []


def test_the_latest_enrolment_counts() -> None:
    last = Standing("a", "old", "passed", access_date=LAST_YEAR)
    this = Standing("a", "new", "in_progress", access_date=THIS_YEAR)
    for order in ((last, this), (this, last)):
        assert judge(goal(), *order).pending == ["a"]
    undated = Standing("a", "undated", "passed")
    assert judge(goal(), undated, this).pending == ["a"]
    done = this._replace(status="complete")
    assert judge(goal(), last._replace(status="failed"), done).completed == ["a"]


def test_of_equally_late_enrolments_the_least_done_counts() -> None:
    enrolments = [Standing("a", str(n), status, access_date=THIS_YEAR) for n, status in enumerate(("passed", "failed"))]
    assert judge(goal(), *enrolments).unsuccessful == ["a"]
    assert judge(goal(), *enrolments, Standing("a", "3", "pending", access_date=THIS_YEAR)).pending == ["a"]


def test_an_enrolment_is_judged_by_itself() -> None:
    old = Standing("a", "old", "passed", access_date=LAST_YEAR)
    new = Standing("a", "new", "pending", access_date=THIS_YEAR)
    assert judge(goal(named=("old",), key="enrollment_id"), old, new).completed == ["old"]
    assert judge(goal(named=("old", "new", "none"), key="enrollment_id"), old, new).missing == ["none"]


def test_ids_are_compared_ignoring_case_and_reported_as_given() -> None:
    verdict = judge(goal(named=("ABC", "Def", "abc")), Standing("abc", status="passed"))
    assert (verdict.completed, verdict.missing, verdict.cohort) == (["ABC"], ["Def"], 2)
    everybody = judge(goal(), Standing("aBc", status="passed"), Standing("AbC", status="passed"))
    assert (everybody.completed, everybody.cohort) == (["aBc"], 1)


@pytest.mark.parametrize(("choice", "outcome", "cohort"), [("count", "open", 3), ("ignore", "met", 1)])
def test_blocked_accounts_count_or_leave_the_cohort(choice: str, outcome: str, cohort: int) -> None:
    people = (*group("passed", 1), *group("pending", 1, blocked=True), *group("complete", 1, blocked=True))
    verdict = judge(goal(on_blocked=choice), *people)
    assert (verdict.outcome, verdict.cohort) == (outcome, cohort)


@pytest.mark.parametrize(
    ("choice", "outcome", "cohort"), [("wait", "open", 2), ("fail", "impossible", 2), ("ignore", "met", 1)]
)
@pytest.mark.parametrize("why", ["on_missing", "on_unsuccessful", "on_overdue"])
def test_what_waits_fails_or_leaves_the_cohort(why: str, choice: str, outcome: str, cohort: int) -> None:
    other = {
        "on_missing": [],
        "on_unsuccessful": [Standing("b", status="failed")],
        "on_overdue": [Standing("b", status="in_progress", overdue=True)],
    }[why]
    verdict = judge(goal(named=("a", "b"), **{why: choice}), Standing("a", status="passed"), *other)
    assert (verdict.outcome, verdict.cohort) == (outcome, cohort)


def test_a_missing_learner_is_not_taken_as_one_who_has_not_begun() -> None:
    verdict = judge(goal(named=("a", "b"), on_overdue="fail", on_unsuccessful="fail"), Standing("a", status="passed"))
    assert (verdict.outcome, verdict.pending, verdict.missing) == ("open", [], ["b"])


def test_one_who_has_completed_is_not_overdue() -> None:
    late = Standing("a", "1", "passed", access_date=THIS_YEAR, overdue=True)
    assert judge(goal(on_overdue="fail"), late).outcome == "met"
    # Equally late: the one that is not completed is not past its due date.
    verdict = judge(goal(on_overdue="fail"), late, Standing("a", "2", "pending", access_date=THIS_YEAR))
    assert (verdict.outcome, verdict.overdue) == ("open", 0)


def test_a_failed_learner_past_the_due_date_is_lost_only_if_overdue_ones_are() -> None:
    failed = Standing("a", status="failed", overdue=True)
    assert judge(goal(on_unsuccessful="wait"), failed).outcome == "open"
    assert judge(goal(on_unsuccessful="wait", on_overdue="fail"), failed).outcome == "impossible"
    assert judge(goal(on_unsuccessful="fail", on_overdue="ignore"), failed).outcome == "impossible"


@pytest.mark.parametrize(("failed", "outcome"), [(2, "open"), (3, "impossible")])
def test_it_is_impossible_only_once_it_cannot_be_met_without_the_lost(failed: int, outcome: str) -> None:
    people = (*group("failed", failed), *group("in_progress", 10 - failed))
    for wanted in (goal("80%", on_unsuccessful="fail"), goal(required_count=8, on_unsuccessful="fail")):
        verdict = judge(wanted, *people)
        assert (verdict.outcome, verdict.lost) == (outcome, failed)


def test_a_cohort_that_may_grow_to_the_count_is_not_given_up() -> None:
    wanted = goal(required_count=5, on_unsuccessful="fail")
    assert judge(wanted, *group("failed", 3)).outcome == "open"


def test_none_of_the_named_in_a_course_with_others_is_a_failure_where_ids_may_be_of_another_kind() -> None:
    wanted = goal(named=("x", "y"), knows_somebody=True)
    verdict = judge(wanted, Standing("a"))
    assert verdict.outcome == "impossible"
    assert verdict.failure().startswith("None of the named learners is in the course")
    assert judge(wanted, Standing("x")).outcome == "open"
    assert judge(wanted).outcome == "open"
    assert Snapshot((), populated=True).judge(wanted).outcome == "impossible"
    assert judge(goal(named=("x", "y")), Standing("a")).outcome == "open"


@given(goal=goals, people=st.lists(standings, max_size=12))
def test_every_learner_of_the_cohort_is_in_one_group(goal: Goal, people: list[Standing]) -> None:
    verdict = judge(goal, *people)
    groups = (verdict.completed, verdict.pending, verdict.unsuccessful, verdict.missing)
    everybody = [name for group in groups for name in group]
    assert len(everybody) == len(set(everybody)) == verdict.cohort
    assert set(everybody) <= set(goal.named or {each.learner_id for each in people})
    assert verdict.outcome != "met" or (
        len(verdict.completed) >= verdict.required and verdict.cohort >= max(1, goal.min_cohort)
    )


@given(goal=goals, people=st.lists(standings, max_size=12), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(goal: Goal, people: list[Standing], random: Any) -> None:
    shuffled = random.sample(people, len(people))
    one, other = judge(goal, *people), judge(goal, *shuffled)
    assert _told(one) == _told(other)


@given(goal=goals, people=st.lists(standings, min_size=1, max_size=12), who=st.integers(0, 11), status=statuses)
def test_what_is_met_stays_met_when_one_more_completes(
    goal: Goal, people: list[Standing], who: int, status: str
) -> None:
    before = judge(goal, *people)
    after = judge(goal, *_completing(people[who % len(people)].learner_id, people))
    if before.outcome == "met":
        assert after.outcome == "met"
    assert set(before.completed) <= set(after.completed)


@given(goal=goals, people=st.lists(standings, min_size=1, max_size=12), who=st.integers(0, 11))
def test_what_can_be_met_stays_so_when_one_more_completes(goal: Goal, people: list[Standing], who: int) -> None:
    # A learner who comes back into the cohort may make it large enough to be judged at all.
    assume("ignore" not in (goal.on_unsuccessful, goal.on_missing, goal.on_overdue))
    before = judge(goal, *people)
    after = judge(goal, *_completing(people[who % len(people)].learner_id, people))
    if before.outcome == "open":
        assert after.outcome != "impossible"


@given(people=st.lists(standings, max_size=12), status=st.sampled_from(OPEN))
def test_last_years_completion_never_counts_for_this_years_enrolment(people: list[Standing], status: str) -> None:
    again = [
        Standing(name, status=status, access_date=THIS_YEAR + timedelta(days=1))
        for name in {each.learner_id for each in people}
    ]
    assert judge(goal(0.01), *people, *again).completed == []


@given(goal=goals)
def test_a_goal_survives_json(goal: Goal) -> None:
    plain = json.loads(json.dumps(msgspec.json.decode(msgspec.json.encode(goal))))
    assert msgspec.convert(plain, Goal) == goal
    assert _is_plain(plain)


def test_a_goal_is_small_without_names() -> None:
    assert len(msgspec.json.encode(goal(statuses=STATUSES, on_missing="fail"))) < 400
    ids = tuple(f"{number:036}" for number in range(1_000))
    assert len(msgspec.json.encode(goal(named=ids))) < 1_000 * 39 + 400


def test_a_result_counts_all_and_shows_a_hundred() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    people = [*group("passed", 150), *group("pending", 120), *group("failed", 3)]
    named = (*(each.learner_id for each in people), "nobody")
    result = Snapshot(people, checked_at=at).judge(goal("50%", named=named)).result("course")
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
        "completed": SHOWN, "pending": SHOWN, "unsuccessful": 3, "missing": 1,
    }  # fmt: skip
    assert shown["missing"] == ["nobody"]
    assert _is_plain(result)


def test_what_is_told_names_nobody() -> None:
    verdict = judge(goal(named=("anna", "b", "c"), on_missing="fail"), Standing("anna", status="failed", overdue=True))
    assert verdict.progress() == "0 of 3 completed, 3 required; 1 failed, 2 missing, 1 overdue"
    assert verdict.failure() == f"The requirement cannot be met any more: {verdict.progress()}."


def test_a_goal_is_judged_once_however_many_ask() -> None:
    snapshot = Snapshot(group("passed", 3))
    assert snapshot.judge(goal()) is snapshot.judge(goal())


def _completing(name: str, people: Sequence[Standing]) -> list[Standing]:
    return [each._replace(status="complete") if each.learner_id == name else each for each in people]


def _told(verdict: Verdict) -> dict[str, Any]:
    found = msgspec.structs.asdict(verdict)
    return {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in found.items()
        if name != "checked_at"
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, float, bool)
