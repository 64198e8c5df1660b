"""How metrics reach Airflow's Stats: names, tags, and what happens if that fails."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_lms.hooks import metrics
from airflow_provider_lms.hooks.base import FORM_OPTIONS, TRIGGER_OPTIONS
from airflow_provider_lms.hooks.metrics import METRICS, AccountMetrics
from airflow_provider_lms.hooks.observer import AirflowObserver, task_observer, triggerer_observer
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import WaitReason
from airflow_provider_lms.lms.http.observer import Call, Observer, SentRequest
from airflow_provider_lms.lms.http.rate_limit import Usage
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.testing import fake_clock

ON = "AIRFLOW__METRICS__STATSD_ON"


class Stats:
    """Airflow's Stats, for a test."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.collisions = 0
        self._busy = threading.Lock()

    def incr(self, stat: str, count: int, *, tags: dict[str, str]) -> None:
        self._note(stat, count, tags)

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        self._note(stat, value, tags)

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str]) -> None:
        self._note(stat, dt, tags)

    def _note(self, stat: str, value: Any, tags: dict[str, str]) -> None:
        if not self._busy.acquire(blocking=False):
            self.collisions += 1
            return
        threading.Event().wait(0.001)
        self.sent[stat], self.tags = value, tags
        self._busy.release()


@pytest.fixture
def stats() -> Stats:
    return Stats()


def tell_everything(observer: Observer) -> None:
    observer.request_ended(SentRequest(Call("GET /x", "GET", "/x"), seconds=0.25))
    observer.token_requested(SentRequest(Call("POST /t", "POST", "/t"), outcome="auth"))
    observer.waited(WaitReason.LOCK, 1.5)
    observer.rate_limit_used(Usage(30, 4, 2, 32, 60.0, 17))
    observer.pages_reread("lost", 3)
    observer.records_written("users", 5, 600)
    observer.polls(2, 40, 12.4)


def test_every_metric_is_sent_with_its_tags(stats: Stats) -> None:
    with fake_clock() as clock:
        tell_everything(AirflowObserver(AccountMetrics(stats, ("zoho_people", "zoho"), in_names=False), None))
        until = round(clock.utcnow().timestamp() + 60)
    assert stats.sent == {
        "lms.calls": 1,
        "lms.call_duration": timedelta(seconds=0.25),
        "lms.tokens_requested": 1,
        "lms.wait_milliseconds": 1500,
        "lms.pages_reread": 3,
        "lms.records_written": 5,
        "lms.bytes_written": 600,
        "lms.rate_limit.slots": 30,
        "lms.rate_limit.slots_used": 4,
        "lms.rate_limit.queue_length": 2,
        "lms.rate_limit.queued_calls": 32,
        "lms.rate_limit.lock_seconds_left": 60,
        "lms.rate_limit.locked_until": until,
        "lms.rate_limit.day_calls": 17,
        "lms.deferred.polls": 2,
        "lms.deferred.waiting": 40,
        "lms.deferred.poll_age_seconds": 12,
    }
    assert set(stats.sent) == {metric.name for metric in METRICS}


@pytest.mark.parametrize(
    ("tell", "tags"),
    [
        (lambda it: it.waited(WaitReason.DAY_LIMIT, 1), {"reason": "day_limit", "where": "worker"}),
        (lambda it: it.waited(WaitReason.LOCK, 1, in_triggerer=True), {"reason": "lock", "where": "triggerer"}),
        (lambda it: it.records_written("users", 1, 0), {"listing": "users"}),
        (lambda it: it.polls(1, 1, 1), {}),
    ],
)
def test_tags_name_the_account_and_more(stats: Stats, tell: Callable[[Observer], None], tags: dict[str, str]) -> None:
    tell(AirflowObserver(AccountMetrics(stats, ("zoho_people", "zoho"), in_names=False), None))
    assert stats.tags == {"lms": "zoho_people", "conn_id": "zoho", **tags}


def test_without_tags_a_name_ends_with_their_values(stats: Stats) -> None:
    AccountMetrics(stats, ("zoho_people", "team.a"), in_names=True).count(metrics.WAIT, 7, "lock", "worker")
    assert stats.sent == {"lms.wait_milliseconds.zoho_people.team_a.lock.worker": 7}


