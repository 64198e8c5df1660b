"""The parameters that completion sensors have in common, as types: an IDE completes them, and mypy checks them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, Required, TypeAlias

from airflow_provider_lms.operators.options import TaskOptions

Mode: TypeAlias = Literal["poke", "reschedule"]
OnMissing: TypeAlias = Literal["wait", "fail", "ignore"]


class SensorOptions(TaskOptions, total=False):
    """Airflow's own parameters of every sensor. See Airflow's ``BaseSensorOperator``."""

    exponential_backoff: bool
    max_wait: timedelta | float | None
    mode: Mode
    never_fail: bool
    silent_fail: bool
    soft_fail: bool
    timeout: timedelta | float


class CompletionOptions(SensorOptions, total=False):
    """The parameters of every completion sensor.

    They are described at :class:`~airflow_provider_lms.sensors.base.LmsCourseCompletionSensor`.
    """

    course_id: Required[str | int]
    required_share: float | str
    required_count: int | str | None
    min_cohort: int | str
    on_missing: OnMissing
    completed_statuses: Sequence[str] | str | None
    poke_interval: timedelta | float
    deferrable: bool
