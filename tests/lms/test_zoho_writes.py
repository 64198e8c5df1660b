"""Changes in Zoho People's LMS: the request as the vendor documents it, and what each answer means."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.errors import (
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsUnconfirmed,
)
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.error_codes import error_of
from airflow_provider_lms.lms.zoho_people.grant import RefreshToken
from tests.lms.raw_server import RawServer
from tests.lms.recorder import Answer, Recorder, reply

Call = Callable[[ZohoPeopleClient], None]

COURSE, BATCH = "100002000010000001", "100002000020000001"
ADA, BOB = "219225000000185023", "219225000000185024"
DONE = reply(200, '{"code": 200, "message": "success"}')

SENT: dict[str, tuple[Call, str]] = {
    "enroll in a course": (
        lambda client: client.enroll(COURSE, [ADA, BOB]),
        f"/courses/{COURSE}/enroll?erecnosList=%5B{ADA}%2C{BOB}%5D",
    ),
    "enroll in a batch": (
        lambda client: client.enroll(int(COURSE), int(ADA), batch_id=int(BATCH)),
        f"/courses/{COURSE}/batches/{BATCH}/enroll?erecnosList=%5B{ADA}%5D",
    ),
    "unenroll from a course": (
        lambda client: client.unenroll(COURSE, ADA, allow_undocumented=True),
        f"/courses/{COURSE}/unenroll?erecnosList=%5B{ADA}%5D",
    ),
    "unenroll from a batch": (
        lambda client: client.unenroll(COURSE, [BOB, ADA, BOB], batch_id=BATCH, allow_undocumented=True),
        f"/courses/{COURSE}/batches/{BATCH}/unenroll?erecnosList=%5B{BOB}%2C{ADA}%5D",
    ),
}


def send(call: Call, answer: Answer | Recorder) -> Recorder:
    """Make a call to a server that gives an answer. Returns what the server has seen."""
    recorder = answer if isinstance(answer, Recorder) else Recorder(answer)
    with RawServer(recorder) as server:
        tokens = SharedTokens(MemoryStore(), (server.url,), "client", ("secret",))
        tokens.put("abc-token", 3600)
        client = ZohoPeopleClient(
            Transport(
                server.url,
                RefreshToken(f"{server.url}/token", "client", "secret", "refresh", "eu"),
                tokens=tokens,
                rate_limiter=SharedRateLimiter(MemoryStore(), server.url, "client", RateLimits()),
                error_of=error_of,
                timeout=10.0,
                retry=RetryPolicy(max_wait=0.0),
            )
        )
        try:
            call(client)
        finally:
            client.close()
    return recorder


@pytest.mark.parametrize("name", SENT)
def test_a_change_is_sent_as_the_vendor_documents_it(name: str) -> None:
    call, target = SENT[name]
    request = send(call, DONE).only
    assert (request.method, request.target, request.body) == ("POST", target, b"")
    assert request.token == "Zoho-oauthtoken abc-token"


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, '{"code": "200", "message": "success"}'),
        reply(201, '{"message": "Learners are enrolled", "code": 200, "failed": null}'),
        reply(200, '{"response": {"code": 200, "message": "success"}}', "text/html"),
        reply(200, "<response><code>200</code></response>", "text/xml"),
    ],
)
def test_the_code_200_is_a_success(answer: Answer) -> None:
    assert send(SENT["enroll in a course"][0], answer).only


@pytest.mark.parametrize(
    "answer",
    [
        reply(200),
        reply(204),
        reply(200, "{}"),
        reply(200, "[]"),
        reply(200, "success"),
        reply(200, '{"message": "success"}'),
        reply(200, '{"code": 201, "message": "success"}'),
        reply(200, '{"response": {"status": 0, "message": "success"}}'),
        # "No records" is a success for a reader. Here it says nothing.
        reply(200, '{"code": 7024, "message": "No records found"}'),
        reply(200, '{"code": 9999, "message": "what?"}'),
        reply(200, "<html>Sign in</html>", "text/html"),
        reply(302, Location="https://accounts.zoho.eu/signin"),
        reply(500),
    ],
)
@pytest.mark.parametrize("name", SENT)
def test_without_that_code_nobody_knows_whether_it_was_done(name: str, answer: Answer) -> None:
    server = Recorder(answer, DONE)
    with pytest.raises(LmsUnconfirmed) as raised:
        send(SENT[name][0], server)
    assert server.only
    assert not [each for each in (ADA, BOB, "abc-token", "erecnosList") if each in str(raised.value)]


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (200, 7048, LmsNotFound, "Zoho found nothing under these ids"),
        (500, 7048, LmsNotFound, "Zoho found nothing under these ids"),
        (403, 7218, LmsPermissionError, "and to enroll with ZOHOPEOPLE.training.CREATE."),
        (200, 7037, LmsPermissionError, "the user behind the refresh token may not do this"),
        (200, 7209, LmsRateLimited, "Zoho has locked the account"),
    ],
)
def test_a_code_by_which_zoho_refuses_a_call_says_that_it_was_not_done(
    status: int, code: int, kind: type[LmsError], message: str
) -> None:
    server = Recorder(reply(status, f'{{"code": {code}, "message": "{ADA}"}}'))
    with pytest.raises(kind, match=re.escape(message)) as raised:
        send(SENT["enroll in a course"][0], server)
    assert server.only
    assert ADA not in str(raised.value)


INVALID: dict[str, tuple[Call, str]] = {
    "nobody": (lambda client: client.enroll(COURSE, []), "record_ids: give at least one id."),
    "None": (
        lambda client: client.enroll(COURSE, None),  # type: ignore[arg-type]
        "record_ids: give at least one id.",
    ),
    "an e-mail address": (
        lambda client: client.enroll(COURSE, ["ada@example.com"]),
        "record_ids: each must consist of digits. They are the field erecno of employees.",
    ),
    "too many": (
        lambda client: client.enroll(COURSE, [*range(1, 152)]),
        "record_ids: expected 150 or fewer in one call, got 151.",
    ),
    "no course": (lambda client: client.enroll("", ADA), "course_id: each id must be a non-empty string"),
    "two courses": (
        lambda client: client.enroll([COURSE, BATCH], ADA),  # type: ignore[arg-type]
        "course_id: expected one id",
    ),
    "a template without a batch": (
        lambda client: client.enroll(COURSE, ADA, batch_id="None"),
        "batch_id: got the text 'None'.",
    ),
    "what the page contradicts": (
        lambda client: client.unenroll(COURSE, ADA),
        "allow_undocumented: Zoho's page names one parameter",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_parameter_is_named_before_anything_is_sent(name: str) -> None:
    call, message = INVALID[name]
    server = Recorder(DONE)
    with pytest.raises(ValueError, match=re.escape(message)):
        send(call, server)
    assert server.requests == []


def test_as_many_ids_as_are_allowed_fit_into_the_url() -> None:
    first = 10**19
    server = send(lambda client: client.enroll(COURSE, [*range(first, first + 150)], batch_id=BATCH), DONE)
    assert len(server.only.target) < 4_000
