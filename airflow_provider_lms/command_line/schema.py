"""``schema``: the JSON Schema of a listing."""

from __future__ import annotations

import argparse

from airflow_provider_lms.command_line.exit_codes import ExitCode, UsageError
from airflow_provider_lms.command_line.listings import chosen_vendors
from airflow_provider_lms.command_line.output import show_json
from airflow_provider_lms.lms.listing.contract import json_schema


def run(arguments: argparse.Namespace) -> int:
    """Print the schema of a listing's rows. Nothing is sent."""
    vendors = chosen_vendors(arguments)
    found = [(each, each.listings()[arguments.listing]) for each in vendors if arguments.listing in each.listings()]
    if not found:
        raise UsageError(f"LISTING: there is no listing {arguments.listing!r}. `listings` shows what there is.")
    if len(found) > 1:
        names = " or ".join(vendor.conn_type for vendor, _ in found)
        raise UsageError(f"--lms: there is a listing {arguments.listing!r} in several. Say which: {names}.")
    ((vendor, listing),) = found
    show_json(json_schema(vendor.conn_type, listing))
    return ExitCode.OK
