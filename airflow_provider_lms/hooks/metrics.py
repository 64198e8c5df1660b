"""Every metric of this package, and how they reach Airflow's own Stats."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Literal, Protocol

from airflow.providers.common.compat.sdk import conf

log = logging.getLogger(__name__)

_LONGEST_VALUE = 60
"""Airflow drops a metric whose name has more than 250 characters. In some settings the tags are part of the name."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Metric:
    """One metric, as the docs list it.

    :param tags: those in addition to :data:`ACCOUNT_TAGS`.
    :param meaning: in a sentence.
    """

    name: str
    kind: Literal["counter", "gauge", "timer"]
    tags: tuple[str, ...]
    meaning: str


ACCOUNT_TAGS = ("lms", "conn_id")
"""Every metric has them: the connection's type and id. They are stable, known to whoever runs Airflow, and tell nothing
of the account itself: neither the client ID, which is half of a credential, nor a host that may name a customer."""

CALLS = Metric("lms.calls", "counter", ("outcome",), "Requests that were sent to the API, by their outcome")
CALL_DURATION = Metric("lms.call_duration", "timer", (), "From sending a request to the end of its response")
TOKENS_REQUESTED = Metric("lms.tokens_requested", "counter", ("outcome",), "Requests for an access token")
WAIT = Metric(
    "lms.wait_milliseconds",
    "counter",
    ("reason", "where"),
    "What calls have waited, by the reason; `where` is `worker`, or `triggerer` if that takes no worker slot",
)
PAGES_REREAD = Metric("lms.pages_reread", "counter", ("reason",), "Pages that had to be read again")
RECORDS = Metric("lms.records_written", "counter", ("listing",), "Records of the results of tasks")
BYTES = Metric("lms.bytes_written", "counter", ("listing",), "Bytes of the files of committed datasets")
SLOTS = Metric("lms.rate_limit.slots", "gauge", (), "Requests that the account's window allows")
SLOTS_USED = Metric("lms.rate_limit.slots_used", "gauge", (), "Requests that count in that window, of all tasks")
QUEUE_LENGTH = Metric("lms.rate_limit.queue_length", "gauge", (), "Places in the account's queue")
QUEUED_CALLS = Metric("lms.rate_limit.queued_calls", "gauge", (), "Requests that these places are for")
LOCK_LEFT = Metric("lms.rate_limit.lock_seconds_left", "gauge", (), "Seconds until the account's lock ends; 0 if none")
LOCKED_UNTIL = Metric(
    "lms.rate_limit.locked_until",
    "gauge",
    (),
    "When the lock ends, in seconds since 1970; 0 if the account is not locked",
)
DAY_CALLS = Metric(
    "lms.rate_limit.day_calls", "gauge", (), "Requests of the last 24 hours, if `requests_per_day` is set"
)
POLLS = Metric("lms.deferred.polls", "gauge", (), "Polls of deferred sensors and of watchers in a triggerer")
POLL_AGE = Metric(
    "lms.deferred.poll_age_seconds", "gauge", (), "The longest time since any of these polls last succeeded"
)
WAITING = Metric("lms.deferred.waiting", "gauge", (), "Triggers that wait for these polls")

METRICS = tuple(each for each in list(globals().values()) if isinstance(each, Metric))


class Stats(Protocol):
    """What this package uses of Airflow's Stats."""

    def incr(self, stat: str, count: int, *, tags: dict[str, str]) -> object:
        """Count."""

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> object:
        """Set a value."""

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str]) -> object:
        """Record a duration."""


class AccountMetrics:
    """The metrics of one account. May be used in any thread, and never raises.

    :param stats: Airflow's Stats of this process.
    :param account: the values of :data:`ACCOUNT_TAGS`.
    :param in_names: whether the backend knows no tags. Then a metric's name ends with the values of its tags.
    """

    # Airflow's OpenTelemetry logger creates an instrument at its first use, and does not expect another thread.
    _mutex = threading.Lock()

    def __init__(self, stats: Stats, account: tuple[str, str], *, in_names: bool) -> None:
        self._stats = stats
        self._account = account
        self._in_names = in_names

    def count(self, metric: Metric, value: float, *tags: str) -> None:
        """Add to a counter. Nothing is sent for nothing.

        :param tags: the values of the metric's tags, in their order.
        """
        count = round(value)
        if count > 0:
            self._send(metric, tags, lambda name, tagged: self._stats.incr(name, count, tags=tagged))

    def gauge(self, metric: Metric, value: float, *tags: str) -> None:
        """Set a gauge."""
        self._send(metric, tags, lambda name, tagged: self._stats.gauge(name, value, tags=tagged))

    def time(self, metric: Metric, seconds: float, *tags: str) -> None:
        """Record a duration."""
        duration = timedelta(seconds=seconds)
        self._send(metric, tags, lambda name, tagged: self._stats.timing(name, duration, tags=tagged))

    def _send(self, metric: Metric, tags: tuple[str, ...], send: Callable[[str, dict[str, str]], object]) -> None:
        names, values = (*ACCOUNT_TAGS, *metric.tags), [_fit(value) for value in (*self._account, *tags)]
        name = ".".join((metric.name, *values)) if self._in_names else metric.name
        try:
            with self._mutex:
                send(name, dict(zip(names, values, strict=True)))
        except Exception as error:  # noqa: BLE001  # a task is worth more than its metrics
            _warn_once(f"Metrics cannot be sent: {type(error).__name__}.")


def task_metrics(lms: str, conn_id: str) -> AccountMetrics:
    """The metrics of an account in a task's process.

    :param lms: the connection's type.
    """
    from airflow.providers.common.compat.sdk import Stats

    return AccountMetrics(Stats, (lms, conn_id), in_names=_knows_no_tags())


def triggerer_metrics(lms: str, conn_id: str) -> AccountMetrics:
    """The metrics of an account in a triggerer.

    Since 3.2, Airflow has Stats twice. A task's process sets up that of the SDK, a triggerer that of the core.
    """
    try:
        from airflow.observability import stats as found
    except ImportError:  # below 3.2
        from airflow import stats as found  # type: ignore[no-redef]

    return AccountMetrics(found.Stats, (lms, conn_id), in_names=_knows_no_tags())


def metrics_are_on() -> bool:
    """Whether Airflow sends metrics at all."""
    return any(_is_set(option) for option in ("statsd_on", "statsd_datadog_enabled", "otel_on"))


def _knows_no_tags() -> bool:
    # In Airflow's own order: Datadog goes before StatsD, and StatsD before OpenTelemetry.
    plain = _is_set("statsd_on") and not _is_set("statsd_datadog_enabled")
    return plain and not _is_set("statsd_influxdb_enabled")


def _is_set(option: str) -> bool:
    found: bool = conf.getboolean("metrics", option, fallback=False)
    return found


def _fit(value: str) -> str:
    """A tag's value as every backend accepts it. A dot would begin a new part of a name."""
    return _NOT_IN_NAMES.sub("_", value)[:_LONGEST_VALUE] or "_"


@cache
def _warn_once(message: str) -> None:
    log.warning(message)
