"""The commands that look into an LMS. Imports argparse alone: see ``commands.py``."""

from __future__ import annotations

import argparse

from airflow_provider_lms.command_line.command import Command, add_output


def _lms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conn-id", metavar="ID", help="the Airflow connection, also from AIRFLOW_CONN_<ID>")
    parser.add_argument("--lms", metavar="TYPE", help="ispring_learn or zoho_people: takes its default connection")


def _account(parser: argparse.ArgumentParser) -> None:
    _lms(parser)
    add_output(parser)
    parser.add_argument(
        "--max-wait",
        metavar="SECONDS",
        default="900",
        help="how long a request may wait for the rate limit, a lock or the end of an outage (900)",
    )


def _listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("listing", metavar="LISTING", help="what to read; `listings` shows the names")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a filter of the listing, such as course_ids=...; repeat it for several values",
    )
    _account(parser)


def _columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--columns", metavar="NAMES", help="the columns to keep, with commas between them")
    parser.add_argument("--drop-columns", metavar="NAMES", help="the columns to leave out")
    parser.add_argument("--hash-columns", metavar="NAMES", help="the columns to hash with the connection's hash_secret")


def _max_pages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-pages", metavar="N", help="stop after so many pages")


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    _account(parser)
    parser.add_argument("--quick", action="store_true", help="only the token and one request")


def _check(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.check import run

    return run(arguments)


def _listings_arguments(parser: argparse.ArgumentParser) -> None:
    _lms(parser)
    add_output(parser)


def _listings(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.listings import run

    return run(arguments)


def _head_arguments(parser: argparse.ArgumentParser) -> None:
    _listing(parser)
    _columns(parser)
    parser.add_argument("-n", "--rows", default="5", metavar="N", help="how many rows (5)")


def _head(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.head import run

    return run(arguments)


def _read_arguments(parser: argparse.ArgumentParser) -> None:
    _listing(parser)
    _columns(parser)
    _max_pages(parser)
    parser.add_argument("--to", required=True, metavar="FOLDER", help="the folder of the dataset: a path or a URL")
    parser.add_argument("--format", default="jsonl", metavar="FORMAT", help="jsonl (default), csv or parquet")
    parser.add_argument("--compression", metavar="NAME", help="none, gzip or zstd")
    parser.add_argument("--if-exists", default="replace", metavar="CHOICE", help="replace (default) or fail")
    parser.add_argument(
        "--parallel-requests", default="1", metavar="N", help="requests in flight, up to the connection's own bound (1)"
    )


def _read(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.read import run

    return run(arguments)


def _count_arguments(parser: argparse.ArgumentParser) -> None:
    _listing(parser)
    _max_pages(parser)


def _count(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.count import run

    return run(arguments)


def _cost_arguments(parser: argparse.ArgumentParser) -> None:
    _listing(parser)
    parser.add_argument("--records", metavar="N", help="how many records you expect, for a listing with pages")
    parser.add_argument("--like", metavar="FOLDER", help="expect as many records as in this dataset")


def _cost(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.cost import run

    return run(arguments)


def _wait_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("course", metavar="COURSE", help="the id of the course")
    parser.add_argument("--share", default="1", metavar="SHARE", help="the share of the learners, such as 80%% (all)")
    parser.add_argument("--count", metavar="N", help="how many learners, in place of a share")
    parser.add_argument("--every", default="60", metavar="SECONDS", help="how often to look (60)")
    parser.add_argument("--timeout", default="86400", metavar="SECONDS", help="when to give up (86400: a day)")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the sensor, such as user_ids=... or batch_id=...; repeat it for several values",
    )
    parser.add_argument("--ids", action="store_true", help="with --json: also the ids of the learners")
    _account(parser)


def _wait(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.wait import run

    return run(arguments)


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results",
        action="append",
        required=True,
        metavar="FOLDER",
        help="the dataset of course results or course progress: a path or a URL; repeat it for several",
    )
    parser.add_argument(
        "--people",
        action="append",
        metavar="FOLDER",
        help="the dataset of users or employees: for departments, managers and names",
    )
    parser.add_argument(
        "--departments", action="append", metavar="FOLDER", help="the dataset of departments: for their names"
    )
    parser.add_argument(
        "--enrollments",
        action="append",
        metavar="FOLDER",
        help="the dataset of enrollments: for certificates that expire",
    )
    parser.add_argument("--to", required=True, metavar="FILE", help="the HTML file to write: a path or a URL")
    parser.add_argument(
        "--title", default="Training completion", metavar="TEXT", help="the heading (Training completion)"
    )
    parser.add_argument("--as-of", metavar="DATE", help="the day that the report is about (today in UTC)")
    parser.add_argument(
        "--show-people", action="store_true", help="name learners at risk and managers, and show groups of any size"
    )
    parser.add_argument(
        "--smallest-group",
        default="5",
        metavar="N",
        help="merge groups of fewer people, if nobody is named (5; at least 2)",
    )
    add_output(parser)


def _report(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.report import run

    return run(arguments)


def _schema_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("listing", metavar="LISTING", help="the listing")
    _listings_arguments(parser)


def _schema(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.schema import run

    return run(arguments)


def _locks_arguments(parser: argparse.ArgumentParser) -> None:
    _account(parser)
    parser.add_argument("--lift", action="store_true", help="end the lock for all tasks; needs --yes")
    parser.add_argument("--yes", action="store_true", help="the LMS has ended its own lock: lift it here too")


def _locks(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.locks import run

    return run(arguments)


COMMANDS = (
    Command("check", "check a connection: its token, its rights, what can be seen", _check_arguments, _check),
    Command("listings", "show what can be read: keys, filters, parents", _listings_arguments, _listings),
    Command("head", "show the first rows of a listing", _head_arguments, _head),
    Command("read", "read a listing into a dataset", _read_arguments, _read),
    Command("count", "count the records of a listing", _count_arguments, _count),
    Command("cost", "tell how many requests and how much time reading a listing takes", _cost_arguments, _cost),
    Command("wait", "wait until learners have completed a course", _wait_arguments, _wait),
    Command("report", "make an HTML report about completions from datasets", _report_arguments, _report),
    Command("schema", "print the JSON Schema of a listing", _schema_arguments, _schema),
    Command("locks", "show who holds the rate limit, until when; lift a lock", _locks_arguments, _locks),
)
