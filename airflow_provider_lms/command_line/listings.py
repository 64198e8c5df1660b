"""``listings``: everything that can be read."""

from __future__ import annotations

import argparse

from airflow_provider_lms.command_line.accounts import find_connection, parse_lms
from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.jobs import filter_names
from airflow_provider_lms.command_line.output import show_json, show_table
from airflow_provider_lms.tables.columns import Columns
from airflow_provider_lms.vendors import VENDORS, Vendor


def run(arguments: argparse.Namespace) -> int:
    """Show the listings of an LMS, or of all of them. Nothing is sent."""
    found = [
        {
            "lms": vendor.conn_type,
            "listing": name,
            "key": [Columns(listing.record).name_of(each) for each in listing.key],
            "filters": filter_names(vendor, name),
            "parent": None if listing.parent is None else listing.parent.listing.name,
        }
        for vendor in chosen_vendors(arguments)
        for name, listing in vendor.listings().items()
    ]
    if arguments.json:
        show_json(found)
    else:
        columns = ("lms", "listing", "key", "parent", "filters")
        show_table(columns, ([_text(each[name]) for name in columns] for each in found))
    return ExitCode.OK


def chosen_vendors(arguments: argparse.Namespace) -> list[Vendor]:
    """The LMSs that ``--lms`` or ``--conn-id`` names; all of them if neither does."""
    if arguments.conn_id is not None:
        return [find_connection(arguments).vendor]
    return [*VENDORS.values()] if arguments.lms is None else [parse_lms(arguments.lms)]


def _text(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value
