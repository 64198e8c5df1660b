"""The example of the whole journey: a year in a company, month by month."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms import clock
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.people import ACTIVE, BLOCKED, User
from airflow_provider_lms.testing import FakeClock
from dev.airflow_api import FINISHED
from dev.standalone import Airflow

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "example_dags"
EXAMPLE = "ispring_employee_journey"
NORTH, SOUTH = "Shops north", "Shops south"
COLUMNS = (
    "number",
    "email",
    "login",
    "first_name",
    "last_name",
    "department",
    "department_since",
    "manager",
    "hired",
    "active",
)


class Calendar(FakeClock):
    """Time that passes only when something sleeps. On some days, something happens meanwhile."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._coming: list[tuple[datetime, Callable[[], object]]] = []

    def on(self, day: str, action: Callable[[], object]) -> None:
        """Let something happen at noon of a day."""
        self._coming.append((datetime.fromisoformat(f"{day}T12:00+00:00"), action))

    def until(self, moment: datetime) -> None:
        """Let time pass."""
        self.advance((moment - self.utcnow()).total_seconds())

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        while due := [each for each in self._coming if each[0] <= self.utcnow()]:
            self._coming.remove(due[0])
            due[0][1]()


class Company:
    """A company whose shops are managed, with HR's file and an LMS.

    Everybody in the shops is known to HR by a number, ``E1`` and so on, and is in none of the two courses yet.
    """

    def __init__(self, lms: Simulator, calendar: Calendar, folder: Path) -> None:
        self.lms, self.calendar, self.folder = lms, calendar, folder
        self.yearly, self.of_north = lms.ispring.courses
        self.shops = lms.world.departments[2]
        names = {each.id: each.name for each in lms.world.departments if self.shops.id in (each.id, each.parent_id)}
        employed = [user for user in lms.ispring.users if user.department_id in names]
        self.numbers = {user.id: f"E{number}" for number, user in enumerate(employed, 1)}
        for user in employed:
            for course in lms.ispring.courses:
                lms.ispring.unenroll(user, course)
        # Nobody reports to somebody outside of the shops.
        boss = employed[0].id
        lms.ispring.state.change_users(
            replace(
                user,
                profile=(("EMPLOYEE_NO", self.numbers[user.id]),),
                subordination=replace(user.subordination, type="manual", supervisor_id=boss)
                if user.id != boss
                else user.subordination,
            )
            for user in employed
        )
        self.file: dict[str, dict[str, str]] = {
            self.numbers[user.id]: {
                "number": self.numbers[user.id],
                "email": user.email,
                "login": user.login,
                "first_name": user.first_name,
                "last_name": user.last_name,
                "department": names[user.department_id],
                "department_since": "2020-05-04",
                "manager": "" if user.id == boss else "E1",
                "hired": "2020-05-04",
                "active": "yes",
            }
            for user in employed
        }

    def user(self, number: str) -> User:
        (found,) = [user for user in self.lms.ispring.users if ("EMPLOYEE_NO", number) in user.profile]
        return found

    def in_department(self, name: str) -> list[str]:
        return [number for number, row in self.file.items() if row["department"] == name]

    def complete(self, day: str, course: Any, *numbers: str) -> None:
        """Let people complete a course on a day."""
        self.calendar.on(
            day, lambda: self.lms.controls.complete(course.id, learner_ids=[self.user(each).id for each in numbers])
        )

    def mark_overdue(self, course: Any, number: str) -> None:
        """Let the LMS call somebody overdue, as it may do with people who have completed a course late."""
        state = self.lms.ispring.state
        (enrollment,) = state.enrollments_of(self.user(number).id, course.id)
        state.change_enrollment(enrollment.enrollment_id, lambda row: replace(row, overdue=True))

    def conf(self, day: str) -> dict[str, str]:
        """Write HR's file; return the parameters of a run for a day."""
        path = self.folder / "people.csv"
        with path.open("w", newline="", encoding="utf-8-sig") as file:  # as spreadsheets do
            rows = csv.DictWriter(file, COLUMNS)
            rows.writeheader()
            rows.writerows(self.file.values())
        return {
            "people": str(path),
            "output": f"file://{self.folder}",
            "department_id": self.shops.id,
            "yearly_course": self.yearly.id,
            "department": NORTH,
            "department_course": self.of_north.id,
            "since": "2026-02-01",
            "day": day,
        }

    def run(self, day: str, dag: Any) -> Path:
        """Run the DAG for a day, from that morning until everybody has completed the courses or is overdue.

        :return: the folder that it has written to.
        """
        morning = datetime.fromisoformat(f"{day}T06:00+00:00")
        if self.calendar.utcnow() < morning:
            self.calendar.until(morning)
        run = dag.test(run_conf=self.conf(day))
        states = {each.task_id: str(each.state) for each in run.get_task_instances()}
        assert set(states.values()) == {"success"}, states
        return self.folder / str(run.run_id)

    def dues(self, course: Any) -> dict[str, list[str]]:
        """The due dates of everybody in the shops who is or was in a course."""
        found: dict[str, list[str]] = {}
        for row in sorted(self.lms.ispring.results(), key=lambda row: row.access):
            number = dict(row.user.profile).get("EMPLOYEE_NO")
            if number and row.course.id == course.id and row.due is not None:
                found.setdefault(number, []).append(f"{row.due:%Y-%m-%d}")
        return found

    def of_others(self) -> list[Any]:
        """The people outside of the shops, and their enrollments."""
        others = [user for user in self.lms.ispring.users if not dict(user.profile).get("EMPLOYEE_NO")]
        ids = {user.id for user in others}
        return [others, [replace(row, overdue=False) for row in self.lms.ispring.results() if row.user.id in ids]]


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    calendar = Calendar(datetime(2026, 2, 1, 6, tzinfo=UTC))
    before = clock.replace(calendar)
    try:
        with Simulator(World(users=40, courses=2, modules=1, blocked=0, as_of=calendar.utcnow().date())) as lms:
            monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
            yield Company(lms, calendar, tmp_path)
    finally:
        clock.replace(before)


