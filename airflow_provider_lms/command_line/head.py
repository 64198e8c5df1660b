"""``head``: the first rows of a listing."""

from __future__ import annotations

import argparse
from itertools import islice

from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.jobs import column_parameters, find_job
from airflow_provider_lms.command_line.output import show_json, show_note, show_records
from airflow_provider_lms.lms.parameters import parse_int


def run(arguments: argparse.Namespace) -> int:
    """Read as many pages as the rows take."""
    count = parse_int("--rows", arguments.rows)
    job = find_job(arguments, **column_parameters(arguments))
    with job.client(arguments) as client:
        pages = job.pages(client)
        rows = list(islice((row for page in pages for row in page.to_dicts()), count))
    if arguments.json:
        show_json(rows)
    elif rows:
        show_records(rows, list(dict.fromkeys(name for row in rows for name in row)))
    else:
        show_note("There are no records.")
    return ExitCode.OK
