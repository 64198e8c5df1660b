"""One request and its response: within a time, within a size, and with a typed outcome whatever comes back."""

from __future__ import annotations

import gzip
import itertools
import logging
import os
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.errors import (
    LmsAuthError,
    LmsBadRequest,
    LmsBrokenPage,
    LmsError,
    LmsGarbledResponse,
    LmsTruncatedPage,
    LmsUnavailable,
)
from airflow_provider_lms.lms.http.exchange import Exchanger
from airflow_provider_lms.lms.http.headers import parse_media_type, redirect_host
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.grant import ClientCredentials
from tests.lms.raw_server import RawServer, Script, Talk, once

EXAMPLES = int(os.environ.get("LMS_EXAMPLES", "300"))
packed = partial(gzip.compress, mtime=0)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"
CALL = "GET /things, page 3"


def exchange(url: str, **options: Any) -> Response:
    """What comes of one request; by default a hanging server makes no test wait for long."""
    exchanger = Exchanger(**{"timeout": 10.0, **options})
    try:
        return exchanger.send("GET", f"{url}/things", CALL)
    finally:
        exchanger.close()


def sent(data: bytes, **options: Any) -> Response:
    """What becomes of a response that consists of these bytes."""
    with RawServer(once(data)) as server:
        return exchange(server.url, **options)


def with_body(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def outcome(call: Callable[[], Response]) -> Response | LmsError:
    """A response, or the error in its place. Any other exception fails the test."""
    try:
        return call()
    except LmsError as error:
        message = str(error)
    assert message.startswith(f"{CALL}: ")
    assert message.isprintable()
    return LmsError(message)


# Time


def slow_status_line(talk: Talk) -> None:
    talk.drip(bytes([byte]) for byte in b"HTTP/1.1 200 " + b"O" * 10_000)
    talk.send(b"\r\nContent-Length: 0\r\n\r\n")


def slow_headers(talk: Talk) -> None:
    talk.send(OK)
    talk.drip(bytes([byte]) for byte in itertools.cycle(b"X: 1\r\n"))
    talk.send(b"Content-Length: 0\r\n\r\n")


def endless_continue(talk: Talk) -> None:
    talk.drip(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))
    talk.send(OK + b"Content-Length: 0\r\n\r\n")


def slow_chunk_sizes(talk: Talk) -> None:
    talk.send(CHUNKED + b"\r\n1;")
    talk.drip(itertools.repeat(b"x"))
    talk.send(b"\r\n{\r\n0\r\n\r\n")


def endless_trailers(talk: Talk) -> None:
    talk.send(CHUNKED + b"\r\n2\r\n{}\r\n0\r\n")
    talk.drip(itertools.repeat(b"X: 1\r\n"))
    talk.send(b"\r\n")


def empty_gzip_members(talk: Talk) -> None:
    member = packed(b"")
    talk.send(CHUNKED + b"Content-Encoding: gzip\r\n\r\n")
    talk.drip(itertools.repeat(b"%x\r\n%s\r\n" % (len(member), member)))
    talk.send(b"0\r\n\r\n")


def slow_body(talk: Talk) -> None:
    talk.send(OK + b"Content-Length: 5000\r\n\r\n")
    talk.drip(itertools.repeat(b" "))


def silence(talk: Talk) -> None:
    talk.hold()
    talk.send(OK + b"Content-Length: 0\r\n\r\n")


def endless_early_hints(talk: Talk) -> None:
    talk.drip(itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"))
    talk.send(OK + b"Content-Length: 0\r\n\r\n")


SLOW: tuple[Script, ...] = (
    slow_status_line,
    slow_headers,
    endless_continue,
    endless_early_hints,
    slow_chunk_sizes,
    endless_trailers,
    empty_gzip_members,
    slow_body,
    silence,
)
TIMED_OUT = re.escape(f"{CALL}: no complete response within 0.3 s. If the LMS is slow, raise 'timeout'")


@pytest.mark.parametrize("script", SLOW, ids=lambda script: script.__name__)
def test_the_timeout_is_for_the_whole_exchange(script: Script) -> None:
    # Without a limit on the whole, each script would end soundly after 15 s, and the test would fail.
    with RawServer(script) as server, pytest.raises(LmsUnavailable, match=TIMED_OUT):
        exchange(server.url, timeout=0.3)


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"102 Processing", b"103 Early Hints", b"199 Odd"])
def test_an_interim_response_is_not_the_response(status: bytes) -> None:
    interim = b"HTTP/1.1 " + status + b"\r\nLink: </x>\r\n\r\n"
    response = sent(interim * 3 + with_body(b"{}", b"Content-Type: application/json"))
    assert (response.status, response.content_type, response.body) == (200, "application/json", b"{}")


