"""``report``: one HTML file about completions, made from datasets."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.output import show_json, show_line
from airflow_provider_lms.command_line.places import folder_of
from airflow_provider_lms.lms.parameters import parse_datetime, parse_int
from airflow_provider_lms.report import completion_report


def run(arguments: argparse.Namespace) -> int:
    """Make the report. Nothing is sent to an LMS."""
    result = completion_report(
        folder_of(arguments.to),
        results=_folders(arguments.results) or [],
        people=_folders(arguments.people),
        departments=_folders(arguments.departments),
        enrollments=_folders(arguments.enrollments),
        title=arguments.title,
        as_of=None if arguments.as_of is None else parse_datetime("--as-of", arguments.as_of).date(),
        show_people=arguments.show_people,
        smallest_group=parse_int("--smallest-group", arguments.smallest_group, 2),
    )
    if arguments.json:
        show_json(result)
    else:
        _show(result)
    return ExitCode.OK


def _folders(given: list[str] | None) -> list[str] | None:
    return None if given is None else [folder_of(each) for each in given]


def _show(result: dict[str, Any]) -> None:
    show_line(
        f"{result['learners']:,} learners, {result['enrollments']:,} enrollments: {result['completed']:,} completed, "
        f"{result['overdue']:,} overdue, {result['at_risk']:,} at risk."
    )
    show_line(f"report: {result['uri']}")
