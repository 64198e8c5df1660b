"""Airflow's own metrics: what a process sends, and that the docs and the dashboard name just that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_provider_lms.hooks.metrics import ACCOUNT_TAGS, METRICS
from airflow_provider_lms.lms.errors import WaitReason
from airflow_provider_lms.lms.http.observer import OUTCOMES
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
def test_opentelemetry_gets_tags_as_attributes(connections: Mapping[str, str], tmp_path: Path) -> None:
    pytest.importorskip("airflow.sdk.observability", reason="earlier versions print nothing when the process ends")
    home = {"AIRFLOW_HOME": str(tmp_path / "home")}
    otel = {"AIRFLOW__METRICS__OTEL_ON": "True", "AIRFLOW__METRICS__OTEL_DEBUGGING_ON": "True"}
    printed = run(f"PATH = {str(tmp_path / 'out')!r}" + ZOHO, {**connections, **home, **otel})
    names = set(re.findall(r'"name": "airflow\.(lms\.[\w.]+)"', printed))
    assert {"lms.calls", "lms.call_duration", "lms.rate_limit.slots_used", "lms.bytes_written"} <= names
    assert '"conn_id": "zoho_people_default"' in printed


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


DOCS = Path(__file__).parent.parent / "docs" / "operate"
PAGE = (DOCS / "monitoring.md").read_text()
DASHBOARD = json.loads((DOCS / "monitoring/dashboard.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
PROMETHEUS = {"airflow_" + metric.name.replace(".", "_"): metric for metric in METRICS}


def named_in(text: str) -> set[str]:
    """The metrics of this package that PromQL names. A timer has a sum and a count there."""
    return {re.sub(r"_(sum|count)$", "", name) for name in re.findall(r"\bairflow_lms_\w+", text)}


def test_the_docs_list_every_metric() -> None:
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{tag}`' for tag in each.tags)} | {each.meaning} |"
        for each in METRICS
    ]
    assert [line for line in PAGE.splitlines() if line.startswith("| `lms.")] == rows


def test_the_docs_list_every_value_of_a_tag() -> None:
    values = {line.split("|")[1].strip(): line for line in PAGE.splitlines() if line.startswith("| `")}
    assert {*re.findall(r"`(\w+)`", values["`outcome`"])} - {"outcome"} == {*OUTCOMES}
    reasons = re.findall(r"`(\w+)`:", values["`reason` of `lms.wait_milliseconds`"])
    assert reasons == [reason.value for reason in WaitReason]


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    assert named_in(" ".join(EXPRESSIONS)) == {*PROMETHEUS}


def test_the_dashboard_groups_only_by_tags_that_there_are() -> None:
    for expression in EXPRESSIONS:
        tags = {tag for name in named_in(expression) for tag in (*ACCOUNT_TAGS, *PROMETHEUS[name].tags)}
        (by,) = {*re.findall(r"by \(([^)]*)\)", expression)}
        assert {*by.split(", ")} <= tags, expression


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len({*places}) == len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_alerts_name_metrics_that_there_are() -> None:
    alerts = PAGE.split("## Alerts worth having")[1]
    assert len(named_in(alerts)) > 5
    assert named_in(alerts) <= {*PROMETHEUS}


def test_the_mapping_gives_a_plain_name_its_tags_back() -> None:
    expected = ["# Names and labels for the Prometheus exporter for StatsD, if Airflow sends metrics without tags."]
    expected.append("mappings:")
    for name, metric in PROMETHEUS.items():
        tags = (*ACCOUNT_TAGS, *metric.tags)
        expected.append(f'  - match: "airflow.{metric.name}{".*" * len(tags)}"')
        expected += [f'    name: "{name}"', "    labels:"]
        expected += [f'      {tag}: "${number}"' for number, tag in enumerate(tags, 1)]
    assert (DOCS / "monitoring/statsd_mapping.yml").read_text().splitlines() == expected