@pytest.mark.parametrize("script", [slow_headers, endless_trailers, silence], ids=lambda script: script.__name__)
def test_the_timeout_is_for_the_whole_exchange_over_tls_too(script: Script, tls: ssl.SSLContext) -> None:
    with RawServer(once(with_body(b"{}")), tls) as server:
        assert exchange(server.url).body == b"{}"
    with RawServer(script, tls) as server, pytest.raises(LmsUnavailable, match=TIMED_OUT):
        exchange(server.url, timeout=0.3)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[RawServer], None]:
    """Makes a server the proxy for everything."""

    def set_(server: RawServer) -> None:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, server.url)

    return set_


@pytest.mark.parametrize(
    ("scheme", "script"),
    [("http", slow_headers), ("http", endless_continue), ("http", slow_body), ("https", slow_headers)],
)
def test_the_timeout_is_for_the_whole_exchange_through_a_proxy_too(
    script: Script, scheme: str, proxied: Callable[[RawServer], None]
) -> None:
    with RawServer(script) as proxy:
        proxied(proxy)
        with pytest.raises(LmsUnavailable, match=TIMED_OUT):
            exchange(f"{scheme}://lms.test", timeout=0.3)


def test_a_proxy_is_used_for_plain_http_and_for_tls(tls: ssl.SSLContext, proxied: Callable[[RawServer], None]) -> None:
    def tunnel(talk: Talk) -> None:
        if not talk.head.startswith(b"CONNECT lms.test:443"):
            talk.send(with_body(b'{"by": "proxy"}'))
            return
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        talk.sock = tls.wrap_socket(talk.sock, server_side=True)
        with talk.sock:
            talk.sock.recv(65_536)
            talk.send(with_body(b'{"by": "lms"}'))

    with RawServer(tunnel) as proxy:
        proxied(proxy)
        assert exchange("http://lms.test").body == b'{"by": "proxy"}'
        assert exchange("https://lms.test").body == b'{"by": "lms"}'


def test_an_address_that_never_answers_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, RawServer(once(with_body(b"{}"))) as server:
        full.bind(("127.0.0.2", server.port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]  # they fill the queue, so that the next one waits for good
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, server.port)) for ip in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert exchange(server.url, timeout=2.0).body == b"{}"
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1] * 40)
        with pytest.raises(LmsUnavailable, match=r"no complete response within 0\.5 s"):
            exchange(server.url, timeout=0.5)
        for each in waiting:
            each.close()


@pytest.fixture
def transport() -> Iterator[Callable[..., Transport]]:
    """A transport to a server, with a token endpoint of its own."""
    token = with_body(b'{"access_token":"abc","expires_in":1800}', b"Content-Type: application/json")
    made = []
    with RawServer(once(token)) as tokens:

        def make(url: str, *, token_url: str = tokens.url, **options: Any) -> Transport:
            store = MemoryStore()
            made.append(
                Transport(
                    url,
                    ClientCredentials(f"{token_url}/token", "client", "secret"),
                    tokens=SharedTokens(store, (url,), "client", ("secret",)),
                    rate_limiter=SharedRateLimiter(store, url, "client", RateLimits()),
                    **{"timeout": LONG_TIMEOUT, "retry": RetryPolicy(max_wait=0), **options},
                )
            )
            return made[-1]

        yield make
        for each in made:
            each.close()


LONG_TIMEOUT = 60.0


