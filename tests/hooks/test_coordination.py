"""Which store the tasks of an Airflow share."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.hooks import base
from airflow_provider_lms.hooks.coordination import shared_store, single_host_warning
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.testing import fake_clock
from tests.conftest import TOKEN
from tests.rows import rows

URL = "AIRFLOW__LMS__COORDINATION_URL"


@pytest.mark.parametrize("url", [None, "", "local"])
def test_by_default_it_is_a_file_in_airflows_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lms: Simulator, url: str | None
) -> None:
    monkeypatch.delenv(URL) if url is None else monkeypatch.setenv(URL, url)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    rows(ISpringLearnHook().get_conn().courses())
    assert (tmp_path / "home" / "lms_coordination.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lms: Simulator) -> None:
    path = tmp_path / "of my own" / "store.sqlite"
    monkeypatch.setenv(URL, path.as_uri())
    rows(ISpringLearnHook().get_conn().courses())
    assert path.exists()


@pytest.mark.parametrize("url", ["redis.internal:6379", "file://store.sqlite", "postgres://host/db", "elsewhere"])
def test_another_url_is_rejected_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, lms: Simulator, url: str) -> None:
    monkeypatch.setenv(URL, url)
    with pytest.raises(CoordinationError, match=r"\[lms\] coordination_url: expected local, file:///"):
        ISpringLearnHook().get_conn()
    ok, said = ISpringLearnHook().test_connection()
    assert (ok, lms.ispring.requests) == (False, [])
    assert "coordination_url" in said


def test_redis_without_its_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "redis://127.0.0.1:1/0")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CoordinationError, match=r"pip install 'airflow-provider-lms\[redis\]'"):
        shared_store()


def test_a_store_that_cannot_be_used_fails_the_task_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, lms: Simulator
) -> None:
    pytest.importorskip("redis")
    monkeypatch.setenv(URL, "redis://127.0.0.1:1/0")
    with fake_clock(), pytest.raises(CoordinationError, match="cannot be used"):
        list(ISpringLearnHook().get_conn().courses())
    assert lms.ispring.requests == []


@pytest.mark.parametrize(
    ("executor", "spread"),
    [
        ("LocalExecutor", ""),
        ("SequentialExecutor", ""),
        ("airflow.executors.local_executor.LocalExecutor", ""),
        ("CeleryExecutor", "CeleryExecutor"),
        ("LocalExecutor,KubernetesExecutor", "KubernetesExecutor"),
        ("LocalExecutor;team_a=CeleryExecutor", "CeleryExecutor"),
        ("short:my.company.RemoteExecutor", "RemoteExecutor"),
    ],
)
def test_an_executor_that_spreads_tasks_over_hosts_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, lms: Simulator, caplog: pytest.LogCaptureFixture, executor: str, spread: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    base._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ISpringLearnHook().get_conn().close()
    warned = [record.getMessage() for record in caplog.records if "coordination_url" in record.getMessage()]
    ok, said = ISpringLearnHook().test_connection()
    assert ok
    if spread:
        assert warned == [single_host_warning(shared_store())]
        assert warned[0].startswith(f"{spread} may run tasks on several hosts")
        assert warned[0] in said
    else:
        assert warned == []
        assert said.endswith("Tasks share the rate limit and the access token on this host only.")


def test_clients_of_one_account_share_a_token(lms: Simulator) -> None:
    for _ in range(3):
        rows(ISpringLearnHook().get_conn().courses())
    assert lms.ispring.count(TOKEN) == 1
