"""What single listings of iSpring Learn do beyond what holds for every listing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsNotFound
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings import LISTINGS
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import JSON, XML
from airflow_provider_lms.simulator.ispring_rows import certificate_of
from tests.listings import ispring_ids

Connect = Callable[..., ISpringLearnClient]
RESULTS = "POST /job-training/sessions/result/list"


@pytest.fixture
def client(lms: Simulator, connect: Connect) -> ISpringLearnClient:
    return connect(lms)


def read(client: ISpringLearnClient, name: str, **values: Any) -> list[Any]:
    return [record for page in client.read(name, **values) for record in page.records]


@pytest.mark.parametrize("name", LISTINGS)
def test_xml_is_read_as_json_is(lms: Simulator, connect: Connect, name: str) -> None:
    ids = ispring_ids(lms)
    values = {each.name: ids[each.name] for each in LISTINGS[name].path_ids}
    rows = {}
    for media in (JSON, XML):
        lms.ispring.media_types = (media,)
        rows[media] = [msgspec.to_builtins(record) for record in read(connect(lms), name, **values)]
    assert rows[XML] == [_as_xml(row) for row in rows[JSON]]


def _as_xml(row: dict[str, Any]) -> dict[str, Any]:
    """The row as it comes from XML: nested numbers are texts, and an empty list is an absent element."""
    return {name: (_as_text(value) or None) if isinstance(value, list | dict) else value for name, value in row.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(each) for name, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("media", [JSON, XML])
def test_nested_lists_of_one_element_are_lists(lms: Simulator, client: ISpringLearnClient, media: str) -> None:
    lms.ispring.media_types = (media,)
    course = lms.ispring.courses[0]
    (quiz,) = read(client, "quizzes", parent_course_ids=course.id)
    assert quiz.parent_course_ids == [course.id]
    assignment = read(client, "assignments")[0]
    assert [each["fieldValue"] for each in assignment.course_fields] == ["Practice"]
    attempt = read(client, "ungraded_attempts", assignment_id=assignment.assignment_id)[0]
    assert [each["fileName"] for each in attempt.attachments] == ["answer.docx"]


def test_a_department_has_its_parent_its_code_and_its_supervisor(lms: Simulator, client: ISpringLearnClient) -> None:
    head, warehouse, *_ = (record for page in client.departments() for record in page.records)
    assert (head.name, head.code, head.parent_department_id) == ("Head office", "HEAD-OFFICE", None)
    assert warehouse.parent_department_id == head.department_id
    assert warehouse.subordination == {"subordinationType": "manual", "supervisorId": lms.ispring.users[0].id}


def test_members_are_read_for_one_group_or_for_all(lms: Simulator, client: ISpringLearnClient) -> None:
    groups = {group.id: {user.id for user in group.members} for group in lms.world.groups}
    found = read(client, "group_members")
    assert {(each.group_id, each.user_id) for each in found} == {
        (g, user) for g, users in groups.items() for user in users
    }
    some = [record for page in client.groups() for record in page.records][1]
    assert {each.user_id for each in read(client, "group_members", group_id=some.group_id)} == groups[some.group_id]


def test_users_are_filtered_as_the_operation_offers(lms: Simulator, client: ISpringLearnClient) -> None:
    group, user = lms.world.groups[1], lms.ispring.users[1]
    assert len(read(client, "users", group_ids=group.id)) == len(group.members) < len(lms.ispring.users)
    for filters in ({"logins": "learner1"}, {"emails": ["learner1@example.com"]}, {"user_ids": user.id}):
        (found,) = read(client, "users", **filters)
        assert (found.user_id, found.groups) == (user.id, [lms.world.groups[0].id])
    in_department = [each.id for each in lms.ispring.users if each.department_id == user.department_id]
    assert set(in_department) <= {each.user_id for each in read(client, "users", department_ids=user.department_id)}


def test_contents_are_of_all_types_and_courses_only_courses(lms: Simulator, client: ISpringLearnClient) -> None:
    kinds = {record.content_item_type for page in client.contents() for record in page.records}
    assert kinds == {"Course", "LearningTrack", "Quiz", "Assignment"}
    assert {each.content_item_type for each in read(client, "contents", content_types=["Quiz"])} == {"Quiz"}
    assert {each.type for each in read(client, "learning_tracks")} == {"Learning track"}
    assert len(read(client, "courses")) == len(lms.ispring.courses)


def test_content_that_does_not_say_it_is_a_course_is_dropped(
    lms: Simulator, client: ISpringLearnClient, caplog: pytest.LogCaptureFixture
) -> None:
    def change(page: dict[str, Any]) -> dict[str, Any]:
        first, second, third = page["contentItems"]
        del second["contentItemType"]
        del third["contentItemType"]
        return {"contentItems": [{**first, "contentItemType": "Quiz"}, second, {**third, "type": "Book"}]}

    lms.ispring.fail("GET /contents", faults.content(change))
    assert [each.content_item_id for each in read(client, "courses")] == [lms.ispring.courses[1].id]
    assert "2 content items are dropped" in caplog.text


def test_modules_of_a_course_are_material_and_trainings(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]
    (page,) = client.course_modules(course.id)
    assert [each.type for each in page.records] == ["material"] * len(course.modules) + ["training"]
    assert [each.item_id for each in page.records][:-1] == [module.item_id for module in course.modules]
    assert page.records[-1].training_type["trainingTypeTitle"] == "Room"
    with pytest.raises(LmsNotFound):
        list(client.course_modules(lms.ispring.users[0].id))


def test_the_item_of_a_module_may_be_called_a_content_item(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]

    def change(page: dict[str, Any]) -> dict[str, Any]:
        renamed = [{**row, "contentItemId": row["itemId"]} for row in page["modules"]]
        return {"modules": [{name: value for name, value in row.items() if name != "itemId"} for row in renamed]}

    lms.ispring.fail(f"GET /course/{course.id}/modules", faults.content(change))
    (page,) = client.course_modules(course.id)
    assert page.records[0].item_id == course.modules[0].item_id
    assert page.records[0].extra == {}


def test_courses_of_learning_tracks_are_read_for_each_track(lms: Simulator, client: ISpringLearnClient) -> None:
    tracks = [item.id for item in lms.world.library if item.kind == "LearningTrack"]
    found = read(client, "learning_track_courses")
    assert {each.learning_track_id for each in found} == set(tracks)
    asked = [request.query for request in lms.ispring.requests if request.call == "GET /learning_track/courses"]
    assert sorted(asked) == sorted((("learningTrackIds", track),) for track in tracks)
    with pytest.raises(ValueError, match="learning_track_id: expected one id"):
        read(client, "learning_track_courses", learning_track_id=tracks)


def test_trainings_are_found_in_courses(lms: Simulator, client: ISpringLearnClient) -> None:
    trainings = lms.world.trainings
    assert {each.training_id for each in read(client, "trainings")} == {each.id for each in trainings}
    # Material is not asked for: it would be answered with 404.
    calls = [request.call for request in lms.ispring.requests if request.call.startswith("GET /training")]
    assert sorted(calls) == sorted(f"GET /training/{each.id}" for each in trainings)
    days = {day for training in trainings for session in training.sessions for day in session.day_ids}
    assert {each.day_id for each in read(client, "training_days")} == days
    (of_one,) = (each for each in trainings if each.course == lms.ispring.courses[1])
    found = read(client, "training_participants", course_ids=[of_one.course.id])
    assert {each.session_id for each in found} == {session.id for session in of_one.sessions}


@pytest.mark.parametrize("days", [[], None])
def test_a_session_without_days_has_none(lms: Simulator, client: ISpringLearnClient, days: list[str] | None) -> None:
    training = lms.world.trainings[0]
    lms.ispring.fail(
        f"GET /training/{training.id}/sessions", faults.content(lambda rows: [{**row, "dayIds": days} for row in rows])
    )
    assert read(client, "training_days", training_id=training.id) == []


def test_an_object_may_come_without_response_around_it(lms: Simulator, client: ISpringLearnClient) -> None:
    training = lms.world.trainings[0]
    (expected,) = read(client, "trainings", training_id=training.id)
    lms.ispring.fail(f"GET /training/{training.id}", faults.content(lambda content: content["response"]))
    assert read(client, "trainings", training_id=training.id) == [expected]


def test_final_statuses_are_of_one_content_item(lms: Simulator, client: ISpringLearnClient) -> None:
    course = lms.ispring.courses[0]
    found = read(client, "final_statuses", content_item_id=course.id)
    assert {each.user_id for each in found} == {user.id for user in lms.ispring.users}
    labels = {each.status for each in found}
    assert "In progress" in labels
    assert not labels & {"in_progress", "passed", "complete"}
    assert {each.content_item_id for each in found} == {course.id}
    with pytest.raises(LmsNotFound):
        read(client, "final_statuses", content_item_id=lms.ispring.users[0].id)


def test_certificate_dates_have_fields_in_both_formats(lms: Simulator, client: ISpringLearnClient) -> None:
    issued = {row.enrollment_id: found for row in lms.ispring.results() if (found := certificate_of(row))}
    nested = read(client, "enrollments")
    assert {each.enrollment_id for each in nested if each.issued_certificate_id} == issued.keys()
    for each in nested:
        certificate = issued.get(each.enrollment_id, {})
        assert each.cert_issue_date == certificate.get("issueDate")
        assert each.cert_expiry_date == certificate.get("expiryDate")

    def older(page: dict[str, Any]) -> dict[str, Any]:
        (first, *_) = page["enrollments"]
        first.pop("certificate", None)
        flat = {"issuedCertificateId": "c1", "certIssueDate": "2026-01-02", "certExpiryDate": "2027-01-02"}
        return {"enrollments": [first | flat]}

    lms.ispring.fail("GET /enrollments", faults.content(older))
    (record,) = read(client, "enrollments")
    assert (record.issued_certificate_id, record.cert_issue_date) == ("c1", "2026-01-02")
    assert record.extra == {}


def test_certificates_are_read_for_enrollments_that_have_one(lms: Simulator, client: ISpringLearnClient) -> None:
    issued = [found["issuedCertificateId"] for row in lms.ispring.results() if (found := certificate_of(row))]
    pages = list(client.read("certificates"))
    assert {record.issued_certificate_id for page in pages for record in page.records} == set(issued)
    # A certificate's id is about a person, so a continuation does not show it.
    assert all(each not in (page.next or "") for page in pages for each in issued)


def test_active_users_have_the_period_that_was_asked_for(lms: Simulator, client: ISpringLearnClient) -> None:
    start = lms.world.midnight.replace(tzinfo=UTC)
    everybody = read(client, "active_users")
    assert len(everybody) == len(lms.ispring.users)
    assert everybody[0].activity_start_date is None
    period = (datetime(2020, 1, 1, tzinfo=UTC), start)
    found = read(client, "active_users", activity_date=period)
    assert {(each.activity_start_date, each.activity_end_date) for each in found} == {period}
    assert read(client, "active_users", activity_date=(None, period[0])) == []


def test_answers_are_filtered(lms: Simulator, client: ISpringLearnClient) -> None:
    quiz, course, user = ispring_ids(lms)["quiz_id"], lms.ispring.courses[0], lms.ispring.users[1]
    found = read(client, "quiz_answers", quiz_id=quiz, user_ids=user.id, parent_course_id=course.id)
    assert [(each.question_number, each.is_answer_correct) for each in found] == [(1, True), (2, False)]
    assert {each.quiz_id for each in found} == {quiz}
    assert read(client, "quiz_answers", quiz_id=quiz, parent_course_id=lms.ispring.courses[1].id) == []
    with pytest.raises(ValueError, match="parent_course_id: expected one id"):
        client.read("quiz_answers", quiz_id=quiz, parent_course_id=[course.id, quiz])
    assert {each.quiz_id for each in read(client, "quiz_answers", parent_course_ids=course.id)} == {quiz}


def test_filters_of_a_post_go_into_a_json_body(lms: Simulator, client: ISpringLearnClient) -> None:
    everything = read(client, "job_training_results")
    assert lms.ispring.requests[-1].body == "{}"
    chosen = [each for each in everything if each.session_status == "PASSED"]
    ids = [each.session_id for each in everything]
    found = read(client, "job_training_results", session_ids=ids, session_status="PASSED")
    assert found == chosen != everything
    request = lms.ispring.requests[-1]
    assert (request.call, request.query) == (RESULTS, ())
    assert msgspec.json.decode(request.body) == {"sessionStatus": "PASSED", "sessionIds": ids}
    checklist = everything[0].checklist_id
    assert {each.checklist_id for each in read(client, "criterion_results", checklist_id=checklist)} == {checklist}
    assert msgspec.json.decode(lms.ispring.requests[-1].body) == {"checklistId": checklist}


@pytest.mark.parametrize(("count", "posts"), [(1_000, 1), (2_000, 2)])
def test_a_thousand_ids_fit_into_one_post(lms: Simulator, client: ISpringLearnClient, count: int, posts: int) -> None:
    ids = [lms.world.id_of("job session", str(number)) for number in range(count)]
    assert read(client, "job_training_results", session_ids=ids) == []
    assert lms.ispring.count(RESULTS) == posts


def test_a_post_is_sent_again_after_an_outage_and_with_a_new_token(lms: Simulator, connect: Connect) -> None:
    client = connect(lms, max_wait=5.0)
    expected = read(client, "job_training_results")
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After="0"))
    assert read(client, "job_training_results") == expected
    assert lms.ispring.count(RESULTS) == 3
    lms.ispring.revoke_tokens()
    assert read(client, "job_training_results") == expected
    assert lms.ispring.count("POST /api/v3/token") == 2


def test_a_post_is_named_in_messages(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.fail(RESULTS, faults.body(b'{"a": 1}'))
    with pytest.raises(LmsBrokenPage, match=r"^POST /job-training/sessions/result/list, page 1: "):
        read(client, "job_training_results")


@pytest.mark.parametrize("name", ["roles", "trainings", "group_members"])
def test_an_error_document_is_not_a_list(lms: Simulator, client: ISpringLearnClient, name: str) -> None:
    ids = ispring_ids(lms)
    listing = LISTINGS[name]
    values = {each.name: ids[each.name] for each in listing.path_ids}
    lms.ispring.fail(f"GET {listing.query(values).path}", faults.body(b'{"code": 7, "message": "no", "title": "t"}'))
    with pytest.raises(LmsBrokenPage):
        read(client, name, **values)


def test_a_page_size_of_the_connection_is_for_listings_with_pages(lms: Simulator, connect: Connect) -> None:
    client = connect(lms, page_size=1)
    assert len(list(client.groups())) == len(lms.world.groups)
    assert len(list(client.read("roles"))) == 1
    assert {each.group_id for each in read(client, "group_members")} == {group.id for group in lms.world.groups}
    with pytest.raises(ValueError, match="page_size: this listing comes in one piece"):
        client.read("roles", page_size=1)