def test_closing_does_not_wait_for_a_prefetched_response_that_hangs(transport: Callable[..., Transport]) -> None:
    held, over = threading.Event(), threading.Event()

    def hold(talk: Talk) -> None:
        held.set()
        talk.hold()
        over.set()

    with RawServer(hold) as server:
        client = transport(server.url)
        client.prefetch("/things")
        assert held.wait(10)
        client.close()
        assert not over.is_set()
    for thread in threading.enumerate():
        if thread.name.startswith("lms-prefetch"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_prefetched_response_that_nobody_wants_is_waited_for_and_the_connection_kept(
    transport: Callable[..., Transport],
) -> None:
    with RawServer(lambda talk: talk.send(with_body(b"{}"))) as server:
        client = transport(server.url)
        client.prefetch("/things")
        assert client.get("/others").body == b"{}"
        assert server.served == 2


# Size


def bomb(size: int) -> bytes:
    """A gzip body that decompresses to zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)), packer.flush()])


TOO_LARGE = {
    "announced": OK + b"Content-Length: 99999999999\r\n\r\n",
    "in one piece": with_body(b"x" * 1_000_001),
    "in chunks": CHUNKED + b"\r\n" + b"f4241\r\n" + b"x" * 1_000_001 + b"\r\n0\r\n\r\n",
    "until the end of the connection": OK + b"\r\n" + b"x" * 1_000_001,
    "gzip": with_body(bomb(50_000_000), b"Content-Encoding: gzip"),
    "deflate": with_body(zlib.compress(bytes(20_000_000)), b"Content-Encoding: deflate"),
    "many gzip members": with_body(packed(bytes(100_000)) * 20, b"Content-Encoding: x-gzip"),
}


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_body_beyond_the_limit_is_refused_by_the_name_of_the_option(data: bytes) -> None:
    with pytest.raises(LmsBrokenPage, match=r"page 3: the response is larger than 'max_body_bytes' \(1,000,000\)"):
        sent(data, max_body_bytes=1_000_000)


def test_a_body_that_reaches_the_limit_is_read() -> None:
    body = b"x" * 1_000_000
    assert sent(with_body(body), max_body_bytes=1_000_000).body == body
    assert sent(with_body(packed(body), b"Content-Encoding: gzip"), max_body_bytes=1_000_000).body == body


def test_bytes_around_the_body_are_limited_too() -> None:
    def continue_for_ever(talk: Talk) -> None:
        for _ in range(10_000):
            talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)

    with RawServer(continue_for_ever) as server, pytest.raises(LmsBrokenPage, match="larger than 'max_body_bytes'"):
        exchange(server.url, max_body_bytes=1)


def test_a_bomb_costs_no_more_memory_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    data = with_body(bomb(200_000_000), b"Content-Encoding: gzip")
    with RawServer(once(data)) as server:
        tracemalloc.start()
        with pytest.raises(LmsBrokenPage):
            exchange(server.url, max_body_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        (b"gzip, gzip", packed(packed(b"{}")), "compressed more than once"),
        (b"deflate, gzip", packed(zlib.compress(b"{}")), "compressed more than once"),
        (b"br", b"\x0b\x00\x80{}\x03", "compressed in a way that was not asked for"),
        (b"zstd", b"\x28\xb5\x2f\xfd", "compressed in a way that was not asked for"),
        (b"\xff\xfe", b"{}", "compressed in a way that was not asked for"),
        (b"gzip", b"{}", "the compressed body is damaged"),
        (b"gzip", packed(b"{}") + b"rest", "the compressed body is damaged"),
        (b"deflate", b"\xff\xff", "the compressed body is damaged"),
    ],
)
def test_a_body_that_cannot_be_decompressed_is_refused(encoding: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(LmsGarbledResponse, match=reason):
        sent(with_body(body, b"Content-Encoding: " + encoding))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", packed(b'{"a":') + packed(b"1}")),
        (b"x-gzip", packed(b'{"a":1}') + bytes(100)),
        (b"GZIP, identity", packed(b'{"a":1}')),
        (b"deflate", zlib.compress(b'{"a":1}')),
        (b"deflate", zlib.compress(b'{"a":1}')[2:-4]),
        (b"identity", b'{"a":1}'),
        (b"", b'{"a":1}'),
    ],
)
def test_a_compressed_body_is_decompressed(encoding: bytes, body: bytes) -> None:
    assert sent(with_body(body, b"Content-Encoding: " + encoding)).body == b'{"a":1}'


@pytest.mark.parametrize("pieces", [1, 7, 4_096])
def test_a_compressed_body_may_arrive_in_pieces_of_any_size(pieces: int) -> None:
    content = b"".join(b"%d " % (number * number) for number in range(400_000))
    data = packed(content)[:-1], packed(content)[-1:]

    def send(talk: Talk) -> None:
        talk.send(CHUNKED + b"Content-Encoding: gzip\r\n\r\n")
        for start in range(0, len(data[0]), max(len(data[0]) // pieces, 1)):
            piece = data[0][start : start + max(len(data[0]) // pieces, 1)]
            talk.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        talk.send(b"1\r\n%s\r\n0\r\n\r\n" % data[1])

    with RawServer(send) as server:
        assert exchange(server.url).body == content


@pytest.mark.parametrize("rest", [5, 100, 257, 700])
def test_data_that_is_decompressed_in_steps_is_whole_at_the_end_of_a_step(rest: int) -> None:
    # Deflate without a frame ends with the data, so the last bytes may still be due when all input is consumed.
    content = bytes(1_048_576 + rest)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(content) + packer.flush()
    assert sent(with_body(body, b"Content-Encoding: deflate")).body == content


@pytest.mark.parametrize("status", [302, 404, 429, 503])
def test_outside_2xx_the_status_counts_even_if_the_body_cannot_be_read(status: int) -> None:
    for body, header in ((b"{}", b"Content-Encoding: br"), (bomb(50_000_000), b"Content-Encoding: gzip")):
        found = sent(with_body(body, header, status=b"%d Odd" % status), max_body_bytes=1_000_000)
        assert (found.status, found.body) == (status, b"")


# Headers


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (b"text/html; charset", "text/html"),
        (b"application/json charset=utf-8", "application/json"),
        (b"Application/JSON;charset=\xff\xfe", "application/json"),
        (b";", ""),
        (b"=?utf-8?q?=00?=", ""),
        (b"somebody@example.com", ""),
        (b"\xf0\x9f\x98\x80/json", ""),
        (b"a" * 5_000 + b"/json", ""),
    ],
)
def test_a_content_type_is_a_media_type_or_nothing(header: bytes, media_type: str) -> None:
    assert sent(with_body(b"{}", b"Content-Type: " + header)).content_type == media_type


@pytest.mark.parametrize("length", [b"\xb2", b"-5", b"1e3", b"0x10", b"9" * 5_000, b"", b"\xd9\xa3", b"2, 3", b"nan"])
def test_a_content_length_that_makes_no_sense_is_a_typed_error_or_ignored(length: bytes) -> None:
    found = outcome(lambda: sent(OK + b"Content-Length: " + length + b"\r\n\r\n{}"))
    assert isinstance(found, LmsError) or found.body in (b"{}", b"")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (b"https://elsewhere.example/x?token=1", "elsewhere.example"),
        (b"/login", "127.0.0.1"),
        (b"http://[", "an address that cannot be read"),
        (b"http://[::1]:x/", "::1"),
        (b"https://\xff\xfe/", "an address that cannot be read"),
        (b"//somebody@\x1b[31m.example/", "an address that cannot be read"),
        (b"https://" + b"a" * 400, "an address that cannot be read"),
        (b"https://\xe2\x84\x80.example", "an address that cannot be read"),
    ],
)
def test_a_location_is_a_host_or_said_to_be_unreadable(location: bytes, host: str) -> None:
    assert sent(with_body(b"", b"Location: " + location, status=b"302 Found")).location == host


@pytest.mark.parametrize("line", [b"no header", b"somebody@example.com", b"Cookie secret-1234", b" : x", b"\xff\xfe"])
def test_lines_among_the_headers_that_are_none_reach_no_log(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    found = sent(OK + line + b"\r\nSet-Cookie: secret-1234\r\nX: somebody@example.com\r\n\r\n{}")
    assert found.body == b"{}"
    assert not [word for word in ("secret-1234", "somebody", "things") if word in caplog.text]


def test_without_a_location_there_is_no_host() -> None:
    assert redirect_host(None, "own") is None
    assert redirect_host("", "own") is None
    assert parse_media_type(None) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/9.9 abc\r\n\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 99999 Much\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        CHUNKED + b"\r\nnot a number\r\n",
        CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"\r\n" + b"f" * 100 + b"\r\nhello",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"",
    ],
)
def test_what_is_no_http_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(LmsError) as raised:
        sent(data)
    assert str(raised.value).startswith(f"{CALL}: ")
    assert "yyy" not in str(raised.value)


VALUES = st.one_of(
    st.binary(max_size=30).map(lambda value: value.translate(None, b"\r\n")),
    st.sampled_from(
        [b"", b"gzip", b"chunked", b"1", b"-1", b"5", b"nan", b"9" * 400, b"http://[", b"/", b"a=b; c", b"close"]
    ),
)
NAMES = st.sampled_from(
    [
        b"Content-Type",
        b"Content-Length",
        b"Content-Encoding",
        b"Transfer-Encoding",
        b"Location",
        b"Retry-After",
        b"Set-Cookie",
        b"Connection",
        b"Link",
        b"\xff",
        b"",
    ]
)
RESPONSES = st.builds(
    lambda status, headers, body: (
        b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, b"".join(b"%s: %s\r\n" % header for header in headers), body)
    ),
    st.sampled_from([200, 200, 204, 206, 301, 302, 307, 400, 401, 429, 500, 503, 600, 101]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(packed), st.just(b"5\r\nhello\r\n0\r\n\r\n")),
)


@pytest.fixture(scope="module")
def said() -> Iterator[tuple[RawServer, Exchanger]]:
    with RawServer(once(b"")) as server:
        exchanger = Exchanger(timeout=10.0, max_body_bytes=10_000)
        yield server, exchanger
        exchanger.close()


@given(data=st.one_of(RESPONSES, st.binary(max_size=200)))
@example(data=b"HTTP/1.1 200 X\r\nContent-Type: text/html; charset\r\n\r\n{}")
@example(data=b"HTTP/1.1 302 X\r\nLocation: http://[\r\n\r\n")
@example(data=b"HTTP/1.1 302 X\r\nLocation: \xff\r\n\r\n")
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_sends_is_a_response_or_an_lms_error(said: tuple[RawServer, Exchanger], data: bytes) -> None:
    server, exchanger = said
    server.script = once(data)
    found = outcome(lambda: exchanger.send("GET", server.url, CALL))
    if isinstance(found, Response):
        assert isinstance(found.body, bytes)
        assert found.content_type.isprintable()
        assert (found.location or "").isprintable()
        assert found.retry_after is None or 1 <= found.retry_after <= 86_400


# Tokens


@pytest.mark.parametrize(
    "value", ["\u0442\u043e\u043a\u0435\u043d", "a b", "a\\nb", "\U0001f600", "\\u0000", "caf\u00e9"]
)
def test_a_token_that_no_header_can_carry_is_an_authentication_error(
    transport: Callable[..., Transport], value: str
) -> None:
    body = f'{{"access_token":"{value}"}}'.encode()
    with RawServer(once(with_body(body, b"Content-Type: application/json"))) as tokens:
        client = transport("http://127.0.0.1:1", token_url=tokens.url)
        with pytest.raises(LmsAuthError, match="the access token has characters that an HTTP header cannot carry") as e:
            client.get("/things")
    assert value not in str(e.value)


@pytest.mark.parametrize("lifetime", ["1e999", "9" * 400, '"nan"', '"inf"', "-5", "null", "[]"])
def test_a_lifetime_that_makes_no_sense_counts_as_not_given(transport: Callable[..., Transport], lifetime: str) -> None:
    body = f'{{"access_token":"abc","expires_in":{lifetime}}}'.encode()
    with (
        RawServer(lambda talk: talk.send(with_body(body))) as tokens,
        RawServer(lambda talk: talk.send(with_body(b"{}"))) as server,
    ):
        client = transport(server.url, token_url=tokens.url)
        assert client.get("/things").body == b"{}"
        assert client.get("/things").body == b"{}"
        assert tokens.served == 1


def test_a_parameter_that_cannot_be_sent_is_a_bad_request(caplog: pytest.LogCaptureFixture) -> None:
    exchanger = Exchanger()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(LmsBadRequest, match="has characters that HTTP does not allow"),
    ):
        exchanger.send("GET", "http://127.0.0.1:1", CALL, params=[("name", "\ud800")])
    exchanger.close()


def test_a_connection_that_ends_too_early_says_how_much_was_expected() -> None:
    with pytest.raises(LmsTruncatedPage, match=r"before the body was complete \(expected 1,000 bytes\)"):
        sent(OK + b"Content-Length: 1000\r\n\r\n{}")
