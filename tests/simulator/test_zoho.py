"""The simulated Zoho People, held against what the vendor's pages say; read with requests alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_lms.simulator import Simulator, World
from airflow_provider_lms.simulator.zoho import Limits


@pytest.fixture
def lms() -> Iterator[Simulator]:
    limits = Limits(window_seconds=0.4, lock_seconds=0.5, token_window_seconds=0.6)
    with Simulator(World(users=30), zoho_limits=limits) as simulator:
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


def test_ten_tokens_are_given_in_a_window(lms: Simulator) -> None:
    lms.zoho.limits.token_window_seconds = 600
    given = [token(lms) for _ in range(11)]
    assert ["access_token" in each for each in given] == [True] * 10 + [False]
    assert given[-1]["error"] == "Access Denied"


def test_the_sixteenth_token_ends_the_first(lms: Simulator) -> None:
    lms.zoho.limits.tokens = 99
    first = token(lms)["access_token"]
    others = [token(lms)["access_token"] for _ in range(14)]
    assert get(lms, "/courses", first).status_code == 200
    token(lms)
    assert get(lms, "/courses", first).json()["response"]["errors"]["code"] == 7213
    assert get(lms, "/courses", others[0]).status_code == 200


def test_the_thirty_first_call_locks_the_account_and_calls_meanwhile_extend_it(lms: Simulator) -> None:
    given = token(lms)["access_token"]
    lms.zoho.limits.window_seconds = 60
    codes = [get(lms, "/courses", given).json()["code"] for _ in range(31)]
    assert codes == ["200"] * 30 + [7209]
    time.sleep(0.3)
    assert get(lms, "/courses", given).json()["code"] == 7209
    time.sleep(0.3)
    assert get(lms, "/courses", given).json()["code"] == 7209
    assert (lms.zoho.locks, lms.zoho.sent_in_lock) == (1, 2)
    time.sleep(0.55)
    assert get(lms, "/courses", given).json()["code"] == "200"


def test_the_window_moves(lms: Simulator) -> None:
    given = token(lms)["access_token"]
    for _ in range(3):
        assert {get(lms, "/courses", given).status_code for _ in range(30)} == {200}
        time.sleep(0.41)
    assert lms.zoho.locks == 0


def test_lists_come_in_pages_of_25(lms: Simulator) -> None:
    path = f"/courses/{lms.zoho.courses[0].id}/course-progress"
    pages = [get(lms, path, startIndex=start).json() for start in (0, 25, 50)]
    assert [(len(page["courseProgress"]), page["hasMoreRecords"]) for page in pages] == [
        (25, True),
        (5, False),
        (0, False),
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
