"""Nothing that could be copied or searched for is broken over two lines."""

from __future__ import annotations

import io
import json

import pytest

from airflow_provider_lms.command_line import output
from airflow_provider_lms.command_line.jobs import filter_names
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.vendors import VENDORS
from tests.command_line.conftest import Shell

TEXT = "completion_statuses, completion_date_start, completion_date_end"
ID = "4f9bf619-7993-5ce8-b473-1d769a72e140"


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def narrow(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Carries out a command with a width of 40 characters."""
    monkeypatch.setenv("COLUMNS", "40")
    return shell


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int, rows: list[tuple[str, str]]) -> list[str]:
    """The lines of a table on a terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr(output, "_results", terminal)
    output.show_table(("id", "filters"), rows)
    plain = terminal.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    return [line.rstrip() for line in plain.splitlines()]


def test_the_status_is_not_wrapped_where_it_is_piped(lms: Simulator, narrow: Shell) -> None:
    status = f"simulator status --port {lms.url.rpartition(':')[2]}"
    courses = [each for of in json.loads(narrow(f"{status} --json").out)["lms"].values() for each in of["courses"]]
    shown = narrow(status).out.splitlines()[4:]
    assert len(shown) == len(courses) == 6
    for line, course in zip(shown, courses, strict=True):
        assert f" {course['id']} " in line
        assert f" {course['title']} " in line


def test_listings_have_a_whole_line_each_where_they_are_piped(narrow: Shell) -> None:
    shown = narrow("listings").out.splitlines()[1:]
    expected = [
        (lms, name, ", ".join(filter_names(vendor, name)))
        for lms, vendor in VENDORS.items()
        for name in vendor.listings()
    ]
    assert len(shown) == len(expected)
    for line, (lms, name, filters) in zip(shown, expected, strict=True):
        assert line.split()[:2] == [lms, name]
        assert line.rstrip().endswith(filters)


def test_what_check_finds_has_a_line_for_each_listing_where_it_is_piped(lms: Simulator, narrow: Shell) -> None:
    found = json.loads(narrow("check --lms zoho_people --json").out)["listings"]
    shown = narrow("check --lms zoho_people").out.partition("\n\n")[2].splitlines()
    assert len(shown) == 1 + len(found)


def test_a_record_has_a_line_for_each_value_where_it_is_piped(lms: Simulator, narrow: Shell) -> None:
    shown = narrow("head courses --lms ispring_learn -n 1").out
    assert f"  {lms.ispring.courses[0].id}\n" in shown


def test_a_terminal_that_is_wide_enough_shows_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_terminal(monkeypatch, 101, [(ID, TEXT)]) == [f"{'id':<36}  filters", f"{ID}  {TEXT}"]


@pytest.mark.parametrize("width", [100, 80, 61, 60])
def test_a_terminal_shows_whole_words_only(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_terminal(monkeypatch, width, [(ID, TEXT)])
    assert shown[0] == f"{'id':<36}  filters"
    assert max(map(len, shown)) <= width
    assert " ".join(shown[1:]).split() == [ID, *TEXT.split()]


@pytest.mark.parametrize("width", [59, 40, 34])
def test_on_a_terminal_that_is_too_narrow_a_row_becomes_a_block(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_terminal(monkeypatch, width, [(ID, TEXT), ("17", "")])
    assert shown[:2] == ["record 1", f"  id       {ID}"]
    assert shown[-2:] == ["record 2", "  id       17"]
    words = " ".join(shown[2:-2]).split()
    assert words == ["filters", *TEXT.split()]
    assert all(line.startswith(" " * 11) for line in shown[3:-2])
    assert max(map(len, shown[2:])) <= width
