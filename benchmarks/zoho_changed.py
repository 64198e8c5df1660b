"""Reading entity progress of Zoho People by what has changed: how many calls it takes."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from typing import Any

from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.tables.columns import READ_AT
from airflow_provider_lms.testing import fake_clock

SHARES = (0.0, 0.05, 0.5, 1.0)
_DAY = 86_400.0


def measure(learners: int) -> None:
    """Print the calls of a second run, by the share of learners who have changed since the first.

    :param learners: how many learners the course has; all ten entity types are read of each.
    """
    logging.disable(logging.WARNING)  # the table is what matters
    print(f"{learners} learners, 10 entity types. Times are those of 30 calls a minute.\n")
    print("| changed | read in turn | calls | of a full crawl | time | time of a full crawl |")
    print("|---|---|---|---|---|---|")
    for share in SHARES:
        for days, turns in ((0.0, "none"), (1.0, "a seventh each day")):
            calls, full = _second_run(learners, share, days)
            print(
                f"| {share:.0%} | {turns} | {calls:,} | {calls / full:.3f} | {_time(calls)} | {_time(full)} |",
                flush=True,
            )


def _second_run(learners: int, share: float, days: float) -> tuple[int, int]:
    """The calls of a run, and those of a full crawl before. Both must find what there is.

    :param days: how long after the full crawl it runs. Each day a seventh of the learners has its turn.
    """
    with (
        fake_clock() as clock,
        tempfile.TemporaryDirectory() as folder,
        Simulator(World(users=learners, courses=1, modules=2), zoho_limits=Limits(requests=1_000_000)) as lms,
    ):
        os.environ["AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT"] = json.dumps(lms.connection("zoho_people"))
        os.environ["AIRFLOW__LMS__COORDINATION_URL"] = f"file://{folder}/coordination.sqlite"
        account = lms.zoho
        (course,) = account.courses
        calls = []
        for number in range(2):
            account.requests.clear()
            operator: Any = ZohoPeopleEntityProgressOperator(
                task_id="crawl", course_id=course.id, output_path=f"{folder}/out", previous=f"{folder}/out"
            )
            summary = operator.execute({})
            calls.append(sum(each.call.startswith("GET /api/") for each in account.requests))
            if number == 0:
                clock.advance(days * _DAY)
                for learner in account.world.everyone[: round(share * learners)]:
                    account.finish(learner, course)
        operator = ZohoPeopleEntityProgressOperator(task_id="crawl", course_id=course.id, output_path=f"{folder}/full")
        if _rows(summary) != _rows(operator.execute({})):
            raise RuntimeError("The run has not found what there is.")
    return calls[1], calls[0]


def _rows(summary: Any) -> list[str]:
    rows = ({**row, READ_AT: None} for row in read_records(summary))
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def _time(calls: int) -> str:
    return describe_duration(RateLimits(30, 60.0).seconds_for(calls))