@pytest.fixture
def company_of_today(tmp_path: Path) -> Iterator[Company]:
    """A company whose days pass as everywhere."""
    with Simulator(World(users=15, courses=2, modules=1, blocked=0)) as lms:
        yield Company(lms, Calendar(clock.utcnow()), tmp_path)


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example. A task that fails fails the test, and not only after some real minutes."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    found = import_module(EXAMPLE).dag
    for task in found.tasks:
        task.retries = 0
    return found


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("database")
def test_a_year_of_the_journey(company: Company, dag: Any) -> None:
    lms, others = company.lms, company.of_others()
    north, everybody = company.in_department(NORTH), [*company.file]
    mover, leaver = company.in_department(SOUTH)[:2]
    slow = company.in_department(SOUTH)[2]  # never completes anything
    punctual = [number for number in everybody if number != slow]

    # February: everybody is enrolled.
    company.complete("2026-02-10", company.yearly, *punctual)
    company.complete("2026-02-11", company.of_north, *north)
    company.calendar.on("2026-02-12", lambda: company.mark_overdue(company.yearly, punctual[1]))
    folder = company.run("2026-02-01", dag)
    assert rows_of(folder / "overdue.csv") == [
        {"manager": "E1", "employee": slow, "course_id": company.yearly.id, "due_date": "2026-02-28"}
    ]

    # March: somebody new has come to the north.
    company.file["E99"] = {
        **company.file[slow],
        "number": "E99",
        "email": "new@example.com",
        "login": "new",
        "first_name": "Noor",
        "last_name": "Neu",
        "department": NORTH,
        "department_since": "2026-02-16",
        "manager": mover,
        "hired": "2026-02-16",
    }
    company.complete("2026-03-15", company.yearly, "E99")
    company.complete("2026-03-16", company.of_north, "E99")
    company.run("2026-03-01", dag)

    # April: one moves to the north, and one leaves.
    company.file[mover] |= {"department": NORTH, "department_since": "2026-03-10", "manager": "E99"}
    company.file[leaver]["active"] = "no"
    folder = company.run("2026-04-01", dag)
    assert [(row["manager"], row["employee"], row["due_date"]) for row in rows_of(folder / "overdue.csv")] == sorted(
        [("E1", slow, "2026-02-28"), ("E99", mover, "2026-04-28")]
    )

    # The same day once more.
    before, requests = (lms.ispring.users, [*lms.ispring.results()]), len(lms.ispring.requests)
    again = company.run("2026-04-01", dag)
    assert (lms.ispring.users, [*lms.ispring.results()]) == before
    calls = {request.call for request in lms.ispring.requests[requests:]}
    assert {call for call in calls if not call.startswith("GET ")} <= {"POST /api/v3/token"}
    for name in ("overdue.csv", "completions.csv"):
        assert (again / name).read_text() == (folder / name).read_text()

    # January: everybody once more.
    company.complete("2027-01-12", company.yearly, *(each for each in (*punctual, "E99") if each != leaver))
    folder = company.run("2027-01-01", dag)

    for number, row in company.file.items():
        user = company.user(number)
        assert user.status == (BLOCKED if row["active"] == "no" else ACTIVE)
        assert (user.email, user.login, user.first_name, user.last_name) == tuple(
            row[name] for name in ("email", "login", "first_name", "last_name")
        )
        department = next(each for each in lms.world.departments if each.id == user.department_id)
        assert department.name == row["department"]
        if row["manager"]:
            assert user.supervisor_id == company.user(row["manager"]).id
    assert len([user for user in lms.ispring.users if dict(user.profile).get("EMPLOYEE_NO")]) == len(company.file)

    twice = {number: ["2026-02-28", "2027-01-28"] for number in punctual}
    assert company.dues(company.yearly) == twice | {
        "E99": ["2026-03-28", "2027-01-28"],
        leaver: ["2026-02-28"],
        slow: ["2026-02-28"],
    }
    assert company.dues(company.of_north) == {number: ["2026-02-28"] for number in north} | {
        "E99": ["2026-03-28"],
        mover: ["2026-04-28"],
    }

    still_here = [number for number in punctual if number != leaver]
    found = rows_of(folder / "completions.csv")
    assert sorted((row["number"], row["course_id"], row["completed"]) for row in found) == sorted(
        [
            *((number, company.yearly.id, "2026-02-10") for number in still_here),
            *((number, company.of_north.id, "2026-02-11") for number in north),
            ("E99", company.yearly.id, "2026-03-15"),
            ("E99", company.of_north.id, "2026-03-16"),
            *((number, company.yearly.id, "2027-01-12") for number in (*still_here, "E99")),
        ]
    )
    assert len({row["certificate"] for row in found}) == len(found)
    assert all(row["certificate"].startswith("http") for row in found)

    assert company.of_others() == others
    assert others[0]
    assert lms.ispring.invitations == []


