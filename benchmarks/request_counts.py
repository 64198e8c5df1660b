"""``python -m benchmarks.request_counts``: the requests of operators, sensors and watchers, and the fewest possible.

The simulated account is a tenth of one with 10,000 learners and 200 courses, and so are iSpring Learn's pages (100 rows
in place of 1,000). So a listing of learners or of one course takes as many requests as with the larger account.
``--learners 10000 --courses 200`` takes the larger account itself, and more than half an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.ispring_rows import certificate_of
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.world import Result

FEW = 10
"""So many learners are named to a sensor, and so many courses have results."""


class _Account(World):
    """An account with results only in the courses that are read: those of 200 courses would take 3.6 GB."""

    @cached_property
    def module_results(self) -> tuple[Result, ...]:
        return World(users=self.users, courses=FEW, blocked=self.blocked).module_results


@dataclass(frozen=True)
class Case:
    """Something that sends requests.

    :param run: does it, in a folder.
    :param least: the fewest requests that can do it.
    :param made_of: what these requests are.
    """

    name: str
    run: Callable[[str], object]
    least: int
    made_of: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_counts")
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--courses", type=int, default=20)
    options = parser.parse_args()
    table = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the log is no part of the table
    # Each of iSpring's listings of one course has ten pages, whatever the account's size.
    world, rows = _Account(users=options.learners, courses=options.courses), options.learners // 10
    with Simulator(world) as lms, tempfile.TemporaryDirectory() as folder:
        lms.zoho.limits.requests = 1_000_000
        os.environ["AIRFLOW_HOME"] = f"{folder}/airflow"
        ispring = lms.connection()
        ispring.setdefault("extra", {})["page_size"] = rows
        os.environ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT"] = json.dumps(ispring)
        os.environ["AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT"] = json.dumps(lms.connection("zoho_people"))
        for title, vendor, cases in (
            ("iSpring Learn", lms.ispring, _ispring(lms, rows)),
            ("Zoho People", lms.zoho, _zoho(lms)),
        ):
            print(f"{title}:\n\n| | requests | minimum | ratio | the minimum |\n|---|---|---|---|---|", file=table)
            for number, case in enumerate(cases):
                sent = _requests(vendor, case, f"{folder}/{vendor.__class__.__name__}-{number}")
                row = f"| {case.name} | {sent:,} | {case.least:,} | {sent / case.least:.2f} | {case.made_of} |"
                print(row, file=table, flush=True)
            print(file=table, flush=True)
    return 0


def _requests(vendor: Vendor, case: Case, folder: str) -> int:
    """The requests of a case, without those for tokens."""
    vendor.requests.clear()
    case.run(folder)
    return sum(not request.call.endswith("/token") for request in vendor.requests)


def _pages(rows: int, size: int) -> int:
    return max(1, -(-rows // size))


def _ispring(lms: Simulator, size: int) -> Iterator[Case]:
    from airflow_provider_lms.operators import ispring as operators
    from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor

    world = lms.world
    learners, courses = world.users, [each.id for each in lms.ispring.courses]
    course, users = courses[0], [each.id for each in lms.ispring.users]
    of_course, modules = _pages(learners, size), world.modules

    def reads(operator: Any, **parameters: Any) -> Callable[[str], object]:
        return lambda folder: operator(task_id="t", output_path=folder, **parameters).execute({})

    some = courses[:FEW]
    of_some = _pages(learners * FEW, size)
    yield Case("ISpringUsersOperator", reads(operators.ISpringUsersOperator), of_course, "full pages")
    yield Case("ISpringDepartmentsOperator", reads(operators.ISpringDepartmentsOperator), 1, "one page")
    yield Case("ISpringCoursesOperator", reads(operators.ISpringCoursesOperator), 1, "one page")
    yield Case(
        "ISpringCourseModulesOperator",
        reads(operators.ISpringCourseModulesOperator),
        1 + len(courses),
        "the courses, and one for each",
    )
    for name, operator, rows in (
        ("ISpringEnrollmentsOperator", operators.ISpringEnrollmentsOperator, learners),
        ("ISpringCourseResultsOperator", operators.ISpringCourseResultsOperator, learners),
        ("ISpringModuleResultsOperator", operators.ISpringModuleResultsOperator, learners * modules),
    ):
        one, several = _pages(rows, size), _pages(rows * FEW, size)
        yield Case(f"{name}, 1 course", reads(operator, course_ids=course), one, "full pages")
        yield Case(f"{name}, {FEW} courses", reads(operator, course_ids=some), several, "full pages")
        yield Case(
            f"{name}, {FEW} courses, parallel_requests={FEW}",
            reads(operator, course_ids=some, parallel_requests=FEW),
            several,
            "full pages",
        )
    yield Case(
        f"ISpringCourseResultsOperator, {FEW} courses, user_ids of all",
        reads(operators.ISpringCourseResultsOperator, course_ids=some, user_ids=users),
        of_some,
        "full pages; more if the ids do not fit into one URL",
    )

    def mapped(folder: str) -> None:
        operators.ISpringCoursesOperator(task_id="t", output_path=folder).execute({})
        for number, each in enumerate(some):
            run = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": number, "try_number": 1}
            # A task asks for a link only where it can push it.
            context: Any = {"ti": SimpleNamespace(**run, xcom_push=lambda **_: None)}
            path = f"{folder}/{number}"
            operators.ISpringCourseResultsOperator(task_id="t", course_ids=each, output_path=path).execute(context)

    yield Case(
        f"ISpringCoursesOperator, and ISpringCourseResultsOperator mapped over {FEW} courses, with their links",
        mapped,
        1 + FEW * of_course,
        "the courses, and full pages",
    )

    named = users[:FEW]
    certificates = [each for each in lms.ispring.results() if each.user.id in named and certificate_of(each)]
    yield Case(
        f"ISpringCertificatesOperator, {FEW} learners",
        reads(operators.ISpringCertificatesOperator, learner_ids=named),
        _pages(FEW * FEW, size) + len(certificates),
        "the enrollments in full pages, and one for each certificate",
    )
    yield Case(
        "ISpringListingOperator, course_results of 1 course",
        reads(operators.ISpringListingOperator, listing="course_results", filters={"course_ids": [course]}),
        of_course,
        "full pages",
    )
    yield Case(
        "ISpringListingOperator, group_members",
        reads(operators.ISpringListingOperator, listing="group_members"),
        1 + len(world.groups),
        "the groups, and one for each",
    )
    yield Case(
        "ISpringListingOperator, training_sessions",
        reads(operators.ISpringListingOperator, listing="training_sessions"),
        1 + len(courses) + len(world.trainings),
        "the courses, the modules of each, and one for each training",
    )

    def sensor(**parameters: Any) -> ISpringCourseCompletionSensor:
        return ISpringCourseCompletionSensor(task_id="t", course_id=course, **parameters)

    yield from _sensors(
        lms.ispring,
        sensor,
        "ISpringCourseCompletionSensor",
        "user_ids",
        users,
        _pages(learners - world.blocked, size) + _pages(world.blocked, size),
        1,
        pages="full pages of the active learners, and of the others",
        pages_of_few="one page",
    )
    yield Case(
        "CourseCompletionEventTrigger, a poll", lambda _: _poll(lms.ispring, "ispring_learn", course), 1, "what is new"
    )


def _zoho(lms: Simulator) -> Iterator[Case]:
    from airflow_provider_lms.operators import zoho_people as operators
    from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor

    zoho, size = lms.zoho, lms.zoho.page_size
    plain = next(each for each in zoho.courses if not each.batches)
    blended = next(each for each in zoho.courses if each.batches)
    learners = [each.id for each in zoho.world.learners(plain, None)]
    of_plain = _pages(len(learners), size)
    of_blended = sum(_pages(len(zoho.world.learners(blended, each)), size) for each in blended.batches)

    def reads(operator: Any, **parameters: Any) -> Callable[[str], object]:
        return lambda folder: operator(task_id="t", output_path=folder, **parameters).execute({})

    listed = _pages(len(zoho.courses), size)
    mixed = [each for each in zoho.courses if each.batches]
    modules = len(zoho.courses) - len(mixed) + sum(len(each.batches) for each in mixed)
    yield Case("ZohoPeopleCoursesOperator", reads(operators.ZohoPeopleCoursesOperator), listed, "full pages")
    yield Case(
        "ZohoPeopleBatchesOperator, 1 course",
        reads(operators.ZohoPeopleBatchesOperator, course_id=blended.id),
        1,
        "one page",
    )
    yield Case(
        "ZohoPeopleCourseModulesOperator",
        reads(operators.ZohoPeopleCourseModulesOperator),
        listed + len(zoho.courses) + modules,
        "the courses, the batches of each, the modules of each course or batch",
    )
    employees = _pages(len(zoho.world.everyone) + 1, zoho.form_page_size)
    yield Case(
        "ZohoPeopleEmployeesOperator",
        reads(operators.ZohoPeopleEmployeesOperator),
        employees,
        "full pages, and the end of the list",
    )
    for name, course, pages in (("self-paced", plain, of_plain), ("blended", blended, of_blended)):
        for parallel in (1, 4):
            suffix = f", parallel_requests={parallel}" if parallel > 1 else ""
            yield Case(
                f"ZohoPeopleCourseProgressOperator, a {name} course{suffix}",
                reads(operators.ZohoPeopleCourseProgressOperator, course_id=course.id, parallel_requests=parallel),
                1 + pages,
                "the batches, and full pages",
            )
    for parallel in (1, 4):
        suffix = f", parallel_requests={parallel}" if parallel > 1 else ""
        yield Case(
            f"ZohoPeopleEntityProgressOperator, 2 types{suffix}",
            reads(
                operators.ZohoPeopleEntityProgressOperator,
                course_id=plain.id,
                entity_types=["links", "online_tests"],
                parallel_requests=parallel,
            ),
            1 + of_plain + 2 * len(learners),
            "the batches, the learners in full pages, and one for each learner and type",
        )

    plans, of_plan = zoho.rows.plans(), zoho.rows.learners_of_plan(0)
    plan = str(plans[0]["planId"])
    in_plans = {each.id for number in range(len(plans)) for each in zoho.rows.learners_of_plan(number)}
    in_plan = len(zoho.rows.plan_courses(of_plan[0], 0))
    yield Case(
        "ZohoPeopleLearningPlanProgressOperator, 1 plan",
        reads(operators.ZohoPeopleLearningPlanProgressOperator, plan_ids=plan),
        1 + len(of_plan),
        "the plan's learners, and one for each",
    )
    yield Case(
        f"ZohoPeopleLearningPlanProgressOperator, all {len(plans)} plans",
        reads(operators.ZohoPeopleLearningPlanProgressOperator),
        1 + len(plans) + len(in_plans),
        "the plans, the learners of each, and one for each learner",
    )
    yield Case(
        "ZohoPeopleListingOperator, learning_plan_courses of 1 learner",
        reads(
            operators.ZohoPeopleListingOperator,
            listing="learning_plan_courses",
            filters={"learner_id": of_plan[0].id, "plan_id": plan},
        ),
        _pages(in_plan, 100),
        "pages of 100",
    )
    yield Case(
        "ZohoPeopleListingOperator, course_progress of a self-paced course",
        reads(operators.ZohoPeopleListingOperator, listing="course_progress", filters={"course_id": plain.id}),
        of_plain,
        "full pages",
    )
    yield Case(
        "ZohoPeopleListingOperator, sessions",
        reads(operators.ZohoPeopleListingOperator, listing="sessions"),
        listed + len(zoho.courses) + sum(len(each.batches) for each in mixed),
        "the courses, the batches of each, and one for each batch",
    )

    zoho.finish(zoho.world.learners(plain, None)[0], plain)

    def sensor(**parameters: Any) -> ZohoPeopleCourseCompletionSensor:
        return ZohoPeopleCourseCompletionSensor(task_id="t", course_id=plain.id, **parameters)

    yield from _sensors(
        zoho,
        sensor,
        "ZohoPeopleCourseCompletionSensor",
        "learner_ids",
        learners,
        of_plain,
        min(of_plain, FEW),
        extra=1,
        pages="the batches, and full pages",
        pages_of_few="the batches, and one for each learner",
    )
    yield Case(
        "CourseCompletionEventTrigger, a poll",
        lambda _: _poll(zoho, "zoho_people", plain.id),
        1 + of_plain,
        "the batches, and full pages",
    )


def _sensors(
    vendor: Vendor,
    sensor: Callable[..., Any],
    name: str,
    ids: str,
    learners: list[str],
    whole: int,
    few: int,
    extra: int = 0,
    *,
    pages: str,
    pages_of_few: str,
) -> Iterator[Case]:
    """Pokes that are met and pokes that are not.

    :param sensor: makes one.
    :param ids: its parameter that names learners.
    :param whole: requests for the whole course.
    :param few: requests for a few learners.
    :param extra: requests of each reading before these.
    :param pages: what the requests for the whole course are, and ``pages_of_few`` those for a few learners.
    """
    # Spread over the course, as they are in reality.
    open_for_few = {ids: learners[:: len(learners) // FEW][:FEW], "required_share": 1.0}

    def poke(**parameters: Any) -> Callable[[str], object]:
        return lambda _: sensor(**parameters).poke({})

    def poke_again(_: str) -> object:
        found = sensor(**open_for_few)
        found.poke({})
        vendor.requests.clear()
        return found.poke({})

    yield Case(f"{name}, whole course, open", poke(required_share=1.0), extra + whole, pages)
    met = f"{pages}, twice to confirm"
    yield Case(f"{name}, whole course, met", poke(required_count=1), 2 * (extra + whole), met)
    yield Case(f"{name}, {FEW} learners, open, first poke", poke(**open_for_few), extra + few, pages_of_few)
    yield Case(f"{name}, {FEW} learners, open, second poke", poke_again, extra + few, pages_of_few)


def _poll(vendor: Vendor, conn_type: str, course: str) -> object:
    """A poll of a watcher. The first one, which also checks whether the course exists, is not counted."""
    from airflow_provider_lms import clock
    from airflow_provider_lms.hooks.connection import resolve
    from airflow_provider_lms.lms.course.read_flow import run_flow
    from airflow_provider_lms.lms.course.readers import CompletionsQuery
    from airflow_provider_lms.triggers.connections import completions_reader

    connection = asyncio.run(resolve(f"{conn_type}_default"))
    reader = completions_reader(conn_type, connection, CompletionsQuery(course_id=course, completed_statuses=None))
    try:
        run_flow(reader.read_flow(clock.utcnow() - timedelta(hours=24)))
        vendor.requests.clear()
        return run_flow(reader.read_flow(clock.utcnow() - timedelta(hours=24)))
    finally:
        reader.close()


if __name__ == "__main__":
    raise SystemExit(main())
