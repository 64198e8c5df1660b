"""The progress of learners in a course, read over real HTTP by as few requests as possible."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.course.criteria import Criteria
from airflow_provider_lms.lms.course.evaluation import Evaluation, evaluate
from airflow_provider_lms.lms.course.progress import CourseSnapshot, LearnerIds, LearnerProgress
from airflow_provider_lms.lms.course.read_flow import run_flow
from airflow_provider_lms.lms.course.readers import CompletionsQuery, CourseReader
from airflow_provider_lms.lms.course.reading import CourseReading, reading_flow
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.course import STATUSES, ISpringCourseQuery, ISpringCourseReader
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.completions import ZohoPeopleCompletionsReader
from airflow_provider_lms.lms.zoho_people.course import STATUSES as ZOHO_STATUSES
from airflow_provider_lms.lms.zoho_people.course import ZohoPeopleCourseQuery, ZohoPeopleCourseReader
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.simulator.world import DONE
from airflow_provider_lms.testing import FakeClock, fake_clock

COURSE_RESULTS = "GET /learners/results"
NOBODY = str(uuid.UUID(int=404))
STRANGER = "404404404404404404"


def criteria(**options: Any) -> Criteria:
    return Criteria(**{"statuses": STATUSES, **options})


def sent(lms: Simulator, action: Callable[[], object]) -> list[dict[str, list[str]]]:
    """The queries for course results that an action sends."""
    before = len(lms.ispring.requests)
    action()
    return [
        {name: request.all(name) for name, _ in request.query}
        for request in lms.ispring.requests[before:]
        if request.call == COURSE_RESULTS
    ]


def called(lms: Simulator, action: Callable[[], object]) -> list[str]:
    """The calls of Zoho that an action makes, from the last ids of their path on."""
    before = len(lms.zoho.calls)
    action()
    return [request.call.partition("/courses/")[2].partition("/")[2] for request in lms.zoho.calls[before:]]


def ids(users: Iterable[Any]) -> tuple[str, ...]:
    return tuple(user.id for user in users)


def read(reader: CourseReader, criteria: Criteria) -> Evaluation:
    """Read the course once, and evaluate what was read."""
    return evaluate(criteria, run_flow(reader.read_flow(criteria.learner_ids)))


def progress_of(snapshot: CourseSnapshot, criteria: Criteria) -> list[LearnerProgress]:
    return [each for found in snapshot.learners(criteria.named, criteria.id_kind).values() for each in found]


# iSpring Learn


def test_few_named_learners_take_one_request(lms: Simulator, client: ISpringLearnClient) -> None:
    course, users = lms.ispring.courses[0], lms.ispring.users[:3]
    for user in users:
        lms.ispring.record(user, course, "passed")
    reader, wanted = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id)), criteria(named=ids(users))
    found: list[Evaluation] = []
    queries = sent(lms, lambda: found.append(read(reader, wanted)))
    assert queries == [{"courseIds[]": [course.id], "userStatuses[]": ["1"], "userIds[]": list(ids(users))}]
    assert (found[0].outcome, found[0].completed) == ("met", list(ids(users)))


def test_only_those_not_found_are_looked_for_among_blocked_accounts(lms: Simulator, client: ISpringLearnClient) -> None:
    course, active, blocked = lms.ispring.courses[0], lms.ispring.users[0], lms.ispring.users[-1]
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
    wanted = criteria(named=(active.id, blocked.id))
    snapshots: list[CourseSnapshot] = []
    queries = sent(lms, lambda: snapshots.append(run_flow(reader.read_flow(wanted.learner_ids))))
    assert [(query["userStatuses[]"], query["userIds[]"]) for query in queries] == [
        (["1"], [active.id, blocked.id]),
        (["3", "5"], [blocked.id]),
    ]
    evaluation = evaluate(wanted, snapshots[0])
    assert evaluation.missing == []
    assert [each.blocked for each in progress_of(snapshots[0], wanted)] == [False, True]
    assert evaluate(criteria(named=wanted.named, on_blocked="ignore"), snapshots[0]).cohort == 1


def test_everybody_is_read_by_two_listings(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]
    reader, everybody = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id)), criteria()
    snapshots: list[CourseSnapshot] = []
    queries = sent(lms, lambda: snapshots.append(run_flow(reader.read_flow(None))))
    assert [query["userStatuses[]"] for query in queries] == [["1"], ["3", "5"]]
    evaluation = evaluate(everybody, snapshots[0])
    done = [row for row in lms.world.course_results if row.course == course and row.status in DONE]
    assert (evaluation.cohort, len(evaluation.completed)) == (lms.world.users, len(done))
    assert evaluate(criteria(on_blocked="ignore"), snapshots[0]).cohort == lms.world.users - lms.world.blocked


def test_the_whole_course_is_read_where_ids_would_take_more_requests(
    connect: Callable[..., ISpringLearnClient],
) -> None:
    with Simulator(World(users=400, courses=1, blocked=2)) as lms:
        client, course = connect(lms), lms.ispring.courses[0]
        reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
        wanted = criteria(named=ids(lms.ispring.users[:300]))
        assert client.count_requests(course_ids=course.id, user_ids=wanted.named) > 1
        found: list[Evaluation] = []
        queries = sent(lms, lambda: found.append(read(reader, wanted)))
        assert ["userIds[]" in query for query in queries] == [False]
        assert (found[0].cohort, found[0].missing) == (300, [])


def test_how_many_pages_a_course_has_is_learned_once(connect: Callable[..., ISpringLearnClient]) -> None:
    with Simulator(World(users=300, courses=1, blocked=0)) as lms:
        client, course = connect(lms, page_size=25), lms.ispring.courses[0]
        reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
        wanted = criteria(named=ids(lms.ispring.users[:200]))
        least = client.count_requests(course_ids=course.id, user_ids=wanted.named)
        assert 1 < least < 300 / 25
        rounds = [sent(lms, lambda: run_flow(reader.read_flow(wanted.learner_ids))) for _ in range(3)]
        whole = [["userIds[]" in query for query in queries].count(False) for queries in rounds]
        assert whole == [least, 0, 0]
        assert [len(queries) - less for queries, less in zip(rounds, whole, strict=True)] == [len(rounds[1])] * 3


def test_enrollments_are_read_by_their_ids(lms: Simulator, client: ISpringLearnClient) -> None:
    course, user, blocked = lms.ispring.courses[0], lms.ispring.users[0], lms.ispring.users[-1]
    lms.ispring.record(user, course, "passed")
    (old,) = [row["enrollmentId"] for row in lms.ispring.course_results(course) if row["userId"] == user.id]
    new = lms.ispring.enroll(user, course)
    theirs = lms.ispring.enroll(blocked, course)
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))

    def evaluated(*enrollments: str) -> Evaluation:
        wanted = criteria(named=enrollments, id_kind="enrollment_id")
        return read(reader, wanted)

    assert evaluated(old).outcome == "met"
    evaluation = evaluated(old, new, theirs, NOBODY)
    assert (evaluation.completed, evaluation.pending, evaluation.missing) == ([old], [new, theirs], [NOBODY])
    assert read(reader, criteria(named=(user.id,))).pending == [user.id]


def test_learners_and_enrollments_are_read_together(lms: Simulator, connect: Callable[..., ISpringLearnClient]) -> None:
    course, users = lms.ispring.courses[0], lms.ispring.users[:2]
    enrollment = lms.ispring.enroll(users[1], course)
    wanted = {"learner_id": [users[0].id], "enrollment_id": [enrollment]}
    for page_size, requests in ((1_000, [1, 1]), (5, [2 + 2, 2])):
        reader = ISpringCourseReader(connect(lms, page_size=page_size), ISpringCourseQuery(course_id=course.id))
        snapshots: list[CourseSnapshot] = []
        rounds = [len(sent(lms, lambda: snapshots.append(run_flow(reader.read_flow(wanted))))) for _ in range(2)]  # noqa: B023
        assert rounds == requests
        for snapshot in snapshots:
            assert evaluate(criteria(named=(users[0].id,)), snapshot).missing == []
            assert evaluate(criteria(named=(enrollment,), id_kind="enrollment_id"), snapshot).pending == [enrollment]


def test_departments_and_access_dates_narrow_the_course(lms: Simulator, client: ISpringLearnClient) -> None:
    course, people = lms.ispring.courses[0], lms.ispring.users
    shop = lms.world.departments[3]
    start = datetime.now(UTC) - timedelta(days=1)
    inside = [user for user in people if user.department_id == shop.id][:2]
    outside = next(user for user in people if user.department_id == lms.world.departments[0].id)
    for user in (*inside, outside):
        lms.ispring.enroll(user, course)
    reader = ISpringCourseReader(
        client,
        ISpringCourseQuery(course_id=course.id, department_ids=(shop.id,), access_date=(start.isoformat(), None)),
    )
    assert sorted(read(reader, criteria()).pending) == sorted(ids(inside))
    wanted = criteria(named=ids((*inside, outside)))
    assert read(reader, wanted).missing == [outside.id]


def test_the_latest_enrollment_within_the_access_dates_counts(lms: Simulator, client: ISpringLearnClient) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    lms.ispring.record(user, course, "passed")
    lms.ispring.enroll(user, course)
    wanted = criteria(named=(user.id,))
    now = read(ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id)), wanted)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    before = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id, access_date=(None, yesterday)))
    assert (now.outcome, read(before, wanted).outcome) == ("open", "met")


def test_an_id_that_the_lms_rejects_is_missing(
    lms: Simulator, client: ISpringLearnClient, caplog: pytest.LogCaptureFixture
) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    lms.ispring.record(user, course, "passed")
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
    wanted = criteria(named=(user.id, NOBODY), on_missing="ignore")
    evaluation = read(reader, criteria(named=wanted.named))
    assert (evaluation.completed, evaluation.missing) == ([user.id], [NOBODY])
    assert read(reader, wanted).outcome == "met"
    nobody = criteria(named=("no id at all",))
    assert read(reader, nobody).missing == ["no id at all"]


def test_an_id_that_the_lms_rejects_is_searched_for_now_and_then_and_found_once_it_is_known(
    lms: Simulator, client: ISpringLearnClient
) -> None:
    course, users = lms.ispring.courses[0], lms.ispring.users[:8]
    late = users[3]
    wanted = criteria(named=ids(users))
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
    rounds = [len(sent(lms, lambda: run_flow(reader.read_flow(wanted.learner_ids))))]
    assert rounds == [1]
    lms.ispring.unenroll(late, course)
    del lms.ispring.state.users[late.id]
    evaluations: list[Evaluation] = []

    rounds += [len(sent(lms, lambda: evaluations.append(read(reader, wanted)))) for _ in range(9)]
    assert [evaluation.missing for evaluation in evaluations] == [[late.id]] * 9
    assert rounds[1] > 5
    assert set(rounds[2:]) == {1}, "nobody is left to look for among the blocked accounts"
    lms.ispring.state.add_user(late)
    lms.ispring.enroll(late, course)
    assert read(reader, wanted).missing == []


def test_an_enrollment_id_that_the_lms_rejects_is_missing(lms: Simulator, client: ISpringLearnClient) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    enrollment = lms.ispring.enroll(user, course)
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
    wanted = criteria(named=(enrollment, "none"), id_kind="enrollment_id")
    evaluation = read(reader, wanted)
    assert (evaluation.pending, evaluation.missing) == ([enrollment], ["none"])


@pytest.mark.parametrize("wanted", [None, {"learner_id": [NOBODY]}, {"enrollment_id": ["x"]}])
def test_a_course_that_the_lms_rejects_fails(
    lms: Simulator, client: ISpringLearnClient, wanted: LearnerIds | None
) -> None:
    with pytest.raises(errors.LmsBadRequest):
        run_flow(ISpringCourseReader(client, ISpringCourseQuery(course_id="no-id")).read_flow(wanted))


def test_a_learner_past_the_due_date_is_overdue_whatever_the_flag_says(
    lms: Simulator, client: ISpringLearnClient
) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    lms.ispring.enroll(user, course, due=datetime.now(UTC) - timedelta(seconds=5))
    lms.ispring.fail(
        COURSE_RESULTS,
        faults.content(lambda page: {"results": [{**row, "isOverdue": False} for row in page["results"]]}),
    )
    wanted = criteria(named=(user.id,), on_overdue="fail")
    assert read(ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id)), wanted).overdue == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"course_id": ""}, "course_id: each id must be a non-empty string"),
        ({"course_id": "1", "department_ids": []}, "department_ids: the list is empty"),
        ({"course_id": "1", "access_date": ("2026-01-02", "2026-01-01")}, "access_date: the start"),
    ],
)
def test_a_course_that_cannot_be_meant_is_named_before_anything_is_sent(
    lms: Simulator, client: ISpringLearnClient, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ISpringCourseReader(client, ISpringCourseQuery(**options))
    assert lms.ispring.requests == []


# Zoho People


def zoho_criteria(**options: Any) -> Criteria:
    return criteria(**{"statuses": ZOHO_STATUSES, "fail_if_no_id_matches": True, **options})


def test_the_learners_of_all_batches_are_one_cohort(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[1]
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    found: list[Evaluation] = []
    calls = called(lms, lambda: found.append(read(reader, zoho_criteria())))
    assert calls == ["batches", *(f"batches/{batch.id}/course-progress" for batch in course.batches)]
    assert found[0].cohort == lms.world.users
    for learner in lms.zoho.world.everyone:
        lms.zoho.finish(learner, course)
    assert read(reader, zoho_criteria()).outcome == "met"


def test_one_batch_is_read_alone(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[1]
    batch = course.batches[1]
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id, batch_id=batch.id))
    found: list[Evaluation] = []
    calls = called(lms, lambda: found.append(read(reader, zoho_criteria())))
    assert calls == [f"batches/{batch.id}/course-progress"]
    assert sorted(found[0].pending + found[0].completed) == sorted(ids(lms.zoho.world.learners(course, batch)))


@pytest.mark.parametrize("rejection", [None, faults.status(404), faults.status(400)])
def test_a_self_paced_course_has_no_batches(lms: Simulator, zoho: ZohoPeopleClient, rejection: Fault | None) -> None:
    course = lms.zoho.courses[0]
    if rejection is not None:
        lms.zoho.fail(f"GET /api/v1/courses/{course.id}/batches", rejection, times=2)
    found: list[Evaluation] = []
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    calls = called(lms, lambda: found.append(read(reader, zoho_criteria())))
    assert calls in (
        ["batches", "course-progress", "course-progress"],
        ["batches", "batches", "course-progress", "course-progress"],  # a 400 may pass
    )
    assert found[0].cohort == lms.world.users


def test_few_learners_of_a_large_course_are_read_one_by_one(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[30]
    lms.zoho.finish(learner, course)
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    wanted = zoho_criteria(named=(learner.id,))
    found: list[Evaluation] = []
    rounds = [called(lms, lambda: found.append(read(reader, wanted))) for _ in range(2)]
    one = f"learners/{learner.id}/course-progress"
    assert rounds == [["batches", "course-progress", one], ["batches", one]]
    assert [evaluation.outcome for evaluation in found] == ["met", "met"]


def test_as_many_learners_as_pages_are_read_by_the_page(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learners = lms.zoho.courses[0], lms.zoho.world.everyone[:2]
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    wanted = zoho_criteria(named=ids(learners))
    for _ in range(2):
        assert called(lms, lambda: run_flow(reader.read_flow(wanted.learner_ids))) == [
            "batches", "course-progress", "course-progress",
        ]  # fmt: skip


def test_a_learner_who_is_not_in_the_course_is_missing(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[1], lms.zoho.world.everyone[0]
    for named in ((learner.id, STRANGER), (learner.id, STRANGER, "1", "2", "3", "4", "5")):
        wanted = zoho_criteria(named=named)
        reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
        for _ in range(2):
            evaluation = read(reader, wanted)
            assert (evaluation.cohort, evaluation.missing) == (len(named), list(named[1:]))


@pytest.mark.parametrize("course", [0, 1])
def test_none_of_the_named_in_the_course_is_another_kind_of_id(
    lms: Simulator, zoho: ZohoPeopleClient, course: int
) -> None:
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=lms.zoho.courses[course].id))
    wanted = zoho_criteria(named=(STRANGER,))
    for _ in range(2):
        evaluation = read(reader, wanted)
        assert (evaluation.outcome, evaluation.no_id_matched) == ("impossible", True)


def test_nobody_in_the_course_yet_is_waited_for(connect_zoho: Callable[..., ZohoPeopleClient]) -> None:
    with Simulator(World(users=0, courses=1, blocked=0)) as lms:
        reader = ZohoPeopleCourseReader(connect_zoho(lms), ZohoPeopleCourseQuery(course_id=lms.zoho.courses[0].id))
        wanted = zoho_criteria(named=(STRANGER,))
        assert read(reader, wanted).outcome == "open"
        assert read(reader, zoho_criteria()).outcome == "open"


@pytest.mark.parametrize(("wanted", "rounds"), [(None, 1), ({"learner_id": ["1"]}, 2)])
def test_an_unknown_course_fails(
    lms: Simulator, zoho: ZohoPeopleClient, wanted: LearnerIds | None, rounds: int
) -> None:
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id="7"))
    for _ in range(rounds):
        with pytest.raises(errors.LmsNotFound):
            run_flow(reader.read_flow(wanted))


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"completionStatus": "Completed", "completionPercentage": 30}, "met"),
        ({"completionStatus": "COMPLETE"}, "met"),
        ({"completionStatus": "inprogress", "completionPercentage": 100}, "open"),
        ({"completionStatus": None, "completionPercentage": 100}, "met"),
        ({"completionPercentage": "100"}, "met"),
        ({"completionPercentage": "100.0%"}, "met"),
        ({"completionPercentage": "100 %"}, "met"),
        ({"completionPercentage": 99.9}, "open"),
        ({"completionPercentage": None}, "open"),
        ({"completionPercentage": "all"}, "open"),
        ({}, "open"),
    ],
)
def test_what_zoho_tells_of_completion(
    lms: Simulator, zoho: ZohoPeopleClient, row: dict[str, Any], outcome: str
) -> None:
    course = lms.zoho.courses[0]
    page = {"courseProgress": [{"learnerId": 7, **row}], "hasMoreRecords": False}
    lms.zoho.fail(f"GET /api/v1/courses/{course.id}/course-progress", faults.content(lambda _: page))
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    assert read(reader, zoho_criteria()).outcome == outcome


def entities(*rows: dict[str, Any]) -> Fault:
    page = {"learnerProgress": [{"testId": n, **row} for n, row in enumerate(rows, 1)], "hasMoreRecords": False}
    return faults.content(lambda content: {**content, **page})


@pytest.mark.parametrize(
    ("first", "second", "done"),
    [
        ([{"isMandatory": True, "status": "completed"}], [{"isMandatory": True, "status": "Completed"}], True),
        ([{"isMandatory": True, "status": "completed"}], [{"isMandatory": True, "status": "inprogress"}], False),
        ([{"isMandatory": True, "status": "completed"}], [{"isMandatory": False, "status": "notstarted"}], True),
        ([{"isMandatory": True, "status": "completed"}], [{"status": "notstarted"}], False),
        ([{"isMandatory": False, "status": "completed"}], [{"isMandatory": False, "status": "notstarted"}], False),
        ([{"isMandatory": False, "status": "completed"}], [{"isMandatory": False, "status": "completed"}], True),
        ([], [{"status": "completed"}], True),
        ([], [{"isMandatory": True}], False),
        ([], [], False),
    ],
)
def test_all_mandatory_entities_are_to_be_completed(
    lms: Simulator, zoho: ZohoPeopleClient, first: list[dict[str, Any]], second: list[dict[str, Any]], done: bool
) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    call = f"GET /api/v1/courses/{course.id}/learners/{learner.id}/progress"
    lms.zoho.fail(call, entities(*first))
    lms.zoho.fail(call, entities(*second), on=2)
    reader = ZohoPeopleCourseReader(
        zoho, ZohoPeopleCourseQuery(course_id=course.id, measure="entity_progress", entity_types=("online_tests", 0))
    )
    wanted = zoho_criteria(named=(learner.id,))
    evaluation = read(reader, wanted)
    assert (evaluation.completed if done else evaluation.pending) == [learner.id]
    assert [call.first("entityType") for call in lms.zoho.calls if call.call.endswith("/progress")] == ["1", "0"]


class Details:
    """Reads a course by its entities again and again, and tells whose entities were read."""

    def __init__(self, lms: Simulator, client: ZohoPeopleClient, **options: Any) -> None:
        self.course = lms.zoho.courses[1]
        self.batch = self.course.batches[0]
        self.people = lms.zoho.world.learners(self.course, self.batch)
        self.learners = [learner.id for learner in self.people]
        query = ZohoPeopleCourseQuery(
            course_id=self.course.id,
            batch_id=self.batch.id,
            measure="entity_progress",
            entity_types=("online_tests",),
            **options,
        )
        self.statuses = ["completed", "notstarted", "notstarted"]
        """What Zoho tells of the learners' entities. Their progress in the course does not depend on it."""
        self._reader = ZohoPeopleCourseReader(client, query)
        self._lms = lms
        for number in range(3):
            lms.zoho.fail(self.call(number), partial(self._answer, number), times=1_000)

    def _answer(self, number: int, request: Request, reply: Reply) -> Reply:
        return entities({"status": self.statuses[number]})(request, reply)

    def call(self, number: int) -> str:
        course, learner = f"/api/v1/courses/{self.course.id}/batches/{self.batch.id}", self.learners[number]
        return f"GET {course}/learners/{learner}/progress"

    def read(self, *, again: bool = False) -> CourseReading:
        self._lms.zoho.requests.clear()
        return run_flow(reading_flow(self._reader, {"learner_id": frozenset(self.learners)}, again=again))

    def asked(self) -> list[int]:
        calls = [request.call for request in self._lms.zoho.requests]
        return [number for number in range(len(self.learners)) if self.call(number) in calls]


