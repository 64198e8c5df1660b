"""The iSpring operators, run as an author's unit test runs them: no database, a connection from the environment."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_lms.lms.errors import LmsBadRequest, LmsTruncatedPage
from airflow_provider_lms.operators.ispring import (
    ISpringCertificatesOperator,
    ISpringCourseModulesOperator,
    ISpringCourseResultsOperator,
    ISpringCoursesOperator,
    ISpringEnrollmentsOperator,
    ISpringModuleResultsOperator,
    ISpringUsersOperator,
)
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.manifest import DatasetConflict
from tests.conftest import RESULTS
from tests.rows import delivered, present
from tests.tasks import execute

OPERATORS = (
    ISpringModuleResultsOperator,
    ISpringCourseResultsOperator,
    ISpringCoursesOperator,
    ISpringUsersOperator,
)


def context(map_index: int = -1, try_number: int = 1) -> Any:
    ti = SimpleNamespace(
        dag_id="dag",
        task_id="task",
        run_id="run",
        map_index=map_index,
        try_number=try_number,
        xcom_push=lambda **_: None,
    )
    return {"ti": ti}


def test_without_a_path_the_records_are_returned_as_plain_dicts(lms: Simulator) -> None:
    found = execute(ISpringModuleResultsOperator(task_id="t"))
    assert present(found) == delivered(lms.ispring.module_results())
    assert found[0].keys() >= {"completionDate", "passingScore"}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("operator", "rows"),
    [
        (ISpringCourseResultsOperator, lambda lms: len(lms.ispring.course_results())),
        (ISpringCoursesOperator, lambda lms: len(lms.ispring.courses)),
        (ISpringUsersOperator, lambda lms: len(lms.ispring.users)),
    ],
)
def test_every_listing_has_an_operator(lms: Simulator, operator: Any, rows: Any, tmp_path: Path) -> None:
    assert len(execute(operator(task_id="t"))) == rows(lms)
    summary = execute(operator(task_id="t", output_path=str(tmp_path)))
    assert summary["records"] == rows(lms)
    assert summary["resource"] == operator(task_id="t").declaration().name


def test_with_a_path_a_dataset_is_written_and_its_summary_returned(lms: Simulator, tmp_path: Path) -> None:
    course = lms.ispring.courses[0]
    operator = ISpringModuleResultsOperator(
        task_id="t",
        course_ids=course.id,
        completion_date_start=datetime(2020, 1, 1),
        output_path=ObjectStoragePath(f"file://{tmp_path}/out"),
        page_size=20,
    )
    summary = execute(operator, context())
    expected = [row for row in delivered(lms.ispring.module_results(course)) if "completionDate" in row]
    assert present(read_records(summary)) == expected
    assert summary["records"] == len(expected)
    manifest = read_manifest(summary["uri"])
    assert manifest["host"] == lms.url
    assert manifest["query"] == {
        "page_size": 20,
        "course_ids": course.id,
        "on_unknown_user": "fail",
        "completion_date": ["2020-01-01T00:00:00", None],
    }
    assert manifest["run"]["run_id"] == "run"
    assert json.loads(json.dumps(summary)) == summary


def test_more_records_than_xcom_may_hold_name_the_way_out(lms: Simulator) -> None:
    with pytest.raises(ValueError, match=r"max_xcom_records: there are more than 10 records.* Set output_path"):
        execute(ISpringModuleResultsOperator(task_id="t", max_xcom_records=10, page_size=10))
    assert lms.ispring.count(RESULTS) == 2


def test_a_trial_run_reads_so_many_pages(lms: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"task_id": "t", "max_pages": 2, "page_size": 10}
    assert len(execute(ISpringModuleResultsOperator(**options))) == 20
    summary = execute(ISpringModuleResultsOperator(**options, output_path=str(tmp_path)))
    assert (summary["records"], read_manifest(summary["uri"])["complete"]) == (20, False)
    assert lms.ispring.count(RESULTS) == 4


def test_a_list_may_be_a_json_array_as_rendered_text_or_any_sequence(lms: Simulator) -> None:
    ids = [course.id for course in lms.ispring.courses[:2]]
    courses: tuple[Any, ...] = (json.dumps(ids), tuple(ids), iter(ids))
    for given in courses:
        found = execute(ISpringCourseResultsOperator(task_id="t", course_ids=given))
        assert {row["courseId"] for row in found} == set(ids)
    statuses: Any = iter(["complete"])
    found = execute(ISpringCourseResultsOperator(task_id="t", completion_statuses=statuses))
    assert {row["completionStatus"] for row in found} == {"complete"}


def test_an_iterator_is_read_once_and_used_for_the_records_the_manifest_and_the_link(
    lms: Simulator, tmp_path: Path
) -> None:
    course = lms.ispring.courses[0].id
    given: Any = (each.id for each in lms.ispring.courses[:1])
    found, pushed = linked()
    summary = execute(ISpringCourseResultsOperator(task_id="t", course_ids=given, output_path=str(tmp_path)), found)
    assert {row["courseId"] for row in read_records(summary)} == {course}
    assert read_manifest(summary["uri"])["query"]["course_ids"] == [course]
    assert pushed["_link_CourseLink"] == f"https://example.ispringlearn.com/view/{course}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"course_ids": []}, "course_ids: the list is empty"),
        ({"completion_statuses": "done"}, "completion_statuses: 'done' is not one of iSpring's statuses"),
        ({"due_date_start": "2026-01-02", "due_date_end": "2026-01-01"}, "due_date: the start .* must be before"),
        ({"access_date_end": ""}, "access_date_end: expected a datetime or an ISO 8601 text"),
        ({"output_path": "here"}, "output_path: 'here' is relative"),
        ({"output_path": ""}, "output_path: expected a folder"),
        ({"if_exists": "append"}, "if_exists: expected 'replace' or 'fail', got 'append'"),
        ({"max_pages": 0}, "max_pages: expected a whole number of at least 1"),
        ({"max_xcom_records": -1}, "max_xcom_records: expected a whole number of at least 0"),
        ({"part_bytes": "big"}, "part_bytes: expected a whole number"),
        ({"part_seconds": 0}, "part_seconds: expected a number of at least 1"),
        ({"max_wait": -1}, "max_wait: expected a number of at least 0"),
        ({"page_size": "x"}, "page_size: expected a whole number"),
        ({"on_unknown_user": "drop"}, "on_unknown_user: expected 'fail' or 'skip'"),
    ],
)
def test_what_cannot_be_meant_fails_in_execute_before_a_request(
    lms: Simulator, options: dict[str, Any], message: str
) -> None:
    operator = ISpringModuleResultsOperator(task_id="t", **options)
    with pytest.raises(ValueError, match=message):
        execute(operator)
    assert lms.ispring.requests == []


def test_unknown_users_may_be_skipped(lms: Simulator) -> None:
    users = [lms.ispring.users[0].id, "00000000-0000-0000-0000-000000000000"]
    with pytest.raises(LmsBadRequest, match="set on_unknown_user='skip'"):
        execute(ISpringCourseResultsOperator(task_id="t", user_ids=users))
    found = execute(ISpringCourseResultsOperator(task_id="t", user_ids=users, on_unknown_user="skip"))
    assert {row["userId"] for row in found} == {users[0]}


def test_a_failure_leaves_the_dataset_before(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringModuleResultsOperator(
        task_id="t", output_path=str(tmp_path), page_size=50, max_wait=0, part_bytes=1
    )
    summary = execute(operator, context())
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    lms.ispring.fail(RESULTS, faults.truncated(), on=3)
    with pytest.raises(LmsTruncatedPage):
        execute(operator, context())
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()}.items() >= before.items()
    assert len(list(read_records(summary))) == len(lms.ispring.module_results())


@pytest.mark.parametrize(("given", "linked"), [("one", True), ("two", False), ("all", False)])
def test_the_ui_leads_to_the_course_that_was_read(lms: Simulator, tmp_path: Path, given: str, linked: bool) -> None:
    ids = [course.id for course in lms.ispring.courses]
    courses = {"one": ids[0], "two": json.dumps(ids[:2]), "all": None}[given]
    pushed: dict[str, Any] = {}
    found = context()
    found["ti"].xcom_push = lambda key, value: pushed.update({key: value})
    execute(ISpringCourseResultsOperator(task_id="t", course_ids=courses, output_path=str(tmp_path)), found)
    assert pushed["_link_CourseLink"] == (f"https://example.ispringlearn.com/view/{ids[0]}" if linked else "")


@pytest.mark.parametrize(
    "kind", [ISpringCourseModulesOperator, ISpringEnrollmentsOperator, ISpringCertificatesOperator]
)
def test_whatever_reads_one_course_leads_to_it(lms: Simulator, kind: Any) -> None:
    course = lms.ispring.courses[0].id
    found, pushed = linked()
    execute(kind(task_id="t", course_ids=[course]), found)
    assert pushed["_link_CourseLink"] == f"https://example.ispringlearn.com/view/{course}"


def linked() -> tuple[Any, dict[str, Any]]:
    """A context, and what is pushed to XCom in it."""
    pushed: dict[str, Any] = {}
    found = context()
    found["ti"].xcom_push = lambda key, value: pushed.update({key: value})
    return found, pushed


def test_links_of_mapped_tasks_cost_no_request_if_their_courses_were_listed(lms: Simulator) -> None:
    listed = execute(ISpringCoursesOperator(task_id="courses"), context())
    for row in listed:
        found, pushed = linked()
        execute(ISpringCourseResultsOperator(task_id="t", course_ids=row["contentItemId"]), found)
        assert pushed["_link_CourseLink"] == row["viewUrl"]
    assert [request.call for request in lms.ispring.requests if "/content/" in request.call] == []


def test_a_course_that_was_not_listed_is_asked_for_its_link_once_by_all_tasks(lms: Simulator) -> None:
    course = lms.ispring.courses[0].id
    for _ in range(3):
        found, pushed = linked()
        execute(ISpringCourseResultsOperator(task_id="t", course_ids=course), found)
        assert pushed["_link_CourseLink"] == f"https://example.ispringlearn.com/view/{course}"
    assert lms.ispring.count(f"GET /content/{course}") == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_link_that_the_role_may_not_see_is_asked_for_once_by_all_tasks(lms: Simulator, status: int) -> None:
    course = lms.ispring.courses[0].id
    lms.ispring.fail(f"GET /content/{course}", faults.status(status), times=9)
    for _ in range(3):
        found, pushed = linked()
        assert execute(ISpringCourseResultsOperator(task_id="t", course_ids=course), found)
        assert pushed["_link_CourseLink"] == ""
    assert lms.ispring.count(f"GET /content/{course}") == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(503),
        lambda _, reply: replace(reply, status=404, content={"detail": "no such route"}),
        faults.content(lambda _: {"status": "ok"}),
    ],
    ids=["an outage", "a gateway's 404", "no content item"],
)
def test_what_says_nothing_about_the_link_is_not_remembered(lms: Simulator, fault: faults.Fault) -> None:
    course = lms.ispring.courses[0].id
    lms.ispring.fail(f"GET /content/{course}", fault)
    links = []
    for _ in range(2):
        found, pushed = linked()
        assert execute(ISpringCourseResultsOperator(task_id="t", course_ids=course), found)
        links.append(pushed["_link_CourseLink"])
    assert links == ["", f"https://example.ispringlearn.com/view/{course}"]


def test_the_check_whether_a_course_exists_also_brings_its_link(lms: Simulator) -> None:
    course = lms.ispring.courses[0].id
    found, pushed = linked()
    nothing = ISpringCourseResultsOperator(task_id="t", course_ids=course, access_date_start="2099-01-01")
    assert execute(nothing, found) == []
    assert pushed["_link_CourseLink"] == f"https://example.ispringlearn.com/view/{course}"
    assert lms.ispring.count(f"GET /content/{course}") == 1


def test_mapped_tasks_that_share_a_folder_fail_before_a_request(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringCoursesOperator(task_id="t", output_path=str(tmp_path))
    execute(operator, context(map_index=0))
    sent = len(lms.ispring.requests)
    with pytest.raises(DatasetConflict, match="its own folder"):
        execute(operator, context(map_index=1))
    assert len(lms.ispring.requests) == sent


def test_a_retry_after_success_returns_what_was_written(lms: Simulator, tmp_path: Path) -> None:
    operator = ISpringCoursesOperator(task_id="t", output_path=str(tmp_path), if_exists="fail")
    summary = execute(operator, context(try_number=1))
    sent = len(lms.ispring.requests)
    assert execute(operator, context(try_number=2)) == summary
    assert len(lms.ispring.requests) == sent


def test_init_assigns_what_it_is_given(lms: Simulator) -> None:
    given = object()
    operator = ISpringModuleResultsOperator(
        task_id="t",
        ispring_learn_conn_id="{{ params.account }}",
        user_ids=given,  # type: ignore[arg-type]
        output_path="{{ params.output }}",
        access_date_start="{{ data_interval_start }}",
    )
    assert operator.user_ids is given
    assert operator.ispring_learn_conn_id == "{{ params.account }}"
    assert operator.access_date_start == "{{ data_interval_start }}"
    assert lms.ispring.requests == []


def test_every_public_class_says_what_its_parameters_mean() -> None:
    for operator in OPERATORS:
        said = "".join(base.__doc__ or "" for base in operator.__mro__)
        assert [name for name in operator.template_fields if f":param {name}:" not in said] == []


def test_a_dataset_of_another_listing_is_replaced_with_a_warning(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute(ISpringCoursesOperator(task_id="courses", output_path=str(tmp_path)))
    assert "replaces one of" not in caplog.text
    execute(ISpringCourseResultsOperator(task_id="results", output_path=str(tmp_path)))
    assert "This dataset of course_results replaces one of courses." in caplog.text
