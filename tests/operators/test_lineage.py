"""What operators, sensors and hooks tell OpenLineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_lms.hooks import lineage
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.lms.errors import LmsUnavailable
from airflow_provider_lms.operators.ispring import ISpringListingOperator, ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, faults
from tests.conftest import RESULTS
from tests.tasks import execute

pytest.importorskip("airflow.providers.openlineage")
from openlineage.client.serde import Serde

SECRET = "a random text of the company"


@pytest.fixture(autouse=True)
def account(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = lms.connection()
    connection["extra"] = {"account": "acme", "hash_secret": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(connection))


def reported(task: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs and outputs as they are sent."""
    found = task.get_openlineage_facets_on_complete(None)
    inputs, outputs = ([json.loads(Serde.to_json(each)) for each in side] for side in (found.inputs, found.outputs))
    return inputs, outputs


def results(path: Path | None, **options: Any) -> ISpringModuleResultsOperator:
    output = None if path is None else str(path)
    return ISpringModuleResultsOperator(task_id="t", output_path=output, page_size=200, **options)


def test_an_operator_reports_the_listing_and_the_folder(lms: Simulator, tmp_path: Path) -> None:
    task = results(tmp_path)
    summary = execute(task)
    (read,), (written,) = reported(task)
    assert (read["namespace"], read["name"]) == ("ispring-learn://acme", "module_results")
    assert read["inputFacets"]["dataQualityMetrics"]["rowCount"] == summary["records"]
    assert (written["namespace"], written["name"]) == ("file", str(tmp_path))
    statistics = written["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["fileCount"]) == (summary["records"], 1)
    assert statistics["size"] == sum(each.stat().st_size for each in tmp_path.glob("part-*"))


def test_columns_come_with_types_and_descriptions(lms: Simulator, tmp_path: Path) -> None:
    task = results(tmp_path)
    execute(task)
    (read,), (written,) = reported(task)
    assert read["facets"]["schema"]["fields"] == written["facets"]["schema"]["fields"]
    (column,) = [each for each in read["facets"]["schema"]["fields"] if each["name"] == "completionDate"]
    assert column["type"] == "timestamp"
    assert column["description"]


def test_a_hashed_column_is_masked_and_a_dropped_one_is_gone(lms: Simulator, tmp_path: Path) -> None:
    task = results(tmp_path, hash_columns=["userId"], drop_columns=["moduleTitle"])
    execute(task)
    _, (written,) = reported(task)
    names = {each["name"]: each["type"] for each in written["facets"]["schema"]["fields"]}
    assert names["userId"] == "string"
    assert "moduleTitle" not in names
    origins = written["facets"]["columnLineage"]["fields"]
    assert origins.keys() == names.keys()

    def masking(column: str) -> bool:
        (origin,) = origins[column]["inputFields"]
        assert (origin["namespace"], origin["name"], origin["field"]) == (
            "ispring-learn://acme",
            "module_results",
            column,
        )
        (transformation,) = origin["transformations"]
        found: bool = transformation["masking"]
        return found

    assert masking("userId") is True
    assert masking("courseId") is False


def test_checks_say_what_is_known_about_the_reading(lms: Simulator, tmp_path: Path) -> None:
    task = results(tmp_path, max_pages=1)
    execute(task)
    (read,), _ = reported(task)
    checks = {each["assertion"]: each["success"] for each in read["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert checks == {
        "read to the end": False,
        "no records came or went while it was read": True,
        "no undeclared fields": True,
    }


def test_without_a_folder_only_the_listing_is_reported(lms: Simulator) -> None:
    task = results(None)
    records = execute(task)
    (read,), written = reported(task)
    assert read["inputFacets"]["dataQualityMetrics"]["rowCount"] == len(records)
    assert written == []


def test_the_listing_of_the_parents_is_an_input_too(lms: Simulator, tmp_path: Path) -> None:
    task = ISpringListingOperator(task_id="t", listing="course_modules", output_path=str(tmp_path))
    execute(task)
    inputs, _ = reported(task)
    assert [each["name"] for each in inputs] == ["course_modules", "courses"]


def test_a_failed_task_reports_what_it_has_read_and_no_rows(lms: Simulator, tmp_path: Path) -> None:
    lms.ispring.fail(RESULTS, faults.status(503), on=1)
    task = results(tmp_path, max_wait=0)
    with pytest.raises(LmsUnavailable):
        execute(task)
    (read,), written = reported(task)
    assert (read["name"], read["inputFacets"]) == ("module_results", {})
    assert written == []


def test_assets_among_the_outlets_are_outputs_and_one_folder_counts_once(lms: Simulator, tmp_path: Path) -> None:
    folder, listing = Asset(uri=f"file://{tmp_path}"), Asset(uri="ispring-learn://acme/module_results")
    task = results(tmp_path, outlets=[folder, listing])
    execute(task)
    _, outputs = reported(task)
    assert [(each["namespace"], each["name"]) for each in outputs] == [
        ("file", str(tmp_path)),
        ("ispring-learn://acme", "module_results"),
    ]


def test_no_id_name_filter_or_connection_is_reported(lms: Simulator, tmp_path: Path) -> None:
    user = lms.ispring.users[0]
    task = results(tmp_path, user_ids=[user.id], course_ids=[lms.ispring.courses[0].id])
    execute(task)
    text = json.dumps(reported(task))
    for private in (user.id, user.email, lms.ispring.courses[0].id, "ispring_learn_default", SECRET):
        assert private not in text


def test_zoho_people_has_a_scheme_of_its_own(lms: Simulator, tmp_path: Path) -> None:
    task = ZohoPeopleCoursesOperator(task_id="t", output_path=str(tmp_path))
    execute(task)
    (read,), _ = reported(task)
    assert read["namespace"].startswith("zoho-people://")
    assert read["name"] == "courses"


def test_a_sensor_reports_the_listing_that_it_waits_on(lms: Simulator) -> None:
    sensor = ISpringCourseCompletionSensor(task_id="t", course_id=lms.ispring.courses[0].id, required_count=1)
    sensor.poke({})
    inputs, outputs = reported(sensor)
    assert "course_results" in [each["name"] for each in inputs]
    assert outputs == []


def test_a_sensor_that_comes_back_from_the_triggerer_reports_it_too(lms: Simulator) -> None:
    sensor = ISpringCourseCompletionSensor(task_id="t", course_id=lms.ispring.courses[0].id)
    sensor.execute_complete({}, {"status": "met", "result": {}}, read=["ispring-learn://acme/course_results"])
    (read,), _ = reported(sensor)
    assert (read["namespace"], read["name"]) == ("ispring-learn://acme", "course_results")


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    class Collector:
        def add_input_asset(self, *, context: object, uri: str) -> None:
            assert isinstance(context, ISpringLearnHook)
            found.append(uri)

    monkeypatch.setattr(lineage, "get_hook_lineage_collector", Collector)
    return found


def test_a_client_of_a_hook_reports_each_listing_once(lms: Simulator, collected: list[str]) -> None:
    client = ISpringLearnHook().get_conn()
    assert collected == []
    for _ in range(2):
        list(client.courses())
    assert collected == ["ispring-learn://acme/courses"]


def test_an_operator_leaves_airflows_collector_alone(lms: Simulator, collected: list[str], tmp_path: Path) -> None:
    execute(results(tmp_path))
    assert collected == []


def test_a_collector_that_fails_does_not_fail_the_task(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(lineage, "get_hook_lineage_collector", broken)
    assert list(ISpringLearnHook().get_conn().courses())
    assert "Lineage does not show that ispring-learn://acme/courses was read (RuntimeError)." in caplog.text
