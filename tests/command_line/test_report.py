"""The command ``report`` makes the report that the function makes."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from airflow_provider_lms.report import completion_report
from airflow_provider_lms.simulator import Simulator
from tests.command_line.conftest import Shell

DATASETS = {
    "results": "course_results",
    "people": "users",
    "departments": "departments",
    "enrollments": "enrollments",
}


@pytest.fixture
def datasets(lms: Simulator, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the datasets, in which commands are run."""
    monkeypatch.chdir(tmp_path)
    for name, listing in DATASETS.items():
        assert shell(f"read {listing} --lms ispring_learn --to {name}").code == 0
    return tmp_path


EVERY_OPTION = (
    "--results results --people people --departments departments --enrollments enrollments --to by_command.html "
    "--title 'All & sundry' --as-of 2026-02-28 --show-people --smallest-group 7"
)


def test_every_option_reaches_the_report(datasets: Path, shell: Shell) -> None:
    given = {name: str(datasets / name) for name in DATASETS}
    expected = completion_report(
        str(datasets / "by_function.html"), **given, title="All & sundry", show_people=True, smallest_group=7,
        as_of=date(2026, 2, 28),
    )  # fmt: skip
    result = shell(f"report {EVERY_OPTION} --json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {**expected, "uri": (datasets / "by_command.html").as_uri()}
    assert (datasets / "by_command.html").read_text() == (datasets / "by_function.html").read_text()


def test_groups_are_merged_as_the_option_says(datasets: Path, shell: Shell) -> None:
    assert shell("report --results results --to completion.html --smallest-group 7").code == 0
    assert "groups of fewer than 7 people are merged" in (datasets / "completion.html").read_text()


def test_several_datasets_of_results_are_one_report(datasets: Path, shell: Shell, lms: Simulator) -> None:
    folders = []
    for number, course in enumerate(lms.ispring.courses):
        read = f"read course_results --lms ispring_learn --filter course_ids={course.id} --to {number}"
        assert shell(read).code == 0
        folders.append(f"--results {number}")
    assert shell(f"report {' '.join(folders)} --to parts.html").code == 0
    assert shell("report --results results --to whole.html").code == 0
    assert (datasets / "parts.html").read_text() == (datasets / "whole.html").read_text()


def test_no_request_is_sent(datasets: Path, shell: Shell, lms: Simulator) -> None:
    before = len(lms.ispring.requests)
    assert shell(f"report {EVERY_OPTION}").code == 0
    assert datasets.joinpath("by_command.html").exists()
    assert len(lms.ispring.requests) == before


def test_a_missing_extra_is_named(datasets: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = shell("report --results results --to completion.html")
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: The report needs more packages: pip install 'airflow-provider-lms[report]'.\n"
    assert not datasets.joinpath("completion.html").exists()


def test_a_folder_without_a_dataset_is_named(datasets: Path, shell: Shell) -> None:
    result = shell("report --results nowhere --to completion.html")
    assert result.code == 1
    assert result.err.startswith(f"error: {(datasets / 'nowhere').as_uri()}: there is no _manifest.json here")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--to s3:///x", "--to: 's3:///x' names no bucket or container. Expected s3://bucket/folder."),
        ("--to completion.html --people results", "--people: expected a dataset of users (iSpring Learn)"),
        ("--to completion.html --smallest-group 99", "--results: the report would be about 38 people. With fewer than "
         "99, its figures tell about single people: let it name people (--show-people), or give more results.\n"),
    ],
)  # fmt: skip
def test_the_option_is_named_and_not_the_parameter(words: str, message: str, datasets: Path, shell: Shell) -> None:
    result = shell(f"report --results results {words}")
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")
