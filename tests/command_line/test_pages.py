"""The pages on the command line and on the simulator show what the commands show."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_lms.command_line.commands import build_parser
from airflow_provider_lms.command_line.exit_codes import ExitCode
from airflow_provider_lms.command_line.lms_commands import COMMANDS
from airflow_provider_lms.command_line.simulator_commands import SIMULATOR
from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.testing import fake_clock
from tests.command_line.conftest import PROGRAM, Shell

DOCS = Path(__file__).parent.parent.parent / "docs"
COMMAND_LINE, SIMULATOR_PAGE = DOCS / "command-line.md", DOCS / "simulator.md"
NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
URL = "http://127.0.0.1:8765"

Example = tuple[str, str]


def examples(page: str) -> list[Example]:
    """The commands of a page, each with what it shows."""
    return [
        (command, shown)
        for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        for command, _, shown in [each.partition("\n")]
    ]


@pytest.fixture
def show(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """What a command of a page shows, on a machine like that of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with fake_clock(NOW), Simulator(World(as_of=date(2026, 9, 1))) as lms:
        for conn_type in lms.vendors:
            connection = json.dumps(lms.connection(conn_type))
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_type.upper()}_DEFAULT", connection)

        def run(line: str) -> str:
            command, _, pipe = line.partition(" | ")
            shown = _curl(command.replace(URL, lms.url)) if command.startswith("curl ") else _run(shell, command, lms)
            shown = shown.replace(lms.url, URL).replace(str(tmp_path), "/home/you")
            shown = re.sub(r"\d+ ms$", "1 ms", re.sub(r" +$", "", shown, flags=re.MULTILINE), flags=re.MULTILINE)
            if pipe:
                (lines,) = re.findall(r"head -n (\d+)", pipe)
                shown = "".join(shown.splitlines(keepends=True)[: int(lines)])
            return shown

        yield run


def _run(shell: Shell, command: str, lms: Simulator) -> str:
    words = shlex.split(command.removeprefix(PROGRAM))
    if words[0] == "simulator" and words[1].startswith("-"):
        command += " --port 0"
    elif words[0] == "simulator":
        command += f" --port {lms.url.rpartition(':')[2]}"
    result = shell(command)
    shown = result.out + result.err
    return re.sub(r"http://127.0.0.1:\d+", URL, shown) if words[:2] == ["simulator", "--as-of"] else shown


def _curl(command: str) -> str:
    _, _, url, _, header, _, body = shlex.split(command)
    name, _, value = header.partition(": ")
    return requests.post(url, data=body, headers={name: value}, timeout=10).text + "\n"


@pytest.mark.parametrize("page", [COMMAND_LINE, SIMULATOR_PAGE], ids=lambda page: page.stem)
def test_every_example_shows_what_the_page_says(
    page: Path, show: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulator, "serve", lambda _: None)
    found = examples(page.read_text())
    assert found
    if find_spec("matplotlib") is None:  # of the extra "report"
        found = [(command, shown) for command, shown in found if not command.startswith(f"{PROGRAM} report ")]
    assert [(command, show(command)) for command, _ in found] == found


def test_the_test_of_the_page_passes(lms: Simulator) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", SIMULATOR_PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(code, names)
    names["test_the_sensor_waits_for_everybody"](lms)


def test_every_command_is_on_its_page() -> None:
    page = COMMAND_LINE.read_text()
    assert list(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == [
        "check", "listings", "head", "count", "cost", "read", "wait", "report", "schema", "locks",
    ]  # fmt: skip
    assert {command.name for command in COMMANDS} == set(re.findall(r"^\| \[`(\w+)`\]\(#", page, re.MULTILINE))
    shown = set(re.findall(r"^\| `simulator (\w+)", SIMULATOR_PAGE.read_text(), re.MULTILINE))
    assert {command.name for command in SIMULATOR.commands} == shown | {"start"}


def test_every_option_is_on_a_page() -> None:
    pages = COMMAND_LINE.read_text() + SIMULATOR_PAGE.read_text()
    parser = build_parser()
    parsers = [parser]
    for each in parsers:
        for action in each._actions:
            if isinstance(action.choices, dict):
                parsers += action.choices.values()
    options = {option for each in parsers for action in each._actions for option in action.option_strings[-1:]}
    assert {option for option in options if option not in pages} == {"--help", "--rows"}


def test_every_exit_code_is_on_the_page() -> None:
    page = COMMAND_LINE.read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == [code.value for code in ExitCode]


def test_every_control_is_on_the_page() -> None:
    shown = set(re.findall(r"^\| `POST /_control/(\w+)`", SIMULATOR_PAGE.read_text(), re.MULTILINE))
    with Simulator() as lms:
        controls = requests.get(f"{lms.url}/_control", timeout=10).json()["controls"]
    assert shown == set(controls)


def test_the_defaults_on_the_page_are_those_of_the_simulator() -> None:
    world = World()
    sizes = f"{world.users}, {world.courses}, {world.modules}, {world.blocked}"
    assert f"| {sizes} |" in SIMULATOR_PAGE.read_text()
