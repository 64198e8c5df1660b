"""The simulator refuses what iSpring Learn would refuse; plain requests ask, not this package's client."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World

PATH = "/learners/modules/results"


def get(lms: Simulator, path: str = PATH, *, token: str | None = None, accept: str | None = None, **params: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or fresh_token(lms)}", "Accept": accept or "application/json"}
    return requests.get(lms.url + path, params=params, headers=headers, timeout=10)


def fresh_token(lms: Simulator, **changed: str) -> str:
    answer = ask_for_token(lms, **changed)
    return str(answer.json()["access_token"])


def ask_for_token(lms: Simulator, **changed: str) -> requests.Response:
    account = lms.ispring
    form = {"grant_type": "client_credentials", "client_id": account.client_id, "client_secret": account.client_secret}
    return requests.post(
        f"{lms.url}/api/v3/token", data=form | changed, headers={"Accept": "application/json"}, timeout=10
    )


def test_a_token_comes_for_the_right_credentials_only(lms: Simulator) -> None:
    answer = ask_for_token(lms).json()
    assert (answer["expires_in"], answer["token_type"]) == (1800, "bearer")
    assert ask_for_token(lms, client_secret="wrong").status_code == 401
    assert ask_for_token(lms, grant_type="password").status_code == 400
    as_json = requests.post(f"{lms.url}/api/v3/token", json={"grant_type": "client_credentials"}, timeout=10)
    assert as_json.status_code == 400


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/xml, application/json", "application/json"),
        ("application/xml", "application/xml"),
    ],
)
def test_a_token_comes_as_json_unless_xml_is_asked_for(lms: Simulator, accept: str | None, media_type: str) -> None:
    account = lms.ispring
    form = {"grant_type": "client_credentials", "client_id": account.client_id, "client_secret": account.client_secret}
    answer = requests.post(f"{lms.url}/api/v3/token", data=form, headers={"Accept": accept}, timeout=10)
    assert answer.headers["Content-Type"].startswith(media_type)
    is_json = media_type == "application/json"
    token = (
        answer.json()["access_token"] if is_json else ElementTree.fromstring(answer.content).findtext("access_token")
    )
    assert get(lms, token=token).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic abc"])
def test_without_a_valid_token_nothing_is_read(lms: Simulator, header: str | None) -> None:
    headers = {"Accept": "application/json"} | ({"Authorization": header} if header else {})
    answer = requests.get(lms.url + PATH, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "Unauthorized"}


@pytest.mark.parametrize(
    "params",
    [
        {"userIds[]": "00000000-0000-0000-0000-000000000000"},
        {"userIds[]": "me"},
        {"courseIds[]": "1"},
        {"departmentIds[]": "00000000-0000-0000-0000-000000000000"},
        {"completionStatuses[]": "done"},
        {"userStatuses[]": "2"},
        {"accessDate[startDate]": "yesterday"},
        {"accessDate[startDate]": "2026-01-01T00:00:00"},
        {"completionDate[endDate]": "01.02.2026"},
        {"pageSize": "0"},
        {"pageSize": "many"},
        {"pageToken": "bm90IGlzc3VlZA=="},
    ],
)
def test_what_cannot_be_meant_is_a_bad_request(lms: Simulator, params: dict[str, str]) -> None:
    answer = get(lms, **params)
    assert answer.status_code == 400
    assert answer.json()["code"] == 400


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (PATH, "completionStatus"),  # the vendor's sample has it; its parameter table and OpenAPI document do not
        (PATH, "userId"),
        (PATH, "userids[]"),
        (PATH, "pageSize[]"),
        (PATH, "completionDate"),
        ("/learners/results", "moduleIds[]"),
        ("/enrollments", "userIds[]"),
        ("/users/v2", "courseIds[]"),
        ("/contents", "courseIds[]"),
        ("/content/1", "pageSize"),
    ],
)
def test_an_unknown_parameter_is_refused_and_named(lms: Simulator, path: str, parameter: str) -> None:
    answer = get(lms, path, **{parameter: "1"})
    assert answer.status_code == 400
    assert answer.json() == {"code": 400, "message": f"Unknown parameter {parameter}"}


@pytest.mark.parametrize("suffix", ["", "[]"])
def test_lists_may_be_named_without_brackets(lms: Simulator, suffix: str) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    module = course.modules[0]

    def found(path: str, field: str, **lists: Any) -> list[str]:
        params = {f"{name}{suffix}": values for name, values in lists.items()}
        (rows,) = (value for name, value in get(lms, path, **params).json().items() if name != "nextPageToken")
        return [row[field] for row in rows]

    modules = found(PATH, "moduleId", userIds=user.id, courseIds=course.id)
    assert modules == [each.id for each in course.modules]
    assert found(PATH, "moduleId", userIds=user.id, moduleIds=module.id) == [module.id]
    assert found(PATH, "moduleId", userIds=user.id, courseItemIds=module.item_id) == [module.id]
    assert set(found(PATH, "completionStatus", completionStatuses=["passed", "failed"])) == {"passed", "failed"}
    assert set(found("/learners/results", "userId", userStatuses="3")) == {each.id for each in lms.ispring.users[-2:]}
    assert found("/enrollments", "courseId", learnerIds=user.id, courseIds=course.id) == [course.id]
    assert found("/contents", "contentItemId", contentItemIds=course.id) == [course.id]
    assert found("/contents", "contentItemType", contentTypes="Quiz") == ["Quiz"] * 3
    assert found("/contents", "contentItemId", contentTypes="Audio") == []
    assert found("/users/v2", "userId", userIds=user.id) == [user.id]
    assert found("/users/v2", "userId", logins="learner0") == [user.id]
    assert found("/users/v2", "userId", emails="learner0@example.com") == [user.id]
    assert found("/users/v2", "userId", groups=course.id) == []
    shop = lms.world.departments[-1].id
    in_shop = [each.id for each in lms.ispring.users if each.department_id == shop]
    assert found("/users/v2", "userId", departments=shop) == in_shop


def test_every_completion_status_occurs_in_modules_and_in_courses(lms: Simulator) -> None:
    statuses = {"not_started", "in_progress", "pending", "complete", "passed", "accepted"}
    statuses |= {"incomplete", "failed", "declined"}
    for path in (PATH, "/learners/results"):
        assert {row["completionStatus"] for row in get(lms, path).json()["results"]} == statuses


@pytest.mark.parametrize("path", [PATH, "/learners/results"])
def test_dates_and_scores_go_with_the_status(lms: Simulator, path: str) -> None:
    over = {"complete", "passed", "accepted", "failed", "declined"}
    rows = get(lms, path).json()["results"]
    assert {"completionDate" in row for row in rows if row["completionStatus"] in over} == {True}
    assert {"completionDate" in row for row in rows if row["completionStatus"] not in over} == {False}
    scored = [row for row in rows if "awardedScore" in row]
    assert {row["completionStatus"] for row in scored} == {"passed", "failed"}
    for row in scored:
        assert row["passingScore"] == 60
        assert (row["awardedScore"] >= 60) is (row["completionStatus"] == "passed")


def test_a_course_completed_has_only_completed_modules(lms: Simulator) -> None:
    done = {"complete", "passed", "accepted"}
    modules: dict[str, set[str]] = {}
    for row in get(lms).json()["results"]:
        modules.setdefault(row["enrollmentId"], set()).add(row["completionStatus"])
    for row in get(lms, "/learners/results").json()["results"]:
        assert (row["completionStatus"] in done) is (modules[row["enrollmentId"]] <= done)


def test_a_course_takes_the_status_of_its_last_module_that_is_missed_or_else_unfinished(lms: Simulator) -> None:
    modules: dict[str, list[str]] = {}
    for row in get(lms).json()["results"]:
        modules.setdefault(row["enrollmentId"], []).append(row["completionStatus"])
    decided = 0
    for row in get(lms, "/learners/results").json()["results"]:
        statuses = modules[row["enrollmentId"]]
        missed = [status for status in statuses if status in ("failed", "declined")]
        unfinished = [status for status in statuses if status in ("in_progress", "pending", "incomplete")]
        if missed or unfinished:
            assert row["completionStatus"] == (missed or unfinished)[-1]
            decided += 1
    assert decided


def test_courses_have_a_duration_and_modules_do_not(lms: Simulator) -> None:
    assert {row.get("duration") for row in get(lms, "/learners/results").json()["results"]} == {2400}
    assert {row.get("duration") for row in get(lms).json()["results"]} == {None}


def test_users_and_content_have_all_fields_that_the_openapi_document_requires(lms: Simulator) -> None:
    first, *others = get(lms, "/users/v2").json()["userProfiles"]
    names = (
        "userId role roleId departmentId status fields addedDate lastLoginDate userRoles subordination coSubordination"
        " groups"
    )
    assert all(set(user) == set(names.split()) for user in (first, *others))
    assert first["userRoles"] == [{"roleId": first["roleId"], "roleType": "learner"}]
    assert first["subordination"] == first["coSubordination"] == {"subordinationType": "no_supervisor"}
    manager = {"subordinationType": "manual", "supervisorId": first["userId"]}
    assert all(user["subordination"] == manager for user in others)
    (item, *_) = get(lms, "/contents").json()["contentItems"]
    names = "contentItemId title subtitle description userId addedDate viewUrl viewType type contentItemType"
    assert set(item) == set(names.split())


def test_a_page_token_belongs_to_its_filters(lms: Simulator) -> None:
    token = get(lms, pageSize="1").json()["nextPageToken"]
    assert get(lms, pageSize="1", pageToken=token).status_code == 200
    assert get(lms, pageSize="1", pageToken=token, **{"completionStatuses[]": "passed"}).status_code == 400


def post(lms: Simulator, body: str, media_type: str = "application/json", path: str = "/enrollments") -> Any:
    headers = {
        "Authorization": f"Bearer {fresh_token(lms)}",
        "Accept": "application/json",
        "Content-Type": media_type,
    }
    return requests.post(lms.url + path, data=body, headers=headers, timeout=10)


def test_enrollments_by_post_are_those_by_get(lms: Simulator) -> None:
    users, course = [user.id for user in lms.ispring.users[:3]], lms.ispring.courses[1].id
    params: dict[str, Any] = {"learnerIds[]": users, "courseIds[]": course, "pageSize": "2"}
    rows = get(lms, "/enrollments", **params).json()["enrollments"]
    assert len(rows) == 2
    fields = {"learnerIds": users, "courseIds": [course], "pageSize": 2}
    page = post(lms, json.dumps(fields)).json()
    assert page["enrollments"] == rows
    (last,) = post(lms, json.dumps({**fields, "pageToken": page["nextPageToken"]})).json()["enrollments"]
    assert last["learnerId"] in users
    assert last not in rows
    inner = f"<courseIds>{course}</courseIds><pageSize>2</pageSize>"
    for ids in (
        "".join(f"<learnerIds>{user}</learnerIds>" for user in users),
        f"<learnerIds>{''.join(f'<id>{user}</id>' for user in users)}</learnerIds>",
    ):
        answer = post(lms, f"<request>{ids}{inner}</request>", "application/xml")
        assert answer.json()["enrollments"] == rows
    assert len(post(lms, "{}").json()["enrollments"]) == len(lms.world.course_results)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ('{"userIds": ["00000000-0000-0000-0000-000000000001"]}', "application/json"),
        ('{"learnerIds[]": ["00000000-0000-0000-0000-000000000001"]}', "application/json"),
        ('{"learnerIds": "00000000-0000-0000-0000-000000000001"}', "application/json"),
        ('{"learnerIds": ["one"]}', "application/json"),
        ('{"learnerIds": [{}]}', "application/json"),
        ('{"pageSize": "2"}', "application/json"),
        ('{"pageSize": [2]}', "application/json"),
        ('{"pageSize": true}', "application/json"),
        ('{"pageSize": 0}', "application/json"),
        ('{"pageToken": "unknown"}', "application/json"),
        ("[]", "application/json"),
        ("{", "application/json"),
        ("{}", "text/plain"),
        ("{}", "application/xml"),
        ("<request/>", "application/json"),
        ("<request>", "application/xml"),
        ("<request><userIds>00000000-0000-0000-0000-000000000001</userIds></request>", "application/xml"),
        ("<request><learnerIds><id>one</id></learnerIds></request>", "application/xml"),
    ],
)
def test_a_body_that_is_not_as_documented_is_refused(lms: Simulator, body: str, media_type: str) -> None:
    assert post(lms, body, media_type).status_code == 400


def test_filters_of_a_post_are_not_in_its_url_nor_its_page_token_in_another_call(lms: Simulator) -> None:
    assert post(lms, "{}", path="/enrollments?pageSize=2").status_code == 400
    token = post(lms, '{"pageSize": 2}').json()["nextPageToken"]
    assert get(lms, "/enrollments", pageSize="2", pageToken=token).status_code == 400
    assert post(lms, json.dumps({"pageSize": 2, "pageToken": token})).status_code == 200


def test_job_training_takes_json_only(lms: Simulator) -> None:
    path = "/job-training/sessions/result/list"
    assert post(lms, "{}", path=path).status_code == 200
    assert post(lms, "<request/>", "application/xml", path).status_code == 400


def test_xml_comes_unless_json_is_asked_for(lms: Simulator) -> None:
    answer = get(lms, accept="*/*", pageSize="2")
    assert answer.headers["Content-Type"].startswith("application/xml")
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, [child.tag for child in root]) == ("response", ["results", "nextPageToken"])
    assert [child.tag for child in root[0]] == ["result", "result"]
    first = get(lms, pageSize="1").json()["results"][0]
    assert root[0][0].findtext("isOverdue") == str(int(first["isOverdue"]))
    assert {field.tag for field in root[0][0]} == set(first)


def test_a_field_without_a_value_is_left_out(lms: Simulator) -> None:
    rows = get(lms, pageSize="500").json()["results"]
    assert all(None not in row.values() for row in rows)
    assert any("completionDate" not in row for row in rows)


def test_the_last_page_names_no_other(lms: Simulator) -> None:
    assert "nextPageToken" not in get(lms, "/contents").json()


def test_unknown_paths_are_not_found(lms: Simulator) -> None:
    assert get(lms, "/learners").status_code == 404


def test_the_same_seed_and_date_give_the_same_world() -> None:
    today = World().as_of
    one, two, other = World(as_of=today), World(as_of=today), World(as_of=today, seed=2)
    assert one.module_results == two.module_results
    assert one.module_results[0] != other.module_results[0]
    assert all(result.completion is None or result.completion.date() < today for result in one.module_results)


def test_it_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "airflow_provider_lms.simulator", "--port", "0", "--users", "3", "--blocked", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            connection = json.loads(process.stdout.readline().split("=", 1)[1].strip().strip("'"))
            form = (
                f"grant_type=client_credentials&client_id={connection['login']}&client_secret={connection['password']}"
            )
            with urllib.request.urlopen(f"{connection['host']}/api/v3/token", form.encode(), timeout=10) as answer:
                assert b"access_token" in answer.read()
        finally:
            process.terminate()


UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/content/{UNKNOWN}/final_statuses", "Unknown content item"),
        (f"/certificate/{UNKNOWN}", "Issued certificate not found"),
        (f"/training/day/{UNKNOWN}", "Day not found"),
    ],
)
def test_some_unknown_ids_are_refused_as_plain_text(lms: Simulator, path: str, text: str) -> None:
    answer = get(lms, path)
    assert (answer.status_code, answer.text) == (404, text)
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path", [f"/course/{UNKNOWN}/modules", f"/training/{UNKNOWN}/sessions", f"/training/session/participants/{UNKNOWN}"]
)
def test_other_unknown_ids_are_refused_with_an_error_document(lms: Simulator, path: str) -> None:
    answer = get(lms, path)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/departments", {"color": "red"}),
        ("/role", {"pageSize": "1"}),
        ("/contents", {"contentTypes[]": "Poem"}),
        ("/learning_track/courses", {}),
        ("/report/answer-breakdown", {}),
        ("/assignments", {"ungraded": "2"}),
        ("/quizzes", {"quizIds[]": "me"}),
        ("/report/active-users-by-period", {"activityDate[startDate]": "yesterday"}),
    ],
)
def test_further_endpoints_refuse_what_is_invalid(lms: Simulator, path: str, params: dict[str, str]) -> None:
    assert get(lms, path, **params).status_code == 400


def test_learning_tracks_are_separated_by_commas(lms: Simulator) -> None:
    tracks = [item.id for item in lms.world.library if item.kind == "LearningTrack"]
    rows = get(lms, "/learning_track/courses", learningTrackIds=",".join(tracks)).json()
    assert {row["learningTrackId"] for row in rows} == set(tracks)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 200),
        ({"sessionStatus": "PASSED"}, 200),
        ({"sessionIds": [UNKNOWN]}, 200),
        ({"sessionIds": ["me"]}, 400),
        ({"sessionIds": UNKNOWN}, 400),
        ({"checklistId": [UNKNOWN]}, 400),
        ({"sessionStatus": "DONE"}, 400),
        ({"color": "red"}, 400),
        ([], 400),
    ],
)
def test_job_training_takes_a_json_body(lms: Simulator, body: Any, status: int) -> None:
    headers = {"Authorization": f"Bearer {fresh_token(lms)}", "Accept": "application/json"}
    url = f"{lms.url}/job-training/sessions/result/list"
    assert requests.post(url, json=body, headers=headers, timeout=10).status_code == status
    assert requests.post(url, data="sessionStatus=PASSED", headers=headers, timeout=10).status_code == 400
    assert requests.get(url, headers=headers, timeout=10).status_code == 404


def test_single_objects_are_within_response_in_json_only(lms: Simulator) -> None:
    path = f"/training/{lms.world.trainings[0].id}"
    assert set(get(lms, path).json()) == {"response"}
    root = ElementTree.fromstring(get(lms, path, accept="application/xml").content)
    assert (root.tag, [child.tag for child in root]) == ("response", ["title", "organizer", "sessions", "type"])
