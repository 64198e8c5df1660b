"""The code on the pages of the site is run as it stands, against the simulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_lms.operators.datasets
import airflow_provider_lms.operators.ispring
import airflow_provider_lms.operators.zoho_people
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator import faults as simulated_faults
from dev.standalone import free_ports

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL = DOCS / "start" / "tutorial.md"
OPERATORS = {
    **vars(airflow_provider_lms.operators.ispring),
    **vars(airflow_provider_lms.operators.zoho_people),
    **vars(airflow_provider_lms.operators.datasets),
}


def blocks(page: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", blocks("extract/operators.md"))
def test_an_operator_of_the_docs_can_be_made_and_checked(code: str) -> None:
    names: dict[str, Any] = {"operator": None, **OPERATORS}
    exec(f"operator = {code}", names)
    assert names["operator"].task_id


def test_the_functions_of_the_python_page_get_what_they_say(lms: Simulator, tmp_path: Path) -> None:
    sdk = pytest.importorskip("airflow.sdk")
    pytest.importorskip("pyarrow")
    decorated, hooked, notebook, listing, arrow, reading = blocks("develop/python-api.md")
    results = lms.ispring.course_results()
    names: dict[str, Any] = {}
    with sdk.DAG("dag", schedule=None):
        exec(decorated, names)
        operator = names["count_overdue"]().operator
        exec(hooked, names)
        listed = names["list_courses"].function
    assert operator.execute({"outlet_events": {}, "params": {}}) == sum(row["isOverdue"] for row in results)
    assert listed() == [course.title for course in lms.ispring.courses]
    for code in (notebook, listing, arrow):
        exec(code, names)
    assert names["table"].num_rows == len(results)
    exec(reading, names)
    summary = OPERATORS["ISpringCourseResultsOperator"](task_id="t", output_path=str(tmp_path)).execute({})
    passed = [row["userId"] for row in results if row["completionStatus"] == "passed"]
    assert names["completed"](summary) == passed


def test_the_changes_of_the_docs_are_made(lms: Simulator) -> None:
    ispring, zoho, enroll_all = blocks("develop/writes.md")
    learners = re.findall(r'^    \["(.*?)", "(.*?)"\],$', ispring, re.MULTILINE)[0]
    names: dict[str, Any] = {}
    exec(ispring, names)
    client = names["ISpringLearnHook"]().get_conn()
    course = lms.ispring.courses[0].id
    enrolled = [
        each.learner_id for page in client.enrollments(course_ids=course, learner_ids=learners) for each in page.records
    ]
    assert sorted(enrolled) == sorted(learners)

    exec(enroll_all, names)
    everybody = [user.id for user in lms.ispring.users]
    lms.ispring.enroll_again = "second"
    lms.ispring.fail("POST /enrollment", simulated_faults.lost_reply())
    names["enroll_all"](client, course, everybody)
    rows = [each.learner_id for page in client.enrollments(course_ids=course) for each in page.records]
    assert sorted(rows) == sorted({*rows})
    assert {*rows} >= {*everybody}
    client.close()

    first, *_ = lms.zoho.courses
    both = [*lms.zoho.world.learners(first, None)][:2]
    for learner in both:
        lms.zoho.world.unenroll(first, None, learner)
    exec(zoho, names)
    assert {*both} <= {*lms.zoho.world.learners(first, None)}


def _run_pytest(folder: Path, *codes: str) -> str:
    for number, code in enumerate(codes):
        plugin = "" if "pytest_plugins" in code else 'pytest_plugins = ["airflow_provider_lms.simulator.fixture"]\n'
        (folder / f"test_docs_{number}.py").write_text(plugin + code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.processes
def test_the_tests_of_the_page_about_tests_pass(tmp_path: Path) -> None:
    first, faults, clock, _whole_dag, world = blocks("develop/testing.md")
    assert "4 passed" in _run_pytest(tmp_path, first, faults, clock)
    exec(world, {})


def test_the_faults_that_the_docs_list_exist(lms: Simulator) -> None:
    from airflow_provider_lms.simulator import faults

    page = (DOCS / "develop" / "testing.md").read_text().split("| fault |")[1].split("\n\n")[0]
    calls = re.findall(r"`((\w+)\([^`]*\))`", page)
    assert len(calls) == 9
    for call, _ in calls:
        assert callable(eval(call, {**vars(faults), "change": str}))


@pytest.mark.airflow
def test_the_tutorial_leads_to_a_green_dag_and_a_passing_test(tmp_path: Path) -> None:
    pytest.importorskip("airflow.sdk")
    pytest.importorskip("duckdb")
    pytest.importorskip("matplotlib")
    (port,) = free_ports(1)
    text = TUTORIAL.read_text()
    assert "pip install" in blocks("start/tutorial.md", "bash")[0]
    script = ["trap 'kill $(jobs -p) || true' EXIT"]  # whatever fails, the simulator ends
    for language, code, before in _blocks_in_order(text)[1:]:  # all but the installation
        if language == "python":
            path = re.findall(r"`([\w/]+\.py)`", before)[-1]
            script.append(f"cat > {path} <<'PYTHON'\n{code}PYTHON\n")
        elif language == "bash":
            script.append(code.replace("simulator >", f"simulator --port {port} >"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "clone").mkdir()
    command = ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(script)]
    done = subprocess.run(
        command, cwd=tmp_path / "clone", env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-4_000:]
    assert "Connection success!" in printed
    assert "state=success" in printed or "state:success" in printed
    (table,) = re.findall(r"^```text\n(┌.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert table.strip() in printed
    (seen,) = re.findall(r"^```text\n(\d+ of .*?)\n```", text, re.MULTILINE)
    assert seen in printed
    assert "1 passed" in printed
    assert "'learners': 40" in printed
    assert "<html" in (tmp_path / "lms-tutorial" / "completion.html").read_text()


def _blocks_in_order(text: str) -> list[tuple[str, str, str]]:
    """The language and the code of each block, and the text before it."""
    found, end = [], 0
    for match in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        found.append((match[1], match[2], text[end : match.start()]))
        end = match.end()
    return found


def test_the_connections_of_the_docs_are_read_by_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.secrets.local_filesystem import LocalFilesystemBackend

    page = (DOCS / "connections" / "index.md").read_text()
    exported = re.findall(r"^export (AIRFLOW_CONN_\w+)='(.*)'$", page, re.MULTILINE)
    assert [name for name, _ in exported] == ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", "AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT"]
    for name, value in exported:
        monkeypatch.setenv(name, value)
        conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
        found = BaseHook.get_connection(conn_id)
        assert found.conn_type == conn_id.removesuffix("_default")
        assert (found.login, found.password) == ("CLIENT_ID", "CLIENT_SECRET")
    (yaml,) = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "connections.yaml").write_text(yaml)
    assert f"AIRFLOW__SECRETS__BACKEND={LocalFilesystemBackend.__module__}.LocalFilesystemBackend" in page
    backend = LocalFilesystemBackend(connections_file_path=str(tmp_path / "connections.yaml"))
    stored = backend.get_connection("ispring_learn_default")
    assert stored is not None
    assert (stored.conn_type, stored.login) == ("ispring_learn", "CLIENT_ID")