@pytest.fixture
def details(
    lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Details, FakeClock]]:
    # So few that they fit on one page: then a single reading may be enough for a verdict.
    monkeypatch.setattr(lms.zoho.world, "everyone", lms.zoho.world.everyone[:6])
    with fake_clock() as clock:
        found = Details(lms, connect_zoho(lms), max_seconds=600)
        assert found.read().evaluate(zoho_criteria(named=tuple(found.learners))).outcome == "open"
        assert found.asked() == [0, 1, 2]
        yield found, clock


def test_entities_are_not_read_again_while_nothing_shows_a_change(details: tuple[Details, FakeClock]) -> None:
    found, _ = details
    evaluation = found.read().evaluate(zoho_criteria(named=tuple(found.learners)))
    assert (evaluation.outcome, evaluation.completed) == ("open", found.learners[:1])
    assert found.asked() == []


def test_entities_of_who_has_changed_are_read_again(lms: Simulator, details: tuple[Details, FakeClock]) -> None:
    found, _ = details
    lms.zoho.finish(found.people[1], found.course)
    found.read()
    assert found.asked() == [1]


def test_entities_of_who_has_not_completed_them_are_read_each_hour(details: tuple[Details, FakeClock]) -> None:
    found, clock = details
    asked = []
    for _ in range(13):  # two hours and ten minutes
        clock.advance(600)
        found.read()
        asked.append(found.asked())
    read_again = [number for number, each in enumerate(asked, start=1) if each]
    assert read_again == [6, 12]
    assert asked[5] == [1, 2]


