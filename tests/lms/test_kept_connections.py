"""A kept connection that the server has closed is replaced at once, and what was sent on it counts."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.errors import LmsError, LmsGarbledResponse, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.exchange import Exchanger, KeptConnectionClosed
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.lms.raw_server import RawServer, Talk

RESPONSE = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
PAGE = RESPONSE % (b"200 OK", 2, b"{}")
TOKEN = RESPONSE % (b"200 OK", 22, b'{"access_token":"abc"}')
LIMITS = RateLimits(requests=3, window_seconds=60)

End = Callable[[Talk], None]


def hang_up(talk: Talk) -> None:
    talk.sock.shutdown(socket.SHUT_RDWR)


def reset(talk: Talk) -> None:
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.sock.close()


class ClosingServer:
    """Answers the first requests of each connection. Once the next one has come, it ends the connection.

    A real server closes a moment earlier. But then the client may have noticed, so that a test would be about chance.

    :param answered: how many requests of each connection are answered.
    """

    def __init__(self, end: End = hang_up, answered: int = 1, response: bytes = PAGE) -> None:
        self.calls: list[bytes] = []
        self.connections = 0
        self.response = response
        self.end = end
        self._answered = answered
        self._seen = threading.local()  # each connection is served by a thread of its own

    def __call__(self, talk: Talk) -> None:
        self._seen.requests = getattr(self._seen, "requests", 0) + 1
        self.connections += self._seen.requests == 1
        # The body of the request before comes first: the server reads heads only.
        (call,) = re.findall(rb"(?:GET|POST) /\S*", talk.head)
        self.calls.append(call)
        if self._seen.requests > self._answered:
            self.end(talk)
        else:
            talk.send(TOKEN if call == b"POST /token" else self.response)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as fake:
        yield fake


@pytest.fixture
def connect() -> Iterator[Callable[..., Transport]]:
    """A transport with a token, so that it begins with the request."""
    made = []

    def make(
        url: str, *, token: str | None = "abc", limiter: SharedRateLimiter | None = None, **retry: Any
    ) -> Transport:
        tokens = SharedTokens(MemoryStore(), (url,), "client", ("secret",))
        if token is not None:
            tokens.put(token, 3600)
        made.append(
            Transport(
                url,
                ClientCredentials(f"{url}/token", "client", "secret"),
                tokens=tokens,
                rate_limiter=limiter or SharedRateLimiter(MemoryStore(), url, "client", RateLimits()),
                timeout=10.0,
                retry=RetryPolicy(**{"max_wait": 0.0, **retry}),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("end", [hang_up, reset])
def test_a_closed_connection_is_replaced_without_a_pause(
    connect: Callable[..., Transport], clock: FakeClock, caplog: pytest.LogCaptureFixture, end: End
) -> None:
    caplog.set_level(logging.INFO)
    script = ClosingServer(end)
    with RawServer(script) as server:
        client = connect(server.url, max_wait=900.0)
        for _ in range(3):
            assert client.get("/things").body == b"{}"
    assert (script.connections, len(script.calls)) == (3, 5)
    assert clock.naps == []
    assert caplog.text == ""


@pytest.mark.parametrize("end", [hang_up, reset])
def test_a_closed_connection_is_replaced_over_tls_too(
    connect: Callable[..., Transport], tls: ssl.SSLContext, end: End
) -> None:
    script = ClosingServer(end)
    with RawServer(script, tls) as server:
        client = connect(server.url)
        for _ in range(2):
            assert client.get("/things").body == b"{}"
    assert script.connections == 2


def test_a_server_that_closes_after_each_response_and_does_not_say_so_costs_no_pause(
    connect: Callable[..., Transport], clock: FakeClock
) -> None:
    def answer(talk: Talk) -> None:
        talk.send(PAGE)
        talk.sock.shutdown(socket.SHUT_RDWR)

    with RawServer(answer) as server:
        client = connect(server.url, max_wait=900.0)
        for _ in range(30):
            assert client.get("/things").body == b"{}"
    assert clock.naps == []


def test_a_post_that_reads_is_sent_again(connect: Callable[..., Transport]) -> None:
    script = ClosingServer()
    with RawServer(script) as server:
        client = connect(server.url)
        for _ in range(2):
            assert client.post("/search", {}).body == b"{}"
    assert script.calls == [b"POST /search"] * 3


def test_a_prefetched_request_is_sent_again_by_the_caller(connect: Callable[..., Transport]) -> None:
    script = ClosingServer()
    with RawServer(script) as server:
        client = connect(server.url)
        client.get("/things")
        client.prefetch("/others")
        assert client.get("/others").body == b"{}"
    assert script.calls == [b"GET /things", b"GET /others", b"GET /others"]


def test_a_request_for_a_token_is_sent_again(connect: Callable[..., Transport]) -> None:
    script = ClosingServer(answered=2)
    with RawServer(script) as server:
        client = connect(server.url)
        client.get("/things")
        script.response = RESPONSE % (b"401 Unauthorized", 2, b"{}")

        def end(talk: Talk) -> None:
            script.response = PAGE
            hang_up(talk)

        script.end = end
        assert client.get("/things").body == b"{}"
    assert script.calls == [b"GET /things", b"GET /things", b"POST /token", b"POST /token", b"GET /things"]


def test_a_file_of_another_host_is_asked_for_again(connect: Callable[..., Transport]) -> None:
    script = ClosingServer(response=RESPONSE % (b"200 OK", 4, b"%PDF"))
    files: list[bytes] = []
    with RawServer(script) as server:
        client = connect("http://127.0.0.1:9")
        for _ in range(2):
            client.download(f"{server.url}/file", "a file", b"%PDF", lambda pieces: files.append(b"".join(pieces)))
    assert files == [b"%PDF", b"%PDF"]
    assert script.calls == [b"GET /file"] * 3


def test_a_new_connection_that_ends_is_an_outage(connect: Callable[..., Transport]) -> None:
    script = ClosingServer(answered=0)
    with RawServer(script) as server, pytest.raises(LmsUnavailable) as caught:
        connect(server.url).get("/things")
    assert script.calls == [b"GET /things"]
    assert not isinstance(caught.value, KeptConnectionClosed)


def test_a_connection_that_was_opened_anew_is_a_new_one(connect: Callable[..., Transport], tls: ssl.SSLContext) -> None:
    heads, closed = [], threading.Event()

    def answer_first(talk: Talk) -> None:
        heads.append(talk.head)
        if len(heads) == 1:
            talk.send(PAGE)
        hang_up(talk)
        closed.set()

    with RawServer(answer_first, tls) as server:
        client = connect(server.url)
        client.get("/things")
        assert closed.wait(10)  # now the client knows, and connects anew before it sends
        with pytest.raises(LmsUnavailable):
            client.get("/things")
    assert len(heads) == 2


def test_a_request_is_sent_again_only_once(connect: Callable[..., Transport]) -> None:
    script = ClosingServer()
    with RawServer(script) as server:
        client = connect(server.url)
        client.get("/things")
        script._answered = 0
        with pytest.raises(LmsUnavailable):
            client.get("/things")
    assert script.calls == [b"GET /things"] * 3


def test_after_the_first_byte_of_a_response_nothing_is_sent_again(connect: Callable[..., Transport]) -> None:
    def begin(talk: Talk) -> None:
        talk.send(b"H")
        hang_up(talk)

    script = ClosingServer(begin)
    with RawServer(script) as server:
        client = connect(server.url)
        client.get("/things")
        with pytest.raises((LmsUnavailable, LmsGarbledResponse)):
            client.get("/things")
    assert script.calls == [b"GET /things"] * 2


def test_a_timeout_on_a_kept_connection_is_a_timeout() -> None:
    script = ClosingServer(Talk.hold)
    with RawServer(script) as server, contextlib.closing(Exchanger(timeout=10.0)) as exchanger:
        exchanger.send("GET", server.url, "GET /things")
        exchanger.timeout = 0.2
        with pytest.raises(LmsUnavailable, match=r"no complete response within 0\.2 s"):
            exchanger.send("GET", server.url, "GET /things")


def test_an_exchange_that_is_aborted_is_not_sent_again(connect: Callable[..., Transport]) -> None:
    came = threading.Event()

    def hold(talk: Talk) -> None:
        came.set()
        talk.hold()

    script = ClosingServer(hold)
    errors: list[LmsError] = []
    with RawServer(script) as server:
        client = connect(server.url)
        client.get("/things")

        def read() -> None:
            try:
                client.get("/things")
            except LmsError as error:
                errors.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        assert came.wait(10)
        client.abort()
        thread.join(10)
    assert len(errors) == 1
    assert script.calls == [b"GET /things"] * 2


def test_both_requests_count_toward_the_rate_limit(connect: Callable[..., Transport], clock: FakeClock) -> None:
    store, script = MemoryStore(), ClosingServer()
    with RawServer(script) as server:
        client = connect(server.url, limiter=SharedRateLimiter(store, "host", "client", LIMITS))
        for _ in range(2):
            client.get("/things")
    assert len(script.calls) == 3
    assert SharedRateLimiter(store, "host", "client", LIMITS).acquire() is not None


def test_the_second_request_waits_for_the_rate_limit(connect: Callable[..., Transport], clock: FakeClock) -> None:
    limiter = SharedRateLimiter(MemoryStore(), "host", "client", RateLimits(requests=2, window_seconds=60))
    script = ClosingServer()
    with RawServer(script) as server:
        client = connect(server.url, limiter=limiter, max_wait=900.0)
        client.get("/things")
        with pytest.raises(LmsRateLimited, match="requests_per_window"):
            client.get("/things", retry=False)
        assert client.get("/things").body == b"{}"
    assert 60 <= sum(clock.naps) <= 61
    assert len(script.calls) == 3
