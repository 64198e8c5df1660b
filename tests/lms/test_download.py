"""Files from addresses that an LMS names: who gets the token, what is refused, and what counts as a file."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter
from airflow_provider_lms.lms.errors import (
    LmsBrokenPage,
    LmsError,
    LmsFileError,
    LmsGarbledResponse,
    LmsRateLimited,
    LmsTruncatedPage,
    LmsUnavailable,
)
from airflow_provider_lms.lms.http.download import _ip_address, _is_public
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.activity import Certificate
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.files import certificate_path, certificate_pdf
from airflow_provider_lms.testing import fake_clock
from tests.conftest import TOKEN
from tests.lms.raw_server import RawServer, Talk, once

ID = "740294ee-ecb3-50d6-b883-d9c6eb4404f2"
PATH = certificate_path(ID)
GET = f"GET {PATH}"
PDF = certificate_pdf(ID)
OK = b"HTTP/1.1 200 OK\r\n"
Connect = Callable[..., ISpringLearnClient]


@pytest.fixture
def elsewhere() -> Iterator[Simulator]:
    """Another server, which keeps files."""
    with Simulator() as other:
        yield other


def fetch(client: ISpringLearnClient, url: str) -> bytes:
    """The content of a file, from the last attempt to fetch it."""
    contents: list[bytes] = []
    client.download_certificate(
        Certificate(issued_certificate_id=ID, url=url), lambda pieces: contents.append(b"".join(pieces))
    )
    return contents[-1]


def with_length(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


# Who gets the access token.


def test_the_lms_itself_gets_the_token(lms: Simulator, client: ISpringLearnClient) -> None:
    assert fetch(client, lms.url + PATH) == PDF
    assert [each.headers["authorization"] for each in lms.files.requests] == [f"Bearer {lms.ispring.tokens[0]}"]


def test_another_host_gets_no_token_and_no_cookie(client: ISpringLearnClient) -> None:
    heads: list[bytes] = []

    def answer(talk: Talk) -> None:
        heads.append(talk.head.lower())
        talk.send(with_length(PDF).replace(b"OK\r\n", b"OK\r\nSet-Cookie: id=1; Path=/\r\n", 1))

    with RawServer(answer) as host:
        assert [fetch(client, host.url + PATH) for _ in range(2)] == [PDF, PDF]
    assert len(heads) == 2
    for name in (b"authorization", b"cookie", b"referer"):
        assert not any(name in head for head in heads)


def test_a_redirect_to_another_host_does_not_take_the_token_along(
    lms: Simulator, client: ISpringLearnClient, elsewhere: Simulator
) -> None:
    lms.files.fail(GET, faults.redirect(elsewhere.url + PATH))
    assert fetch(client, lms.url + PATH) == PDF
    assert "authorization" in lms.files.requests[0].headers
    assert "authorization" not in elsewhere.files.requests[0].headers


def test_another_host_cannot_choose_what_the_token_is_sent_for(
    lms: Simulator, client: ISpringLearnClient, elsewhere: Simulator
) -> None:
    elsewhere.files.fail(GET, faults.redirect(lms.url + PATH))
    assert fetch(client, elsewhere.url + PATH) == PDF
    assert "authorization" not in lms.files.requests[0].headers


def test_a_token_that_the_lms_rejects_is_renewed_once(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.files.fail(GET, faults.status(401))
    assert fetch(client, lms.url + PATH) == PDF
    assert lms.ispring.count(TOKEN) == 2


def test_another_host_that_wants_credentials_gets_none(client: ISpringLearnClient, elsewhere: Simulator) -> None:
    elsewhere.files.fail(GET, faults.status(401))
    with pytest.raises(LmsFileError, match=r"HTTP 401: 127\.0\.0\.1 refuses the file\. It gets no credentials"):
        fetch(client, elsewhere.url + PATH)
    assert len(elsewhere.files.requests) == 1


# Which addresses are refused.


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_few_redirects_are_followed(lms: Simulator, client: ISpringLearnClient, hops: int) -> None:
    lms.files.fail(GET, faults.redirect(PATH), times=hops)
    assert fetch(client, lms.url + PATH) == PDF


def test_more_redirects_are_not(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.files.fail(GET, faults.redirect(PATH), times=4)
    with pytest.raises(LmsFileError, match="more than 3 redirects"):
        fetch(client, lms.url + PATH)
    assert len(lms.files.requests) == 4


UNUSABLE = [
    ("ftp://files.example.com/a.pdf", "is not https"),
    ("file:///etc/passwd", "no usable address"),
    ("http://[::1/a.pdf", "no usable address"),
    ("http://files.example.com:0/a.pdf", "no usable address"),
    ("http://files.example.com:99999/a.pdf", "no usable address"),
    ("http://files.example.com\\@127.0.0.1/a.pdf", "no usable address"),
    ("http://files.exa\tmple.com/a.pdf", "no usable address"),
    ("http://me:secret@files.example.com/a.pdf", "holds credentials"),
    ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is not a public address"),
    ("http://[fe80::1]/a.pdf", "fe80::1 is not a public address"),
    ("http://[::ffff:169.254.169.254]/a.pdf", "::ffff:169.254.169.254 is not a public address"),
    ("http://[64:ff9b::a9fe:a9fe]/a.pdf", "64:ff9b::a9fe:a9fe is not a public address"),
]
NO_URLS = ["", "/certificates/a.pdf", "http://", "http://files.example.com/a.pdf\r\nX-Header: 1"]


@pytest.mark.parametrize(("url", "message"), [*UNUSABLE, *((url, "no usable address") for url in NO_URLS)])
def test_an_address_that_is_no_files_is_refused(client: ISpringLearnClient, url: str, message: str) -> None:
    with pytest.raises(LmsFileError, match=message) as caught:
        fetch(client, url)
    assert "secret" not in str(caught.value)
    assert ID in str(caught.value)


@pytest.mark.parametrize(("url", "message"), UNUSABLE)
def test_a_redirect_to_such_an_address_is_not_followed(
    lms: Simulator, client: ISpringLearnClient, url: str, message: str
) -> None:
    lms.files.fail(GET, faults.redirect(url))
    with pytest.raises(LmsFileError, match=message):
        fetch(client, lms.url + PATH)


def test_a_redirect_from_https_to_http_is_not_followed(
    lms: Simulator, connect: Connect, tls: ssl.SSLContext, elsewhere: Simulator
) -> None:
    there = once(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % (elsewhere.url + PATH).encode())
    with RawServer(there, tls) as host, pytest.raises(LmsFileError, match="is not https"):
        fetch(connect(lms), f"{host.url}/a.pdf")
    assert not elsewhere.files.requests


def test_an_lms_with_https_names_no_file_without(connect: Connect, elsewhere: Simulator) -> None:
    secure: Any = SimpleNamespace(url="https://127.0.0.1:9", ispring=elsewhere.ispring)
    with pytest.raises(LmsFileError, match="is not https"):
        fetch(connect(secure), elsewhere.url + PATH)
    assert not elsewhere.files.requests


@pytest.fixture
def public(lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> ISpringLearnClient:
    """A client of an LMS that has a public address for all who ask, although connections lead to this machine."""
    look_up = socket.getaddrinfo

    def looked_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        names = {"lms.test": "93.184.215.14" if port is None else "127.0.0.1", "files.test": "127.0.0.1"}
        return look_up(names.get(host, host), port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    account: Any = SimpleNamespace(url=lms.url.replace("127.0.0.1", "lms.test"), ispring=lms.ispring)
    return connect(account)


@pytest.mark.parametrize("host", ["files.test", "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1"])
def test_a_public_lms_cannot_lead_into_a_private_network(
    public: ISpringLearnClient, elsewhere: Simulator, host: str
) -> None:
    with pytest.raises(LmsFileError, match="is not a public address, so no file is fetched from there"):
        fetch(public, elsewhere.url.replace("127.0.0.1", host) + PATH)
    assert not elsewhere.connections


def test_nor_can_a_redirect(lms: Simulator, public: ISpringLearnClient, elsewhere: Simulator) -> None:
    lms.files.fail(GET, faults.redirect(elsewhere.url.replace("127.0.0.1", "files.test") + PATH))
    with pytest.raises(LmsFileError, match="is not a public address"):
        fetch(public, lms.url.replace("127.0.0.1", "lms.test") + PATH)
    assert not elsewhere.connections


def test_the_lmss_own_host_is_trusted(lms: Simulator, public: ISpringLearnClient) -> None:
    assert fetch(public, lms.url.replace("127.0.0.1", "lms.test") + PATH) == PDF


def test_a_proxy_may_be_private_and_is_not_asked_for_private_addresses(
    public: ISpringLearnClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(once(with_length(PDF))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        assert fetch(public, "http://files.example.com/a.pdf") == PDF
        with pytest.raises(LmsFileError, match="is not a public address"):
            fetch(public, "http://10.0.0.1/a.pdf")
        assert proxy.served == 1


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.100.100.200", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00:ec2::254", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::a9fe:a9fe", False),
    ],
)
def test_what_is_a_public_address(address: str, *, public: bool) -> None:
    assert _is_public(_ip_address(address)) is public


# What counts as a file.


def test_a_file_arrives_piece_by_piece(client: ISpringLearnClient) -> None:
    begun = threading.Event()

    def halves(talk: Talk) -> None:
        talk.send(with_length(PDF)[:-100])
        assert begun.wait(10), "the first half was not handed over before the second was sent"
        talk.send(PDF[-100:])

    received: list[bytes] = []

    def store(pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            received.append(piece)
            begun.set()

    with RawServer(halves) as host:
        client.download_certificate(Certificate(issued_certificate_id=ID, url=host.url), store)
    assert b"".join(received) == PDF
    assert len(received) > 1


def test_the_first_bytes_may_arrive_one_by_one(client: ISpringLearnClient) -> None:
    def drip(talk: Talk) -> None:
        talk.send(with_length(PDF)[: -len(PDF)])
        talk.drip([PDF[:1], PDF[1:2], PDF[2:4], PDF[4:]], pause=0.05)

    with RawServer(drip) as host:
        assert fetch(client, host.url) == PDF


@pytest.mark.parametrize("head", [b"Content-Length: 2005\r\n\r\n", b"Connection: close\r\n\r\n"])
def test_a_file_that_is_too_large_is_refused(lms: Simulator, connect: Connect, head: bytes) -> None:
    client = connect(lms, max_body_bytes=2_000)
    with RawServer(once(with_length(b"%PDF-" + b"x" * 1_995))) as host:
        assert len(fetch(client, host.url)) == 2_000
    message = rf"certificate {ID}: .* larger than 'max_body_bytes' \(2,000\)"
    with RawServer(once(OK + head + b"%PDF-" + b"x" * 2_000)) as host, pytest.raises(LmsBrokenPage, match=message):
        fetch(client, host.url)


@pytest.mark.parametrize(
    "fault",
    [faults.html_page(), faults.body(b""), faults.body(b"%PD"), faults.body(b"\n" + PDF), faults.no_content()],
)
def test_what_is_no_pdf_is_fetched_again_and_then_an_error(
    lms: Simulator, connect: Connect, fault: faults.Fault
) -> None:
    lms.files.fail(GET, fault, times=100)
    with fake_clock(), pytest.raises(LmsGarbledResponse, match=r"the file does not begin with '%PDF-'"):
        fetch(connect(lms, max_wait=60.0), lms.url + PATH)
    assert len(lms.files.requests) > 3


@pytest.mark.parametrize(
    "fault",
    [
        faults.truncated(),
        faults.connection_reset(),
        faults.compressed(whole=False),
        faults.status(503),
        faults.status(429, Retry_After="30"),
        faults.html_page(),
    ],
)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_file_that_fails_for_a_moment_is_fetched_again(
    lms: Simulator, connect: Connect, elsewhere: Simulator, fault: faults.Fault, *, is_own: bool
) -> None:
    host = lms if is_own else elsewhere
    host.files.fail(GET, fault, times=2)
    with fake_clock():
        assert fetch(connect(lms, max_wait=900.0), host.url + PATH) == PDF
    assert len(host.files.requests) == 3


def test_a_truncated_file_is_noticed(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.files.fail(GET, faults.truncated(0.9))
    with pytest.raises(LmsTruncatedPage, match=rf"certificate {ID}: .* \(expected {len(PDF)} bytes\)"):
        fetch(client, lms.url + PATH)


def test_a_slow_file_has_the_time_of_one_request(lms: Simulator, connect: Connect) -> None:
    def drip(talk: Talk) -> None:
        talk.send(OK + b"Content-Length: 100000\r\n\r\n%PDF-")
        talk.drip(iter(lambda: b"x", b""))

    with RawServer(drip) as host, pytest.raises(LmsUnavailable, match=r"no complete response within 0\.3 s"):
        fetch(connect(lms, timeout=0.3), host.url)


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_file_that_is_not_there_is_an_error_that_names_the_certificate(
    lms: Simulator, client: ISpringLearnClient, elsewhere: Simulator, status: int, *, is_own: bool
) -> None:
    host = lms if is_own else elsewhere
    host.files.fail(GET, faults.html_page(status))
    with pytest.raises(LmsFileError, match=rf"GET the file of certificate {ID}: HTTP {status}: 127\.0\.0\.1 "):
        fetch(client, host.url + PATH)
    assert len(host.files.requests) == 1


# The account's limit.


@pytest.mark.parametrize("is_own", [True, False])
def test_files_on_the_lms_count_toward_the_accounts_limit(
    lms: Simulator, connect: Connect, elsewhere: Simulator, *, is_own: bool
) -> None:
    limiter = SharedRateLimiter(MemoryStore(), lms.url, "id", RateLimits(requests=1, window_seconds=60.0))
    client = connect(lms, rate_limiter=limiter)
    host = lms if is_own else elsewhere
    assert fetch(client, host.url + PATH) == PDF
    if is_own:
        with pytest.raises(LmsRateLimited, match=r"GET the file of certificate"):
            fetch(client, host.url + PATH)
    else:
        assert fetch(client, host.url + PATH) == PDF


@pytest.mark.parametrize("is_own", [True, False])
def test_only_the_lms_can_lock_the_account(
    lms: Simulator, client: ISpringLearnClient, elsewhere: Simulator, *, is_own: bool
) -> None:
    host = lms if is_own else elsewhere
    host.files.fail(GET, faults.status(429, Retry_After="30"))
    with pytest.raises(LmsRateLimited):
        fetch(client, host.url + PATH)
    assert bool(client.lock_seconds_left()) is is_own


# An address may be a secret.


@pytest.mark.parametrize(
    "fault",
    [faults.status(404), faults.status(503), faults.truncated(), faults.html_page(), faults.redirect("ftp://s3cret")],
)
@pytest.mark.parametrize("is_own", [True, False])
def test_no_message_and_no_log_contains_the_address(
    lms: Simulator,
    client: ISpringLearnClient,
    elsewhere: Simulator,
    caplog: pytest.LogCaptureFixture,
    fault: faults.Fault,
    *,
    is_own: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    host = lms if is_own else elsewhere
    url = f"{host.url}{PATH}?signature=s3cret-signature"
    assert fetch(client, url) == PDF
    host.files.fail(GET, fault)
    with pytest.raises(LmsError) as caught:
        fetch(client, url)
    for text in (str(caught.value), caplog.text):
        assert "s3cret-signature" not in text
        assert PATH not in text