def test_a_month_of_the_journey_in_a_running_airflow(company_of_today: Company, tmp_path: Path) -> None:
    company, lms = company_of_today, company_of_today.lms
    north, (late, *_) = company.in_department(NORTH), company.in_department(SOUTH)
    punctual = [number for number in company.file if number != late]
    # All due dates are in the next month, whatever day it is.
    day = (clock.utcnow().replace(day=1) + timedelta(days=32)).strftime("%Y-%m-01")
    dags = tmp_path / "dags"
    dags.mkdir()
    example = (EXAMPLES / f"{EXAMPLE}.py").read_text()
    assert "timedelta(hours=6)" in example
    (dags / f"{EXAMPLE}.py").write_text(example.replace("timedelta(hours=6)", "timedelta(seconds=2)"))
    waits = ("wait_for_yearly_course", "wait_for_department_course")
    with Airflow(tmp_path / "airflow", dags, {"ispring_learn_default": lms.connection()}) as airflow:
        run = airflow.trigger(EXAMPLE, {**company.conf(day), "since": day})

        def states(*names: str) -> set[str | None]:
            return {each["state"] for each in airflow.tasks(run) if each["task_id"] in names}

        airflow.wait_until("the sensors wait in the triggerer", lambda: states(*waits) == {"deferred"}, 180)
        assert set(company.dues(company.yearly)) == {*company.file}
        lms.controls.complete(company.yearly.id, learner_ids=[company.user(each).id for each in punctual])
        lms.controls.complete(company.of_north.id, learner_ids=[company.user(each).id for each in north])
        airflow.wait_until("nobody is waited for in the north", lambda: states(waits[1]) == {"success"}, 60)
        assert states(waits[0]) == {"deferred"}
        lms.controls.move_clock(timedelta(days=62).total_seconds())
        airflow.wait_until("the run is over", lambda: airflow.call("GET", run)["state"] in FINISHED, 120)
        assert airflow.call("GET", run)["state"] == "success"
    (folder,) = (path.parent for path in tmp_path.glob("*/overdue.csv"))
    assert [row["employee"] for row in rows_of(folder / "overdue.csv")] == [late]
    assert sorted(row["number"] for row in rows_of(folder / "completions.csv")) == sorted([*punctual, *north])
