"""OpenTelemetry spans of requests, where Airflow traces."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

    from airflow_provider_lms.lms.http.observer import SentRequest

log = logging.getLogger(__name__)

_NANOSECONDS = 1_000_000_000


class Tracing:
    """Makes a span of each request, once it is over. May be used in any thread, and never raises.

    :param tracer: of the provider that Airflow, or whoever else, has set up in this process.
    :param parent: the context of the task. A thread of its own would not know it.
    :param account: the values of the attributes ``lms.name`` and ``lms.connection_id``.
    """

    def __init__(self, tracer: Tracer, parent: Context, account: tuple[str, str]) -> None:
        self._tracer = tracer
        self._parent = parent
        self._account = account

    def record(self, request: SentRequest) -> None:
        """Make a span of a request."""
        try:
            self._record(request)
        except Exception as error:  # noqa: BLE001  # a task is worth more than its traces
            log.debug("A request was not traced: %s.", type(error).__name__)

    def _record(self, request: SentRequest) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        if request.started_at == 0:
            return  # it was given up before it was sent
        call, (lms, conn_id) = request.call, self._account
        began = int(request.started_at * _NANOSECONDS)
        span = self._tracer.start_span(
            f"{call.method} {call.endpoint}", context=self._parent, kind=SpanKind.CLIENT, start_time=began
        )
        if span.is_recording():
            span.set_attribute("http.request.method", call.method)
            span.set_attribute("url.template", call.endpoint)
            span.set_attribute("lms.name", lms)
            span.set_attribute("lms.connection_id", conn_id)
            span.set_attribute("lms.attempt", request.attempt)
            span.set_attribute("lms.outcome", request.outcome)
            if call.page is not None:
                span.set_attribute("lms.page", call.page)
            if request.status is not None:
                span.set_attribute("http.response.status_code", request.status)
            if request.is_failed:
                span.set_attribute("error.type", request.outcome)
                span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=began + int(request.seconds * _NANOSECONDS))


def tracing(lms: str, conn_id: str) -> Tracing | None:
    """What traces the requests of an account; None if nothing is traced in this process.

    Airflow 3.2 and later set up OpenTelemetry's global provider. Earlier ones keep theirs to themselves, so there it
    takes another one, such as that of ``opentelemetry-instrument``.
    """
    if "opentelemetry.trace" not in sys.modules:  # nobody can have set up anything
        return None
    from opentelemetry import context, trace

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return Tracing(trace.get_tracer("airflow_provider_lms"), context.get_current(), (lms, conn_id))
