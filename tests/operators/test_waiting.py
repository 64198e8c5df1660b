"""What a task that gives its worker slot back waits for, and for how long."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

from airflow_provider_lms.hooks.base import NO_RETRIES, ClientOptions
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsRateLimited, LmsUnavailable, WaitReason
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.http.rate_limit import Reservation
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.operators.waiting import Waiting
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import FakeClock, fake_clock
from airflow_provider_lms.triggers.turn import TurnTrigger

AT_ONCE = ClientOptions(retry=NO_RETRIES, reservation=Reservation.new())


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


@pytest.fixture
def client(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> ZohoPeopleClient:
    """A client whose connection has Zoho's limits."""
    connection = lms.connection("zoho_people")
    connection["extra"] |= {"requests_per_window": 30, "window_seconds": 60}
    monkeypatch.setenv("AIRFLOW_CONN_ZOHO_PEOPLE_DEFAULT", json.dumps(connection))
    return ZohoPeopleHook(options=AT_ONCE).get_conn()


def limited(seconds: float, reason: WaitReason) -> LmsRateLimited:
    return LmsRateLimited("not now", retry_after=seconds, locked=reason is not WaitReason.RATE_LIMIT, waits_for=reason)


def test_nothing_is_reserved_while_the_lms_issues_no_tokens(client: ZohoPeopleClient, clock: FakeClock) -> None:
    pause = Waiting().pause(client, limited(600, WaitReason.TOKEN), 900)
    assert pause is not None
    assert isinstance(pause[1], TimeDeltaTrigger)
    assert 600 < pause[0] <= 660


@pytest.mark.parametrize(
    ("reason", "has_limit", "reserves"),
    [
        (WaitReason.LOCK, True, True),
        (WaitReason.LOCK, False, False),
        (WaitReason.RATE_LIMIT, True, True),
        (WaitReason.RATE_LIMIT, False, True),  # the limit of another connection of the account
        (WaitReason.DAY_LIMIT, True, True),
        (WaitReason.FORGOTTEN, True, True),
    ],
)
@pytest.mark.usefixtures("clock", "lms")
def test_requests_are_reserved_where_there_is_a_queue(
    client: ZohoPeopleClient, reason: WaitReason, has_limit: bool, reserves: bool
) -> None:
    waiting = Waiting()
    pause = waiting.pause(client if has_limit else ISpringLearnHook().get_conn(), limited(50, reason), 900)
    assert pause is not None
    assert isinstance(pause[1], TurnTrigger) == reserves
    assert (waiting.reservation.made_at > 0) == reserves


@pytest.mark.parametrize("vendor", ["ispring", "zoho"])
def test_a_limit_of_the_token_endpoint_is_no_lock_of_the_account(
    lms: Simulator, client: ZohoPeopleClient, vendor: str
) -> None:
    lms.ispring.fail("POST /api/v3/token", faults.status(429, Retry_After="600"))
    lms.zoho.fail(
        "POST /oauth/v2/token", faults.content(lambda _: {"error": "Access Denied", "error_description": "x"})
    )
    reading = client.courses() if vendor == "zoho" else ISpringLearnHook(options=AT_ONCE).get_conn().courses()
    with pytest.raises(LmsRateLimited) as raised:
        next(iter(reading))
    assert raised.value.waits_for == WaitReason.TOKEN


def test_an_outage_that_says_when_to_come_back_ends_with_max_wait_too(
    client: ZohoPeopleClient, clock: FakeClock
) -> None:
    waiting, began = Waiting(), clock.monotonic()
    while pause := waiting.pause(client, LmsUnavailable("503", 503, retry_after=120), 900):
        assert pause[0] > 120
        clock.advance(pause[0])
    assert 600 < clock.monotonic() - began <= 900


def test_what_was_reserved_before_an_outage_is_not_taken_once_more(client: ZohoPeopleClient, clock: FakeClock) -> None:
    waiting = Waiting()
    assert waiting.pause(client, limited(50, WaitReason.RATE_LIMIT), 900) is not None
    assert waiting.reservation.made_at > 0
    assert waiting.pause(client, LmsUnavailable("away"), 900) is not None
    assert waiting.reservation.made_at == 0


def test_what_another_version_has_stored_is_understood() -> None:
    stored = Waiting(waits_for=WaitReason.LOCK, waits_since=1.0).to_json()
    newer = {**stored, "reservation": [*stored["reservation"], "more"], "waits_for": "a new reason", "new": 1}
    found = Waiting.of(newer)
    assert list(found.reservation) == stored["reservation"]
    found.report(Observer())
    older = {"reservation": stored["reservation"], "outage_since": None}
    assert Waiting.of(older).outage_since is None


def test_short_waits_stay_on_the_worker_whatever_max_wait_is() -> None:
    policy = Waiting().retry_policy(0)
    assert policy.max_wait >= 30
    assert policy.outage_seconds == 0
