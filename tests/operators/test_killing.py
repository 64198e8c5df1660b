"""What is left when Airflow kills a task."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_lms import clock
from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.coordination.rate_limit_state import RateLimitState
from airflow_provider_lms.hooks.coordination import shared_store
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.conftest import RESULTS
from tests.rows import delivered, present

pytestmark = pytest.mark.skipif(airflow.__version__ < "3", reason="Airflow 2 itself ends the task after on_kill")


class Killing(FakeClock):
    """A clock on which this process gets SIGTERM during the first long sleep."""

    def sleep(self, seconds: float) -> None:
        if seconds > 10:
            super().sleep(seconds)
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def limited(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """An account with a connection that allows three requests an hour."""
    connection = lms.connection()
    connection["extra"] = {**connection.get("extra", {}), "requests_per_window": 3, "window_seconds": 3_600}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))
    return lms


@pytest.fixture
def task(tmp_path: Path) -> Iterator[ISpringModuleResultsOperator]:
    """A task that Airflow's handler of SIGTERM kills, as in Airflow's task runner."""
    found = ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path), page_size=20, max_wait=10_000)
    before = signal.signal(signal.SIGTERM, lambda *_: found.on_kill())
    yield found
    signal.signal(signal.SIGTERM, before)


def context() -> Any:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1)}


def places() -> int:
    """How many clients are in the queue of the account."""
    client = ISpringLearnHook().get_conn()
    limiter: Any = client._transport.rate_limiter
    return len(shared_store().read(limiter._key, RateLimitState)[0].queue)


def killed_while_it_waits(task: ISpringModuleResultsOperator) -> int:
    """How many places in the queue the task has left behind."""
    before = clock.replace(Killing())
    try:
        with pytest.raises(SystemExit) as ended:
            task.execute(context())
        assert ended.value.code == 143
        return places()
    finally:
        clock.replace(before)


def test_a_killed_task_ends_and_leaves_no_place_in_the_queue(
    limited: Simulator, task: ISpringModuleResultsOperator
) -> None:
    assert killed_while_it_waits(task) == 0
    assert limited.ispring.count(RESULTS) == 3


def test_the_retry_of_a_killed_task_resumes_from_its_checkpoint(
    limited: Simulator, task: ISpringModuleResultsOperator
) -> None:
    killed_while_it_waits(task)
    with fake_clock():
        summary: Any = task.execute(context())
    assert present(read_records(summary)) == delivered(limited.ispring.module_results())
    assert limited.ispring.count(RESULTS) == summary["pages"]


@pytest.mark.parametrize(("requests", "waited"), [(1, 100.0), (1_000, 7_200.0)], ids=["in a poke", "between two"])
def test_a_killed_sensor_ends_while_it_waits(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch, requests: int, waited: float
) -> None:
    connection = lms.connection()
    connection["extra"] = {"requests_per_window": requests, "window_seconds": 100}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))
    sensor = ISpringCourseCompletionSensor(
        task_id="t", course_id=lms.ispring.courses[0].id, poke_interval=7_200, timeout=100_000
    )
    killing = Killing()
    monkeypatch.setattr("time.sleep", killing.sleep)  # that of Airflow, between two pokes
    before, clock_before = signal.signal(signal.SIGTERM, lambda *_: sensor.on_kill()), clock.replace(killing)
    try:
        with pytest.raises(SystemExit) as ended:
            sensor.execute(context())
    finally:
        clock.replace(clock_before)
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert sum(killing.naps) == pytest.approx(waited, rel=0.01)
    assert places() == 0


def test_the_place_is_left_before_the_client_is_closed() -> None:
    store = MemoryStore()
    limiter, other = (SharedRateLimiter(store, "host", "c", RateLimits(1, 3_600)) for _ in range(2))
    grant = ClientCredentials("http://127.0.0.1:9/token", "c", "s")
    tokens = SharedTokens(store, ("host",), "c", ("s",))
    tokens.put("token", 3_600)

    def killed(_: float) -> None:
        assert len(store.read(limiter._key, RateLimitState)[0].queue) == 1
        raise SystemExit

    retry = RetryPolicy(max_wait=10_000, sleep=killed)
    transport = Transport("http://127.0.0.1:9", grant, tokens=tokens, rate_limiter=limiter, retry=retry)
    assert other.acquire() is None
    with pytest.raises(SystemExit):
        transport.get("/content")
    assert store.read(limiter._key, RateLimitState)[0].queue == []
    transport.close()


def test_only_a_running_task_is_ended() -> None:
    task = ISpringModuleResultsOperator(task_id="t")
    task.on_kill()  # as Airflow does after a timeout
    with task._killable():
        elsewhere = threading.Thread(target=task.on_kill)
        elsewhere.start()
        elsewhere.join()
        with pytest.raises(SystemExit):
            task.on_kill()
    with task._killable():
        pass
    task.on_kill()


def test_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    task = ISpringModuleResultsOperator(task_id="t")
    with task._killable():
        with pytest.raises(SystemExit):
            task.on_kill()
        task.on_kill()
