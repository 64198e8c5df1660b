"""Completions are told once: nothing lost, nothing twice, and what is kept stays small."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.news import AT_MOST, OVERLAP, Completion, Seen

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def done(learner: str, hours: float = 0.0, enrollment: str | None = "e") -> Completion:
    return Completion(learner, enrollment, START + timedelta(hours=hours))


def learners(completions: list[Completion]) -> list[str]:
    return [each.learner_id for each in completions]


def listening() -> Seen:
    return Seen.before(START, [], dated=True)


def test_who_had_completed_before_is_not_told() -> None:
    old, new = done("old", -1), done("new", 1)
    seen = Seen.before(START, [old, new], dated=True)
    assert learners(seen.news([old, new], START + timedelta(hours=2))[0]) == ["new"]


def test_a_completion_is_told_once() -> None:
    fresh, seen = listening().news([done("a", 1)], START + timedelta(hours=2))
    assert learners(fresh) == ["a"]
    assert seen.news([done("a", 1)], START + timedelta(hours=3)) == ([], seen)


def test_a_completion_that_comes_late_is_told_within_the_overlap() -> None:
    _, seen = listening().news([done("a", 30)], START + timedelta(hours=30))
    assert seen.since == START + timedelta(hours=6)
    fresh, _ = seen.news([done("late", 6), done("too late", 5.9), done("a", 30)], START + timedelta(hours=31))
    assert learners(fresh) == ["late"]


def test_another_enrolment_and_another_date_are_another_completion() -> None:
    _, seen = listening().news([done("a", 1)], START + timedelta(hours=2))
    again = [done("a", 1, "another"), done("a", 2)]
    assert seen.news([done("a", 1), *again], START + timedelta(hours=3))[0] == again


def test_a_date_in_the_future_hides_nothing() -> None:
    now = START + timedelta(hours=1)
    _, seen = listening().news([done("from tomorrow", 24 * 365)], now)
    assert seen.since is not None
    assert seen.since <= now
    assert learners(seen.news([done("a", 2), done("from tomorrow", 24 * 365)], START + timedelta(hours=2))[0]) == ["a"]


def test_without_dates_all_there_is_counts_as_told_at_the_start() -> None:
    a, b = Completion("a"), Completion("b")
    seen = Seen.before(START, [a], dated=False)
    assert seen.news([a], START) == ([], seen)
    fresh, seen = seen.news([a, b], START)
    assert fresh == [b]
    # Whoever one reading misses, since pages shift, is not told again.
    _, seen = seen.news([a], START)
    assert seen.news([a, b], START)[0] == []


def test_who_has_completed_two_batches_is_told_once() -> None:
    assert Seen.before(START, [], dated=False).news([Completion("a"), Completion("a")], START)[0] == [Completion("a")]


def test_the_first_one_who_completes_a_course_without_dates_is_told() -> None:
    assert Seen.before(START, [], dated=False).news([Completion("a")], START)[0] == [Completion("a")]


def test_what_is_kept_is_plain_json_and_fits_into_64_kb() -> None:
    many = [done(f"learner {number}", number / 3600) for number in range(3 * AT_MOST)]
    fresh, seen = listening().news(many, START + timedelta(hours=9))
    assert fresh == many
    kept = json.dumps(msgspec.to_builtins(seen))
    assert len(kept) < 45_000
    assert msgspec.convert(json.loads(kept), Seen) == seen
    assert seen.news(many, START + timedelta(hours=9))[0] == []
    assert learners(seen.news([*many, done("next", 9)], START + timedelta(hours=9))[0]) == ["next"]


def test_more_completions_in_one_second_than_can_be_kept_apart_are_told_once() -> None:
    many = [done(f"learner {number}", 1) for number in range(AT_MOST + 1)]
    fresh, seen = listening().news(many, START + timedelta(hours=2))
    assert fresh == many
    assert seen.news(many, START + timedelta(hours=2))[0] == []


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 24)), max_size=60), st.integers(1, 12))
def test_each_completion_is_told_just_once_however_it_comes(arrivals: list[tuple[int, int]], polls_a_day: int) -> None:
    """Completions at any hour, entered up to a day later; polls at any pace."""
    completions = {
        done(f"learner {n}", at): START + timedelta(hours=at + late) for n, (at, late) in enumerate(arrivals)
    }
    seen, told = listening(), []
    for poll in range(240 * polls_a_day // 24 + 1):
        now = START + timedelta(hours=24 / polls_a_day * poll)
        assert seen.since is not None
        answer = [c for c, entered in completions.items() if entered <= now and c.completed_at >= seen.since]
        fresh, seen = seen.news(answer, now)
        told += learners(fresh)
    assert sorted(told) == sorted(learners(list(completions)))


def test_digests_are_short_and_differ() -> None:
    found = {done(f"learner {number}").digest for number in range(10_000)}
    assert len(found) == 10_000
    assert {len(each) for each in found} == {8}
    assert timedelta(hours=24) == OVERLAP
