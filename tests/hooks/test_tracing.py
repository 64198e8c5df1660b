"""Requests as OpenTelemetry spans, where a provider is set up."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_lms.hooks import observer as observers
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.hooks.tracing import tracing
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.http.observer import Call, Observer, SentRequest
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Where the spans of this process go."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    found, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield found
    provider.shutdown()


def test_each_request_is_a_span(lms: Simulator, exporter: Any) -> None:
    client = ISpringLearnHook().get_conn()
    pages = len(list(client.module_results(page_size=200)))
    token, *requests = exporter.get_finished_spans()
    assert (token.name, len(requests)) == ("POST /api/v3/token", pages)
    assert requests[1].name == "GET /learners/modules/results"
    assert requests[1].kind == trace.SpanKind.CLIENT
    assert dict(requests[1].attributes) == {
        "http.request.method": "GET",
        "url.template": "/learners/modules/results",
        "http.response.status_code": 200,
        "lms.name": "ispring_learn",
        "lms.connection_id": "ispring_learn_default",
        "lms.attempt": 1,
        "lms.outcome": "ok",
        "lms.page": 2,
    }
    assert requests[0].end_time > requests[0].start_time


def test_a_failed_request_is_a_failed_span_and_the_next_attempt_another(lms: Simulator, exporter: Any) -> None:
    lms.ispring.fail(RESULTS, faults.status(503), on=1)
    with fake_clock():
        list(ISpringLearnHook().get_conn().module_results(page_size=200))
    _, failed, again, *_ = exporter.get_finished_spans()
    assert (failed.status.status_code, again.status.status_code) == (trace.StatusCode.ERROR, trace.StatusCode.UNSET)
    assert failed.attributes["error.type"] == "unavailable"
    assert (failed.attributes["lms.attempt"], again.attributes["lms.attempt"]) == (1, 2)
    assert failed.status.description is None
    assert failed.events == ()


def test_no_id_and_no_secret_is_in_a_span(lms: Simulator, exporter: Any) -> None:
    course = lms.zoho.courses[0]
    list(ZohoPeopleHook().get_conn().course_progress(course.id))
    spans = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert "{course_id}" in spans
    account = lms.zoho
    for secret in (course.id, account.client_id, account.client_secret, account.refresh_token, lms.url):
        assert secret not in spans


def test_spans_belong_to_the_tasks_span_also_those_of_other_threads(lms: Simulator, exporter: Any) -> None:
    with trace.get_tracer("airflow").start_as_current_span("task") as task:
        client = ISpringLearnHook().get_conn()
        thread = threading.Thread(target=lambda: list(client.courses()))
        thread.start()
        thread.join()
    spans = [span for span in exporter.get_finished_spans() if span.name != "task"]
    assert spans
    assert {span.parent.span_id for span in spans} == {task.get_span_context().span_id}


def test_where_nothing_traces_there_is_no_tracing(lms: Simulator) -> None:
    assert tracing("zoho_people", "zoho") is None
    assert type(ISpringLearnHook().get_conn().observer) is Observer


def test_a_tracer_that_fails_fails_no_task(lms: Simulator, exporter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def start_span(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError

    monkeypatch.setattr(trace, "get_tracer", lambda _: Broken())
    assert list(ISpringLearnHook().get_conn().courses())


def test_what_was_never_sent_is_no_span(exporter: Any) -> None:
    observers.task_observer("zoho_people", "zoho").request_ended(SentRequest(Call("GET /x", "GET", "/x")))
    assert exporter.get_finished_spans() == ()


def test_a_process_that_does_not_trace_need_not_import_opentelemetry() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None;"
        "from airflow_provider_lms.hooks import tracing; print(tracing.tracing('a', 'b'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "None"
