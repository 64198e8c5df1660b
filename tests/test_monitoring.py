"""Airflow's own metrics: what a process sends, and that the docs and the dashboard name just that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_provider_lms.simulator import Simulator
from tests.statsd import run, statsd

ZOHO = """
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
ZohoPeopleCoursesOperator(task_id="t").execute({})
ISpringModuleResultsOperator(task_id="t", output_path=sys.argv[1] if sys.argv[1:] else PATH, page_size=200).execute({})
"""


@pytest.fixture
def connections(lms: Simulator) -> dict[str, str]:
    """Environment variables with the connections to a simulator that allows 1,000 requests a day."""
    zoho = lms.connection("zoho_people")
    zoho["extra"] = {**zoho["extra"], "requests_per_day": 1_000}
    return {
        "AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT": json.dumps(zoho),
        "AIRFLOW_CONN_ISPRING_LEARN_DEFAULT": json.dumps(lms.connection()),
    }


def sent(connections: Mapping[str, str], tmp_path: Path, **settings: str) -> list[str]:
    """What a process sends that runs two operators."""
    with statsd() as server:
        home = {"AIRFLOW_HOME": str(tmp_path / "home")}
        run(f"PATH = {str(tmp_path / 'out')!r}" + ZOHO, {**connections, **home, **server.settings, **settings})
        return server.stop()


@pytest.mark.processes
def test_a_process_sends_airflows_own_statsd_packets(
    connections: Mapping[str, str], lms: Simulator, tmp_path: Path
) -> None:
    lines = sent(connections, tmp_path)
    account, other = "zoho_people.zoho_people_default", "ispring_learn.ispring_learn_default"
    assert f"airflow.lms.calls.{account}.ok:1|c" in lines
    assert f"airflow.lms.tokens_requested.{account}.ok:1|c" in lines
    assert f"airflow.lms.records_written.{account}.courses:{len(lms.zoho.courses)}|c" in lines
    assert f"airflow.lms.rate_limit.slots.{account}:30|g" in lines
    assert f"airflow.lms.rate_limit.slots_used.{account}:1|g" in lines
    assert f"airflow.lms.rate_limit.day_calls.{account}:1|g" in lines
    assert f"airflow.lms.rate_limit.lock_seconds_left.{account}:0|g" in lines
    records = len(lms.ispring.module_results())
    assert f"airflow.lms.records_written.{other}.module_results:{records}|c" in lines
    size = sum(path.stat().st_size for path in (tmp_path / "out").glob("part-*"))
    assert f"airflow.lms.bytes_written.{other}.module_results:{size}|c" in lines
    assert any(re.fullmatch(rf"airflow\.lms\.call_duration\.{account}:[\d.]+\|ms", line) for line in lines)


@pytest.mark.processes
def test_tags_are_sent_where_the_backend_knows_them(connections: Mapping[str, str], tmp_path: Path) -> None:
    lines = sent(connections, tmp_path, AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED="True")
    tags = "lms=zoho_people,conn_id=zoho_people_default"
    assert f"airflow.lms.calls,{tags},outcome=ok:1|c" in lines
    assert f"airflow.lms.rate_limit.slots,{tags}:30|g" in lines


@pytest.mark.processes
def test_no_secret_and_no_address_is_in_a_metric(
    connections: Mapping[str, str], lms: Simulator, tmp_path: Path
) -> None:
    lines = "\n".join(sent(connections, tmp_path, AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED="True"))
    account = lms.zoho
    for secret in (account.client_id, account.client_secret, account.refresh_token, lms.url, "127.0.0.1"):
        assert secret not in lines
    assert lines


@pytest.mark.processes
def test_without_metrics_nothing_is_sent(connections: Mapping[str, str], tmp_path: Path) -> None:
    assert sent(connections, tmp_path, AIRFLOW__METRICS__STATSD_ON="False") == []
