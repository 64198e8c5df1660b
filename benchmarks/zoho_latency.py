"""Reading Zoho People when it takes seconds to answer: how much of the rate limit the operator uses."""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_lms.simulator import World
from airflow_provider_lms.simulator.zoho import Limits
from dev.timed_simulator import MOMENTS, TimedSimulator

KINDS = (0, 1, 2, 4, 5, 6, 7, 8)
"""The entity types of which a learner's records fit into one page."""
SCALE = 60.0
"""Zoho's own window in seconds. Latencies are given for it, and shortened as the window is."""
MARGIN = 1.005
"""By so much the rate limiter counts a window longer than it is."""


@dataclass(frozen=True)
class Run:
    """One way to read: so many tasks at once, each with so many requests in flight."""

    tasks: int
    parallel_requests: int


RUNS = (Run(1, 1), Run(1, 2), Run(1, 4), Run(4, 1), Run(4, 4))


def measure(learners: int, latency: float, limits: Limits, runs: Sequence[Run] = RUNS) -> None:
    """Print how many calls a window holds, in shares of what is allowed.

    :param learners: each is read with 8 calls. Four of them fill a window.
    :param latency: seconds before each answer, for a window of 60 s.
    """
    scaled = latency * limits.window_seconds / SCALE
    serial = min(1.0, SCALE / latency / limits.requests) if latency else 1.0
    safe = 1 / (MARGIN + latency / SCALE)
    print(
        f"{learners * len(KINDS)} calls, {limits.requests} in {limits.window_seconds:g} s, answers after {scaled:g} s "
        f"(as {latency:g} s in {SCALE:g} s).\nOf the limit, a client that sends one request after the other can reach "
        f"{serial:.2f}, and one that keeps to it whenever the LMS counts a call {safe:.2f}.\n"
    )
    print("| tasks | `parallel_requests` | of the limit | most in a window, at " + ", at ".join(MOMENTS) + " | locks |")
    print("|---|---|---|---|---|")
    for run in runs:
        with TimedSimulator(World(users=learners, courses=1), latency=scaled, zoho_limits=limits) as lms:
            _read(lms, run)
            most = [str(lms.most_in_a_window(limits.window_seconds, moment)) for moment in MOMENTS]
            print(
                f"| {run.tasks} | {run.parallel_requests} | {_share(lms, limits):.2f} | {', '.join(most)} "
                f"| {lms.zoho.locks} |",
                flush=True,
            )


def _share(lms: TimedSimulator, limits: Limits) -> float:
    """Calls per window over what is allowed, from the first call of a window to the first of the last window.

    Calls come in bursts, so only a time between two such calls tells a rate.
    """
    arrivals = sorted(arrival for arrival, _ in lms.served)
    windows = (len(arrivals) - 1) // limits.requests
    return windows * limits.window_seconds / (arrivals[windows * limits.requests] - arrivals[0])


def _read(lms: TimedSimulator, run: Run) -> None:
    learners = [each.id for each in lms.zoho.world.everyone]
    course = lms.zoho.courses[0].id
    connection = json.dumps(lms.connection("zoho_people"))
    with tempfile.TemporaryDirectory() as folder:
        environment = {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT": connection}
        spawn = multiprocessing.get_context("spawn")
        begin = spawn.Barrier(run.tasks)
        tasks = [
            spawn.Process(
                target=_task,
                args=(begin, environment, f"{folder}/{number}", course, learners[number :: run.tasks]),
                kwargs={"parallel_requests": run.parallel_requests},
            )
            for number in range(run.tasks)
        ]
        for task in tasks:
            task.start()
        for task in tasks:
            task.join()
        if any(task.exitcode for task in tasks):
            raise RuntimeError("A task failed.")
    calls = len(learners) * len(KINDS) + run.tasks  # each task asks first for the batches of the course
    if len(lms.served) != calls:
        raise RuntimeError(f"{len(lms.served)} calls in place of {calls}.")


def _task(
    begin: Any,
    environment: Mapping[str, str],
    folder: str,
    course: str,
    learners: Sequence[str],
    *,
    parallel_requests: int,
) -> None:
    os.environ.update(environment)
    os.dup2(2, 1)  # the log is no part of the table
    from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator

    operator = ZohoPeopleEntityProgressOperator(
        task_id="read",
        course_id=course,
        learner_ids=[*learners],
        entity_types=[*KINDS],
        output_path=folder,
        parallel_requests=parallel_requests,
    )
    begin.wait()
    operator.execute({})