@pytest.mark.parametrize(("conn_id", "fitted"), [("a:b|c", "a_b_c"), ("ä,=\n#", "_____"), ("x" * 250, "x" * 60)])
def test_an_odd_connection_id_neither_breaks_nor_hides_a_metric(stats: Stats, conn_id: str, fitted: str) -> None:
    AccountMetrics(stats, ("zoho_people", conn_id), in_names=False).count(metrics.CALLS, 1, "ok")
    assert stats.tags["conn_id"] == fitted


def test_nothing_is_not_counted(stats: Stats) -> None:
    AccountMetrics(stats, ("zoho_people", "zoho"), in_names=False).count(metrics.BYTES, 0, "users")
    assert stats.sent == {}


def test_threads_do_not_meet_in_airflows_stats(stats: Stats) -> None:
    found = AccountMetrics(stats, ("zoho_people", "zoho"), in_names=False)

    def work() -> None:
        for _ in range(20):
            found.gauge(metrics.SLOTS, 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats.collisions == 0


def test_a_backend_that_fails_fails_no_task(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Stats):
        def _note(self, *_: Any) -> None:
            raise OSError("a token in the message")

    metrics._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        tell_everything(AirflowObserver(AccountMetrics(Broken(), ("zoho_people", "zoho"), in_names=False), None))
    assert [record.getMessage() for record in caplog.records] == ["Metrics cannot be sent: OSError."]


def test_without_metrics_nothing_is_even_looked_up(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> None:
    monkeypatch.delenv(ON, raising=False)
    client = ZohoPeopleHook().get_conn()
    assert type(client.observer) is Observer
    assert client._transport.rate_limiter._on_usage is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("option", ["STATSD_ON", "STATSD_DATADOG_ENABLED", "OTEL_ON"])
def test_each_backend_of_airflow_switches_metrics_on(
    monkeypatch: pytest.MonkeyPatch, lms: Simulator, option: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW__METRICS__{option}", "True")
    client = ZohoPeopleHook().get_conn()
    assert client.observer.is_on
    assert client._transport.rate_limiter._on_usage is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "in_names"),
    [
        ({"STATSD_ON": "True"}, True),
        ({"STATSD_ON": "True", "STATSD_INFLUXDB_ENABLED": "True"}, False),
        ({"STATSD_ON": "True", "STATSD_DATADOG_ENABLED": "True"}, False),
        ({"OTEL_ON": "True"}, False),
    ],
)
def test_names_hold_the_tags_only_where_airflow_sends_none(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], in_names: bool
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    assert metrics.task_metrics("zoho_people", "zoho")._in_names is in_names


def test_the_test_button_makes_no_metrics_of_a_random_connection_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ON, "True")
    assert not FORM_OPTIONS.make_observer("zoho_people", "random").is_on


def test_a_triggerer_uses_the_stats_that_a_triggerer_sets_up() -> None:
    jobs = pytest.importorskip("airflow.jobs.triggerer_job_runner")
    found: Any = metrics.triggerer_metrics("zoho_people", "zoho")._stats
    own = getattr(jobs, "Stats", None) or jobs.stats.Stats
    assert found is own
    assert TRIGGER_OPTIONS.make_observer is triggerer_observer


def test_a_task_uses_the_stats_that_a_tasks_process_sets_up() -> None:
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    found: Any = metrics.task_metrics("zoho_people", "zoho")._stats
    own = getattr(runner, "Stats", None) or getattr(getattr(runner, "stats", None), "Stats", None)
    if own is None:
        pytest.skip("a task's process of Airflow 3.0 sets up none")
    assert found is own


def test_the_connection_gives_the_name(monkeypatch: pytest.MonkeyPatch, lms: Simulator) -> None:
    monkeypatch.setenv(ON, "True")
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_A", json.dumps(lms.connection("zoho_people")))
    observer = ZohoPeopleHook("team_a").get_conn().observer
    assert isinstance(observer, AirflowObserver)
    assert observer._metrics._account == ("zoho_people", "team_a")
    assert type(task_observer("zoho_people", "team_a")) is AirflowObserver
