"""Errors are one clear line on stderr and an exit code. None shows a secret."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_lms.command_line import accounts, head
from airflow_provider_lms.command_line.commands import build_parser
from airflow_provider_lms.command_line.jobs import filter_names
from airflow_provider_lms.command_line.option_names import OPTIONS, with_options
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.vendors import VENDORS
from tests.command_line.conftest import Shell

COURSES = "GET /contents"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("head courses --conn-id nowhere", "--conn-id: there is no connection 'nowhere'. Add it in Airflow, or set the "
         "environment variable AIRFLOW_CONN_NOWHERE."),
        ("head courses", "--conn-id: name a connection, or with --lms the LMS whose default connection to take "
         "(ispring_learn or zoho_people)."),
        ("head courses --lms moodle", "--lms: expected 'ispring_learn' or 'zoho_people', got 'moodle'."),
        ("head courses --lms zoho_people --conn-id ispring_learn_default",
         "--lms: connection 'ispring_learn_default' is of type 'ispring_learn'."),
        ("head users --conn-id zoho_people_default",
         "LISTING: zoho_people has no listing 'users'. `listings` shows what there is."),
        ("head tests --lms zoho_people",
         "LISTING: zoho_people has no listing 'tests'. `listings` shows what there is."),
        ("head users --lms ispring_learn --filter", None),
        ("head users --lms ispring_learn --filter course_ids",
         "--filter: expected NAME=VALUE, such as course_ids=17, got 'course_ids'."),
        ("head users --lms ispring_learn --filter course_ids=1", "--filter: users has no filter 'course_ids'. It has "
         "user_ids, department_ids, group_ids, logins, emails."),
        ("head courses --lms ispring_learn --filter course_ids=1",
         "--filter: courses has no filter 'course_ids'. It has none."),
        ("head entity_progress --lms zoho_people",
         "--filter: entity_progress needs --filter course_id=..."),
        ("head module_results --lms ispring_learn --filter completion_statuses=done",
         "completion_statuses: 'done' is not one of iSpring's statuses (not_started, in_progress, pending, complete, "
         "passed, accepted, incomplete, failed, declined)."),
        ("head users --lms ispring_learn --columns name", None),
        ("head courses --lms ispring_learn --rows 0",
         "--rows: expected a whole number of at least 1, got '0'."),
        ("cost courses --lms ispring_learn --records 1 --like x",
         "--like: it replaces --records. Give only one of them."),
        ("locks --lms zoho_people --yes", "--yes: give --lift as well."),
        ("schema courses", "--lms: there is a listing 'courses' in several. Say which: ispring_learn or zoho_people."),
        ("read courses --lms ispring_learn --to /tmp/x --format xml", None),
        ("report --to completion.html", None),
        ("report --results results --to completion.html --as-of tomorrow",
         "--as-of: expected a datetime or an ISO 8601 text such as 2026-01-31T00:00:00Z, got 'tomorrow'."),
        ("report --results results --to completion.html --smallest-group 1",
         "--smallest-group: expected a whole number of at least 2, got '1'."),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_before_the_first_request(
    words: str, message: str | None, lms: Simulator, shell: Shell
) -> None:
    result = shell(words)
    assert (result.code, result.out) == (2, "")
    if message is not None:
        assert result.err == f"error: {message}\n"
    assert lms.ispring.requests == lms.zoho.requests == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.status(401), 3),
        (faults.status(403), 3),
        (faults.status(404), 3),
        (faults.status(400), 3),
        (faults.status(429), 4),
        (faults.status(503), 4),
        (faults.html_page(), 4),
        (faults.truncated(), 4),
        (faults.body(b'{"unexpected": 1}'), 1),
    ],
    ids=["401", "403", "404", "400", "429", "503", "html", "truncated", "broken"],
)
def test_the_exit_code_tells_whether_to_try_again(fault: Fault, code: int, lms: Simulator, shell: Shell) -> None:
    lms.ispring.fail(COURSES, fault, times=10)
    result = shell("head courses --lms ispring_learn --max-wait 0")
    assert result.code == code
    (line,) = [each for each in result.err.splitlines() if each.startswith("error: ")]
    assert line.startswith("error: GET /contents")


def test_the_refusal_of_an_operator_is_one_as_well(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    lms.ispring.fail(COURSES, faults.status(403), times=10)
    assert shell(f"read courses --lms ispring_learn --to {tmp_path}").code == 3


def test_a_store_that_cannot_be_used_is_an_outage(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", tmp_path.as_uri())  # a folder, and no file
    assert shell("locks --lms zoho_people").code == 4


def test_no_output_holds_a_secret_or_a_token(lms: Simulator, shell: Shell, tmp_path: Path) -> None:
    lms.zoho.limits.requests = 10_000
    lms.zoho.fail("GET /api/v1/rooms", faults.status(500), times=100)
    shown = "".join(
        f"{result.out}{result.err}"
        for words in (
            "check --verbose --max-wait 0",
            "check --quick --json",
            "head courses --verbose",
            f"read courses --to {tmp_path} --verbose",
            f"wait {lms.zoho.courses[0].id} --count 40 --timeout 0 --verbose",
            "locks --verbose",
        )
        for result in [shell(f"{words} --lms zoho_people")]
    )
    assert "HTTP 500" in shown
    for secret in (*lms.zoho.tokens, lms.zoho.client_secret, lms.zoho.refresh_token):
        assert secret not in shown


READ = "read courses --lms ispring_learn --to /tmp/x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{READ} --format xlsx", "--format: expected 'jsonl' or 'csv' or 'parquet', got 'xlsx'."),
        (f"{READ} --compression zip", "--compression: expected 'none' or 'gzip' or 'zstd', got 'zip'."),
        (f"{READ} --if-exists append", "--if-exists: expected 'replace' or 'fail', got 'append'."),
        (f"{READ} --to s3:///x", "--to: 's3:///x' names no bucket or container. Expected s3://bucket/folder."),
        ("head courses --lms ispring_learn --drop-columns title --columns title",
         "--drop-columns: 'title' is also in columns."),
        ("head courses --lms ispring_learn --hash-columns title",
         "--hash-columns: the connection has no hash_secret. Put a random text into this field of it."),
        ("head groups --lms ispring_learn --drop-columns groupId,name,isSmart --columns output_path",
         "--columns: groups has no column 'output_path'. It has groupId, name, isSmart, _extra."),
        ("head groups --lms ispring_learn --drop-columns groupId,name,isSmart",
         "--columns, --drop-columns: no column is left."),
    ],
)  # fmt: skip
def test_the_option_is_named_and_not_the_parameter(words: str, message: str, lms: Simulator, shell: Shell) -> None:
    result = shell(words)
    assert (result.code, result.out, result.err) == (2, "", f"error: {message}\n")


def test_the_option_of_a_folder_that_cannot_be_written_is_named(lms: Simulator, shell: Shell) -> None:
    result = shell("read courses --lms ispring_learn --to /proc/nope")
    assert result.code == 1
    assert result.err.startswith("error: --to: Cannot write to file:///proc/nope (")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("output_path: Cannot write to /a/output_path/b.", "--to: Cannot write to /a/output_path/b."),
        ("if_exists: give an output_path (output_format).", "--if-exists: give an --to (--format)."),
        ("columns: it has no columns.", "--columns: it has no columns."),
        ("required_share: not of this command.", "required_share: not of this command."),
        ("course_ids: an output_path of a filter.", "course_ids: an output_path of a filter."),
        ("output_path", "output_path"),
    ],
)
def test_only_what_is_a_parameter_becomes_an_option(message: str, shown: str) -> None:
    assert with_options(message, build_parser().parse_args(READ.split())) == shown


def test_a_name_that_filters_have_is_no_option_of_another_name() -> None:
    filters = {
        name for vendor in VENDORS.values() for listing in vendor.listings() for name in filter_names(vendor, listing)
    }
    of_reading = vars(build_parser().parse_args(READ.split()))
    assert not [name for name, option in OPTIONS.items() if name in filters and option in of_reading]


@pytest.mark.parametrize("words", ["", " --conn-id nowhere"])
def test_a_misspelled_listing_is_told_without_a_connection(
    words: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for conn_type in VENDORS:
        monkeypatch.delenv(f"AIRFLOW_CONN_{conn_type.upper()}_DEFAULT", raising=False)
    result = shell(f"head corses{words}")
    message = "error: LISTING: there is no listing 'corses'. `listings` shows what there is.\n"
    assert (result.code, result.err) == (2, message)
    result = shell("head corses --lms zoho_people")
    message = "error: LISTING: zoho_people has no listing 'corses'. `listings` shows what there is.\n"
    assert (result.code, result.err) == (2, message)


def test_an_unexpected_error_shows_its_type_only(lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 17")

    monkeypatch.setattr(head, "find_job", fail)
    result = shell("head courses --lms ispring_learn")
    assert result.code == 1
    assert result.err == (
        "error: RuntimeError. This is unexpected: run the command again with --verbose, and report what it shows.\n"
    )


def test_verbose_shows_where_an_error_comes_from(lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "find_job", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError: division by zero" in shell("head courses --lms ispring_learn --verbose").err


def test_ctrl_c_ends_with_130_and_leaves_the_queue(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = lms.connection("zoho_people")
    connection["extra"] |= {"requests_per_window": 1, "window_seconds": 600}
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(connection))
    assert shell("head courses --lms zoho_people").code == 0
    states: list[str] = []

    def interrupt(_: float) -> None:
        states.extend(each["state"] for each in ZohoPeopleHook().holders())
        raise KeyboardInterrupt

    monkeypatch.setattr(accounts, "RetryPolicy", partial(RetryPolicy, sleep=interrupt))
    result = shell("head courses --lms zoho_people")
    assert (result.code, result.err, states) == (130, "Interrupted.\n", ["waiting"])
    assert ZohoPeopleHook().holders() == []


def test_what_could_steer_a_terminal_is_not_shown(lms: Simulator, shell: Shell) -> None:
    def rename(page: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
        page["contentItems"][0]["title"] = "\x1b[2Jgone [bold]"
        return page

    lms.ispring.fail(COURSES, faults.content(rename))
    shown = shell("head courses --lms ispring_learn -n 1 --columns title").out
    assert shown.splitlines()[1].rstrip() == "\N{REPLACEMENT CHARACTER}[2Jgone [bold]"
