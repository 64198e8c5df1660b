"""``python -m benchmarks.zoho``: reading Zoho People under its limits, scaled down, by one process and by several."""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from benchmarks import zoho_changed, zoho_latency
from benchmarks.zoho_latency import KINDS
from dev.fleet import Fleet, Member, Unit


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoho")
    parser.add_argument("--learners", type=int, default=25, help="each is read with 8 calls")
    parser.add_argument(
        "--window", type=float, default=6.0, help="seconds in which 30 calls are allowed, in place of 60"
    )
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 4])
    parser.add_argument(
        "--slow",
        type=float,
        metavar="SECONDS",
        help="measure only what answers that take so long of 60 s cost, with several requests in flight",
    )
    parser.add_argument(
        "--changed",
        action="store_true",
        help="measure only the calls for entity progress, by how many of the learners have changed",
    )
    parser.add_argument("--smoke", action="store_true", help="a small run that checks only that all agree")
    options = parser.parse_args()
    if options.smoke:
        options.learners, options.window, options.processes = 6, 0.5, [2]
    if options.changed or options.smoke:
        zoho_changed.measure(options.learners)
        if options.changed:
            return 0
    limits = replace(Limits(), window_seconds=options.window, lock_seconds=5 * options.window)
    if options.slow is not None:
        zoho_latency.measure(options.learners, options.slow, limits)
        return 0
    calls = options.learners * len(KINDS)
    least = (calls - 1) // limits.requests * limits.window_seconds
    print(
        f"{calls} calls, {limits.requests} in {limits.window_seconds:g} s, lock {limits.lock_seconds:g} s, "
        f"latency {options.latency:g} s; minimum {least:g} s\n"
    )
    print("| | processes | seconds | times the minimum | locks | tokens | calls |")
    print("|---|---|---|---|---|---|---|")
    for processes in options.processes:
        for name, read in {"ours": ours, "requests by hand": by_hand}.items():
            world = World(users=options.learners, courses=1)
            with Simulator(world, latency=options.latency, zoho_limits=limits) as lms:
                course = lms.zoho.courses[0].id
                units = [(course, None, each.id, kind) for each in lms.zoho.world.everyone for kind in KINDS]
                rows, took = read(lms, [units[index::processes] for index in range(processes)])
                if rows != calls * world.modules:
                    raise RuntimeError(f"{name}: {rows} records in place of {calls * world.modules}.")
                print(
                    f"| {name} | {processes} | {took:.2f} | {took / least:.3f} | {lms.zoho.locks} "
                    f"| {len(lms.zoho.tokens)} | {len(lms.zoho.calls)} |",
                    flush=True,
                )
    return 0


def ours(lms: Simulator, shares: Sequence[Sequence[Unit]]) -> tuple[int, float]:
    """The hook, in as many processes, on one host."""
    with tempfile.TemporaryDirectory() as folder:
        members = [Member(share, {"AIRFLOW_HOME": f"{folder}/airflow"}) for share in shares]
        with Fleet(Path(folder) / "fleet", lms.connection("zoho_people"), members) as fleet:
            fleet.go()
            results = fleet.finish(3_600)
    took = max(each["finished"] for each in results) - min(each["started"] for each in results)
    return sum(len(each["rows"]) for each in results), took


def by_hand(lms: Simulator, shares: Sequence[Sequence[Unit]]) -> tuple[int, float]:
    """A loop that paces itself and waits a lock out, as a careful author writes it for one process."""
    account, limits = lms.zoho, lms.zoho.limits
    form = {
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": account.refresh_token,
    }
    pause = limits.window_seconds / limits.requests
    started = time.monotonic()
    with multiprocessing.get_context("fork").Pool(len(shares)) as pool:
        rows = pool.starmap(_by_hand, [(lms.url, form, share, pause, limits.lock_seconds) for share in shares])
    return len(list(chain.from_iterable(rows))), time.monotonic() - started


def _by_hand(url: str, form: dict[str, str], share: Sequence[Unit], pause: float, lock: float) -> list[dict[str, Any]]:
    import requests

    token = requests.post(f"{url}/oauth/v2/token", data=form, timeout=60).json()["access_token"]
    headers, rows = {"Authorization": f"Zoho-oauthtoken {token}"}, []
    for course, _, learner, kind in share:
        path = f"{url}/api/v1/courses/{course}/learners/{learner}/progress"
        while True:
            body = requests.get(path, params={"entityType": kind}, headers=headers, timeout=60).json()
            time.sleep(pause)
            if body["code"] != 7209:
                break
            time.sleep(lock)
        rows += body["learnerProgress"]
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
