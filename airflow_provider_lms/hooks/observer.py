"""Reports what happens to an account's requests to Airflow's metrics and traces."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_lms import clock
from airflow_provider_lms.hooks import metrics
from airflow_provider_lms.hooks.metrics import AccountMetrics, metrics_are_on, task_metrics, triggerer_metrics
from airflow_provider_lms.hooks.tracing import Tracing, tracing
from airflow_provider_lms.lms.errors import WaitReason
from airflow_provider_lms.lms.http.observer import Observer, SentRequest
from airflow_provider_lms.lms.http.rate_limit import Usage


class AirflowObserver(Observer):
    """Reports to Airflow's metrics and, where requests are traced, to OpenTelemetry."""

    def __init__(self, to: AccountMetrics, traces: Tracing | None) -> None:
        self.is_on = metrics_are_on()
        self._metrics = to
        self._traces = traces

    def request_ended(self, request: SentRequest) -> None:
        self._metrics.count(metrics.CALLS, 1, request.outcome)
        self._metrics.time(metrics.CALL_DURATION, request.seconds)
        self._trace(request)

    def token_requested(self, request: SentRequest) -> None:
        self._metrics.count(metrics.TOKENS_REQUESTED, 1, request.outcome)
        self._trace(request)

    def waited(self, reason: WaitReason, seconds: float, *, in_triggerer: bool = False) -> None:
        self._metrics.count(metrics.WAIT, seconds * 1000, reason, "triggerer" if in_triggerer else "worker")

    def rate_limit_used(self, usage: Usage) -> None:
        if usage.slots is not None:
            self._metrics.gauge(metrics.SLOTS, usage.slots)
            self._metrics.gauge(metrics.SLOTS_USED, usage.slots_used)
            self._metrics.gauge(metrics.QUEUE_LENGTH, usage.queue_length)
            self._metrics.gauge(metrics.QUEUED_CALLS, usage.queued_calls)
        if usage.day_calls is not None:
            self._metrics.gauge(metrics.DAY_CALLS, usage.day_calls)
        left = usage.lock_seconds_left
        self._metrics.gauge(metrics.LOCK_LEFT, round(left))
        # The seconds left are true only now. A dashboard can compute them at any time from this.
        self._metrics.gauge(metrics.LOCKED_UNTIL, round(clock.timestamp() + left) if left else 0)

    def pages_reread(self, reason: str, pages: int = 1) -> None:
        self._metrics.count(metrics.PAGES_REREAD, pages, reason)

    def records_written(self, listing: str, records: int, size: int) -> None:
        self._metrics.count(metrics.RECORDS, records, listing)
        self._metrics.count(metrics.BYTES, size, listing)

    def polls(self, count: int, waiting: int, oldest_seconds: float) -> None:
        self._metrics.gauge(metrics.POLLS, count)
        self._metrics.gauge(metrics.WAITING, waiting)
        self._metrics.gauge(metrics.POLL_AGE, round(oldest_seconds))

    def _trace(self, request: SentRequest) -> None:
        if self._traces is not None:
            self._traces.record(request)


def task_observer(lms: str, conn_id: str) -> Observer:
    """The observer of a connection in a task's process.

    :param lms: the connection's type.
    """
    return _observer(task_metrics, lms, conn_id)


def triggerer_observer(lms: str, conn_id: str) -> Observer:
    """The observer of a connection in a triggerer, likewise."""
    return _observer(triggerer_metrics, lms, conn_id)


def no_observer(lms: str, conn_id: str) -> Observer:  # noqa: ARG001
    """An observer that reports nothing."""
    return Observer()


def _observer(metrics_of: Callable[[str, str], AccountMetrics], lms: str, conn_id: str) -> Observer:
    traces = tracing(lms, conn_id)
    return AirflowObserver(metrics_of(lms, conn_id), traces) if traces or metrics_are_on() else Observer()
