"""The commands that start and steer the simulator. Imports argparse alone: see ``commands.py``."""

from __future__ import annotations

import argparse

from airflow_provider_lms.command_line.command import Command, CommandGroup, add_output


def _simulator_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", default="8765", metavar="PORT", help="where it runs on this machine (8765)")
    add_output(parser)


def _start_arguments(parser: argparse.ArgumentParser) -> None:
    _simulator_arguments(parser)
    parser.add_argument("--users", type=int, metavar="N", help="learners")
    parser.add_argument("--courses", type=int, metavar="N", help="courses; everybody is enrolled in each")
    parser.add_argument("--modules", type=int, metavar="N", help="modules in each course")
    parser.add_argument("--blocked", type=int, metavar="N", help="learners with a blocked account")
    parser.add_argument("--seed", type=int, metavar="N", help="another seed, another world")
    parser.add_argument("--as-of", metavar="DATE", help="nothing happens after this day began; today by default")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="a pause before each reply (0)")
    parser.add_argument("--dataset", metavar="FOLDER", help="courses and progress of this dataset, with other people")
    parser.add_argument("--quiet", action="store_true", help="do not log requests")


def _complete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("course", metavar="COURSE", help="the id of a course, or its title")
    parser.add_argument("--learners", type=int, default=1, metavar="N", help="how many learners complete it (1)")
    parser.add_argument("--learner", action="append", metavar="ID", help="this learner, not a number; may be repeated")
    _simulator_arguments(parser)


def _of_lms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lms", metavar="TYPE", help="ispring_learn or zoho_people; both by default")
    _simulator_arguments(parser)


def _fail_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", type=int, default=403, metavar="CODE", help="the HTTP status (403)")
    parser.add_argument("--call", metavar="CALL", help="only this call, such as 'GET /users/v2'")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="how many requests fail (1)")
    parser.add_argument("--before", action="store_true", help="fail before a write takes effect, not after it")
    _of_lms(parser)


def _lock_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60.0, metavar="SECONDS", help="for how long (60)")
    _of_lms(parser)


def _seconds_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("seconds", type=float, metavar="SECONDS", help="how many seconds")
    _simulator_arguments(parser)


def _load_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="FOLDER", help="a dataset of course_results or course_progress")
    _simulator_arguments(parser)


def _requests_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", type=int, default=20, metavar="N", help="how many (20)")
    _simulator_arguments(parser)


def _start(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import start

    return start(arguments)


def _status(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import status

    return status(arguments)


def _complete(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import complete

    return complete(arguments)


def _fail(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import fail

    return fail(arguments)


def _lock(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import lock

    return lock(arguments)


def _revoke(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import revoke

    return revoke(arguments)


def _slow(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import slow

    return slow(arguments)


def _clock(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import move_clock

    return move_clock(arguments)


def _load(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import load

    return load(arguments)


def _requests(arguments: argparse.Namespace) -> int:
    from airflow_provider_lms.command_line.simulator import show_requests

    return show_requests(arguments)


SIMULATOR = CommandGroup(
    "simulator",
    "start simulated LMSs on this machine, and steer them while they run",
    (
        Command("start", "start the simulator; also without this word", _start_arguments, _start),
        Command("status", "show courses, locks and the clock", _simulator_arguments, _status),
        Command("complete", "let learners complete a course", _complete_arguments, _complete),
        Command("fail", "let the next requests fail", _fail_arguments, _fail),
        Command("lock", "lock an account", _lock_arguments, _lock),
        Command("revoke", "make all access tokens invalid", _of_lms, _revoke),
        Command("slow", "pause before each reply", _seconds_arguments, _slow),
        Command("clock", "move the clock ahead", _seconds_arguments, _clock),
        Command("load", "serve the courses and progress of a dataset, with other people", _load_arguments, _load),
        Command("requests", "show the last requests", _requests_arguments, _requests),
    ),
    default="start",
)
