"""``python -m benchmarks.waiting``: what thousands of waiting triggers cost, ours beside Airflow's own HttpSensor."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import World
from benchmarks.table import print_machine, print_table
from benchmarks.waiting_server import serving

_NEVER = 4_000_000_000.0
_STATUSES = ("complete", "passed", "accepted")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting")
    parser.add_argument("--triggers", type=int, default=10_000)
    parser.add_argument("--courses", type=int, default=100)
    parser.add_argument("--learners", type=int, default=200, help="in each course; each trigger waits for ten of them")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two polls")
    parser.add_argument("--intervals", type=int, default=3, help="how many are measured, after a first one")
    parser.add_argument("--smoke", action="store_true", help="a small run that checks only that all wait")
    parser.add_argument("--contender", choices=_MAKERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.smoke:
        options.triggers, options.courses, options.interval, options.intervals = 40, 4, 1.0, 2
    if options.contender:
        _wait(options)
        return 0
    print_machine()
    with serving(options.courses, options.learners) as server:
        rows = []
        for name in _MAKERS:
            figures = _measure(name, options, server.url, server.count)
            rows.append([name, *(f"{value:,.{digits}f}" for value, digits in figures)])
    title = (
        f"{options.triggers:,} triggers, {options.courses} courses of {options.learners} learners, "
        f"{options.intervals} intervals of {options.interval:g} s"
    )
    head = [
        "",
        "requests / interval",
        "CPU s / interval",
        "MB above Airflow",
        "longest time the event loop was blocked, ms",
        "CPU ms of it",
        "while they start: blocked, ms",
        "CPU ms of it",
        "full garbage collections",
        "still waiting",
    ]
    print_table(title, head, rows)
    return 0


def _measure(name: str, options: argparse.Namespace, url: str, count: Any) -> list[tuple[float, int]]:
    """Run a contender in a process of its own; it says when the first interval is over."""
    given = [f"--{key}={getattr(options, key)}" for key in ("triggers", "courses", "learners", "interval", "intervals")]
    command = [sys.executable, "-m", "benchmarks.waiting", f"--contender={name}", f"--url={url}", *given]
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "AIRFLOW_HOME": home}
        ) as process,
    ):
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith("{"))
        if next(lines, None) is None:
            raise RuntimeError(f"{name} has ended too early.")
        count()
        figures = json.loads(next(lines))
        requests = count() / options.intervals
    if figures["waiting"] != options.triggers:
        raise RuntimeError(f"{name}: {figures['waiting']} of {options.triggers} triggers still wait.")
    held = [(seconds * 1_000, 0) for seconds in (*figures["held"], *figures["held_at_start"])]
    measured = ((requests, 0), (figures["cpu"], 2), (figures["grown"], 0), *held, (figures["collections"], 0))
    return [*measured, (figures["waiting"], 0)]


def _wait(options: argparse.Namespace) -> None:
    import airflow.sdk
    import airflow.triggers.base  # noqa: F401

    before = _peak()
    account = {"conn_type": "ispring_learn", "host": options.url, "login": "id", "password": "benchmark-secret"}
    os.environ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT"] = json.dumps(account)
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": options.url})
    figures = asyncio.run(_run(options))
    print(json.dumps({**figures, "grown": _peak() - before}), flush=True)


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    """Let the triggers wait, as a triggerer does: each is made from its serialized form and runs in a task."""
    from airflow.providers.common.compat.module_loading import import_string

    held = [0.0, 0.0]
    heart = asyncio.create_task(_beat(held))
    courses = ISpring(World(users=options.learners, courses=options.courses, modules=1, blocked=0))
    tasks = []
    for number in range(options.triggers):
        path, kwargs = _MAKERS[options.contender](courses, number, options.interval).serialize()
        trigger = import_string(path)(**json.loads(json.dumps(kwargs)))
        tasks.append(asyncio.create_task(_first(trigger)))
        if number % 100 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(1.5 * options.interval)
    print("{}", flush=True)
    held_at_start, held[:] = list(held), [0.0, 0.0]
    spent, collections = _spent(), _full_collections()
    await asyncio.sleep(options.intervals * options.interval)
    figures = {
        "cpu": (_spent() - spent) / options.intervals,
        "held": list(held),
        "held_at_start": held_at_start,
        "collections": _full_collections() - collections,
        "waiting": sum(not task.done() for task in tasks),
    }
    heart.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return figures


async def _first(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    return None


async def _beat(held: list[float]) -> None:
    """Note for how long the loop was held up at the longest, and how much of such a time this process was busy.

    On a busy machine the process is also held up by others. Then it uses no CPU.
    """
    while True:
        began, busy = time.perf_counter(), time.process_time()
        await asyncio.sleep(0.01)
        late = time.perf_counter() - began - 0.01
        held[:] = max(held[0], late), max(held[1], min(late, time.process_time() - busy))


def _learners(lms: ISpring, number: int) -> list[str]:
    users = lms.users
    first = number // len(lms.courses) * 10 % len(users)
    return [user.id for user in users[first : first + 10]]


def _ours(lms: ISpring, number: int, interval: float) -> Any:
    from airflow_provider_lms.triggers.completion import CourseCompletionTrigger

    course = lms.courses[number % len(lms.courses)]
    criteria = {"named": _learners(lms, number), "statuses": {"completed": _STATUSES}, "share": "1"}
    return CourseCompletionTrigger(
        conn_type="ispring_learn",
        conn_id="ispring_learn_default",
        course={"course_id": course.id},
        criteria=criteria,
        poke_interval=interval,
        deadline=_NEVER,
    )


def _http_sensor(lms: ISpring, number: int, interval: float) -> Any:
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    course = lms.courses[number % len(lms.courses)]
    users = "&".join(f"userIds[]={user}" for user in _learners(lms, number))
    return HttpSensorTrigger(
        # It waits while the answer is 404, and looks at no answer: no LMS says "not yet" like that.
        endpoint=f"completed?courseIds[]={course.id}&{users}",
        headers={"Authorization": "Bearer benchmark-token"},
        poke_interval=interval,
    )


_MAKERS = {"ours": _ours, "HttpSensor, deferred": _http_sensor}


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _full_collections() -> int:
    """How often Python's garbage collector has visited all objects."""
    return int(gc.get_stats()[2]["collections"])


def _peak() -> float:
    """The largest resident size so far, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
