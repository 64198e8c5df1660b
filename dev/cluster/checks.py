"""Whether datasets hold just the rows that the simulated LMSs have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.zoho import Zoho
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.errors import ManifestError
from dev.cluster.plan import ENTITY_TYPES
from tests.listings import comparable


class Found(NamedTuple):
    """What a check has found.

    :param rows: how many rows are as expected.
    :param problems: what is not, in words.
    """

    rows: int
    problems: list[str]


def compare(found: Iterable[Mapping[str, Any]], expected: Iterable[Mapping[str, Any]]) -> Found:
    """Compare rows in any order. A row that has changed is one that is missing and one that the LMS does not have."""
    has, wanted = Counter(map(_text, found)), Counter(map(_text, expected))
    missing, more = wanted - has, has - wanted
    doubled = sum(count for row, count in more.items() if row in wanted)
    counts = {
        "missing": missing.total(),
        "there more than once": doubled,
        "not in the LMS": more.total() - doubled,
    }
    return Found((has & wanted).total(), [f"{count} rows are {what}" for what, count in counts.items() if count])


def check_datasets(output: str, expected: Mapping[str, list[dict[str, Any]]]) -> Found:
    """Compare datasets row by row.

    :param output: the folder with a dataset for each course.
    :param expected: the rows of each course by its id.
    """
    rows, problems = 0, []
    for course, wanted in expected.items():
        uri = f"{output}/{course}"
        try:
            manifest, records = read_manifest(uri), list(read_records(uri))
        except (FileNotFoundError, ManifestError) as error:
            problems.append(f"{uri}: {error}")
            continue
        found = compare(comparable(records), wanted)
        rows += found.rows
        problems += [f"{uri}: {problem}." for problem in found.problems]
        if manifest["records"] != len(records):
            problems.append(f"{uri}: the manifest counts {manifest['records']} records, the files have {len(records)}.")
    return Found(rows, problems)


def ispring_rows(lms: Simulator) -> dict[str, list[dict[str, Any]]]:
    """The module results of each course."""
    return {course.id: comparable(lms.ispring.module_results(course)) for course in lms.ispring.courses}


def zoho_rows(lms: Simulator) -> dict[str, list[dict[str, Any]]]:
    """The progress in entities of each course."""
    world = lms.zoho.world
    return {
        course.id: comparable(
            {
                "courseId": course.id,
                **({"batchId": batch.id} if batch else {}),
                "learnerId": learner.id,
                "entityType": kind,
                "entityTypeName": name,
                **row,
            }
            for batch in course.batches or (None,)
            for learner in world.learners(course, batch)
            for kind, name in enumerate(ENTITY_TYPES)
            for row in world.entities(course, learner, kind)
        )
        for course in lms.zoho.courses
    }


def check_account(account: Zoho, name: str) -> list[str]:
    """What the LMS complains about."""
    return [f"{name}: the account was locked {account.locks} times."] if account.locks else []


def repeated_calls(account: Zoho) -> int:
    """How many calls asked for what an earlier one had asked for already."""
    calls = [(request.call, request.query) for request in account.calls]
    return len(calls) - len(set(calls))


def check_sensors(results: Iterable[Mapping[str, Any]], required: Callable[[int], int], cohort: int) -> list[str]:
    """What is wrong with what the sensors returned.

    :param required: how many learners the sensor of a map index waits for.
    :param cohort: the learners of each course.
    """
    return [
        f"Sensor {index} ended with {result['completed']} of {result['cohort']} learners, not "
        f"with {required(index)} or more of {cohort}."
        for index, result in enumerate(results)
        if result["cohort"] != cohort or result["completed"] < required(index)
    ]


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)
