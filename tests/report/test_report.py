"""The report about completions."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from airflow_provider_lms.operators.ispring import (
    ISpringCourseResultsOperator,
    ISpringDepartmentsOperator,
    ISpringEnrollmentsOperator,
    ISpringModuleResultsOperator,
    ISpringUsersOperator,
)
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCourseProgressOperator, ZohoPeopleEmployeesOperator
from airflow_provider_lms.report import completion_report
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.storage import read_records
from tests.tasks import execute

Write = Callable[[str, list[dict[str, Any]]], str]
AS_OF = date(2026, 11, 30)  # a Monday


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows as a dataset; return its folder."""

    def make(name: str, rows: list[dict[str, Any]]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        columns = sorted({column for row in rows for column in row})
        manifest = {
            "version": 2, "resource": name, "format": "jsonl", "query": {}, "host": "https://lms.test",
            "schema": [{"name": column, "type": "any"} for column in columns],
            "run": {"dag_id": None, "task_id": None, "run_id": None, "map_index": None, "try_number": None},
            "started_at": "2026-11-30T00:00:00Z", "finished_at": "2026-11-30T00:00:00Z",
            "pages": 1, "records": len(rows), "complete": True,
            "files": [
                {"name": "part.jsonl", "records": len(rows), "bytes": (folder / "part.jsonl").stat().st_size,
                 "sha256": "0" * 64}
            ],
        }  # fmt: skip
        (folder / "_manifest.json").write_text(json.dumps(manifest))
        return str(folder)

    return make


def result(user: int, course: str = "a", status: str = "complete", **fields: Any) -> dict[str, Any]:
    return {"userId": f"user-{user}", "courseId": course, "courseTitle": f"Course {course}",
            "completionStatus": status, "isOverdue": False, "progress": 100, **fields}  # fmt: skip


def user(number: int, department: str = "d1", manager: str | None = "boss-1") -> dict[str, Any]:
    return {"userId": f"user-{number}", "departmentId": department,
            "fields": {"FIRST_NAME": "Ada", "LAST_NAME": f"Number{number}"},
            "subordination": {"supervisorId": manager} if manager else None}  # fmt: skip


def table(page: str, heading: str) -> list[list[str]]:
    """The figures of a section, row by row."""
    section = page[page.index(f"<h2>{heading}</h2>") :]
    section = section[: section.index("</section>")]
    body = re.search("<tbody>(.*?)</tbody>", section, re.S)
    rows = re.findall("<tr>(.*?)</tr>", body.group(1), re.S) if body else []
    return [re.findall("<td>(.*?)</td>", row) for row in rows]


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., str]:
    """Make a report; return the page."""

    def make(**options: Any) -> str:
        completion_report(str(tmp_path / "report.html"), **{"as_of": AS_OF, **options})
        return (tmp_path / "report.html").read_text()

    return make


def test_the_summary_counts_everything(write: Write, tmp_path: Path) -> None:
    rows = [result(number) for number in range(6)]
    rows += [result(6, status="in_progress", isOverdue=True, progress=10), result(7, status="failed", progress=90)]
    found = completion_report(str(tmp_path / "r.html"), results=write("results", rows), as_of=AS_OF)
    uri = found.pop("uri")
    assert uri.endswith("/r.html")
    assert found == {"learners": 8, "enrollments": 8, "completed": 6, "overdue": 1, "at_risk": 1}


def test_each_course_has_its_enrollments_by_progress(write: Write, report: Callable[..., str]) -> None:
    statuses = ["complete", "passed", "accepted", "in_progress", "pending", "incomplete", "not_started", "declined"]
    page = report(results=write("results", [result(n, status=status) for n, status in enumerate(statuses)]))
    assert table(page, "By course") == [["Course a", "8", "3", "3", "1", "1", "0", "0"]]


def test_of_several_enrollments_the_latest_counts(write: Write, report: Callable[..., str]) -> None:
    rows = [result(number) for number in range(5)]
    rows.append(result(0, status="failed", accessDate="2025-01-01T00:00:00Z"))
    rows.append(result(0, status="not_started", accessDate="2026-01-01T00:00:00Z"))
    assert table(report(results=write("results", rows)), "By course") == [
        ["Course a", "5", "4", "0", "1", "0", "0", "0"]
    ]


