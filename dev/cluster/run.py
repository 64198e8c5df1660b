"""Starts the services, the simulators and Airflow, and stops them all."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator import Simulator
from dev.cluster import services
from dev.cluster.components import Cluster
from dev.cluster.plan import DISTURBED, ISPRING, LATENCY, SENSORS, ZOHO, Size
from dev.cluster.processes import Processes
from dev.cluster.samples import Sampler
from dev.cluster.story import Story


def run(folder: Path, size: Size) -> list[str]:
    """Start everything, do everything, stop everything; return what went wrong.

    :param folder: an empty folder for homes, logs and data.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        lms = {name: stack.enter_context(each) for name, each in simulators(size).items()}
        processes = stack.enter_context(Processes(folder / "logs"))
        lake = services.ObjectStore(processes, folder / "s3")
        database = stack.enter_context(services.postgres(processes))
        redis = stack.enter_context(services.redis(folder / "redis"))
        connections = {"lake": lake.connection, **{name: connection(name, each) for name, each in lms.items()}}
        os.environ["AIRFLOW_CONN_LAKE"] = json.dumps(lake.connection)
        cluster = stack.enter_context(
            Cluster(
                folder,
                processes,
                database=database,
                broker=redis.url(0),
                coordination=redis.url(1),
                connections=connections,
            )
        )
        lake.make_bucket()
        sampler = stack.enter_context(Sampler(database, processes))
        story = Story(cluster, sampler, redis, lms, size, started)
        story.say("PostgreSQL, Redis, S3 and Airflow with two workers and two triggerers are up.")
        try:
            story.tell()
        except TimeoutError as error:
            story.problems.append(str(error))
        return story.problems


def simulators(size: Size) -> dict[str, Simulator]:
    """An LMS for each DAG; each Zoho account is read by one DAG, so that each begins with an unused limit."""
    accounts = [name for name in ZOHO if (size.disturb if name == DISTURBED else size.compare)]
    found = {name: Simulator(size.zoho_world, latency=LATENCY, zoho_limits=replace(size.limits)) for name in accounts}
    found[ISPRING] = Simulator(size.ispring_world, latency=LATENCY)
    found[SENSORS] = Simulator(size.sensors_world)
    for learner in found[SENSORS].ispring.users:
        for course in found[SENSORS].ispring.courses:
            found[SENSORS].ispring.record(learner, course, "in_progress")
    return found


def connection(name: str, lms: Simulator) -> dict[str, Any]:
    """The Airflow connection that the DAG of this name uses."""
    if name in ZOHO:
        return lms.connection("zoho_people")
    # Several pages for each course.
    return {**lms.connection("ispring_learn"), "extra": {"page_size": 100}}
