"""The commands that read: head, count, read, cost, check."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_lms.command_line import read
from airflow_provider_lms.command_line.output import Steps
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.storage import read_manifest, read_records
from tests.command_line.conftest import Shell

RESULTS = "GET /learners/results"


def test_head_shows_the_first_rows_as_a_table(lms: Simulator, shell: Shell) -> None:
    result = shell("head courses --lms ispring_learn -n 2 --columns contentItemId,title")
    assert result.out.split("\n") == [
        "contentItemId                         title",
        "4f9bf619-7993-5ce8-b473-1d769a72e140  Fire safety 1",
        "228e53c0-393e-5e3d-8532-6f48e98e8102  Sales & service 2",
        "",
    ]
    assert (result.code, result.err) == (0, "")


def test_a_row_that_is_too_wide_becomes_a_block(lms: Simulator, shell: Shell) -> None:
    shown = shell("head courses --lms ispring_learn -n 1").out.splitlines()
    assert shown[:3] == [
        "record 1",
        "  contentItemId    4f9bf619-7993-5ce8-b473-1d769a72e140",
        "  title            Fire safety 1",
    ]


def test_head_as_json_has_the_rows_as_a_dataset_has_them(lms: Simulator, shell: Shell) -> None:
    shown = json.loads(shell("head course_results --lms ispring_learn -n 3 --json").out)
    whole = ISpringCourseResultsOperator(task_id="t").execute({})
    assert isinstance(whole, list)
    assert shown == whole[:3]


def test_head_reads_no_more_pages_than_it_needs(lms: Simulator, shell: Shell) -> None:
    lms.zoho.page_size = 2
    assert json.loads(shell("head employees --lms zoho_people -n 1 --json").out)
    assert len(lms.zoho.calls) == 1


def test_columns_are_dropped_and_hashed_as_operators_do_it(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**lms.connection(), "extra": {"hash_secret": "a long enough secret"}}
    monkeypatch.setenv("AIRFLOW_CONN_HASHING", json.dumps(connection))
    words = "--conn-id hashing --columns userId,status --hash-columns userId"
    (row,) = json.loads(shell(f"head users {words} -n 1 --json").out)
    assert row.keys() == {"userId", "status"}
    assert len(row["userId"]) == 64
    (row,) = json.loads(shell("head users --conn-id hashing --drop-columns fields -n 1 --json").out)
    assert "fields" not in row


def test_a_filter_narrows_the_listing(lms: Simulator, shell: Shell) -> None:
    course = lms.ispring.courses[1]
    expected = len(lms.ispring.course_results(course))
    assert shell(f"count course_results --lms ispring_learn --filter course_ids={course.id}").out == f"{expected}\n"


def test_a_repeated_filter_has_several_values(lms: Simulator, shell: Shell) -> None:
    ids = [course.id for course in lms.ispring.courses[:2]]
    words = " ".join(f"--filter course_ids={each}" for each in ids)
    expected = sum(row["courseId"] in ids for row in lms.ispring.course_results())
    assert shell(f"count course_results --lms ispring_learn {words}").out == f"{expected}\n"


def test_a_range_of_dates_has_a_start_and_an_end(lms: Simulator, shell: Shell) -> None:
    words = "--filter activity_date_start=2020-01-01 --filter activity_date_end=2020-01-02"
    assert shell(f"count active_users --lms ispring_learn {words}").code == 0
    (request,) = [each for each in lms.ispring.requests if each.call == "GET /report/active-users-by-period"]
    assert request.first("activityDate[startDate]") == "2020-01-01T00:00:00Z"
    assert request.first("activityDate[endDate]") == "2020-01-02T00:00:00Z"


def test_children_are_read_for_the_parents_that_are_named(lms: Simulator, shell: Shell) -> None:
    course = lms.ispring.courses[0].id
    shown = json.loads(shell(f"head course_modules --lms ispring_learn --filter course_ids={course} --json").out)
    assert {row["courseId"] for row in shown} == {course}


def test_count_tells_that_it_has_not_read_everything(lms: Simulator, shell: Shell) -> None:
    lms.zoho.form_page_size = 10
    result = shell("count employees --lms zoho_people --max-pages 2")
    assert result.out == "19\n"  # pages overlap by one record
    assert result.err == "There are more: --max-pages has ended the count.\n"
    assert json.loads(shell("count employees --lms zoho_people --max-pages 2 --json").out) == {
        "listing": "employees",
        "records": 19,
        "pages": 2,
        "complete": False,
    }


def test_read_writes_the_dataset_of_the_operator(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    result = shell(f"read course_results --lms ispring_learn --to {tmp_path}/shell --filter completion_statuses=passed")
    assert result.code == 0
    operator = ISpringCourseResultsOperator(
        task_id="t", completion_statuses="passed", output_path=f"{tmp_path}/operator"
    )
    operator.execute({})
    mine, theirs = read_manifest(f"{tmp_path}/shell"), read_manifest(f"{tmp_path}/operator")
    differing = {name for name in theirs if mine[name] != theirs[name]}
    assert differing <= {"started_at", "finished_at", "files"}
    assert [file["sha256"] for file in mine["files"]] == [file["sha256"] for file in theirs["files"]]


def test_read_prints_the_summary_as_json(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    result = shell(f"read courses --lms ispring_learn --to {tmp_path} --format csv --compression gzip --json")
    summary = json.loads(result.out)
    assert (summary["records"], summary["format"], summary["resource"]) == (3, "csv", "courses")
    assert result.err == ""


def test_a_relative_folder_is_in_the_working_folder(
    lms: Simulator, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shell("read courses --lms ispring_learn --to out/courses").code == 0
    assert len(list(read_records(f"{tmp_path}/out/courses"))) == 3


def test_read_crawls_over_all_learners_and_types(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    course = lms.zoho.courses[1]
    lms.zoho.limits.requests = 10_000
    words = f"--filter course_id={course.id} --filter entity_types=online_tests --filter entity_types=2"
    assert shell(f"read entity_progress --lms zoho_people {words} --to {tmp_path}/shell").code == 0
    operator = ZohoPeopleEntityProgressOperator(
        task_id="t", course_id=course.id, entity_types=["online_tests", "2"], output_path=f"{tmp_path}/operator"
    )
    operator.execute({})

    def rows(name: str) -> list[dict[str, object]]:
        return [{**row, "readAt": None} for row in read_records(f"{tmp_path}/{name}")]

    assert rows("shell") == rows("operator")
    assert len(rows("shell")) == 40 * 2 * 4


def test_read_resumes_after_an_interruption(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    course = lms.zoho.courses[0].id
    lms.zoho.limits.requests = 10_000
    tests = re.compile(r"GET /api/v1/courses/\d+/learners/(\d+)/.*")
    words = (
        f"read entity_progress --lms zoho_people --filter course_id={course} --filter entity_types=1 --to {tmp_path}"
    )

    def learners() -> list[str]:
        return [found[1] for each in lms.zoho.calls if (found := tests.fullmatch(each.call))]

    with pytest.MonkeyPatch.context() as patch:
        answer = lms.zoho.reply

        def interrupt(request: Request) -> Reply | None:
            if len(learners()) == 10:
                os.kill(os.getpid(), signal.SIGINT)
            return answer(request)

        patch.setattr(lms.zoho, "reply", interrupt)
        assert shell(words).code == 130
    before = learners()
    assert shell(words).code == 0
    assert len(before) < 40
    # The request that was interrupted is sent again, and the one that was prefetched.
    assert len(learners()) <= 40 + 2
    assert len(list(read_records(str(tmp_path)))) == 40 * 4


def test_read_tells_how_far_it_has_come(
    lms: Simulator, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int | None, int | None]] = []

    @contextmanager
    def record(_: str) -> Iterator[Steps]:
        yield lambda text, done=None, total=None: told.append((text, done, total))

    monkeypatch.setattr(read, "progress", record)
    lms.zoho.limits.requests = 10_000
    words = f"--filter course_id={lms.zoho.courses[0].id} --filter entity_types=1"
    shell(f"read entity_progress --lms zoho_people {words} --to {tmp_path}/crawl")
    assert (told[0], told[-1], len(told)) == (("4 records", 1, 40), ("160 records", 40, 40), 40)
    told.clear()
    shell(f"read employees --lms zoho_people --to {tmp_path}/pages")
    assert told == [("40 records", 1, None), ("40 records", 2, None)]


def test_read_refuses_to_replace_a_dataset(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    assert shell(f"read courses --lms ispring_learn --to {tmp_path}").code == 0
    result = shell(f"read courses --lms ispring_learn --to {tmp_path} --if-exists fail")
    assert result.code == 1
    assert result.err == (
        "error: --to: the folder already holds a dataset, and --if-exists is 'fail'. Choose another folder, or set "
        "--if-exists replace.\n"
    )


def test_the_cost_of_a_crawl_is_its_learners_times_its_types(lms: Simulator, shell: Shell) -> None:
    course = lms.zoho.courses[0].id
    words = f"--lms zoho_people --filter course_id={course}"
    found = json.loads(shell(f"cost entity_progress {words} --json").out)
    assert (found["requests"], found["exact"], found["requests_sent_now"]) == (3 + 40 * 10, False, 3)
    found = json.loads(shell(f"cost entity_progress {words} --filter entity_types=sessions --json").out)
    assert found["requests"] == 3 + 40


def test_the_cost_is_as_many_requests_as_the_crawl_takes(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    lms.zoho.limits.requests = 10_000
    words = f"entity_progress --lms zoho_people --filter course_id={lms.zoho.courses[0].id} --filter entity_types=1"
    expected = json.loads(shell(f"cost {words} --json").out)["requests"]
    before = len(lms.zoho.calls)
    assert shell(f"read {words} --to {tmp_path}").code == 0
    assert len(lms.zoho.calls) - before == expected


def test_the_time_of_a_job_follows_from_the_rate_limit(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = lms.connection("zoho_people")
    connection["extra"] |= {"requests_per_window": 30, "window_seconds": 60, "requests_per_day": 400}
    monkeypatch.setenv("AIRFLOW_CONN_SLOW", json.dumps(connection))
    shown = shell(f"cost entity_progress --conn-id slow --filter course_id={lms.zoho.courses[0].id}").out
    assert shown.splitlines() == [
        "at least 403 requests: 40 learners x 10 requests, after 3 requests to list them.",
        "13 min at the rate limit of 30 requests in 60 s, if nobody else sends any. "
        "More than the 400 that are allowed in a day.",
        "Finding this out took 3 requests.",
    ]


def test_a_listing_of_one_page_costs_one_request(lms: Simulator, shell: Shell) -> None:
    found = json.loads(shell("cost courses --lms ispring_learn --json").out)
    assert (found["requests"], found["exact"]) == (1, True)


@pytest.mark.parametrize(("words", "requests"), [("", 2), ("--records 95", 10), ("--records 3", 2)])
def test_the_cost_of_pages_follows_from_the_number_of_records(
    words: str, requests: int, lms: Simulator, shell: Shell
) -> None:
    lms.zoho.form_page_size = 10
    found = json.loads(shell(f"cost employees --lms zoho_people {words} --json").out)
    assert (found["requests"], found["exact"]) == (requests, False)


def test_the_cost_may_follow_from_an_earlier_dataset(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    assert shell(f"read employees --lms zoho_people --to {tmp_path}").code == 0
    lms.zoho.form_page_size = 10
    assert json.loads(shell(f"cost employees --lms zoho_people --like {tmp_path} --json").out)["requests"] == 4


def test_the_children_of_all_parents_cost_a_request_for_each(lms: Simulator, shell: Shell) -> None:
    found = json.loads(shell("cost course_modules --lms ispring_learn --json").out)
    assert (found["requests"], found["how"]) == (4, "3 parents x 1 request, after 1 request to list them.")


def test_check_tells_what_may_be_read(lms: Simulator, shell: Shell) -> None:
    lms.ispring.forbidden = {"GET /users/v2"}
    found = json.loads(shell("check --lms ispring_learn --json").out)
    rights = {each["listing"]: each for each in found["listings"]}
    assert rights["courses"] == {"listing": "courses", "readable": True, "records": 3, "more": False}
    assert rights["users"]["readable"] is False
    assert "HTTP 403" in rights["users"]["reason"]
    assert "group_members" not in rights  # for each group, so it would cost more


def test_check_requests_a_token_of_its_own(lms: Simulator, shell: Shell) -> None:
    for _ in range(2):
        assert shell("check --lms zoho_people --quick").code == 0
    assert (len(lms.zoho.tokens), len(lms.zoho.calls)) == (2, 2)


def test_a_connection_that_does_not_work_fails_the_check(lms: Simulator, shell: Shell) -> None:
    lms.zoho.revoked = True
    result = shell("check --lms zoho_people")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: ")
    assert "refresh token" in result.err


def test_a_broken_page_is_a_failure(lms: Simulator, shell: Shell) -> None:
    lms.ispring.fail(RESULTS, faults.content(lambda page: {"results": 17}))
    result = shell("count course_results --lms ispring_learn")
    assert (result.code, result.out) == (1, "")


def test_ids_with_commas_are_refused(lms: Simulator, shell: Shell) -> None:
    ended = shell("count course_results --lms ispring_learn --filter course_ids=17,18")
    assert ended.code == 2
    assert "--filter: course_ids has a comma. Repeat --filter for each id." in ended.err
