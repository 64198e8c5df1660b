"""``count``: how many records a listing has."""

from __future__ import annotations

import argparse
from itertools import islice

from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.jobs import find_job
from airflow_provider_lms.command_line.output import progress, show_json, show_line, show_note
from airflow_provider_lms.lms.parameters import parse_int


def run(arguments: argparse.Namespace) -> int:
    """Read all pages and count their records. The LMSs have no call that only counts."""
    most = None if arguments.max_pages is None else parse_int("--max-pages", arguments.max_pages)
    job = find_job(arguments)
    records = pages = 0
    is_complete = True
    with job.client(arguments) as client, progress(f"Counting {arguments.listing}") as steps:
        client.prefetch = most is None
        for page in islice(job.pages(client), most):
            records, pages = records + len(page.records), pages + 1
            is_complete = page.next is None
            steps(
                f"{records:,} records", page.unit if page.units > 1 else pages, page.units if page.units > 1 else None
            )
    if arguments.json:
        show_json({"listing": arguments.listing, "records": records, "pages": pages, "complete": is_complete})
        return ExitCode.OK
    show_line(str(records))
    if not is_complete:
        show_note("There are more: --max-pages has ended the count.")
    return ExitCode.OK
