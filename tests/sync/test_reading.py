"""A plan is only made of listings that were read to the end."""

from __future__ import annotations

import pytest

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.operators.ispring import ISpringEnrollmentSyncOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.sync.reading import InconsistentRead, records
from tests.sync.runs import Runs


def test_records_that_came_or_went_meanwhile_make_no_plan() -> None:
    pages = [Page([Record()], 1, "2"), Page([Record()], 2, None, consistent=False)]
    found = records(pages)
    assert next(found) is pages[0].records[0]
    with pytest.raises(InconsistentRead, match="could be wrong"):
        next(found)


@pytest.mark.parametrize("call", ["GET /users/v2", "GET /enrollments"])
def test_a_listing_that_breaks_off_makes_no_plan(
    call: str, lms: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plans")
    runs = Runs(ISpringEnrollmentSyncOperator, folder, match_by="user_id", max_wait=0)
    lms.ispring.fail(call, faults.cut_document())
    with pytest.raises(LmsError):
        runs.plan([{"user_id": lms.ispring.users[0].id, "course_id": lms.ispring.courses[0].id}])
    assert not runs.plans.exists()
