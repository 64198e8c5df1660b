"""``wait``: until learners have completed a course, as a sensor does."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.command_line.accounts import NamedConnection, client_options, find_connection
from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.filters import OPTION, parse_filters
from airflow_provider_lms.command_line.output import progress, show_json, show_line, show_note
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.course.evaluation import Evaluation
from airflow_provider_lms.lms.course.readers import CourseMemory
from airflow_provider_lms.lms.course.reading import read_course
from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.http.rate_limit import CoordinationError
from airflow_provider_lms.lms.listing.filter_names import check_names
from airflow_provider_lms.lms.parameters import parse_float

if TYPE_CHECKING:
    from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor

_OF_ARGUMENTS = ("course_id", "required_share", "required_count")
"""The sensor's parameters that have an argument of their own."""


def run(arguments: argparse.Namespace) -> int:
    """Read the course again and again, and show how many learners have completed it."""
    every = parse_float("--every", arguments.every, 1)
    timeout = parse_float("--timeout", arguments.timeout, 0)
    deadline = clock.monotonic() + timeout
    account = find_connection(arguments)
    sensor = _sensor(account, arguments, every)
    course, criteria = sensor.course(), sensor.criteria()
    hook = sensor.hook(client_options(arguments, most=timeout))
    memory, told = CourseMemory(), set[str]()
    last: Evaluation | None = None
    with progress("Completed") as steps, closing(hook.get_conn()) as client:
        reader = hook.course_reader(course, client, memory)
        while True:
            try:
                last = read_course(reader, criteria)
            except (LmsError, CoordinationError) as error:
                if not error.transient:
                    raise
                show_note(f"{error} It is not known yet whether the learners have completed the course.")
            else:
                if (warning := last.warning(told)) is not None:
                    show_note(warning)
                steps(last.describe(), len(last.completed), last.required)
                if last.outcome != "open":
                    break
            if (left := deadline - clock.monotonic()) <= 0:
                break
            clock.sleep(min(every, left))
    return _show(arguments, last)


def _sensor(account: NamedConnection, arguments: argparse.Namespace, every: float) -> LmsCourseCompletionSensor:
    from airflow.providers.common.compat.module_loading import import_string

    vendor = account.vendor
    kind: type[LmsCourseCompletionSensor] = import_string(vendor.sensor)
    filters: dict[str, Any] = dict(parse_filters(arguments.filter))
    names = [each for each in kind.template_fields if each not in (*_OF_ARGUMENTS, vendor.conn_id_parameter)]
    check_names(OPTION, "wait", filters, names)
    filters |= {vendor.conn_id_parameter: account.conn_id, "task_id": "command_line", "deferrable": False}
    return kind(
        course_id=arguments.course,
        required_share=arguments.share,
        required_count=arguments.count,
        poke_interval=every,
        **filters,
    )


def _show(arguments: argparse.Namespace, last: Evaluation | None) -> int:
    if last is None:
        show_note(f"error: the course could not be read within {describe_duration(float(arguments.timeout))}.")
        return ExitCode.UNAVAILABLE
    if arguments.json:
        result = last.result(arguments.course)
        shown = {name: value for name, value in result.items() if arguments.ids or not name.endswith("_ids")}
        show_json({"outcome": last.outcome, **shown})
    else:
        show_line(f"{last.describe()}.")
    if last.outcome == "met":
        return ExitCode.OK
    if last.outcome == "impossible":
        show_note(f"error: {last.describe_failure()}")
    else:
        show_note(f"error: not met within {describe_duration(float(arguments.timeout))}.")
    return ExitCode.FAILED
