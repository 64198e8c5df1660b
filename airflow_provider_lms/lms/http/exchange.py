"""One request and its whole response, within a time and a size. Whatever comes back, the outcome is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import requests
import urllib3

from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsBrokenPage,
    LmsError,
    LmsFileError,
    LmsGarbledResponse,
    LmsTruncatedPage,
    LmsUnavailable,
)
from airflow_provider_lms.lms.http import headers
from airflow_provider_lms.lms.http.body import BodyCutOff, BodyError, BodyTooLarge, read_body, stream_body
from airflow_provider_lms.lms.http.deadline import AddressRefused, Deadline, TooManyBytes
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.http.session import open_session

Params: TypeAlias = Sequence[tuple[str, str]]
T = TypeVar("T")

DEFAULT_TIMEOUT = 60.0
DEFAULT_MAX_BODY_BYTES = 268_435_456

_CHUNK = 65_536
# For headers, which http.client limits, and for what chunked encoding adds.
_BYTES_AROUND_BODY = 8_388_608
_REDIRECTS = (301, 302, 303, 307, 308)
_TRUNCATED = "the connection ended before the body was complete"


class KeptConnectionClosed(LmsUnavailable):
    """A connection that was kept from an earlier request ended before any byte of the response came."""


def resend_if_closed(send: Callable[[], T]) -> T:
    """Send a request, and once more at once if a kept connection turns out to be closed.

    Servers close a connection that was idle for some seconds, and some close it after each response without saying so.
    That is no outage: a new connection is enough. urllib3 notices it only if the server's end of the connection has
    come before the request is sent. HTTP lets a client do this for requests that only read (RFC 9110, 9.2.2), as most
    requests of this package do. One that changes something raises :class:`KeptConnectionClosed` only if its bytes were
    not all sent; see :func:`~airflow_provider_lms.lms.http.unsafe.send_once`.

    :param send: each call sends the request, and counts it: the LMS may have counted the first one too.
    """
    try:
        return send()
    except KeptConnectionClosed:
        return send()


def _nothing() -> None:
    pass


class Exchanger:
    """Sends requests, one at a time, over connections of its own.

    :param accept: the ``Accept`` header.
    :param timeout: seconds that one exchange may take, from connecting to the last byte.
    :param max_body_bytes: the largest body, decompressed.
    :param may_connect: for hosts that a response has named; see :func:`open_session`.
    """

    def __init__(
        self,
        accept: str = "application/json",
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        may_connect: Callable[[str], bool] | None = None,
    ) -> None:
        self.timeout = timeout
        self.max_body_bytes = max_body_bytes
        self._deadline = Deadline()
        self._environments: dict[str, dict[str, Any]] = {}
        self._on_sent: Callable[[], None] = _nothing
        self._session = open_session(accept, self._deadline, lambda: self._on_sent(), may_connect)

    def send(
        self,
        method: str,
        url: str,
        call: str,
        *,
        params: Params = (),
        form: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        header: Mapping[str, str] | None = None,
        on_sent: Callable[[], None] = _nothing,
    ) -> Response:
        """Send a request and read the whole response, whatever its status.

        :param call: endpoint and page for messages.
        :param form: a form body.
        :param json: a JSON body, in place of a form.
        :param header: headers in addition to those of every request.
        :param on_sent: called when all bytes of the request are on their way.
        :raises LmsError: there is no response, or its body cannot be read.
        """
        self._on_sent = on_sent
        prepared = self._prepare(method, url, call, params, form, json, header)
        with self._typed_errors(call, url):
            found = self._open(prepared, call)
            with found:
                return _response(found, call, self._body(found, call))

    @contextmanager
    def stream(self, url: str, call: str, header: Mapping[str, str]) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """Send ``GET``, and hand over the body of a success piece by piece, in place of ``Response.body``.

        :return: the response, and the pieces. What the caller raises while it uses them stays as it is.
        :raises LmsError: as :meth:`send`; also while the pieces are read.
        """
        self._on_sent = _nothing
        prepared = self._prepare("GET", url, call, (), None, None, header)
        with self._typed_errors(call, url):
            found = self._open(prepared, call)
        with found:
            if 200 <= found.status_code < 300:
                yield _response(found, call, b""), self._pieces(found, call)
                return
            redirect = found.headers.get("Location") if found.status_code in _REDIRECTS else None
            with self._typed_errors(call, url):
                response = _response(found, call, self._body(found, call), redirect)
            yield response, iter(())

    def _pieces(self, found: requests.Response, call: str) -> Iterator[bytes]:
        with self._typed_errors(call, found.url), self._body_errors(found, call):
            yield from stream_body(_chunks(found), found.headers.get("Content-Encoding", ""), self.max_body_bytes)

    @contextmanager
    def _typed_errors(self, call: str, url: str) -> Iterator[None]:
        """Turn whatever is raised while a server is talked to into an :class:`LmsError`."""
        try:
            yield
        except LmsError:
            raise
        except (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
            raise LmsUnavailable(
                f"{call}: no complete response within {self.timeout:g} s. "
                "If the LMS is slow, raise 'timeout' in the connection or lower the page size."
            ) from None
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError):
            raise LmsUnavailable(
                f"{call}: no trusted TLS connection to {headers.host_of(url)}. Check the connection's host, and the CA "
                "bundle (REQUESTS_CA_BUNDLE) if there is a proxy."
            ) from None
        except (BodyTooLarge, TooManyBytes):
            raise self._too_large(call) from None
        except AddressRefused:
            raise address_refused(call, headers.host_of(url)) from None
        except requests.ConnectionError as error:
            raise LmsUnavailable(_no_connection(call, headers.host_of(url), error)) from None
        except Exception as error:  # noqa: BLE001
            # The libraries below raise what they please for odd headers: InvalidHeader, ValueError, AttributeError.
            # Everything in here handles what a server has sent, so it is the response that is wrong.
            raise LmsGarbledResponse(
                f"{call}: {headers.host_of(url)} sent a response that is no valid HTTP ({type(error).__name__}). "
                "Check the connection's host, and any proxy between. Nothing from this page was kept."
            ) from None

    def abort(self) -> None:
        """End the exchange that another thread is waiting for. Its outcome is an error."""
        self._deadline.abort()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _prepare(
        self,
        method: str,
        url: str,
        call: str,
        params: Params,
        form: Mapping[str, str] | None,
        json: Mapping[str, object] | None,
        header: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        try:
            return self._session.prepare_request(
                requests.Request(method, url, params=list(params), data=form, json=json, headers=header)
            )
        except (requests.RequestException, ValueError) as error:
            raise LmsBadRequest(
                f"{call}: the request cannot be sent ({type(error).__name__}). A parameter, or a field of the "
                "connection, has characters that HTTP does not allow."
            ) from None

    def _open(self, prepared: requests.PreparedRequest, call: str) -> requests.Response:
        self._deadline.start(self.timeout, self.max_body_bytes + _BYTES_AROUND_BODY)
        try:
            return self._session.send(
                prepared,
                timeout=self.timeout,
                allow_redirects=False,  # a redirect may lead to another host, and the token must not follow
                **self._environment(prepared.url or ""),
            )
        except requests.ConnectionError:
            if not self._deadline.kept_connection_ended:
                raise
            host = headers.host_of(prepared.url or "")
            raise KeptConnectionClosed(f"{call}: {host} closed a kept connection and sent no response.") from None

    def _environment(self, url: str) -> dict[str, Any]:
        """The proxy and the CA bundle that the environment names.

        requests would go through all environment variables twice for each request, which takes a fifth of the time of a
        small one. So it is asked once per host.
        """
        scheme_and_host = "/".join(url.split("/", 3)[:3])
        found = self._environments.get(scheme_and_host)
        if found is None:
            found = dict(self._session.merge_environment_settings(url, {}, stream=True, verify=None, cert=None))
            self._environments[scheme_and_host] = found
        return found

    def _body(self, found: requests.Response, call: str) -> bytes:
        try:
            with self._body_errors(found, call):
                return read_body(_chunks(found), found.headers.get("Content-Encoding", ""), self.max_body_bytes)
        except (BodyError, TooManyBytes, LmsGarbledResponse):
            if not 200 <= found.status_code < 300:
                return b""  # the status says enough, and an outage must stay one
            raise

    @contextmanager
    def _body_errors(self, found: requests.Response, call: str) -> Iterator[None]:
        """Turn what is raised while a body is read into an :class:`LmsError`, except that the body is too large."""
        length = headers.parse_length(found.headers.get("Content-Length"))
        try:
            if length is not None and length > self.max_body_bytes:
                raise BodyTooLarge
            yield
        except BodyCutOff as error:
            raise LmsTruncatedPage(f"{call}: {error} Nothing from this page was kept.", found.status_code) from None
        except (BodyTooLarge, TooManyBytes):
            raise
        except BodyError as error:
            raise LmsGarbledResponse(f"{call}: {error} Nothing from this page was kept.", found.status_code) from None
        except (urllib3.exceptions.TimeoutError, urllib3.exceptions.SSLError):
            raise
        except urllib3.exceptions.HTTPError:
            expected = "" if length is None else f" (expected {length:,} bytes)"
            raise LmsTruncatedPage(
                f"{call}: {_TRUNCATED}{expected}. Nothing from this page was kept.", found.status_code
            ) from None

    def _too_large(self, call: str) -> LmsBrokenPage:
        return LmsBrokenPage(
            f"{call}: the response is larger than 'max_body_bytes' ({self.max_body_bytes:,}). If the LMS really sends "
            "pages of this size, lower the page size or raise 'max_body_bytes' in the connection. "
            "Nothing from this page was kept."
        )


def address_refused(call: str, host: str) -> LmsFileError:
    """The error for a file on a host that is no part of the internet, such as a cloud's metadata service."""
    return LmsFileError(f"{call}: {host} is not a public address, so no file is fetched from there. Nothing was sent.")


def _response(found: requests.Response, call: str, body: bytes, redirect: str | None = None) -> Response:
    return Response(
        call=call,
        status=found.status_code,
        content_type=headers.parse_media_type(found.headers.get("Content-Type")),
        body=body,
        retry_after=headers.parse_retry_after(found.headers.get("Retry-After")),
        location=headers.redirect_host(found.headers.get("Location"), headers.host_of(found.url)),
        redirect=redirect,
    )


def _no_connection(call: str, host: str, error: requests.ConnectionError) -> str:
    if error.args and isinstance(error.args[0], urllib3.exceptions.ProtocolError):
        return f"{call}: {host} closed the connection, or sent no valid HTTP. Check the connection's host."
    return (
        f"{call}: no connection to {host} ({type(error).__name__}). "
        "Check the connection's host, and whether this machine can reach it."
    )


def _chunks(found: requests.Response) -> Iterator[bytes]:
    # read1() hands over what has arrived; read() would wait for a full chunk.
    while chunk := found.raw.read1(_CHUNK, decode_content=False):
        yield chunk
