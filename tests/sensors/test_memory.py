"""A sensor that lives on between pokes does not learn again what it knows of the course."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_lms.lms.course.read_flow import run_flow
from airflow_provider_lms.lms.course.readers import CourseMemory
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.course import ISpringCourseQuery, ISpringCourseReader
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.course import ZohoPeopleCourseQuery, ZohoPeopleCourseReader
from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor
from airflow_provider_lms.simulator import Simulator, World
from tests.lms.test_course_readers import called, criteria, sent

STRANGER = "404404404404404404"


@pytest.fixture
def large(lms: Simulator) -> Simulator:
    """Its first course takes two pages."""
    assert len(lms.zoho.world.everyone) > lms.zoho.page_size
    return lms


def pokes(lms: Simulator, sensor: Any, number: int) -> list[list[str]]:
    return [called(lms, lambda: sensor.poke({})) for _ in range(number)]


def zoho_sensor(lms: Simulator, **options: Any) -> ZohoPeopleCourseCompletionSensor:
    return ZohoPeopleCourseCompletionSensor(task_id="wait", course_id=lms.zoho.courses[0].id, **options)


def test_the_second_poke_knows_that_the_course_is_longer(large: Simulator) -> None:
    learner = large.zoho.world.everyone[30]
    one = f"learners/{learner.id}/course-progress"
    sensor = zoho_sensor(large, learner_ids=[learner.id])
    assert pokes(large, sensor, 3) == [["batches", "course-progress", one], ["batches", one], ["batches", one]]
    # A rescheduled poke is another process, and knows nothing.
    assert pokes(large, zoho_sensor(large, learner_ids=[learner.id]), 1) == [["batches", "course-progress", one]]


def test_a_memory_is_for_one_sensor(large: Simulator) -> None:
    one, other = (zoho_sensor(large, learner_ids=[large.zoho.world.everyone[30].id]) for _ in range(2))
    one.poke({})
    assert "course-progress" in pokes(large, other, 1)[0]


def test_learners_seen_on_the_pages_that_were_read_are_not_read_once_more(
    lms: Simulator, zoho: ZohoPeopleClient
) -> None:
    course, (first, *_, last) = lms.zoho.courses[0], lms.zoho.world.everyone
    for learner in (first, last):
        lms.zoho.finish(learner, course)
    lms.zoho.page_size = 10
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    wanted = {"learner_id": (first.id, last.id)}
    found: list[Any] = []
    calls = called(lms, lambda: found.append(run_flow(reader.read_flow(wanted))))
    assert calls == ["batches", "course-progress", "course-progress", f"learners/{last.id}/course-progress"]
    progress = found[0].learners((first.id, last.id), "learner_id")
    assert {name: [each.status for each in entries] for name, entries in progress.items()} == {
        first.id: ["completed"],
        last.id: ["completed"],
    }


def test_a_learner_of_a_batch_that_was_read_is_still_looked_for_in_the_others(
    connect_zoho: Callable[..., ZohoPeopleClient],
) -> None:
    with Simulator(World(users=200)) as lms:
        lms.zoho.page_size = 5
        course = lms.zoho.courses[1]
        first, *others = sorted(course.batches, key=lambda batch: batch.id)
        learner = lms.zoho.world.learners(course, first)[0]
        reader = ZohoPeopleCourseReader(connect_zoho(lms), ZohoPeopleCourseQuery(course_id=course.id))
        calls = called(lms, lambda: run_flow(reader.read_flow({"learner_id": (learner.id,)})))
        assert calls[0] == "batches"
        assert {call for call in calls if "/learners/" in call} == {
            f"batches/{batch.id}/learners/{learner.id}/course-progress" for batch in others
        }


def test_a_batch_that_was_read_to_its_end_is_not_asked_for_others(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[1]
    first, second = sorted(course.batches, key=lambda batch: batch.id)
    lms.zoho.page_size = 8  # three pages for each batch, of which four are read
    learners = [learner.id for learner in lms.zoho.world.learners(course, second)[-2:]]
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    calls = called(lms, lambda: run_flow(reader.read_flow({"learner_id": learners})))
    progress = [f"batches/{batch.id}/course-progress" for batch in (first, first, first, second)]
    named = [f"batches/{second.id}/learners/{learner}/course-progress" for learner in learners]
    assert calls == ["batches", *progress, *named]


def test_ids_of_another_kind_are_still_noticed_when_the_course_is_not_read(
    large: Simulator, zoho: ZohoPeopleClient
) -> None:
    memory = CourseMemory()
    query = ZohoPeopleCourseQuery(course_id=large.zoho.courses[0].id)
    for _ in range(2):
        snapshot = run_flow(ZohoPeopleCourseReader(zoho, query, memory).read_flow({"learner_id": (STRANGER,)}))
        assert snapshot.populated
    assert memory.least_pages == {"learners": 2}


def test_an_id_that_ispring_rejects_is_searched_for_once(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]
    nobody = str(uuid.UUID(int=404))
    sensor = ISpringCourseCompletionSensor(
        task_id="wait", course_id=course.id, user_ids=[lms.ispring.users[0].id, nobody], on_missing="wait"
    )
    counts = [len(sent(lms, lambda: sensor.poke({}))) for _ in range(3)]
    assert counts[0] > counts[1] == counts[2]


def test_ispring_remembers_how_many_pages_a_course_has(connect: Callable[..., ISpringLearnClient]) -> None:
    with Simulator(World(users=900, courses=1, modules=1)) as lms:
        client, memory = connect(lms, page_size=10), CourseMemory()
        query = ISpringCourseQuery(course_id=lms.ispring.courses[0].id)
        wanted = criteria(named=tuple(user.id for user in lms.ispring.users[:100]))
        counts = [
            len(sent(lms, lambda: run_flow(ISpringCourseReader(client, query, memory).read_flow(wanted.learner_ids))))
            for _ in range(2)
        ]
        assert counts[0] > counts[1]
        assert memory.exists
