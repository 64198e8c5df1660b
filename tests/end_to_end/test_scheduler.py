"""DAGs through a real scheduler, DAG processor, triggerer and API server of Airflow 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.zoho import Limits
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.vendors import VENDORS
from dev.airflow_api import FINISHED
from dev.standalone import Airflow
from tests.conftest import RESULTS
from tests.end_to_end.dags.every_listing import LISTINGS
from tests.end_to_end.dags.every_size import SIZES
from tests.listings import SINGLE, comparable, values_of, world_rows
from tests.rows import delivered, ordered, present

NO_PAGE = faults.content(lambda _: {"message": "try again later"})
"""A final error. What is not the LMS's own response would be tried again within the task."""

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

WRONG = "a-wrong-secret-9f2c"


class Stage:
    """A running Airflow, the simulators its connections lead to, and how its runs ended."""

    def __init__(self, airflow: Airflow, simulators: dict[str, Simulator], output: Path) -> None:
        self.airflow = airflow
        self.simulators = simulators
        self.output = output
        conf = {"output": f"file://{output}"}
        self.locked = airflow.trigger("locked", conf)  # it waits for a minute, while the others run
        # Seen here, and not later: on a slow machine the others may take longer than the lock.
        airflow.wait_until("the lock is met", lambda: self._state_of_locked() in ("deferred", *FINISHED), 120)
        self.while_locked = self._state_of_locked()
        self.runs = {dag: airflow.run(dag, conf) for dag in ("every_size", "failing", "retried", "zoho_at_once")}
        self.runs["every_listing"] = airflow.run("every_listing", {**conf, "filters": self.filters()}, timeout=400)
        airflow.wait_until("the lock is over", lambda: airflow.call("GET", self.locked)["state"] in FINISHED, 240)
        self.runs["continues"] = airflow.run("continues", conf)

    def _state_of_locked(self) -> str | None:
        state: str | None = self.airflow.tasks(self.locked)[0]["state"]
        return state

    def filters(self) -> dict[str, dict[str, str]]:
        """What each listing is read with, by the id of its task."""
        lms = self.simulators["every_listing"]
        return {task: values_of(lms, vendor, _listing(vendor, name)) for task, (vendor, name) in LISTINGS.items()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home, output = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("output")
    worlds = {f"rows_{size}": World(users=size, courses=1, modules=1, blocked=0) for size in SIZES if size < 25_000}
    worlds["rows_25000"] = World(users=5_000, courses=1, modules=5, blocked=0)
    worlds["rows_one_by_one"] = World(users=9, courses=1, modules=1, blocked=0)
    worlds["rows_broken"] = worlds["rows_refused"] = World(users=30, courses=1, modules=1)
    worlds["rows_locked"] = worlds["rows_broken_once"] = World(users=95, courses=1, modules=1, blocked=0)
    with ExitStack() as stack:
        # Each reply takes a moment, so that requests overlap however fast or slow the machine is.
        simulators = {name: stack.enter_context(Simulator(world, latency=0.02)) for name, world in worlds.items()}
        connections = {name: simulator.connection() for name, simulator in simulators.items()}
        limits = Limits(window_seconds=1.0, lock_seconds=5.0, token_window_seconds=10.0)
        zoho = stack.enter_context(Simulator(World(users=4, courses=8, modules=1), zoho_limits=limits))
        simulators["zoho"], connections["zoho"] = zoho, zoho.connection("zoho_people")
        every = stack.enter_context(Simulator(World(users=24, courses=3, modules=2), zoho_limits=Limits(100_000)))
        every.zoho.page_size = every.zoho.form_page_size = 8
        simulators["every_listing"] = every
        connections["every_ispring_listing"] = {**every.connection(), "extra": {"page_size": 15}}
        connections["every_zoho_listing"] = every.connection("zoho_people")
        connections["rows_refused"]["password"] = WRONG
        simulators["rows_broken"].ispring.fail(RESULTS, NO_PAGE, on=2, times=9)
        simulators["rows_broken_once"].ispring.fail(RESULTS, NO_PAGE, on=6)
        simulators["rows_locked"].ispring.fail(RESULTS, faults.status(429, Retry_After="60"), on=6)
        dags = Path(__file__).parent / "dags"
        airflow = stack.enter_context(Airflow(home, dags, connections, {"AIRFLOW__CORE__PARALLELISM": "8"}))
        yield Stage(airflow, simulators, output)


@pytest.mark.parametrize("name", [*(f"rows_{size}" for size in SIZES), "rows_one_by_one"])
def test_a_dataset_holds_just_the_rows_of_the_world(stage: Stage, name: str) -> None:
    assert stage.runs["every_size"]["state"] == "success"
    manifest = read_manifest(str(stage.output / name))
    found = present(read_records(str(stage.output / name)))
    expected = delivered(stage.simulators[name].ispring.module_results())
    assert len(found) == len(expected) == manifest["records"] == (9 if name == "rows_one_by_one" else int(name[5:]))
    assert found == expected
    assert manifest["run"]["run_id"] == stage.runs["every_size"]["dag_run_id"]


def test_several_requests_at_the_same_time_give_the_same_rows(stage: Stage) -> None:
    summary = read_manifest(str(stage.output / "in_parallel"))
    expected = delivered(stage.simulators["rows_999"].ispring.module_results())
    assert len({file["name"].split("-")[3] for file in summary["files"]}) == 20
    assert ordered(present(read_records(str(stage.output / "in_parallel")))) == ordered(expected)
    assert stage.simulators["rows_999"].most_in_flight > 1


@pytest.mark.parametrize("task", LISTINGS)
def test_every_listing_is_read_by_its_name_as_the_world_has_it(stage: Stage, task: str) -> None:
    assert stage.runs["every_listing"]["state"] == "success"
    lms, (vendor, name) = stage.simulators["every_listing"], LISTINGS[task]
    manifest = read_manifest(str(stage.output / task))
    found = comparable(read_records(str(stage.output / task)))
    assert found == world_rows(lms, vendor, _listing(vendor, name), stage.filters()[task])
    assert len(found) == manifest["records"] == 1 if name in SINGLE else len(found) == manifest["records"] >= 2
    assert (manifest["resource"], manifest["complete"], manifest["consistent"]) == (name, True, True)
    assert manifest["run"]["run_id"] == stage.runs["every_listing"]["dag_run_id"]


def test_airflows_retry_reads_only_what_is_missing(stage: Stage) -> None:
    assert stage.runs["retried"]["state"] == "success"
    account = stage.simulators["rows_broken_once"].ispring
    manifest = read_manifest(str(stage.output / "rows_broken_once"))
    assert present(read_records(str(stage.output / "rows_broken_once"))) == delivered(account.module_results())
    assert manifest["run"]["try_number"] == 2
    assert (manifest["pages"], account.count(RESULTS)) == (10, 11)
    assert "Resuming after 5 pages in 1 files of an earlier attempt." in _logs(stage)


def test_a_long_lock_holds_no_slot_and_reading_resumes_after_it(stage: Stage) -> None:
    assert stage.while_locked == "deferred"
    assert stage.airflow.call("GET", stage.locked)["state"] == "success"
    account = stage.simulators["rows_locked"].ispring
    manifest = read_manifest(str(stage.output / "rows_locked"))
    assert present(read_records(str(stage.output / "rows_locked"))) == delivered(account.module_results())
    assert (manifest["pages"], manifest["run"]["try_number"]) == (10, 1)
    assert account.count(RESULTS) == manifest["pages"] + 1 + read_manifest(str(stage.output / "continues"))["pages"]


def test_the_watermark_in_an_assets_state_says_where_to_continue(stage: Stage) -> None:
    assert stage.runs["continues"]["state"] == "success"
    watermark = read_manifest(str(stage.output / "rows_locked"))["watermark"]
    (start, _) = read_manifest(str(stage.output / "continues"))["query"]["completion_date"]
    assert datetime.fromisoformat(start) == datetime.fromisoformat(watermark) - timedelta(days=2)
    extra = stage.airflow.call("GET", "/api/v2/assets/events")["asset_events"][0]["extra"]
    assert extra == {
        "uri": f"file://{stage.output}/rows_locked",
        "records": 95,
        "schema_version": 1,
        "watermark": watermark,
        "new_fields": [],
        "changed_partitions": None,
    }


def test_eight_tasks_at_once_share_zohos_rate_limit_and_one_token(stage: Stage) -> None:
    assert stage.runs["zoho_at_once"]["state"] == "success"
    zoho = stage.simulators["zoho"].zoho
    assert (zoho.locks, len(zoho.tokens)) == (0, 1)
    for course in zoho.courses:
        found = present(read_records(str(stage.output / "zoho" / course.id)))
        expected = zoho.entity_progress(course)
        assert len(found) == len(expected)
        assert sorted(map(_entity, found)) == sorted(map(_entity, expected))
    cost = "4 learners, 10 entity types: 40 calls, 1 s at the rate limit of 30 calls in 1 s."
    assert cost in _logs(stage)


def test_a_failing_task_fails_its_run_and_commits_nothing(stage: Stage) -> None:
    assert stage.runs["failing"]["state"] == "failed"
    with pytest.raises(FileNotFoundError, match="no dataset was committed"):
        read_manifest(str(stage.output / "rows_broken"))
    assert "page 2: the object has no 'results'; it has message." in _logs(stage)
    assert "Check the connection's login (client ID) and password (client secret)" in _logs(stage)


def test_no_secret_and_no_token_is_anywhere_in_airflow(stage: Stage) -> None:
    """Logs, XCom, rendered fields, serialized DAGs: all that Airflow keeps is in its home, in files and a database."""
    secrets = {WRONG} | {secret for each in stage.simulators.values() for secret in _secrets(each)}
    assert len(secrets) > len(stage.simulators)
    kept = _kept(stage)
    assert [(path, secret) for path, content in kept.items() for secret in secrets if secret.encode() in content] == []
    # The account of a task that must have been kept shows that there was something to look through.
    database = b"".join(content for path, content in kept.items() if path.name.startswith("airflow.db"))
    assert f"file://{stage.output}/rows_one_by_one/_manifest.json".encode() in database


def test_no_learner_is_in_a_log(stage: Stage) -> None:
    logs = _logs(stage)
    world = stage.simulators["rows_one_by_one"].world
    private = [*(user.id for user in world.people), *(user.email for user in world.people)]
    private += [user.id for user in stage.simulators["rows_broken"].world.people]
    private += [learner.id for learner in stage.simulators["zoho"].zoho.world.everyone]
    every = stage.simulators["every_listing"]
    private += [*(user.id for user in every.world.people), *(user.email for user in every.world.people)]
    private += [learner.id for learner in every.zoho.world.everyone]
    assert "records to file://" in logs
    assert [each for each in private if each in logs] == []


def test_no_learner_of_a_dataset_is_anywhere_in_airflow(stage: Stage) -> None:
    """Not even in its database: records go into the dataset, and XCom has only the summary."""
    from tests.end_to_end.dags.waiting import WORLD  # which Airflow 2 cannot import

    lms = stage.simulators["every_listing"]
    given = {value for filters in stage.filters().values() for value in filters.values()}
    # The first users are those of other DAGs too, which have their ids in the code or their records in XCom.
    others = lms.world.people[WORLD.users :]
    private = {*(user.id for user in others), *(user.email for user in others)}
    private |= {learner.id for learner in lms.zoho.world.everyone} - given
    assert len(private) == 4 + 4 + 23
    assert [
        (path, each) for path, content in _kept(stage).items() for each in private if each.encode() in content
    ] == []


def test_the_command_line_knows_the_provider(stage: Stage) -> None:
    said = stage.airflow.command("providers", "get", "airflow-provider-lms")
    assert re.search(r"airflow-provider-lms\s*\|\s*0\.", said.stdout), said.stdout + said.stderr
    hooks = stage.airflow.command("providers", "hooks", "--output", "plain")
    assert re.search(r"ispring_learn .*ISpringLearnHook", hooks.stdout), hooks.stdout + hooks.stderr


def test_a_connection_added_on_the_command_line_is_tested_there(stage: Stage) -> None:
    fields = stage.simulators["rows_1"].connection()
    added = stage.airflow.command(
        "connections", "add", "by_hand", "--conn-type", "ispring_learn", "--conn-host", fields["host"],
        "--conn-login", fields["login"], "--conn-password", fields["password"], "--conn-extra", '{"page_size": "50"}',
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    tested = stage.airflow.command("connections", "test", "by_hand")
    assert "Connection success!" in tested.stdout, tested.stdout + tested.stderr


def test_the_api_tests_a_connection(stage: Stage) -> None:
    fields: dict[str, Any] = stage.simulators["rows_1"].connection()
    body = {"connection_id": "x", **fields}
    assert stage.airflow.call("POST", "/api/v2/connections/test", body)["status"] is True
    said = stage.airflow.call("POST", "/api/v2/connections/test", {**body, "password": WRONG})
    assert said["status"] is False
    assert "Check the connection's login" in said["message"]


def test_the_form_is_described_to_the_ui(stage: Stage) -> None:
    (form,) = [
        each
        for each in stage.airflow.call("GET", "/ui/connections/hook_meta")
        if each["connection_type"] == "ispring_learn"
    ]
    assert form["hook_name"] == "iSpring Learn"
    assert list(form["extra_fields"])[:4] == ["auth_url", "auth_scheme", "response_format", "page_size"]
    assert form["standard_fields"]["host"]["title"] == "API host"


def _entity(row: dict[str, Any]) -> tuple[str, ...]:
    """An entity and its status; learners have other states of the same."""
    ids = ("testId", "assignmentId", "fileId", "contentId", "sessionId", "linkId", "feedbackId")
    return str(next(row[name] for name in ids if row.get(name))), str(row["status"]), str(row["duration"])


def _listing(vendor: str, name: str) -> Listing[Any]:
    found: Listing[Any] = VENDORS[vendor].listings()[name]
    return found


def _kept(stage: Stage) -> dict[Path, bytes]:
    """All files of Airflow's home."""
    return {path: path.read_bytes() for path in stage.airflow.home.rglob("*") if path.is_file()}


def _secrets(simulator: Simulator) -> list[str]:
    zoho = simulator.zoho
    return [
        simulator.ispring.client_secret,
        *simulator.ispring.tokens,
        zoho.client_secret,
        zoho.refresh_token,
        *zoho.tokens,
    ]


def _logs(stage: Stage) -> str:
    return "\n".join(path.read_text() for path in (stage.airflow.home / "logs").rglob("*.log")) + (
        stage.airflow.home / "standalone.log"
    ).read_text(errors="replace")
