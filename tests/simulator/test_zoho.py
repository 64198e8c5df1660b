"""The simulated Zoho People, held against what the vendor's pages say; read with requests alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.testing import FakeClock, fake_clock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock) -> Iterator[Simulator]:
    """A simulator with Zoho's own limits, on a clock that stands still."""
    with Simulator(World(users=30)) as simulator:
        yield simulator


def token(lms: Simulator, **other: str) -> dict[str, Any]:
    form = {
        "client_id": lms.zoho.client_id,
        "client_secret": lms.zoho.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": lms.zoho.refresh_token,
        **other,
    }
    found: dict[str, Any] = requests.post(f"{lms.url}/oauth/v2/token", data=form, timeout=5).json()
    return found


def get(lms: Simulator, path: str, given: str | None = None, **params: Any) -> requests.Response:
    header = f"Zoho-oauthtoken {given or token(lms)['access_token']}"
    return requests.get(f"{lms.url}/api/v1{path}", params=params, headers={"Authorization": header}, timeout=5)


def test_a_refresh_token_gives_an_access_token(lms: Simulator) -> None:
    given = token(lms)
    assert given["expires_in"] == 3600
    assert given["api_domain"] != lms.url
    assert token(lms, client_id="other") == {"error": "invalid_client"}
    assert token(lms, client_secret="other") == {"error": "invalid_client_secret"}
    assert token(lms, refresh_token="other") == {"error": "invalid_code"}


def test_the_token_endpoint_takes_its_parameters_in_the_query_string_too(lms: Simulator) -> None:
    account = lms.zoho
    params = {
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": account.refresh_token,
    }
    url = f"{lms.url}/oauth/v2/token"
    given = requests.post(url, params=params, timeout=5).json()["access_token"]
    assert get(lms, "/courses", given).status_code == 200
    assert requests.post(url, params=params | {"refresh_token": "other"}, timeout=5).json() == {"error": "invalid_code"}


@pytest.mark.parametrize(
    "path",
    [
        "/courses",
        "/courses/{course}/batches",
        "/courses/{course}/modules",
        "/courses/{course}/course-progress",
        "/courses/{course}/learners/{learner}/progress",
        "/courses/{course}/learners/{learner}/course-progress",
        "/learners/{learner}/course-progress",
    ],
)
def test_an_unknown_query_parameter_is_refused(lms: Simulator, path: str) -> None:
    path = path.format(course=lms.zoho.courses[0].id, learner=lms.zoho.world.everyone[0].id)
    given = token(lms)["access_token"]
    known: dict[str, int] = {"entityType": 0} if path.endswith("/progress") else {}
    assert get(lms, path, given, startIndex=0, **known).status_code == 200
    answer = get(lms, path, given, startIndex=0, **known, limit=200)
    assert (answer.status_code, answer.json()["response"]["errors"]["code"]) == (400, 7203)


UNPAGED = [
    "/courses/{course}",
    "/courses/{course}/settings",
    "/courses/{course}/modules/{module}/learners/{learner}/progress",
    "/courses/{course}/learners/{learner}/onlineTests/{test}/progress",
    "/learning-plans/{plan}/learners",
]
PAGED = [
    "/courses/{course}/share",
    "/courses/{course}/batches/schedulers",
    *(f"/courses/{{course}}/{name}" for name in ("files", "contents", "links", "offlineTests")),
    *(f"/courses/{{course}}/modules/{{module}}/{name}" for name in ("links", "onlineTests", "assignments")),
    "/rooms",
    "/categories",
    "/trainers",
    "/learning-plans",
    "/learners/{learner}/learning-plans/progress",
    "/learners/{learner}/learning-plans/{plan}/courses/progress",
]


@pytest.fixture
def ids(lms: Simulator) -> dict[str, str]:
    world, course = lms.zoho.world, lms.zoho.courses[0]
    return {
        "course": course.id,
        "learner": world.everyone[0].id,
        "module": str(world.modules(course)[0]["moduleId"]),
        "test": world.entity_id(course, 1, 0),
        "plan": str(lms.zoho.rows.plans()[1]["planId"]),
    }


@pytest.mark.parametrize("path", [*UNPAGED, *PAGED])
def test_an_endpoint_takes_start_index_if_that_is_documented(lms: Simulator, ids: dict[str, str], path: str) -> None:
    given, path = token(lms)["access_token"], path.format_map(ids)
    assert get(lms, path, given).status_code == 200
    assert get(lms, path, given, sortOrder=1).json()["response"]["errors"]["code"] == 7203
    assert get(lms, path, given, startIndex=0).status_code == (
        200 if path in [each.format_map(ids) for each in PAGED] else 400
    )


@pytest.mark.parametrize("path", [path for path in (*UNPAGED, *PAGED) if "{" in path])
def test_an_unknown_id_is_not_found(lms: Simulator, ids: dict[str, str], path: str) -> None:
    given = token(lms)["access_token"]
    for name in ids:
        if f"{{{name}}}" in path:
            answer = get(lms, path.format_map({**ids, name: "1"}), given)
            assert (answer.status_code, answer.json()["code"]) == (404, 404)