def test_no_verdict_rests_on_what_was_found_earlier(details: tuple[Details, FakeClock]) -> None:
    found, _ = details
    lenient = zoho_criteria(named=tuple(found.learners), count=1)
    reading = found.read()
    assert reading.evaluate(lenient).outcome == "met"
    assert reading.needs_confirmation(lenient)
    # A mark was corrected, which Zoho's progress in the course does not show.
    found.statuses[0] = "notstarted"
    second = found.read(again=True)
    assert found.asked() == [0, 1, 2]
    assert reading.confirmed_by(second).evaluate(lenient).outcome == "open"


def test_other_words_for_a_completed_entity(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course, learner = lms.zoho.courses[1], lms.zoho.world.everyone[0]
    batch = course.batches[0]
    call = f"GET /api/v1/courses/{course.id}/batches/{batch.id}/learners/{learner.id}/progress"
    lms.zoho.fail(call, entities({"status": "Done"}), times=2)
    wanted = zoho_criteria(named=(learner.id,))
    options: Any = {"course_id": course.id, "measure": "entity_progress", "entity_types": (1,)}
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(**options, completed_statuses=("done",)))
    assert read(reader, wanted).outcome == "met"
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(**options))
    assert read(reader, wanted).outcome == "open"


def test_entities_that_take_longer_than_the_interval_are_rejected_with_the_figure(
    lms: Simulator, connect_zoho: Callable[..., ZohoPeopleClient]
) -> None:
    lms.zoho.limits.requests = 100_000
    course, learners = lms.zoho.courses[0], lms.zoho.world.everyone
    rate_limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests=30, window_seconds=60))
    client = connect_zoho(lms, rate_limiter=rate_limiter)
    options: Any = {"course_id": course.id, "measure": "entity_progress", "max_seconds": 300}
    with pytest.raises(ValueError, match=r"takes 400 calls, which is 800 s .* more than the poke_interval of 300 s"):
        run_flow(ZohoPeopleCourseReader(client, ZohoPeopleCourseQuery(**options)).read_flow(None))
    assert not [call for call in lms.zoho.calls if call.call.endswith("/progress")]
    wanted = {"learner_id": ids(learners[:2])}
    assert run_flow(
        ZohoPeopleCourseReader(client, ZohoPeopleCourseQuery(**options, entity_types=(0,))).read_flow(wanted)
    ).populated


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"course_id": None}, "course_id: expected one id"),
        ({"course_id": "1", "batch_id": ["1", "2"]}, "batch_id: expected one id"),
        ({"course_id": "1", "measure": "modules"}, "measure: expected 'course_progress' or 'entity_progress'"),
        ({"course_id": "1", "entity_types": "exams"}, "entity_types: 'exams' is not one of Zoho's entity types"),
        ({"course_id": "1", "completed_statuses": []}, "completed_statuses: the list is empty"),
    ],
)
def test_a_zoho_course_that_cannot_be_meant_is_named_before_anything_is_sent(
    lms: Simulator, zoho: ZohoPeopleClient, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(**options))
    assert lms.zoho.requests == []


