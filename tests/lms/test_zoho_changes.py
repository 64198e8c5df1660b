"""What reads show after somebody was enrolled or unenrolled in the simulated Zoho People."""

from __future__ import annotations

import pytest

from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsInvalidValue,
    LmsNotFound,
    LmsPermissionError,
    LmsUnconfirmed,
)
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.simulator.zoho_world import Batch, Course, Learner


def left(lms: Simulator, course: Course, batch: Batch | None = None) -> tuple[list[Learner], list[str]]:
    """Two learners who have just left a course, and their record ids."""
    learners = [*lms.zoho.world.learners(course, batch)][:2]
    for each in learners:
        lms.zoho.world.unenroll(course, batch, each)
    return learners, [str(lms.zoho.erecno(each)) for each in learners]


def in_course(client: ZohoPeopleClient, course: Course, batch: Batch | None = None) -> set[str]:
    pages = client.course_progress(course.id, batch_id=None if batch is None else batch.id)
    return {str(each.learner_id) for page in pages for each in page.records}


def test_who_is_enrolled_in_a_course_is_read_in_it(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0]
    learners, record_ids = left(lms, course)
    before = in_course(zoho, course)
    zoho.enroll(course.id, record_ids)
    assert in_course(zoho, course) - before == {each.id for each in learners}


def test_who_is_enrolled_in_a_batch_is_read_in_that_batch(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[1]
    first, second = course.batches
    learners, record_ids = left(lms, course, first)
    zoho.enroll(course.id, record_ids, batch_id=second.id)
    assert {each.id for each in learners} <= in_course(zoho, course, second)
    assert not {each.id for each in learners} & in_course(zoho, course, first)


def test_who_is_unenrolled_is_gone(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0]
    learner = next(iter(lms.zoho.world.learners(course, None)))
    zoho.unenroll(course.id, lms.zoho.erecno(learner), allow_undocumented=True)
    assert learner.id not in in_course(zoho, course)


def test_where_zoho_expects_the_other_parameter_the_call_is_refused(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.unenroll_parameter = "learnerErecno"
    course = lms.zoho.courses[0]
    before = in_course(zoho, course)
    learner = next(iter(lms.zoho.world.learners(course, None)))
    with pytest.raises(LmsBadRequest, match="code 7203"):
        zoho.unenroll(course.id, lms.zoho.erecno(learner), allow_undocumented=True)
    assert in_course(zoho, course) == before


def test_a_scope_that_only_reads_is_not_enough(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    lms.zoho.scopes = {"ZOHOPEOPLE.training.READ"}
    course = lms.zoho.courses[0]
    _, record_ids = left(lms, course)
    with pytest.raises(LmsPermissionError, match=r"and to enroll with ZOHOPEOPLE\.training\.CREATE"):
        zoho.enroll(course.id, record_ids)


def test_unknown_people_and_courses_are_refused(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0]
    learners, record_ids = left(lms, course)
    with pytest.raises(LmsInvalidValue) as raised:
        zoho.enroll(course.id, [*record_ids, "1234567890"])
    assert "1234567890" not in str(raised.value)
    with pytest.raises((LmsNotFound, LmsInvalidValue)):
        zoho.enroll("42", record_ids)
    assert not {each.id for each in learners} & in_course(zoho, course)


@pytest.mark.parametrize(
    ("fault", "before", "done"),
    [
        (faults.lost_reply(), False, True),
        (faults.status(503), True, False),
        (faults.html_page(), False, True),
    ],
)
def test_whether_a_call_without_an_answer_was_carried_out_is_seen_by_reading(
    lms: Simulator, zoho: ZohoPeopleClient, fault: Fault, before: bool, done: bool
) -> None:
    course = lms.zoho.courses[0]
    learners, record_ids = left(lms, course)
    call = f"POST /api/v1/courses/{course.id}/enroll"
    lms.zoho.fail(call, fault, before=before)
    with pytest.raises(LmsUnconfirmed):
        zoho.enroll(course.id, record_ids)
    assert ({each.id for each in learners} <= in_course(zoho, course)) is done
    assert lms.zoho.count(call) == 1