def test_departments_have_their_names(write: Write, report: Callable[..., str]) -> None:
    page = report(
        results=write("results", [result(number) for number in range(10)]),
        people=write("users", [user(number, "d1" if number < 5 else "d2") for number in range(10)]),
        departments=write("departments", [{"departmentId": "d1", "name": "Shops"}, {"departmentId": "d2", "name": ""}]),
    )
    assert [row[:3] for row in table(page, "By department")] == [["Shops", "5", "5"], ["d2", "5", "5"]]


def test_small_groups_are_merged(write: Write, report: Callable[..., str]) -> None:
    departments = ["d1"] * 6 + ["d2"] * 3 + ["d3"] * 2
    page = report(
        results=write("results", [result(number) for number in range(11)]),
        people=write("users", [user(number, each) for number, each in enumerate(departments)]),
    )
    assert [row[:2] for row in table(page, "By department")] == [["d1", "6"], ["Other departments", "5"]]


def test_a_group_joins_those_that_are_too_few_even_together(write: Write, report: Callable[..., str]) -> None:
    departments = ["d1"] * 7 + ["d2"] * 5 + ["d3"] * 2
    page = report(
        results=write("results", [result(number) for number in range(14)]),
        people=write("users", [user(number, each) for number, each in enumerate(departments)]),
    )
    assert [row[:2] for row in table(page, "By department")] == [["d1", "7"], ["Other departments", "7"]]


def test_groups_of_any_size_are_shown_with_people(write: Write, report: Callable[..., str]) -> None:
    options = {
        "results": write("results", [result(number) for number in range(3)]),
        "people": write("users", [user(number, f"d{number}") for number in range(3)]),
    }
    page = report(**options, show_people=True)
    assert [row[0] for row in table(page, "By department")] == ["d0", "d1", "d2"]
    with pytest.raises(ValueError, match="would be about 3 people"):
        report(**options)


def test_managers_are_numbered_and_learners_not_named(write: Write, report: Callable[..., str]) -> None:
    late: dict[str, Any] = {
        "status": "in_progress",
        "isOverdue": True,
        "progress": 10,
        "dueDate": "2026-11-01T00:00:00Z",
    }
    rows = [result(number, **late) for number in range(10)]
    staff = [user(number, manager="boss-1" if number < 5 else "boss-2") for number in range(10)]
    staff += [{**user(99), "userId": "boss-1"}]
    options = {"results": write("results", rows), "people": write("users", staff)}
    page = report(**options)
    assert table(page, "Overdue by manager") == [["Manager 1", "5", "5"], ["Manager 2", "5", "5"]]
    for private in ("user-", "boss-", "Ada", "Number"):
        assert private not in page

    named = report(**options, show_people=True)
    assert sorted(row[0] for row in table(named, "Overdue by manager")) == ["Ada Number99", "boss-2"]
    assert named.count("Ada Number1</td>") == 1


def test_weeks_begin_on_monday(write: Write, report: Callable[..., str]) -> None:
    dates = ["2026-11-30T00:00:00Z", "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-22T12:00:00Z", None]
    rows = [result(number, completionDate=moment) for number, moment in enumerate(dates)]
    weeks = table(report(results=write("results", rows)), "By week")
    assert weeks[-3:] == [["2026-11-16", "1"], ["2026-11-23", "2"], ["2026-11-30", "1"]]
    assert len(weeks) == 26


def test_certificates_expire_within_30_60_and_90_days(write: Write, report: Callable[..., str]) -> None:
    dates = ["2026-11-29", "2026-11-30", "2026-12-30", "2026-12-31", "2027-01-29", "2027-02-28", "2027-03-01", None]
    certificates = [
        {"enrollmentId": f"e{n}", "learnerId": f"user-{n}", "courseId": "a", "certExpiryDate": moment}
        for n, moment in enumerate(dates)
    ]
    page = report(
        results=write("results", [result(number) for number in range(8)]),
        enrollments=write("enrollments", certificates),
    )
    assert table(page, "Certificates that expire") == [["Course a", "2", "2", "1"]]


def test_certificates_of_too_few_people_are_not_shown(write: Write, report: Callable[..., str]) -> None:
    one = {"enrollmentId": "e", "learnerId": "user-1", "courseId": "a", "certExpiryDate": "2026-12-01"}
    results = write("results", [result(number) for number in range(8)])
    page = report(results=results, enrollments=write("enrollments", [one]))
    assert table(page, "Certificates that expire") == []
    assert "of too few people" in page


