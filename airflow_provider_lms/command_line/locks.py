"""``locks``: who holds an account's rate limit, and whether the account is locked."""

from __future__ import annotations

import argparse
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.command_line.accounts import client_options, find_connection
from airflow_provider_lms.command_line.exit_codes import ExitCode, UsageError
from airflow_provider_lms.command_line.output import show_json, show_line, show_records
from airflow_provider_lms.durations import describe_duration

_ALWAYS = ("state", "requests", "process", "since", "turn_at", "until")
_OF_TASK = ("dag_id", "task_id", "run_id", "map_index")


def run(arguments: argparse.Namespace) -> int:
    """Show what the processes of the account share. Nothing is sent to the LMS."""
    if arguments.lift and not arguments.yes:
        raise UsageError(
            "--lift: all tasks would send requests again. If the LMS has not ended its lock, it may lock the account "
            "for longer. If you know that it has, give --yes as well."
        )
    if arguments.yes and not arguments.lift:
        raise UsageError("--yes: give --lift as well.")
    account = find_connection(arguments)
    with closing(account.hook(client_options(arguments)).get_conn()) as client:
        left = client.lock_seconds_left()
        if arguments.lift:
            client.lift_lock()
        found: dict[str, Any] = {
            "conn_id": account.conn_id,
            "locked": left > 0 and not arguments.lift,
            "lock_seconds_left": 0.0 if arguments.lift else round(left, 1),
            "locked_until": None if arguments.lift else _until(left),
            "lifted": arguments.lift and left > 0,
            "requests_per_window": client.limits.requests,
            "window_seconds": client.limits.window_seconds,
            "holders": [each.to_json() for each in client.holders()],
        }
    if arguments.json:
        show_json(found)
    else:
        _show(found, left)
    return ExitCode.OK


def _until(left: float) -> str | None:
    if not left:
        return None
    return datetime.fromtimestamp(clock.timestamp() + left, UTC).isoformat(timespec="seconds")


def _show(found: dict[str, Any], left: float) -> None:
    if found["lifted"]:
        show_line(f"The lock of {found['conn_id']} was lifted. It would have lasted {describe_duration(left)} more.")
    elif found["locked"]:
        show_line(f"{found['conn_id']} is locked until {found['locked_until']}, {describe_duration(left)} more.")
    else:
        show_line(f"{found['conn_id']} is not locked.")
    if not found["holders"]:
        show_line("Nobody has requests in flight, waits or has reserved any.")
        return
    rows = [{**each, "process": each["process"] or "another program"} for each in found["holders"]]
    # What is no task has neither a DAG nor an index.
    of_task = [name for name in _OF_TASK if any(row["dag_id"] for row in rows)]
    show_records(rows, [*_ALWAYS[:3], *of_task, *_ALWAYS[3:]])
