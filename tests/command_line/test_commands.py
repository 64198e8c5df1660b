"""What the commands are, and what it costs to name them."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from airflow.providers.common.compat.module_loading import import_string

from airflow_provider_lms import command_line
from airflow_provider_lms.command_line.commands import build_parser, with_default_command
from airflow_provider_lms.provider_info import get_provider_info
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.vendors import VENDORS, Vendor
from tests.command_line.conftest import Shell

FOLDER = Path(command_line.__file__).parent
NAMES = ["check", "listings", "head", "read", "count", "cost", "wait", "report", "schema", "locks", "simulator"]
ROOT = FOLDER.parent.parent
SCHEMAS = ROOT / "schemas"


def _modules(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_what_airflow_imports_brings_nothing_but_argparse() -> None:
    before = _modules("from __future__ import annotations\nimport argparse")
    after = _modules("import airflow_provider_lms.command_line.commands")
    assert {name for name in after - before if not name.startswith("airflow_provider_lms")} == set()
    own = {"", ".command_line", *(f".command_line.{name}" for name in _MODULES)}
    assert {name for name in after if name.startswith("airflow_provider_lms")} == {
        f"airflow_provider_lms{name}" for name in own
    }


_MODULES = ("command", "commands", "lms_commands", "simulator_commands")


@pytest.mark.parametrize("module", _MODULES)
def test_these_modules_import_argparse_at_their_top_and_nothing_else(module: str) -> None:
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"argparse"}


def test_help_needs_no_airflow() -> None:
    found = _modules(
        "import contextlib, io, sys\nfrom airflow_provider_lms.command_line.commands import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['read', '--help'])"
    )
    assert {name.split(".")[0] for name in found} & {"airflow", "rich", "msgspec", "requests", "pendulum"} == set()


def test_the_metadata_names_the_function_for_airflow() -> None:
    (path,) = get_provider_info()["cli"]
    assert import_string(path).__name__ == "get_airflow_commands"


def test_airflow_gets_the_same_commands() -> None:
    (path,) = get_provider_info()["cli"]
    (group,) = import_string(path)()
    assert group.name == "lms"
    assert [command.name for command in group.subcommands] == NAMES


def test_every_command_has_a_line_in_the_help() -> None:
    shown = build_parser().format_help()
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("    ") and line[4] != " "] == NAMES


def test_without_a_command_the_help_is_shown(shell: Shell) -> None:
    result = shell("")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("usage: python -m airflow_provider_lms")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["simulator"], ["simulator", "start"]),
        (["simulator", "--port", "1"], ["simulator", "start", "--port", "1"]),
        (["simulator", "--help"], ["simulator", "--help"]),
        (["simulator", "lock", "--seconds", "1"], ["simulator", "lock", "--seconds", "1"]),
        (["head", "--help"], ["head", "--help"]),
        ([], []),
    ],
)
def test_simulator_alone_starts_it(given: list[str], meant: list[str]) -> None:
    assert with_default_command(given) == meant


def test_listings_shows_every_listing_of_every_lms(shell: Shell) -> None:
    shown = json.loads(shell("listings --json").out)
    expected = [(name, listing) for name, vendor in VENDORS.items() for listing in vendor.listings()]
    assert [(each["lms"], each["listing"]) for each in shown] == expected
    by_name = {(each["lms"], each["listing"]): each for each in shown}
    assert by_name["ispring_learn", "course_modules"] == {
        "lms": "ispring_learn",
        "listing": "course_modules",
        "key": ["moduleId"],
        "filters": ["course_id", "course_ids"],
        "parent": "courses",
    }
    assert by_name["zoho_people", "course_progress"]["filters"] == ["course_id", "batch_id", "learner_id"]
    assert by_name["ispring_learn", "active_users"]["filters"] == ["activity_date_start", "activity_date_end"]


def test_listings_of_one_lms(shell: Shell) -> None:
    shown = json.loads(shell("listings --lms zoho_people --json").out)
    assert {each["lms"] for each in shown} == {"zoho_people"}


def test_a_schema_is_the_published_one(shell: Shell) -> None:
    shown = json.loads(shell("schema users --lms ispring_learn").out)
    assert shown == json.loads((SCHEMAS / "ispring_learn" / "users.json").read_text())


def test_a_listing_that_only_one_lms_has_needs_no_lms(shell: Shell) -> None:
    assert json.loads(shell("schema employees").out)["title"] == "zoho_people.employees"


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_the_operators_of_a_vendor_read_the_listings_that_they_are_for(vendor: Vendor) -> None:
    required = {"course_id": "1"}
    for listing, path in vendor.operators.items():
        kind = import_string(path)
        given = {name: each for name, each in required.items() if name in kind.template_fields}
        assert kind(task_id="t", **given).declaration().name == listing
    assert import_string(vendor.listing_operator).conn_type == vendor.conn_type
    assert import_string(vendor.sensor).conn_type == vendor.conn_type


def test_the_only_connection_of_the_environment_is_taken(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT")
    assert json.loads(shell("check --quick --json").out)["conn_id"] == "ispring_learn_default"


def test_the_lms_follows_from_a_listing_that_only_one_has(
    lms: Simulator, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("count users").out == f"{len(lms.ispring.users)}\n"
    assert shell("count rooms").code == 0
    assert lms.zoho.calls
    assert shell("count courses").code == 2
    # Not the connection of the LMS that has no such listing, also if it is the only one.
    monkeypatch.delenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT")
    result = shell("count users")
    assert (result.code, result.out) == (2, "")
    assert "AIRFLOW_CONN_ISPRING_LEARN_DEFAULT" in result.err


def _airflow_version() -> tuple[int, ...]:
    from airflow import __version__

    return tuple(map(int, __version__.split(".")[:2]))


@pytest.mark.processes
def test_a_simulator_in_another_process_is_started_steered_and_stopped(shell: Shell) -> None:
    words = [sys.executable, "-m", "airflow_provider_lms", "simulator", "--port", "0", "--users", "4"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(120, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            port = first.partition("http://127.0.0.1:")[2].partition(".")[0]
            result = shell(f"simulator complete 'Fire safety 1' --learners 9 --port {port}")
            assert result.err == ""
            assert result.out.splitlines() == [
                "ispring_learn: 2 learners have completed course 4f9bf619-7993-5ce8-b473-1d769a72e140.",
                "zoho_people: 4 learners have completed course 100002000010000001.",
            ]
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
            guard.cancel()
    assert (process.returncode, err) == (0, "Stopped.\n")


@pytest.mark.processes
def test_a_command_needs_no_database_of_airflow(lms: Simulator, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "airflow_provider_lms", "count", "courses", "--lms", "ispring_learn"]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, "3\n")
    if _airflow_version() >= (3, 2):  # older ones write warnings of their own to stderr when they are imported
        assert done.stderr == ""
    assert not (tmp_path / "airflow.db").exists()


@pytest.mark.processes
def test_airflow_carries_out_the_commands(lms: Simulator, tmp_path: Path) -> None:
    if _airflow_version() < (3, 2):
        pytest.skip("Providers add commands from Airflow 3.2 on.")
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}

    def airflow(line: str) -> subprocess.CompletedProcess[str]:
        words = [str(Path(sys.executable).parent / "airflow"), *line.split()]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)

    done = airflow("lms head courses --lms ispring_learn --columns title --json")
    assert done.returncode == 0, done.stderr
    assert [row["title"] for row in json.loads(done.stdout)] == [course.title for course in lms.ispring.courses]
    assert airflow("lms head courses --lms ispring_learn --rows 0").returncode == 2


@pytest.mark.processes
def test_what_others_write_to_stdout_does_not_reach_it(lms: Simulator, tmp_path: Path) -> None:
    # As Airflow's log does, by a stream that was opened before.
    code = (
        "import os, sys\nfrom airflow_provider_lms.command_line import head\nrun = head.run\n"
        "def noisy(arguments):\n    print('noise')\n    os.write(1, b'more noise')\n    return run(arguments)\n"
        "head.run = noisy\nfrom airflow_provider_lms.command_line.commands import main\n"
        "sys.exit(main(['head', 'courses', '--lms', 'ispring_learn', '--json', *sys.argv[1:]]))"
    )
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=True)

    quiet, verbose = run(), run("--verbose")
    assert len(json.loads(quiet.stdout)) == len(json.loads(verbose.stdout)) == 3
    assert "noise" not in quiet.stderr
    assert "noise" in verbose.stderr


@pytest.mark.processes
def test_a_reader_that_has_enough_ends_the_command_quietly(lms: Simulator, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "airflow_provider_lms", "listings", "--json"]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        shown = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in shown
    assert "BrokenPipe" not in shown
