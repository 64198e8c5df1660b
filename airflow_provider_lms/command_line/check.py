"""``check``: whether a connection works, and what its user may read."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.command_line.accounts import client_options, find_connection
from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.output import progress, show_json, show_line, show_table
from airflow_provider_lms.lms.errors import LmsError

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.spec import Listing


def run(arguments: argparse.Namespace) -> int:
    """Request a new access token, make one small call, and then read a page of each listing that needs no parent."""
    account = find_connection(arguments)
    options = replace(client_options(arguments), bypass_token_cache=True)
    with closing(account.hook(options).get_conn()) as client:
        client.check()
        rights = [] if arguments.quick else list(_rights(client))
        limits = client.limits
    found = {
        "conn_id": account.conn_id,
        "lms": account.vendor.conn_type,
        "url": client.base_url,
        "token": "ok",
        "requests_per_window": limits.requests,
        "window_seconds": limits.window_seconds,
        "listings": rights,
    }
    if arguments.json:
        show_json(found)
        return ExitCode.OK
    show_line(f"Connection {account.conn_id}: {account.vendor.connection.label} at {client.base_url}")
    show_line("A new access token was issued, and the LMS answers.")
    limit = f"{limits.requests} requests in {limits.window_seconds:g} s" if limits.requests else "none is set"
    show_line(f"Rate limit: {limit}")
    if rights:
        show_line("")
        show_table(("listing", "may be read", "first page", "why not"), map(_row, rights))
    return ExitCode.OK


def _rights(client: LmsClient) -> Iterator[dict[str, Any]]:
    listings = [each for each in client.listings.values() if _is_read_at_once(each)]
    with progress("Checking what can be read") as steps:
        for number, listing in enumerate(listings):
            steps(listing.name, number, len(listings))
            yield _right(client, listing)


def _is_read_at_once(listing: Listing[Any]) -> bool:
    """Whether it can be read without a parent or another id."""
    if listing.parent is not None or listing.path_ids:
        return False
    try:
        listing.query({})
    except ValueError:
        return False
    return True


def _right(client: LmsClient, listing: Listing[Any]) -> dict[str, Any]:
    try:
        page = next(client.read(listing))
    except LmsError as error:
        if error.transient:
            raise
        return {"listing": listing.name, "readable": False, "reason": str(error)}
    return {"listing": listing.name, "readable": True, "records": len(page.records), "more": page.next is not None}


def _row(right: dict[str, Any]) -> tuple[object, ...]:
    if not right["readable"]:
        return right["listing"], right["readable"], None, right["reason"]
    return right["listing"], True, f"{right['records']:,} records{', more follow' if right['more'] else ''}", None
