"""``read``: a listing into a dataset."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.jobs import column_parameters, find_job
from airflow_provider_lms.command_line.output import progress, show_json, show_line
from airflow_provider_lms.command_line.places import folder_of
from airflow_provider_lms.lms.parameters import parse_float, parse_int
from airflow_provider_lms.operators.waiting import Waiting
from airflow_provider_lms.storage.progress_log import progress_told_to


def run(arguments: argparse.Namespace) -> int:
    """Let the operator write the dataset, and show how far it has come.

    After an interruption, the same command resumes where it stopped, for an hour.
    """
    job = find_job(
        arguments,
        output_path=folder_of(arguments.to),
        output_format=arguments.format,
        compression=arguments.compression,
        if_exists=arguments.if_exists,
        max_pages=None if arguments.max_pages is None else parse_int("--max-pages", arguments.max_pages),
        parallel_requests=parse_int("--parallel-requests", arguments.parallel_requests),
        max_wait=parse_float("--max-wait", arguments.max_wait, 0),
        **column_parameters(arguments),
    )
    with progress(f"Reading {arguments.listing}") as steps:

        def watch(pages: int, records: int, done: int, total: int) -> None:
            steps(f"{records:,} records", done if total > 1 else pages, total if total > 1 else None)

        with progress_told_to(watch):
            # Airflow warns whenever `execute` is called outside of a task. This does the same, from the beginning.
            summary = job.operator.execute_after_wait({}, waiting=Waiting().to_json())
    if arguments.json:
        show_json(summary)
    else:
        _show(summary)
    return ExitCode.OK


def _show(summary: Any) -> None:
    size = sum(file["bytes"] for file in summary["files"])
    files = f"{len(summary['files'])} file{'' if len(summary['files']) == 1 else 's'}"
    show_line(f"{summary['records']:,} records in {files}, {size:,} bytes: {summary['uri']}")
    show_line(f"manifest: {summary['manifest']}")
    if not summary["complete"]:
        show_line("The listing was not read to its end: --max-pages has ended it.")
    if not summary["consistent"]:
        show_line("Records came or went while the listing was read, so some may be missing. Read it again.")