def test_a_learner_of_two_batches_counts_by_the_one_that_is_open(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[1]
    learner = lms.zoho.world.learners(course, course.batches[0])[0]
    done, rows = [course.batches[0].id], 40

    def with_the_learner(batch: str) -> faults.Fault:
        status = "completed" if batch in done else "inprogress"
        row = {"learnerId": int(learner.id), "completionStatus": status, "completionPercentage": 50}
        others = [{**row, "learnerId": 7_000 + number} for number in range(rows)]

        def answer(request: Request, reply: Reply) -> Reply:
            start = int(request.first("startIndex") or 0)
            single = "/learners/" in request.call
            found = [row] if single else [row, *others][start : start + 25]
            more = not single and start + 25 < rows + 1
            return replace(reply, status=200, content={"code": 200, "courseProgress": found, "hasMoreRecords": more})

        return answer

    for batch in course.batches:
        path = f"GET /api/v1/courses/{course.id}/batches/{batch.id}"
        lms.zoho.fail(f"{path}/course-progress", with_the_learner(batch.id), times=100)
        lms.zoho.fail(f"{path}/learners/{learner.id}/course-progress", with_the_learner(batch.id), times=100)
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    wanted = zoho_criteria(named=(learner.id,))
    outcomes = [read(reader, wanted).outcome for _ in range(3)]
    assert outcomes == ["open"] * 3
    completions = ZohoPeopleCompletionsReader(zoho, CompletionsQuery(course_id=course.id))
    assert run_flow(completions.read_flow(datetime.now(UTC))) == []
    done.append(course.batches[1].id)
    for batch in course.batches:
        path = f"GET /api/v1/courses/{course.id}/batches/{batch.id}"
        lms.zoho.fail(f"{path}/course-progress", with_the_learner(batch.id), times=100)
    assert [each.learner_id for each in run_flow(completions.read_flow(datetime.now(UTC)))].count(learner.id) == 1


def test_a_learner_who_leaves_while_entities_are_read_is_missing(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0]
    gone, *rest = lms.zoho.world.everyone[:3]
    for learner in rest:
        lms.zoho.finish(learner, course)
    lms.zoho.fail(f"GET /api/v1/courses/{course.id}/learners/{gone.id}/progress", faults.status(404), times=10)
    wanted = zoho_criteria(named=ids((gone, *rest)))
    reader = ZohoPeopleCourseReader(
        zoho, ZohoPeopleCourseQuery(course_id=course.id, measure="entity_progress", entity_types=("links",))
    )
    evaluation = read(reader, wanted)
    assert (evaluation.missing, evaluation.completed) == ([gone.id], list(ids(rest)))


@pytest.mark.parametrize("percentage", ["inf", "Infinity", "1e999", "NaN", "", [], True, {"value": 100}, 99.9, "99.9%"])
def test_what_is_no_full_percentage_is_open(lms: Simulator, zoho: ZohoPeopleClient, percentage: Any) -> None:
    course = lms.zoho.courses[0]
    row = {"courseId": course.id, "learnerId": "7", "completionPercentage": percentage}
    page = {"code": 200, "courseProgress": [row], "hasMoreRecords": False}
    lms.zoho.fail(f"GET /api/v1/courses/{course.id}/course-progress", lambda _, __: Reply(status=200, content=page))
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    assert read(reader, zoho_criteria()).pending == ["7"]


def test_a_status_that_cannot_be_read_is_open_whatever_the_percentage(lms: Simulator, zoho: ZohoPeopleClient) -> None:
    course = lms.zoho.courses[0]
    row = {"courseId": course.id, "learnerId": "7", "completionPercentage": 100, "completionStatus": {"id": 3}}
    page = {"code": 200, "courseProgress": [row], "hasMoreRecords": False}
    lms.zoho.fail(f"GET /api/v1/courses/{course.id}/course-progress", lambda _, __: Reply(status=200, content=page))
    reader = ZohoPeopleCourseReader(zoho, ZohoPeopleCourseQuery(course_id=course.id))
    assert read(reader, zoho_criteria()).pending == ["7"]


def test_an_enrollment_whose_date_cannot_be_read_does_not_hide_behind_an_older_one(
    lms: Simulator, client: ISpringLearnClient
) -> None:
    course = lms.ispring.courses[0]
    old = {"userId": "u", "courseId": course.id, "completionStatus": "passed", "accessDate": "2025-01-01T00:00:00Z"}
    new = {**old, "enrollmentId": "n", "completionStatus": "in_progress", "accessDate": 0, "dueDate": 0}
    content = {"results": [old, new]}
    lms.ispring.fail(COURSE_RESULTS, lambda _, __: Reply(status=200, content=content))
    reader = ISpringCourseReader(client, ISpringCourseQuery(course_id=course.id))
    evaluation = read(reader, criteria(named=("u",)))
    assert (evaluation.pending, evaluation.overdue) == (["u"], 0)
