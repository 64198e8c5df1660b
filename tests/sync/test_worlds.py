"""Random accounts, desired states and failures: whatever happens, the plan and the report tell the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_lms.operators.ispring import ISpringEnrollmentSyncOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.testing import fake_clock
from tests.sync.runs import Runs

USERS, COURSES = range(6), range(2)
PAIRS = st.sets(st.tuples(st.sampled_from(USERS), st.sampled_from(COURSES)))
FAULTS = {
    "lost reply": (faults.lost_reply(), False),
    "lost request": (faults.status(503), True),
    "late error": (faults.status(502), False),
    "cut": (faults.truncated(), False),
    "busy": (faults.status(429, **{"Retry-After": "2"}), True),
    "web page": (faults.html_page(), False),
}
WRITES = ("POST /enrollment", "POST /enrollment/delete")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One account for all examples: it is filled anew by each."""
    shared = tmp_path_factory.mktemp("lms") / "coordination.sqlite"
    with pytest.MonkeyPatch.context() as patch, Simulator(World(users=6, courses=2, modules=1, blocked=1)) as lms:
        patch.setenv("AIRFLOW__LMS__COORDINATION_URL", shared.as_uri())
        connection = {"conn_type": "ispring_learn", **lms.connection("ispring_learn")}
        patch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))
        yield lms


def enrolled(lms: Simulator) -> set[tuple[int, int]]:
    people = [user.id for user in lms.ispring.users]
    courses = [course.id for course in lms.ispring.courses]
    return {(people.index(row.user.id), courses.index(row.course.id)) for row in lms.ispring.results()}


def fill(lms: Simulator, pairs: set[tuple[int, int]]) -> None:
    lms.ispring.show(lms.world)
    for each in lms.ispring.courses:
        for person in lms.ispring.users:
            lms.ispring.unenroll(person, each)
    for user, course in sorted(pairs):
        lms.ispring.enroll(lms.ispring.users[user], lms.ispring.courses[course])
    lms.ispring.requests.clear()
    lms.ispring._planned.clear()


@pytest.mark.hypothesis
@settings(max_examples=max(settings.default.max_examples // 4, 1) if settings.default else 25)
@given(
    before=PAIRS,
    wanted=PAIRS.filter(bool),
    meddled=PAIRS,
    removals=st.sampled_from(["never", "unenroll"]),
    again=st.sampled_from(["ignored", "second", "refused"]),
    delay=st.sampled_from([0.0, 2.0]),
    failures=st.lists(
        st.tuples(st.sampled_from(WRITES), st.sampled_from(sorted(FAULTS)), st.integers(1, 3)),
        max_size=3,
        unique_by=lambda failure: (failure[0], failure[2]),  # one reply goes wrong in one way
    ),
)
def test_the_account_is_as_wanted_or_the_report_says_what_differs(
    tmp_path_factory: pytest.TempPathFactory,
    school: Simulator,
    before: set[tuple[int, int]],
    wanted: set[tuple[int, int]],
    meddled: set[tuple[int, int]],
    removals: str,
    again: Any,
    delay: float,
    failures: list[tuple[str, str, int]],
) -> None:
    fill(school, before)
    account, folder = school.ispring, tmp_path_factory.mktemp("plan")
    account.enroll_again, account.read_delay_seconds = again, delay
    options: dict[str, Any] = {"match_by": "user_id", "max_changes": 99, "max_removals": "100%", "removals": removals}
    top = school.world.departments[0].id
    options["manage"] = {"department_ids": top, "course_ids": [course.id for course in account.courses]}
    runs = Runs(ISpringEnrollmentSyncOperator, folder, **options)
    rows = [
        {"user_id": account.users[user].id, "course_id": account.courses[course].id} for user, course in sorted(wanted)
    ]
    with fake_clock():
        plan = runs.plan(rows)
        shown = {(row["action"], row["personId"], row["courseId"]) for row in read_records(str(runs.plans))}
        assert enrolled(school) == before, "a plan changes nothing"
        for user, course in sorted(meddled):  # somebody enrolls people by hand, meanwhile
            if (user, course) not in enrolled(school):
                account.enroll(account.users[user], account.courses[course])
        handmade = enrolled(school)
        for call, name, on in failures:
            fault, is_before = FAULTS[name]
            account.fail(call, fault, on=on, before=is_before)
        apply_until_it_succeeds(runs, plan)
        report = [*read_records(str(runs.reports))]

        users = {user.id: number for number, user in enumerate(account.users)}
        courses = {course.id: number for number, course in enumerate(account.courses)}
        changed = enrolled(school) ^ handmade
        for row in report:
            pair = (users[row["personId"]], courses[row["courseId"]])
            if row["outcome"] in ("done", "already"):
                assert (pair in enrolled(school)) == (row["action"] == "enroll"), row
            else:
                assert row["outcome"] in ("skipped", "changed")
                assert pair not in changed
        planned = {(users[person], courses[course]) for action, person, course in shown if action != "skip"}
        assert changed <= planned, "nothing but what the plan shows"
        assert len(account.results()) == len(enrolled(school)), "nobody is enrolled twice"
        reachable = {pair for pair in wanted if pair[0] != USERS[-1]}  # the last one's account is blocked
        assert reachable <= enrolled(school)

        sent = writes(school)
        assert runs.apply(plan) == counts(report)
        second = runs.plan(rows)
        assert second["changes"].get("enroll", 0) == 0
        assert writes(school) == sent, "a second run sends nothing"


def apply_until_it_succeeds(runs: Runs, plan: dict[str, Any]) -> None:
    """As Airflow does with ``retries``."""
    for _ in range(3):
        try:
            runs.apply(plan)
        except AirflowException:
            continue
        return
    runs.apply(plan)


def counts(report: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in report:
        found[row["outcome"]] = found.get(row["outcome"], 0) + 1
    return found


def writes(lms: Simulator) -> int:
    return sum(request.call in WRITES for request in lms.ispring.requests)
