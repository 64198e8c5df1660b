"""From HR's file to iSpring Learn and back, once a month: people, courses, due dates, certificates.

1. People get accounts, move to other departments, get managers, and lose access when they leave.
2. A rule says who needs which course until when, by department and by the day of hiring.
3. A sensor waits until everybody has completed the courses or is overdue. It holds no worker slot.
4. One file lists who is overdue, by manager. Another one tells HR who has completed what, with certificates.

HR's file is CSV with the columns ``number``, ``email``, ``login``, ``first_name``, ``last_name``, ``department``,
``department_since``, ``manager`` (a number), ``hired`` and ``active`` (yes or no). People are found by their number,
which is in the profile field ``EMPLOYEE_NO``. Only people in ``department_id`` and its sub-departments are changed. The
connection ``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, ObjectStoragePath, Param, task

from airflow_provider_lms.operators.ispring import (
    ISpringCertificatesOperator,
    ISpringCourseResultsOperator,
    ISpringEnrollmentsOperator,
    ISpringEnrollmentSyncOperator,
    ISpringPeopleSyncOperator,
    ISpringUsersOperator,
)
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor

DAY = "{{ params.day or ((data_interval_end | default(dag_run.run_after, true)) | ds) }}"
FOLDER = "{{ params.output }}/{{ run_id }}"
SCOPE = {"department_ids": "{{ params.department_id }}"}
COURSES = ["{{ params.yearly_course }}", "{{ params.department_course }}"]
COMPLETED = ("complete", "passed", "accepted")


def read_people(path: str) -> list[dict[str, str]]:
    # Spreadsheets write a mark before the first column, which utf-8-sig takes off.
    return list(csv.DictReader(ObjectStoragePath(path).read_text(encoding="utf-8-sig").splitlines()))


def write_rows(path: str, columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    with ObjectStoragePath(path).open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def month_after(day: str) -> date:
    return (date.fromisoformat(day).replace(day=1) + timedelta(days=32)).replace(day=1)


# [START ispring_journey_approve]
@task
def approve(plan: dict[str, Any]) -> str:
    """Return the hash of a small plan: whoever returns it approves the plan.

    Let a person approve where a mistake of HR's file would hurt: put ``SyncApprovalOperator`` in the place of this
    task. It also helps with the first plan, which is larger than all later ones.
    """
    removals = plan["changes"].get("deactivate", 0)
    if removals > 3 or sum(plan["changes"].values()) > 100:
        raise AirflowFailException(f"A person must look at this plan: {plan['plan']}")
    return str(plan["sha256"])


# [END ispring_journey_approve]


# [START ispring_journey_rule]
@task
def courses_by_rule(people: str, day: str, params: Any = None) -> list[dict[str, str]]:
    """Return who needs which course until when. Everybody who needs one is listed each time, and not only new people.

    The dates are the same in each month of the year. Otherwise each run would move due dates.
    """
    first, this_year = date.fromisoformat(params["since"]), date.fromisoformat(day).replace(month=1, day=1)

    def rows(person: dict[str, str]) -> Iterator[tuple[str, date, str]]:
        # Everybody, every year anew. A course that was begun in an earlier year is repeated once it is over.
        begin = max(first, month_after(person["hired"]), this_year)
        yield params["yearly_course"], begin, this_year.isoformat()
        if person["department"] == params["department"]:  # once, also for people who move there
            yield params["department_course"], max(first, month_after(person["department_since"])), ""

    return [
        {
            "number": person["number"],
            "course_id": course,
            "due_date": begin.replace(day=28).isoformat(),
            "enrolled_since": enrolled_since,
        }
        for person in read_people(people)
        if person["active"] == "yes"
        for course, begin, enrolled_since in rows(person)
        if begin.isoformat() <= day
    ]


# [END ispring_journey_rule]


@task
def overdue_by_manager(results: Any, users: Any, path: str) -> dict[str, int]:
    """Write who is overdue, and return how many people of each manager are. Everybody is named by number."""
    from airflow_provider_lms.storage import read_records

    people = {user["userId"]: user for user in read_records(users)}
    numbers = {user_id: user["fields"].get("EMPLOYEE_NO", "") for user_id, user in people.items()}
    rows = []
    for row in read_records(results):
        if row["isOverdue"] and row["completionStatus"] not in COMPLETED:
            manager = (people[row["userId"]].get("subordination") or {}).get("supervisorId")
            rows.append((numbers.get(manager, ""), numbers[row["userId"]], row["courseId"], row["dueDate"][:10]))
    write_rows(path, ("manager", "employee", "course_id", "due_date"), sorted(rows))
    managers = [row[0] for row in rows]
    return {manager: managers.count(manager) for manager in sorted({*managers})}


@task
def completions_for_hr(results: Any, users: Any, enrollments: Any, certificates: Any, path: str) -> str:
    """Write who has completed what, and where the certificate is. An address may open it for everybody."""
    from airflow_provider_lms.storage import read_records

    numbers = {user["userId"]: user["fields"].get("EMPLOYEE_NO", "") for user in read_records(users)}
    files = {row["issuedCertificateId"]: row["url"] for row in read_records(certificates)}
    issued = {row["enrollmentId"]: files.get(row.get("issuedCertificateId")) for row in read_records(enrollments)}
    rows = [
        (numbers[row["userId"]], row["courseId"], row["completionDate"][:10], issued.get(row["enrollmentId"]) or "")
        for row in read_records(results)
        if row["completionStatus"] in COMPLETED
    ]
    return write_rows(path, ("number", "course_id", "completed", "certificate"), sorted(rows))


def people_in_step(step: str) -> tuple[ISpringPeopleSyncOperator, ISpringPeopleSyncOperator]:
    """The task that compares HR's file with the LMS, and the one that applies the plan."""
    plan = ISpringPeopleSyncOperator(
        task_id=f"plan_{step}",
        desired="{{ params.people }}",
        match_by="fields.EMPLOYEE_NO",
        columns={"person": "number", "fields.FIRST_NAME": "first_name", "fields.LAST_NAME": "last_name"},
        manage=SCOPE,
        removals="deactivate",
        output_path=f"{FOLDER}/{step}_plan",
    )
    apply = ISpringPeopleSyncOperator(
        task_id=f"apply_{step}",
        mode="apply",
        plan=plan.output,
        approved_hash=approve.override(task_id=f"approve_{step}")(plan.output),
        output_path=f"{FOLDER}/{step}_report",
    )
    return plan, apply