def test_only_a_batch_has_sessions(lms: Simulator) -> None:
    given, (paced, blended, *_) = token(lms)["access_token"], lms.zoho.courses
    assert get(lms, f"/courses/{paced.id}/sessions", given).status_code == 404
    assert get(lms, f"/courses/{blended.id}/sessions", given).status_code == 404
    assert get(lms, f"/courses/{blended.id}/batches/{blended.batches[0].id}/sessions", given).status_code == 200


def test_online_tests_and_assignments_are_listed_by_module_only(lms: Simulator, ids: dict[str, str]) -> None:
    given = token(lms)["access_token"]
    for name in ("onlineTests", "assignments"):
        assert get(lms, f"/courses/{ids['course']}/{name}", given).status_code == 404


def test_a_page_of_learning_plans_has_one_plan_unless_more_are_asked_for(lms: Simulator) -> None:
    given = token(lms)["access_token"]
    sizes = [len(get(lms, "/learning-plans", given, **params).json()["learningPlans"]) for params in ({}, {"limit": 2})]
    assert sizes == [1, 2]


def test_details_of_a_blended_course_need_a_batch(lms: Simulator) -> None:
    given, (paced, blended, *_) = token(lms)["access_token"], lms.zoho.courses
    assert get(lms, f"/courses/{paced.id}", given).json()["course"]["name"] == paced.name
    assert get(lms, f"/courses/{blended.id}", given).json()["code"] == 400
    assert get(lms, f"/courses/{blended.id}", given, batchId=blended.batches[0].id).status_code == 200


def test_ids_and_codes_have_the_types_of_the_vendors_samples(lms: Simulator, ids: dict[str, str]) -> None:
    given = token(lms)["access_token"]
    rooms, links = get(lms, "/rooms", given).json(), get(lms, f"/courses/{ids['course']}/links", given).json()
    shares = get(lms, f"/courses/{ids['course']}/share", given).json()
    assert (rooms["code"], links["code"], shares["code"]) == ("200", 200, "200")
    assert [type(value) for value in (rooms["rooms"][0]["roomId"], rooms["rooms"][0]["capacity"])] == [str, str]
    assert [type(value) for value in (links["links"][0]["linkId"], shares["sharedUsers"][0]["erecno"])] == [str, str]


def test_employees_come_from_a_form_with_its_own_scope_and_paging(lms: Simulator) -> None:
    given = token(lms)["access_token"]
    path = "/../../people/api/forms/employee/getRecords"
    lms.zoho.scopes = {"ZOHOPEOPLE.training.READ"}
    assert get(lms, path, given).json()["response"]["errors"][0]["code"] == 7218
    lms.zoho.scopes = {"ZOHOPEOPLE.forms.READ"}
    whole = get(lms, path, given, sIndex=1, limit=200).json()["response"]
    assert (len(whole["result"]), whole["status"]) == (30, 0)
    ((record_id, records),) = whole["result"][0].items()
    assert [str(record["Zoho_ID"]) for record in records] == [record_id]
    part = get(lms, path, given, sIndex=30, limit=5).json()["response"]
    assert part["result"] == whole["result"][29:]
    assert get(lms, path, given, sIndex=31).json()["response"]["errors"]["code"] == 7024
    assert get(lms, path, given, limit=201).json()["response"]["errors"]["code"] == 7021
    assert get(lms, "/rooms", given).json()["response"]["errors"][0]["code"] == 7218


def test_courses_are_filtered_and_sorted(lms: Simulator) -> None:
    given, courses = token(lms)["access_token"], lms.zoho.courses

    def ids(**params: Any) -> list[str]:
        return [str(row["courseId"]) for row in get(lms, "/courses", given, **params).json()["courses"]]

    assert ids(type=2) == [course.id for course in courses if course.batches]
    assert ids(search=courses[2].name.upper()) == [courses[2].id]
    assert ids(state="drafted") == []
    by_name = [course.id for course in sorted(courses, key=lambda course: course.name)]
    assert (ids(sortBy="name"), ids(sortBy="-name")) == (by_name, by_name[::-1])
    for bad in ({"type": 4}, {"state": "open"}, {"sortBy": "type"}):
        assert get(lms, "/courses", given, **bad).json()["code"] == 400


def test_progress_counts_mandatory_entities_only_if_that_is_asked_for(lms: Simulator) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    path, given = f"/courses/{course.id}/learners/{learner.id}/course-progress", token(lms)["access_token"]
    rows = [row for kind in range(10) for row in lms.zoho.world.entities(course, learner, kind)]
    mandatory = sum(row["isMandatory"] for row in rows)
    assert 0 < mandatory < len(rows)
    counts = [
        get(lms, path, given, **params).json()["courseProgress"][0]["totalEntitiesCount"]
        for params in ({}, {"progressType": 0}, {"progressType": 1})
    ]
    assert counts == [len(rows), len(rows), mandatory]
    assert get(lms, path, given, progressType=2).json()["code"] == 400