@pytest.mark.parametrize(
    ("fields", "at_risk"),
    [
        ({"status": "in_progress", "dueDate": "2026-12-14T00:00:00Z", "progress": 50}, 1),
        ({"status": "in_progress", "dueDate": "2026-12-15T00:00:00Z", "progress": 50}, 0),
        ({"status": "in_progress", "dueDate": "2026-12-14T00:00:00Z", "progress": 51}, 0),
        ({"status": "in_progress", "isOverdue": True, "progress": 99}, 1),
        ({"status": "complete", "isOverdue": True}, 0),
    ],
)
def test_at_risk_is_who_may_not_complete_in_time(
    write: Write, tmp_path: Path, fields: dict[str, Any], at_risk: int
) -> None:
    rows = [*(result(number) for number in range(5)), result(5, **fields)]
    found = completion_report(str(tmp_path / "r.html"), results=write("results", rows), as_of=AS_OF)
    assert found["at_risk"] == at_risk


def test_titles_are_text(write: Write, report: Callable[..., str]) -> None:
    rows = [result(number, courseTitle="<script> $\\frac{a$ &") for number in range(5)]
    page = report(results=write("results", rows), title="<b>Ours</b>")
    assert "<script>" not in page
    assert "&lt;b&gt;Ours&lt;/b&gt;" in page
    assert page.count("$\\frac{a$") >= 2


def test_the_page_needs_no_network(write: Write, report: Callable[..., str]) -> None:
    page = report(results=write("results", [result(number) for number in range(5)]))
    assert "<script" not in page
    loaded = re.findall(r'(?:src|href|url\()\s*=?\s*["\']?([^"\')\s>]+)', page)
    assert [each for each in loaded if not each.startswith("#")] == []


def test_the_same_figures_give_the_same_page(write: Write, report: Callable[..., str]) -> None:
    results = write("results", [result(number) for number in range(5)])
    assert report(results=results) == report(results=results)


@pytest.mark.parametrize("name", ["results", "people", "enrollments"])
def test_a_dataset_of_another_listing_is_refused(write: Write, report: Callable[..., str], name: str) -> None:
    given = {"results": write("results", [result(number) for number in range(5)])}
    given[name] = write("other", [{"groupId": "1"}])
    with pytest.raises(ValueError, match=f"^{name}: expected a dataset of"):
        report(**given)


def test_a_group_of_one_is_not_allowed_without_people(write: Write, report: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match=r"^smallest_group: must be at least 2"):
        report(results=write("results", [result(1)]), smallest_group=1)


