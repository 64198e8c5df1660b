"""A call that changes something is sent again only if the LMS cannot have carried it out."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
    LmsUnconfirmed,
    LmsUnknownError,
)
from airflow_provider_lms.lms.http.observer import Observer, SentRequest
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.lms.raw_server import RawServer, Talk
from tests.lms.recorder import Answer, Recorder, closed, nothing, reply, reset, truncated

DONE = reply(200, '{"done": true}')
LARGE: dict[str, str] = {"text": "x" * 30_000_000}
"""More than the buffers of both ends hold, so that a server that reads only the head gets half a request."""
SECRETS = ("abc-token", "token-1", "ada@example.com", "learner-17", "s3cret")

OPEN: dict[str, Answer] = {
    "no answer in time": nothing,
    "a closed connection": closed,
    "a reset connection": reset,
    "a truncated body": truncated,
    "HTTP 408": reply(408),
    "HTTP 500": reply(500),
    "HTTP 502": reply(502, "<html>Bad gateway</html>", "text/html"),
    "HTTP 503": reply(503, Retry_After="1"),
    "HTTP 504": reply(504),
    "a web page as success": reply(200, "<!doctype html><title>Sign in</title>", "text/html"),
    "a web page as refusal": reply(403, "<html>Blocked</html>", "text/html"),
    "a redirect": reply(302, Location="https://elsewhere.example/things?email=ada@example.com"),
    "a redirect that keeps the method": reply(307, Location="/things"),
    "no HTTP": lambda talk: talk.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a damaged body": reply(200, "no gzip", Content_Encoding="gzip"),
    "an unending head": lambda talk: talk.drip([b"HTTP/1.1 200 OK\r\nX: "] + [b"x"] * 1000),
}


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as fake:
        yield fake


@pytest.fixture
def connect(clock: FakeClock) -> Iterator[Callable[..., Transport]]:
    """A transport with a token, which is patient: whatever may be sent again, is."""
    made = []

    def make(url: str, *, timeout: float = 10.0, observer: Observer | None = None, **more: Any) -> Transport:
        tokens = SharedTokens(MemoryStore(), (url,), "client", ("secret",))
        tokens.put("abc-token", 3600)
        made.append(
            Transport(
                url,
                ClientCredentials(f"{url}/token", "client", "secret"),
                tokens=tokens,
                rate_limiter=SharedRateLimiter(MemoryStore(), url, "client", RateLimits()),
                timeout=timeout,
                observer=observer,
                **{"retry": RetryPolicy(max_wait=900.0), **more},
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def change(client: Transport, body: Mapping[str, object] | None = None, **more: Any) -> Response:
    """A call whose path, query and body hold what no message may show."""
    return client.write(
        "POST",
        "/people/learner-17/enroll",
        {"email": "ada@example.com", "password": "s3cret", **(body or {})},
        params=[("erecnosList", "[learner-17]")],
        shown_path="/people/{person_id}/enroll",
        **more,
    )


def texts(error: BaseException | None) -> str:
    """The messages of an error and of all that it was made of."""
    return "" if error is None else f"{error!r} {texts(error.__cause__)}"


@pytest.mark.parametrize("case", OPEN)
def test_a_call_whose_outcome_is_open_is_sent_once(
    connect: Callable[..., Transport], clock: FakeClock, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    caplog.set_level(logging.INFO)
    server = Recorder(OPEN[case], DONE)
    timeout = 0.3 if case in ("no answer in time", "an unending head") else 10.0
    with RawServer(server) as raw, pytest.raises(LmsUnconfirmed) as raised:
        change(connect(raw.url, timeout=timeout))
    assert len(server.requests) == 1
    assert clock.naps == []
    assert not raised.value.transient
    assert not raised.value.is_refusal
    assert str(raised.value).startswith("POST /people/{person_id}/enroll: ")
    assert str(raised.value).endswith(
        "Whether the LMS has carried it out is not known. Read the state before you send it again."
    )
    assert not [secret for secret in SECRETS if secret in texts(raised.value) + caplog.text]


@pytest.mark.parametrize("end", [closed, reset])
def test_a_kept_connection_that_ends_after_the_request_was_read_leaves_it_open(
    connect: Callable[..., Transport], end: Answer
) -> None:
    server = Recorder(DONE, end, DONE)
    with RawServer(server) as raw:
        client = connect(raw.url)
        client.get("/things")
        with pytest.raises(LmsUnconfirmed):
            change(client)
    assert [request.method for request in server.requests] == ["GET", "POST"]


@pytest.mark.parametrize("end", [closed, reset])
def test_so_it_is_over_tls(connect: Callable[..., Transport], tls: ssl.SSLContext, end: Answer) -> None:
    server = Recorder(DONE, end, DONE)
    with RawServer(server, tls) as raw:
        client = connect(raw.url)
        client.get("/things")
        with pytest.raises(LmsUnconfirmed):
            change(client)
    assert [request.method for request in server.requests] == ["GET", "POST"]


def test_a_delete_without_a_body_is_sent_once_too(connect: Callable[..., Transport]) -> None:
    server = Recorder(closed, DONE)
    with RawServer(server) as raw, pytest.raises(LmsUnconfirmed):
        connect(raw.url).write("DELETE", "/things/1")
    assert (server.only.method, server.only.target, server.only.body) == ("DELETE", "/things/1", b"")


def test_a_call_that_another_thread_ends_is_open(connect: Callable[..., Transport]) -> None:
    client: Transport

    def abort(talk: Talk) -> None:
        client.abort()
        talk.hold()

    server = Recorder(abort, DONE)
    with RawServer(server) as raw:
        client = connect(raw.url)
        with pytest.raises(LmsUnconfirmed):
            change(client)
    assert server.only


def test_a_success_that_the_caller_doubts_is_open(connect: Callable[..., Transport]) -> None:
    server = Recorder(DONE)
    with RawServer(server) as raw, pytest.raises(LmsUnconfirmed, match=r"HTTP 200: it says nothing\. Whether"):
        change(connect(raw.url), doubt=lambda response: None if b"sure" in response.body else "it says nothing.")
    assert server.only


@pytest.mark.parametrize(("status", "kind"), [(200, LmsUnconfirmed), (500, LmsUnconfirmed), (409, LmsUnknownError)])
def test_an_error_that_nobody_knows_is_a_refusal_only_with_a_4xx(
    connect: Callable[..., Transport], status: int, kind: type[LmsError]
) -> None:
    def error_of(response: Response) -> LmsError:
        return LmsUnknownError("code 1234", response.status)

    server = Recorder(reply(status))
    with RawServer(server) as raw, pytest.raises(kind):
        change(connect(raw.url, error_of=error_of))
    assert server.only


@pytest.mark.parametrize(
    ("status", "kind"), [(400, LmsBadRequest), (403, LmsPermissionError), (404, LmsNotFound), (409, LmsUnknownError)]
)
def test_a_refusal_is_raised_as_it_is(
    connect: Callable[..., Transport], clock: FakeClock, status: int, kind: type[LmsError]
) -> None:
    server = Recorder(reply(status, '{"code": 1, "message": "ada@example.com"}'), DONE)
    with RawServer(server) as raw, pytest.raises(kind) as raised:
        change(connect(raw.url))
    assert server.only
    assert clock.naps == []
    assert not [secret for secret in SECRETS if secret in texts(raised.value)]


def test_a_rejected_token_is_renewed_and_the_call_sent_once_more(connect: Callable[..., Transport]) -> None:
    server = Recorder(reply(401), DONE)
    with RawServer(server) as raw:
        assert change(connect(raw.url)).body == b'{"done": true}'
    first, second = server.requests
    assert (first.token, second.token) == ("Bearer abc-token", "Bearer token-1")
    assert first.body == second.body
    assert first.target == second.target == "/people/learner-17/enroll?erecnosList=%5Blearner-17%5D"
    assert server.tokens == 1


def test_a_token_is_renewed_only_once(connect: Callable[..., Transport], clock: FakeClock) -> None:
    server = Recorder(reply(401))
    with RawServer(server) as raw, pytest.raises(LmsTokenRefused):
        change(connect(raw.url))
    assert len(server.requests) == 2
    assert clock.naps == []


def test_an_outage_after_a_rejected_token_leaves_the_call_open(connect: Callable[..., Transport]) -> None:
    server = Recorder(reply(401), reply(503), DONE)
    with RawServer(server) as raw, pytest.raises(LmsUnconfirmed):
        change(connect(raw.url))
    assert len(server.requests) == 2


def test_a_demanded_pause_is_waited_for(
    connect: Callable[..., Transport], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    server = Recorder(reply(429, Retry_After="40"), DONE)
    with RawServer(server) as raw:
        change(connect(raw.url))
    assert len(server.requests) == 2
    assert 40 <= sum(clock.naps) <= 46
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_a_demanded_pause_that_is_too_long_is_raised(connect: Callable[..., Transport], clock: FakeClock) -> None:
    server = Recorder(reply(429, Retry_After="1000"), DONE)
    with RawServer(server) as raw, pytest.raises(LmsRateLimited) as raised:
        change(connect(raw.url))
    assert server.only
    assert raised.value.retry_after == 1000
    assert clock.naps == []


def test_a_server_that_cannot_be_reached_is_tried_again(connect: Callable[..., Transport]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Recorder(DONE)
    started: list[RawServer] = []

    def start(_: float) -> None:
        started.append(RawServer(server, port=port))
        started[-1].__enter__()

    client = connect(f"http://127.0.0.1:{port}", retry=RetryPolicy(max_wait=900.0, sleep=start))
    try:
        change(client)
    finally:
        for each in started:
            each.__exit__()
    assert server.only


def test_a_server_that_stays_unreachable_is_an_outage_in_which_nothing_was_done(
    connect: Callable[..., Transport], clock: FakeClock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(LmsUnavailable):
        change(connect(f"http://127.0.0.1:{port}"))
    assert 60 < sum(clock.naps) <= 120


class HalfRead:
    """Ends a connection of which it has read a head, as often as said. Then it is a Recorder."""

    def __init__(self, times: int, recorder: Recorder, end: Answer) -> None:
        self.left, self.recorder, self.end = times, recorder, end

    def __call__(self, talk: Talk) -> None:
        if self.left and b"/people/" in talk.head:
            self.left -= 1
            self.end(talk)
        else:
            self.recorder(talk)


def test_half_a_request_is_sent_again_as_a_whole(connect: Callable[..., Transport], clock: FakeClock) -> None:
    server = Recorder(DONE)
    with RawServer(HalfRead(2, server, reset)) as raw:
        change(connect(raw.url), LARGE)
    assert len(server.only.body) > len(LARGE["text"])
    assert len(clock.naps) == 2


def test_half_a_request_on_a_kept_connection_is_sent_again_at_once(
    connect: Callable[..., Transport], clock: FakeClock
) -> None:
    server = Recorder(DONE)
    with RawServer(HalfRead(1, server, reset)) as raw:
        client = connect(raw.url)
        client.get("/things")
        change(client, LARGE)
    assert [request.method for request in server.requests] == ["GET", "POST"]
    assert clock.naps == []


def test_a_server_that_takes_only_half_a_request_in_time_has_not_done_it(
    connect: Callable[..., Transport], clock: FakeClock
) -> None:
    server = Recorder(DONE)
    with RawServer(HalfRead(1, server, nothing)) as raw:
        change(connect(raw.url, timeout=3.0), LARGE)
    assert server.only
    assert len(clock.naps) == 1


def test_metrics_tell_an_open_outcome_from_an_error(connect: Callable[..., Transport]) -> None:
    ended: list[SentRequest] = []

    class Watching(Observer):
        def request_ended(self, request: SentRequest) -> None:
            ended.append(request)

    server = Recorder(reply(500), closed, DONE, reply(404), DONE)
    with RawServer(server) as raw:
        client = connect(raw.url, observer=Watching())
        for _ in range(2):
            with pytest.raises(LmsUnconfirmed):
                change(client)
        with pytest.raises(LmsUnconfirmed):
            change(client, doubt=lambda _: "it says nothing.")
        with pytest.raises(LmsNotFound):
            change(client)
        change(client)
    assert [request.outcome for request in ended] == ["unconfirmed"] * 3 + ["not_found", "ok"]


def test_what_was_requested_before_a_change_is_not_read_after_it(connect: Callable[..., Transport]) -> None:
    server = Recorder(reply(200, '{"state": "old"}'), DONE, reply(200, '{"state": "new"}'))
    with RawServer(server) as raw:
        client = connect(raw.url)
        client.prefetch("/things")
        change(client)
        assert client.get("/things").body == b'{"state": "new"}'
    assert [request.method for request in server.requests] == ["GET", "POST", "GET"]
