"""Fetches files from addresses that an LMS names in its responses.

Such an address is not trusted. It may lead to another host, which must not see a credential, or into the network of the
worker, where a cloud's metadata service would hand out the worker's own credentials. And it may be a secret itself: a
pre-signed URL opens its file for everybody. So no message and no log contains it, only its host.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property, partial
from itertools import chain
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from airflow_provider_lms.lms.errors import LmsError, LmsFileError, LmsRateLimited, LmsTokenRefused, LmsUnavailable
from airflow_provider_lms.lms.http.exchange import Exchanger, address_refused, resend_if_closed
from airflow_provider_lms.lms.http.response import Response, error_of_status, with_retry_after

Exchange: TypeAlias = Callable[[Mapping[str, str]], Response]
"""Sends a request with these headers in addition."""
ErrorOf: TypeAlias = Callable[[Response], LmsError | None]
Store: TypeAlias = Callable[[Iterator[bytes]], None]
"""Takes the pieces of a file. It is called again, from the first piece on, if they did not all arrive."""

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_REDIRECTS = 3

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
# Where parsers disagree about which host a URL names, it holds one of these.
_NOT_IN_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_is_secret = ContextVar("_is_secret", default=False)


class Downloader:
    """Fetches files that the responses of one LMS name.

    :param base_url: the API of the LMS. Only its own origin gets the access token.
    :param own: sends requests to that origin.
    :param authorized: adds the access token to an exchange with that origin, and counts it toward the account's limit.
    :param foreign: makes what sends requests to all other hosts; called with a check of their IP addresses.
    """

    def __init__(
        self,
        base_url: str,
        own: Exchanger,
        authorized: Callable[[str, Exchange, ErrorOf], Response],
        foreign: Callable[[Callable[[str], bool]], Exchanger],
    ) -> None:
        self._lms = urlsplit(base_url)
        self._own = own
        self._authorized = authorized
        self._foreign = foreign(self._may_connect)

    def fetch(self, url: str, name: str, start: bytes, store: Store) -> None:
        """Fetch a file, once.

        :param url: its address.
        :param name: what it is, for messages.
        :param start: the bytes that each file of this kind begins with.
        :raises LmsFileError: the address must not be used, or there is no such file.
        :raises LmsError: the file could not be fetched, or is not of this kind.
        """
        call, is_own, schemes = f"GET {name}", True, {"https", self._lms.scheme}
        for _ in range(MAX_REDIRECTS + 1):
            parts = self._checked(call, url, schemes)
            # A host that has once been left may not lead back: it would choose what the token is sent for.
            is_own = is_own and _origin(parts) == _origin(self._lms)
            if not is_own:
                self._check_host(call, parts)
            if parts.scheme == "https":
                schemes = {"https"}
            response = self._send(call, url, start, store, is_own=is_own)
            if response.redirect is None:
                return
            url = _joined(url, response.redirect)
        raise LmsFileError(f"{call}: more than {MAX_REDIRECTS} redirects.")

    def close(self) -> None:
        """Close the connections to other hosts than the LMS."""
        self._foreign.close()

    def _send(self, call: str, url: str, start: bytes, store: Store, *, is_own: bool) -> Response:
        error_of = partial(_error_of, host=urlsplit(url).hostname, is_own=is_own)
        if is_own:
            return self._authorized(call, partial(_receive, self._own, url, call, start, store), error_of)
        response = resend_if_closed(partial(_receive, self._foreign, url, call, start, store, {}))
        if (error := error_of(response)) is not None:
            raise with_retry_after(error, response)
        return response

    def _checked(self, call: str, url: str, schemes: set[str]) -> SplitResult:
        """The parts of an address that may be used.

        :param schemes: those that it may have.
        """
        try:
            parts = urlsplit(url)
            usable = parts.port != 0 and not _NOT_IN_URL.search(url) and _HOST.fullmatch(parts.hostname or "")
        except ValueError:
            usable = False
        if not usable:
            raise LmsFileError(f"{call}: the LMS names no usable address of the file.")
        if parts.scheme not in schemes:
            raise LmsFileError(f"{call}: the address of the file is not https, so anyone on the way could read it.")
        if parts.username is not None:
            raise LmsFileError(f"{call}: the address of the file holds credentials. They were not sent.")
        return parts

    def _check_host(self, call: str, parts: SplitResult) -> None:
        # Connections check the address again, also that of a name. But behind a proxy nothing is known of names.
        host = parts.hostname or ""
        with suppress(ValueError):
            if not self._may_connect(host):
                raise address_refused(call, host)

    def _may_connect(self, address: str) -> bool:
        """Whether a file may be fetched from an IP address."""
        found = _ip_address(address)
        if _is_public(found):
            return True
        # An LMS within a private network keeps its files there. Link-local addresses are those of metadata services.
        return self._is_lms_private and not found.is_link_local

    @cached_property
    def _is_lms_private(self) -> bool:
        try:
            found = socket.getaddrinfo(self._lms.hostname, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # only a proxy knows the name
            return False
        return not all(_is_public(_ip_address(str(each[4][0]))) for each in found)


def _ip_address(text: str) -> IpAddress:
    """An IP address. One of IPv4 within one of IPv6 is taken out, since the kernel or a gateway does the same.

    :raises ValueError: it is a name.
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return found.ipv4_mapped or found
    return found


def _is_public(address: IpAddress) -> bool:
    return address.is_global and not address.is_multicast


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _joined(url: str, location: str) -> str:
    try:
        # urljoin() leaves out some of the characters that must not be in it.
        return "" if _NOT_IN_URL.search(location) else urljoin(url, location)
    except ValueError:
        return ""


def _receive(
    exchanger: Exchanger, url: str, call: str, start: bytes, store: Store, header: Mapping[str, str]
) -> Response:
    with _no_request_log(), exchanger.stream(url, call, {"Accept": "*/*", **header}) as (response, pieces):
        if 200 <= response.status < 300:
            store(_beginning_with(start, pieces, response))
        return response


def _beginning_with(start: bytes, pieces: Iterator[bytes], response: Response) -> Iterator[bytes]:
    """The pieces, if they begin with ``start``."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(start):
            break
    if not head.startswith(start):
        raise response.garbled(f"the file does not begin with {start.decode()!r}. Nothing of it was kept.")
    return chain([head], pieces)


def _error_of(response: Response, *, host: str | None, is_own: bool) -> LmsError | None:
    status = response.status
    if 200 <= status < 300 or response.redirect:
        return None
    error = error_of_status(response)
    if isinstance(error, LmsRateLimited | LmsUnavailable) or (is_own and isinstance(error, LmsTokenRefused)):
        return error
    if status in (401, 403):
        why = "refuses the file. It gets no credentials, unless it is the host of the connection."
    elif status in (404, 410):
        why = "has no such file, although the LMS names it."
    else:
        why = "does not send the file."
    return LmsFileError(f"{response.call}: HTTP {status}: {host} {why}", status)


@contextmanager
def _no_request_log() -> Iterator[None]:
    token = _is_secret.set(True)
    try:
        yield
    finally:
        _is_secret.reset(token)


def _may_log(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG or not _is_secret.get()


# At level DEBUG, urllib3 logs the path and the query of each request.
logging.getLogger("urllib3.connectionpool").addFilter(_may_log)