def test_the_extra_is_named_where_it_is_missing(
    write: Write, report: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'airflow-provider-lms\[report\]'"):
        report(results=write("results", [result(number) for number in range(5)]))


def test_datasets_of_ispring_learn_go_in_as_operators_write_them(lms: Simulator, tmp_path: Path) -> None:
    tasks = {
        "results": ISpringCourseResultsOperator,
        "people": ISpringUsersOperator,
        "departments": ISpringDepartmentsOperator,
        "enrollments": ISpringEnrollmentsOperator,
    }
    given = {
        name: execute(kind(task_id=name, output_path=str(tmp_path / name), output_format="parquet"))
        for name, kind in tasks.items()
    }
    found = completion_report(str(tmp_path / "r.html"), **given)
    rows = lms.ispring.course_results()
    assert found["learners"] == len({row["userId"] for row in rows})
    assert found["completed"] == sum(row["completionStatus"] in ("complete", "passed", "accepted") for row in rows)
    page = (tmp_path / "r.html").read_text()
    assert not any(person.id in page or person.email in page for person in lms.ispring.users)


def test_module_results_are_refused(lms: Simulator, tmp_path: Path) -> None:
    modules = execute(ISpringModuleResultsOperator(task_id="t", output_path=str(tmp_path / "modules")))
    with pytest.raises(ValueError, match=r"^results: expected a dataset of course results"):
        completion_report(str(tmp_path / "r.html"), results=modules)


def test_datasets_of_zoho_people_go_in_as_well(lms: Simulator, tmp_path: Path) -> None:
    lms.zoho.limits.requests = 100_000
    course = lms.zoho.courses[0]
    for learner in lms.zoho.world.learners(course, (*course.batches, None)[0]):
        lms.zoho.finish(learner, course)
    results = [
        execute(ZohoPeopleCourseProgressOperator(task_id="t", course_id=each.id, output_path=str(tmp_path / each.id)))
        for each in lms.zoho.courses
    ]
    people = execute(ZohoPeopleEmployeesOperator(task_id="e", output_path=str(tmp_path / "employees")))
    found = completion_report(str(tmp_path / "r.html"), results=results, people=people)
    rows = [*read_records(results)]
    assert found["enrollments"] == len({(row["learnerId"], row["courseId"]) for row in rows})
    assert found["completed"] == sum(row["completionStatus"] == "completed" for row in rows) >= 3
    assert table((tmp_path / "r.html").read_text(), "By department") != []


def test_of_several_zoho_enrollments_the_latest_date_counts(write: Write, report: Callable[..., str]) -> None:
    def row(learner: int, percentage: int, date: str) -> dict[str, Any]:
        return {"learnerId": f"{learner}", "courseId": "a", "completionPercentage": percentage, "enrolledDate": date}

    rows = [row(number, 100, "05-Jan-2026") for number in range(5)]
    rows += [row(0, 0, "01-Mar-2026"), row(0, 100, "30-Jan-2025")]
    assert [each[2:5] for each in table(report(results=write("progress", rows)), "By course")] == [["4", "0", "1"]]


@pytest.mark.parametrize("as_of", ["2026-11-30", "2026-11-30T12:00:00+00:00", datetime(2026, 11, 30, 12, tzinfo=UTC)])
def test_the_day_may_be_text_or_a_datetime(write: Write, report: Callable[..., str], as_of: Any) -> None:
    page = report(results=write("results", [result(number) for number in range(5)]), as_of=as_of)
    assert "As of November 30, 2026." in page


def test_a_day_that_is_none_is_refused(write: Write, report: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match=r"^as_of: expected a datetime or an ISO 8601 text such as .*, got 'Monday'"):
        report(results=write("results", [result(number) for number in range(5)]), as_of="Monday")


def test_a_missing_column_is_named(write: Write, report: Callable[..., str]) -> None:
    rows = [{name: value for name, value in result(number).items() if name != "courseId"} for number in range(5)]
    with pytest.raises(ValueError, match=r"^results: expected .* with completionStatus, courseId, userId"):
        report(results=write("results", rows))


def test_nothing_is_not_reported(write: Write, report: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match=r"^results: there are no enrollments"):
        report(results=write("results", []), show_people=True)


def test_a_status_that_is_not_documented_is_not_known(write: Write, report: Callable[..., str]) -> None:
    rows = [*(result(number) for number in range(5)), result(5, status="paused")]
    page = report(results=write("results", rows))
    assert table(page, "By course") == [["Course a", "6", "5", "0", "0", "0", "1", "0"]]
    assert ">not known<" in page.replace("</text>", "<").replace(" <", "<")


def test_a_percentage_of_zoho_that_cannot_be_read_is_not_known(write: Write, report: Callable[..., str]) -> None:
    values = [0, 40, "40%", 100, "a few", None]
    rows = [
        {"learnerId": f"{number}", "courseId": "a", "completionPercentage": value}
        for number, value in enumerate(values)
    ]
    assert table(report(results=write("progress", rows)), "By course") == [["a", "6", "1", "2", "1", "0", "2", "0"]]


def test_learners_who_are_not_among_the_people_have_no_known_department(
    write: Write, report: Callable[..., str]
) -> None:
    page = report(
        results=write("results", [result(number) for number in range(10)]),
        people=write("users", [user(number) for number in range(5)]),
    )
    assert [row[:2] for row in table(page, "By department")] == [["Not known", "5"], ["d1", "5"]]


def test_dates_that_cannot_be_read_are_counted(write: Write, report: Callable[..., str]) -> None:
    certificates = [
        {"enrollmentId": f"e{n}", "learnerId": f"user-{n}", "courseId": "a", "certExpiryDate": moment}
        for n, moment in enumerate(["2026-12-01"] * 5 + ["soon"])
    ]
    rows = [result(number, completionDate="2026-11-30T00:00:00Z" if number else "lately") for number in range(6)]
    page = report(results=write("results", rows), enrollments=write("enrollments", certificates))
    assert "last 26 weeks. 1 without a date that could be read are left out." in page
    assert "Within 30, 60 and 90 days. 1 with a date that could not be read are left out." in page


def test_courses_with_the_same_figures_are_all_counted(write: Write, report: Callable[..., str]) -> None:
    rows = [result(number, f"course-{n:02}", courseTitle="Same") for n in range(25) for number in range(5)]
    shown = table(report(results=write("results", rows)), "By course")
    assert len(shown) == 21
    assert sum(int(row[2]) for row in shown) == 125
