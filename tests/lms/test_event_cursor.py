"""Completions are reported once: nothing lost, nothing twice, and what is kept stays small."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.course.event_cursor import (
    LATE_ARRIVAL_WINDOW,
    MAX_TRACKED,
    Completion,
    ReportedCompletions,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def done(learner: str, hours: float = 0.0, enrollment: str | None = "e") -> Completion:
    return Completion(learner, enrollment, START + timedelta(hours=hours))


def learners(completions: list[Completion]) -> list[str]:
    return [each.learner_id for each in completions]


def listening() -> ReportedCompletions:
    return ReportedCompletions.at_start(START, [], dated=True)


def test_who_had_completed_before_is_not_reported() -> None:
    old, new = done("old", -1), done("new", 1)
    state = ReportedCompletions.at_start(START, [old, new], dated=True)
    assert learners(state.unreported([old, new], START + timedelta(hours=2))[0]) == ["new"]


def test_a_completion_is_reported_once() -> None:
    fresh, state = listening().unreported([done("a", 1)], START + timedelta(hours=2))
    assert learners(fresh) == ["a"]
    assert state.unreported([done("a", 1)], START + timedelta(hours=3)) == ([], state)


def test_a_completion_that_comes_late_is_reported_within_the_late_arrival_window() -> None:
    _, state = listening().unreported([done("a", 30)], START + timedelta(hours=30))
    assert state.since == START + timedelta(hours=6)
    fresh, _ = state.unreported([done("late", 6), done("too late", 5.9), done("a", 30)], START + timedelta(hours=31))
    assert learners(fresh) == ["late"]


def test_another_enrollment_and_another_date_are_another_completion() -> None:
    _, state = listening().unreported([done("a", 1)], START + timedelta(hours=2))
    again = [done("a", 1, "another"), done("a", 2)]
    assert state.unreported([done("a", 1), *again], START + timedelta(hours=3))[0] == again


def test_a_date_in_the_future_hides_nothing() -> None:
    now = START + timedelta(hours=1)
    _, state = listening().unreported([done("from tomorrow", 24 * 365)], now)
    assert state.since is not None
    assert state.since <= now
    fresh, _ = state.unreported([done("a", 2), done("from tomorrow", 24 * 365)], START + timedelta(hours=2))
    assert learners(fresh) == ["a"]


def test_without_dates_all_there_is_counts_as_reported_at_the_start() -> None:
    a, b = Completion("a"), Completion("b")
    state = ReportedCompletions.at_start(START, [a], dated=False)
    assert state.unreported([a], START) == ([], state)
    fresh, state = state.unreported([a, b], START)
    assert fresh == [b]
    # Whoever one reading misses, since pages shift, is not reported again.
    _, state = state.unreported([a], START)
    assert state.unreported([a, b], START)[0] == []


def test_who_has_completed_two_batches_is_reported_once() -> None:
    state = ReportedCompletions.at_start(START, [], dated=False)
    assert state.unreported([Completion("a"), Completion("a")], START)[0] == [Completion("a")]


def test_the_first_one_who_completes_a_course_without_dates_is_reported() -> None:
    state = ReportedCompletions.at_start(START, [], dated=False)
    assert state.unreported([Completion("a")], START)[0] == [Completion("a")]


def test_what_is_kept_is_plain_json_and_fits_into_64_kb() -> None:
    many = [done(f"learner {number}", number / 3600) for number in range(3 * MAX_TRACKED)]
    fresh, state = listening().unreported(many, START + timedelta(hours=9))
    assert fresh == many
    kept = json.dumps(msgspec.to_builtins(state))
    assert len(kept) < 45_000
    assert msgspec.convert(json.loads(kept), ReportedCompletions) == state
    assert state.unreported(many, START + timedelta(hours=9))[0] == []
    assert learners(state.unreported([*many, done("next", 9)], START + timedelta(hours=9))[0]) == ["next"]


def test_more_completions_in_one_second_than_can_be_kept_apart_are_reported_once() -> None:
    many = [done(f"learner {number}", 1) for number in range(MAX_TRACKED + 1)]
    fresh, state = listening().unreported(many, START + timedelta(hours=2))
    assert fresh == many
    assert state.unreported(many, START + timedelta(hours=2))[0] == []


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 24)), max_size=60), st.integers(1, 12))
def test_each_completion_is_reported_just_once_however_it_comes(
    arrivals: list[tuple[int, int]], polls_a_day: int
) -> None:
    """Completions at any hour, entered up to a day later; polls at any pace."""
    completions = [
        (done(f"learner {n}", at), START + timedelta(hours=at), START + timedelta(hours=at + late))
        for n, (at, late) in enumerate(arrivals)
    ]
    state = listening()
    reported: list[str] = []
    for poll in range(240 * polls_a_day // 24 + 1):
        now = START + timedelta(hours=24 / polls_a_day * poll)
        assert state.since is not None
        found = [each for each, date, entered in completions if entered <= now and date >= state.since]
        fresh, state = state.unreported(found, now)
        reported += learners(fresh)
    assert sorted(reported) == sorted(each.learner_id for each, _, _ in completions)


def test_digests_are_short_and_differ() -> None:
    found = {done(f"learner {number}").digest for number in range(10_000)}
    assert len(found) == 10_000
    assert {len(each) for each in found} == {8}
    assert timedelta(hours=24) == LATE_ARRIVAL_WINDOW


def test_dates_in_the_future_do_not_push_real_ones_out(caplog: pytest.LogCaptureFixture) -> None:
    """Someone has entered the year 2099. Whoever completes the course today is reported all the same."""
    now = START + timedelta(hours=2)
    future = [done(f"future {number}", 24 * 365 * 70) for number in range(MAX_TRACKED + 10)]
    fresh, state = listening().unreported([*future, done("real", 1)], now)
    assert "real" in learners(fresh)
    assert len(fresh) == 500 + 1
    assert "5,010 completions are dated in the future. Only 500 of them are reported" in caplog.text
    assert len(state.digests) <= 8 * (MAX_TRACKED + 500)
    again, after = state.unreported([*future, done("real", 1), done("later", 1.5)], now)
    assert learners(again) == ["later"]
    assert after.since is not None
    assert after.since < now


def test_more_completions_than_can_be_tracked_are_told(caplog: pytest.LogCaptureFixture) -> None:
    many = [done(str(number), number / 10_000) for number in range(MAX_TRACKED + 500)]
    fresh, state = listening().unreported(many, START + timedelta(hours=1))
    assert len(fresh) == len(many)
    assert "More than 5,000 completions are dated within" in caplog.text
    assert state.since is not None
    assert state.since.isoformat() in caplog.text
    assert learners(state.unreported(many, START + timedelta(hours=1))[0]) == []
