"""The vendor's own sample of module results, served over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.results import ModuleResult
from airflow_provider_lms.simulator import Simulator, faults
from tests.conftest import RESULTS

SAMPLE = (Path(__file__).parents[1] / "data" / "ispring_module_results.xml").read_bytes()
USER, COURSE = "114dba08-a75e-11eb-b4e5-0242ac13002a", "f0e7400a-ca31-11e9-b6fc-0a580af40a22"


def test_the_vendors_sample_yields_its_three_records_typed(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.fail(RESULTS, faults.body(SAMPLE, "application/xml"))

    pages = list(client.module_results())

    assert [page.next for page in pages] == [None]
    assert pages[0].records == [
        ModuleResult(
            user_id=USER,
            course_id=COURSE,
            module_title="Course 1",
            module_id="5a98720f-41e2-11ea-8a66-0a580af40c6f",
            course_item_id="553964ac-3c5c-11ef-b1c4-02420a200163",
            enrollment_id="b9b41af0-f062-11eb-a99d-0242ac190033",
            access_date=datetime(2021, 7, 28, 21, tzinfo=UTC),
            completion_date=None,
            time_spent=10,
            completion_status="in_progress",
            progress=9.09,
            is_overdue=False,
        ),
        ModuleResult(
            user_id=USER,
            course_id=COURSE,
            module_title="Course 2",
            module_id="55e716fa-3c5c-11ef-96f2-02420a200177",
            course_item_id="65a773eb-3c5c-11ef-b1c4-02420a200163",
            enrollment_id="bc2b7f9a-f066-11eb-bfc4-0242ac190033",
            access_date=datetime(2021, 7, 28, 21, tzinfo=UTC),
            due_date=datetime(2021, 7, 29, 21, tzinfo=UTC),
            expiration_date=datetime(2021, 7, 29, 21, tzinfo=UTC),
            time_spent=0,
            completion_status="in_progress",
            progress=50.0,
            is_overdue=True,
        ),
        ModuleResult(
            user_id=USER,
            course_id=COURSE,
            module_title="Course 3",
            module_id="6657451e-3c5c-11ef-ae43-02420a200177",
            course_item_id="81fdb5be-3c5c-11ef-9bec-02420a200177",
            enrollment_id="b44e7392-f389-11eb-b462-0242ac130033",
            access_date=datetime(2021, 8, 1, 21, tzinfo=UTC),
            due_date=datetime(2021, 8, 3, 21, tzinfo=UTC),
            time_spent=0,
            completion_status="not_started",
            progress=None,
            is_overdue=True,
        ),
    ]


def test_the_same_world_in_json_and_in_xml_yields_equal_records(
    lms: Simulator, connect: Callable[..., ISpringLearnClient]
) -> None:
    as_json, as_xml = connect(lms, accept="application/json"), connect(lms, accept="application/xml")
    for listing in ("module_results", "course_results", "courses", "users"):
        found = [[page.records for page in getattr(each, listing)(page_size=33)] for each in (as_json, as_xml)]
        assert found[0] == found[1]
        assert len(found[0][0]) > 0
