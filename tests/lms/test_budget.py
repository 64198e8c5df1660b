"""The request budget of one process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms import budget
from airflow_provider_lms.lms.budget import Limits, LocalBudget


class Time:
    def __init__(self) -> None:
        self.now = 0.0


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_without_limits_every_request_may_go_out(time: Time) -> None:
    unlimited = LocalBudget(Limits())
    assert [unlimited.acquire() for _ in range(1_000)] == [0.0] * 1_000


def test_the_window_moves_with_time(time: Time) -> None:
    limited = LocalBudget(Limits(requests=2, window_seconds=60))
    assert limited.acquire() == 0
    time.now = 10
    assert limited.acquire() == 0
    assert limited.acquire() == 50
    time.now = 60
    assert limited.acquire() == 0
    assert limited.acquire() == 10


def test_a_lock_stops_everybody_until_its_end(time: Time) -> None:
    limited = LocalBudget(Limits(lock_seconds=300))
    assert limited.lock(None) == 300
    assert limited.lock(20) == 20
    time.now = 100
    assert limited.acquire() == 200
    time.now = 300
    assert limited.acquire() == 0


def test_the_day_has_a_limit_too(time: Time) -> None:
    limited = LocalBudget(Limits(requests_per_day=3))
    assert [limited.acquire() for _ in range(3)] == [0, 0, 0]
    assert limited.acquire() == 86_400


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_window_ever_holds_more_than_allowed(steps: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        time = Time()
        patch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: time.now))
        limited, sent = LocalBudget(Limits(requests=5, window_seconds=60)), []
        for step in steps:
            time.now += step
            if not limited.acquire():
                sent.append(time.now)
        assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[5:], strict=False))
