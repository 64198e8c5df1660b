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


def test_a_page_token_belongs_to_its_filters(lms: Simulator) -> None:
    token = get(lms, pageSize="1").json()["nextPageToken"]
    assert get(lms, pageSize="1", pageToken=token).status_code == 200
    assert get(lms, pageSize="1", pageToken=token, **{"completionStatuses[]": "passed"}).status_code == 400


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