with DAG(
    dag_id="ispring_employee_journey",
    description="From HR's file to iSpring Learn and back, once a month",
    schedule="0 6 1 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "people": Param("/tmp/lms/people.csv", type="string", description="HR's file: a path or a URL"),  # noqa: S108
        "output": Param("file:///tmp/lms/journey", type="string", description="Folder for plans, reports and files"),
        "department_id": Param("", type="string", description="The department whose people are managed: its id"),
        "yearly_course": Param("", type="string", description="Course that everybody needs each year: its id"),
        "department": Param("Sales", type="string", description="Department that needs a course more: as HR calls it"),
        "department_course": Param("", type="string", description="The course that this department needs: its id"),
        "since": Param("2026-01-01", type="string", description="No due date is before the end of this month"),
        "day": Param(None, type=["null", "string"], description="The day that a run is for, if not its own"),
    },
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:
    # Managers may be new themselves. So the first plan makes the accounts, and the second one sets the managers.
    plan_people, apply_people = people_in_step("people")
    plan_managers, apply_managers = people_in_step("managers")

    plan_courses = ISpringEnrollmentSyncOperator(
        task_id="plan_courses",
        desired=courses_by_rule("{{ params.people }}", DAY),
        match_by="fields.EMPLOYEE_NO",
        columns={"person": "number"},
        manage=SCOPE,
        output_path=f"{FOLDER}/courses_plan",
    )
    apply_courses = ISpringEnrollmentSyncOperator(
        task_id="apply_courses",
        mode="apply",
        plan=plan_courses.output,
        approved_hash=approve.override(task_id="approve_courses")(plan_courses.output),
        output_path=f"{FOLDER}/courses_report",
    )

    # Whoever is overdue is not waited for. A course that nobody completes is waited for until the end of the month.
    waits = [
        ISpringCourseCompletionSensor(
            task_id=f"wait_for_{name}",
            course_id=course,
            department_ids="{{ params.department_id }}",
            on_overdue="ignore",
            on_blocked="ignore",
            poke_interval=timedelta(hours=6),
            timeout=timedelta(days=27),
            soft_fail=True,
            deferrable=True,
        )
        for name, course in zip(("yearly_course", "department_course"), COURSES, strict=True)
    ]

    # A wait that has timed out is skipped. What follows runs all the same.
    after = {"trigger_rule": "none_failed"}
    results = ISpringCourseResultsOperator(
        task_id="results",
        course_ids=COURSES,
        department_ids="{{ params.department_id }}",
        output_path=f"{FOLDER}/results",
        **after,
    )
    users = ISpringUsersOperator(task_id="users", output_path=f"{FOLDER}/users", **after)
    enrollments = ISpringEnrollmentsOperator(
        task_id="enrollments", course_ids=COURSES, output_path=f"{FOLDER}/enrollments", **after
    )
    certificates = ISpringCertificatesOperator(
        task_id="certificates", course_ids=COURSES, output_path=f"{FOLDER}/certificates", **after
    )
    overdue_by_manager(results.output, users.output, f"{FOLDER}/overdue.csv")
    completions_for_hr(
        results.output, users.output, enrollments.output, certificates.output, f"{FOLDER}/completions.csv"
    )

    apply_people >> plan_managers
    apply_managers >> plan_courses
    for wait in waits:
        apply_courses >> wait >> [results, users, enrollments, certificates]
