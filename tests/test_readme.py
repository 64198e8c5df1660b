"""The code in README and docs is run as it stands."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_lms.hooks.base import NO_RETRIES, ClientOptions
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsRateLimited
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from tests.rows import rows

README = Path(__file__).parent.parent / "README.md"
COORDINATION = README.parent / "docs" / "operate" / "coordination.md"
WAITING, WATCHING = (
    re.findall(r"^```python\n(.*?)^```", (README.parent / "docs" / "wait" / page).read_text(), re.DOTALL | re.MULTILINE)
    for page in ("waiting.md", "events.md")
)
BY_HAND, OPERATOR, DAG, CALLING, READING, TESTING = re.findall(
    r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE
)


def _run(code: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    names: dict[str, Any] = {**(given or {})}
    exec(code, names)
    return names


def test_what_is_written_by_hand_reads_the_same_rows(lms: Simulator) -> None:
    given = {
        "requests": requests,
        "json": json,
        "HOST": lms.url,
        "CLIENT_ID": lms.ispring.client_id,
        "CLIENT_SECRET": lms.ispring.client_secret,
    }
    written = io.StringIO()
    end = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
    _run(BY_HAND, given)["completions"]("2026-01-01T00:00:00Z", end, written)
    assert lms.ispring.count("GET /learners/modules/results") == 1
    operator = eval(OPERATOR, {"ISpringModuleResultsOperator": ISpringModuleResultsOperator})
    operator.completion_date_start, operator.completion_date_end = "2026-01-01T00:00:00Z", end
    operator.output_path, operator.output_format = None, "jsonl"
    rows = [json.loads(line) for line in written.getvalue().splitlines()]
    assert rows
    key = ("userId", "courseId", "moduleId", "enrollmentId")
    assert [[row[name] for name in key] for row in rows] == [
        [row[name] for name in key] for row in operator.execute({})
    ]


def test_the_dag_can_be_imported() -> None:
    pytest.importorskip("airflow.sdk")
    assert "completions" in _run(DAG)["dag"].task_dict


def test_the_function_gets_a_client(lms: Simulator) -> None:
    sdk = pytest.importorskip("airflow.sdk")
    with sdk.DAG("dag", schedule=None):
        operator = _run(CALLING)["count_courses"]().operator
    assert operator.execute({"outlet_events": {}, "params": {}}) == len(lms.ispring.courses)


def test_the_reading_reads(lms: Simulator, tmp_path: Path) -> None:
    summary = ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path)).execute({})
    expected = sum(row["isOverdue"] for row in lms.ispring.module_results())
    assert _run(READING)["overdue"](summary) == expected


def test_the_test_passes(lms: Simulator) -> None:
    (test,) = [value for name, value in _run(TESTING).items() if name.startswith("test_")]
    test(lms)
    assert lms.ispring.count("GET /learners/results") == 2


def test_the_client_without_airflow_reads(lms: Simulator) -> None:
    _, _, code = re.findall(r"^```python\n(.*?)^```", COORDINATION.read_text(), re.DOTALL | re.MULTILINE)
    credentials = {"CLIENT_ID": lms.ispring.client_id, "CLIENT_SECRET": lms.ispring.client_secret}
    client = _run(code.replace("https://api-learn.ispringlearn.com", lms.url), credentials)["client"]
    assert len(rows(client.courses())) == len(lms.ispring.courses)
    client.close()


def test_a_lock_is_lifted_as_the_docs_say(lms: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    lms.zoho.fail("GET /api/v1/courses", faults.status(429, Retry_After="3600"))
    hook = ZohoPeopleHook(options=ClientOptions(retry=NO_RETRIES))
    with pytest.raises(LmsRateLimited):
        list(hook.get_conn().courses())
    code, _, _ = re.findall(r"^```python\n(.*?)^```", COORDINATION.read_text(), re.DOTALL | re.MULTILINE)
    _run(code)
    # Airflow 2 writes its log to the same place.
    (printed,) = [line for line in capsys.readouterr().out.splitlines() if line.replace(".", "", 1).isdecimal()]
    assert 3_500 < float(printed) <= 3_600
    assert len(rows(hook.get_conn().courses())) == len(lms.zoho.courses)


def test_who_holds_an_account_is_told_as_the_docs_say(lms: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    rate_limiter = ZohoPeopleHook().get_conn()._transport.rate_limiter
    assert rate_limiter.acquire() is None
    _, code, _ = re.findall(r"^```python\n(.*?)^```", COORDINATION.read_text(), re.DOTALL | re.MULTILINE)
    _run(code, {"ZohoPeopleHook": ZohoPeopleHook})
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("in_flight")]


def test_the_sensors_of_the_docs_can_be_made() -> None:
    _run(*WAITING)


def test_the_dag_that_completions_start_can_be_imported() -> None:
    pytest.importorskip("airflow.sdk")
    assert "learners" in _run(*WATCHING)["dag"].task_dict