def test_ten_tokens_are_given_in_a_window(lms: Simulator, clock: FakeClock) -> None:
    given = [token(lms) for _ in range(11)]
    assert ["access_token" in each for each in given] == [True] * 10 + [False]
    assert given[-1]["error"] == "Access Denied"
    clock.advance(599)
    assert token(lms)["error"] == "Access Denied"
    clock.advance(1)
    assert "access_token" in token(lms)


def test_the_sixteenth_token_ends_the_first(lms: Simulator) -> None:
    lms.zoho.limits.tokens = 99
    first = token(lms)["access_token"]
    others = [token(lms)["access_token"] for _ in range(14)]
    assert get(lms, "/courses", first).status_code == 200
    token(lms)
    assert get(lms, "/courses", first).json()["response"]["errors"]["code"] == 7213
    assert get(lms, "/courses", others[0]).status_code == 200


def test_the_thirty_first_call_locks_the_account_and_calls_meanwhile_extend_it(
    lms: Simulator, clock: FakeClock
) -> None:
    given = token(lms)["access_token"]
    codes = [get(lms, "/courses", given).json()["code"] for _ in range(31)]
    assert codes == ["200"] * 30 + [7209]
    clock.advance(299)
    assert get(lms, "/courses", given).json()["code"] == 7209
    clock.advance(299)
    assert get(lms, "/courses", given).json()["code"] == 7209
    assert (lms.zoho.locks, lms.zoho.sent_in_lock) == (1, 2)
    clock.advance(300)
    assert get(lms, "/courses", given).json()["code"] == "200"


def test_the_window_moves(lms: Simulator, clock: FakeClock) -> None:
    given = token(lms)["access_token"]
    for _ in range(3):
        assert {get(lms, "/courses", given).status_code for _ in range(30)} == {200}
        clock.advance(60)
    assert lms.zoho.locks == 0


def test_lists_come_in_pages_of_25(lms: Simulator) -> None:
    path = f"/courses/{lms.zoho.courses[0].id}/course-progress"
    pages = [get(lms, path, startIndex=start).json() for start in (0, 25, 50)]
    assert [(len(page["courseProgress"]), page["hasMoreRecords"]) for page in pages] == [
        (25, True),
        (5, False),
        (0, False),
    ]


def test_a_batch_has_the_fields_of_the_vendors_sample(lms: Simulator) -> None:
    course = lms.zoho.courses[1]
    page = get(lms, f"/courses/{course.id}/batches").json()
    assert page["code"] == "200"
    assert [batch["name"] for batch in page["batches"]] == ["Batch 1", "Batch 2"]
    assert page["batches"][1] == {
        "learnersCount": 15,
        "startDateAsDisplayString": "05-Jan-2026",
        "endDateAsDisplayString": "27-Feb-2026",
        "name": "Batch 2",
        "schedulerId": 0,
        "minimumCapacity": 10,
        "maximumCapacity": 40,
        "cancelBatchWhenMinimumCapacityIsNotMet": False,
        "batchId": course.batches[1].id,
        "courseId": course.id,
        "publishStatus": "published",
        "allowWaitlisting": False,
    }


def test_a_course_has_the_type_it_was_created_with(lms: Simulator) -> None:
    rows = get(lms, "/courses").json()["courses"]
    assert [(row["name"], row["type"]) for row in rows] == [
        (course.name, 2 if course.batches else 1) for course in lms.zoho.courses
    ]


def test_a_blended_course_needs_its_batch_and_a_self_paced_one_has_none(lms: Simulator) -> None:
    paced, blended = lms.zoho.courses[:2]
    learner = lms.zoho.world.learners(blended, blended.batches[1])[0]
    tail = f"/learners/{learner.id}/progress"
    assert get(lms, f"/courses/{paced.id}{tail}", entityType=0).status_code == 200
    assert get(lms, f"/courses/{blended.id}{tail}", entityType=0).status_code == 404
    for batch, status in zip(blended.batches, (404, 200), strict=True):
        assert get(lms, f"/courses/{blended.id}/batches/{batch.id}{tail}", entityType=0).status_code == status


def test_ids_are_bare_numbers_of_18_digits_and_the_type_must_be_sent(lms: Simulator) -> None:
    course, learner = lms.zoho.courses[0], lms.zoho.world.everyone[0]
    path = f"/courses/{course.id}/learners/{learner.id}/progress"
    page = get(lms, path, entityType=0).json()
    found = page["learnerProgress"][0]["testId"]
    assert isinstance(found, int)
    assert len(str(found)) == 18
    assert int(float(found)) != found
    assert get(lms, path).json()["code"] == 400
    assert get(lms, path, entityType=10).json()["code"] == 400


def test_scope_and_header_are_checked(lms: Simulator) -> None:
    given = token(lms)["access_token"]
    header = {"Authorization": f"Bearer {given}"}
    answer = requests.get(f"{lms.url}/api/v1/courses", headers=header, timeout=5)
    assert (answer.status_code, answer.json()["response"]["errors"]["code"]) == (400, 7202)
    lms.zoho.scopes = {"ZOHOPEOPLE.forms.READ"}
    assert get(lms, "/courses", given).json()["response"]["errors"][0]["code"] == 7218
