"""``simulator``: starts simulated LMSs, and steers those that run."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

import requests

from airflow_provider_lms.command_line.exit_codes import ExitCode, UsageError
from airflow_provider_lms.command_line.output import show_json, show_line, show_note, show_table
from airflow_provider_lms.command_line.places import folder_of
from airflow_provider_lms.lms.parameters import parse_datetime, parse_int
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.request_log import LoggedRequest

_SECONDS = 60.0


def start(arguments: argparse.Namespace) -> int:
    """Serve a world until Ctrl-C."""
    port = parse_int("--port", arguments.port, minimum=0)
    sizes = {name: vars(arguments)[name] for name in ("users", "courses", "modules", "blocked", "seed")}
    world = replace(World(), **{name: size for name, size in sizes.items() if size is not None})
    if arguments.as_of is not None:
        world = replace(world, as_of=parse_datetime("--as-of", arguments.as_of).date())
    simulator = Simulator(world, port=port, latency=arguments.latency, on_request=_silent if arguments.quiet else _log)
    if arguments.dataset is not None:
        from airflow_provider_lms.storage import read_records

        simulator.controls.load(read_records(folder_of(arguments.dataset)))
    show_line(f"iSpring Learn and Zoho People are simulated at {simulator.url}. The connections to them:")
    for conn_type in simulator.vendors:
        connection = json.dumps(simulator.connection(conn_type))
        show_line(f"export AIRFLOW_CONN_{conn_type.upper()}_DEFAULT='{connection}'")
    try:
        simulator.serve()
    except KeyboardInterrupt:
        show_note("Stopped.")
    return ExitCode.OK


def status(arguments: argparse.Namespace) -> int:
    """Show the courses of the running simulator, its locks and its clock."""
    found = _send(arguments, "GET", "")
    if arguments.json:
        show_json(found)
        return ExitCode.OK
    show_line(f"{found['url']}, {found['now']}, {found['seconds_before_each_reply']:g} s before each reply")
    for name, lms in found["lms"].items():
        left = lms["lock_seconds_left"]
        show_line(f"{name}: {lms['requests']} requests{f', locked for another {left:g} s' if left else ''}")
    show_table(
        ("lms", "course", "title", "learners", "completed"),
        (
            (name, course["id"], course["title"], course["learners"], course["completed"])
            for name, lms in found["lms"].items()
            for course in lms["courses"]
        ),
    )
    return ExitCode.OK


def complete(arguments: argparse.Namespace) -> int:
    """Let learners complete a course."""
    chosen = {"learners": arguments.learners, "learner_ids": arguments.learner}
    found = _steer(arguments, "complete", course=arguments.course, **chosen)
    for name, each in found.items():
        _say(arguments, f"{name}: {len(each['learner_ids'])} learners have completed course {each['course_id']}.")
    return ExitCode.OK


def fail(arguments: argparse.Namespace) -> int:
    """Let the next requests fail."""
    of = {"call": arguments.call, "lms": arguments.lms, "before": arguments.before}
    _steer(arguments, "fail", status=arguments.status, times=arguments.times, **of)
    which = f"The next {arguments.times} requests" if arguments.times > 1 else "The next request"
    _say(arguments, f"{which}{f' {arguments.call}' if arguments.call else ''} will fail with {arguments.status}.")
    return ExitCode.OK


def lock(arguments: argparse.Namespace) -> int:
    """Lock an account."""
    _steer(arguments, "lock", seconds=arguments.seconds, lms=arguments.lms)
    _say(arguments, f"Locked for {arguments.seconds:g} s.")
    return ExitCode.OK


def revoke(arguments: argparse.Namespace) -> int:
    """Make every access token invalid."""
    _steer(arguments, "revoke", lms=arguments.lms)
    _say(arguments, "All access tokens are invalid now.")
    return ExitCode.OK


def slow(arguments: argparse.Namespace) -> int:
    """Pause before each reply."""
    _steer(arguments, "slow", seconds=arguments.seconds)
    _say(arguments, f"{arguments.seconds:g} s before each reply.")
    return ExitCode.OK


def move_clock(arguments: argparse.Namespace) -> int:
    """Move the clock ahead."""
    _steer(arguments, "clock", seconds=arguments.seconds)
    _say(arguments, f"The simulator's clock is {arguments.seconds:g} s further ahead.")
    return ExitCode.OK


def load(arguments: argparse.Namespace) -> int:
    """Serve the courses and progress of a dataset. What is about a person does not leave this process."""
    import msgspec

    from airflow_provider_lms.simulator.recorded_world import anonymize
    from airflow_provider_lms.storage import read_records

    rows = msgspec.to_builtins(list(anonymize(read_records(folder_of(arguments.dataset)))))
    found = _steer(arguments, "load", rows=rows)
    _say(arguments, f"{found['learners']} learners and {found['courses']} courses are simulated now.")
    return ExitCode.OK


def show_requests(arguments: argparse.Namespace) -> int:
    """Show the last requests that the simulator has served."""
    found = _send(arguments, "GET", f"/requests?last={arguments.last}")["requests"]
    if arguments.json:
        show_json(found)
        return ExitCode.OK
    for each in found:
        show_line(str(LoggedRequest(**each)))
    return ExitCode.OK


def _log(request: LoggedRequest) -> None:
    show_note(str(request))


def _silent(_: LoggedRequest) -> None:
    """Show nothing."""


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.json:
        show_line(text)


def _steer(arguments: argparse.Namespace, control: str, **parameters: object) -> Any:
    given = {name: each for name, each in parameters.items() if each is not None}
    result = _send(arguments, "POST", f"/{control}", given)
    if arguments.json:
        show_json(result["result"])
    return result["result"]


def _send(arguments: argparse.Namespace, method: str, path: str, parameters: dict[str, object] | None = None) -> Any:
    port = parse_int("--port", arguments.port)
    url = f"http://127.0.0.1:{port}/_control{path}"
    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment is not for this machine
            reply = session.request(method, url, json=parameters, timeout=_SECONDS)
        content = reply.json()
    except requests.RequestException:
        raise UsageError(
            f"--port: no simulator of this version runs on port {port}. Start one with `simulator`, or give --port "
            "if it runs on another port."
        ) from None
    if not reply.ok:
        raise UsageError(str(content.get("error", reply.status_code)))
    return content
