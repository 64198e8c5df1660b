"""The URLs of a connection, and whether credentials may be sent there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.connection import PlainConnection

_NOT_IN_URL = re.compile(r"[\s\x00-\x1f\x7f<>\"\\]")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def base_url(connection: PlainConnection, default: str, *, allow_http: bool) -> str:
    """The base URL of a connection, from its host and port; without a slash at the end.

    :param default: the host if the connection names none.
    :param allow_http: whether credentials may go unencrypted to another machine.
    :raises ValueError: not a URL, or plain HTTP where it is not allowed.
    """
    host = (connection.host or default).strip()
    if "://" not in host:
        name = _split("host", f"https://{host}").hostname
        host = f"{'http' if name in _LOOPBACK else 'https'}://{host}"
    url = checked_url("host", host.rstrip("/"), allow_http=allow_http)
    parts = urlsplit(url)
    if connection.port and parts.port is None:
        if not 0 < connection.port < 65_536:
            raise ValueError(f"port: expected a number from 1 to 65535, got {connection.port}.")
        parts = parts._replace(netloc=f"{parts.netloc}:{connection.port}")
    return parts.geturl()


def checked_url(name: str, url: str, *, allow_http: bool) -> str:
    """The URL itself, if credentials may be sent to it.

    :param name: the field, for the error.
    :raises ValueError: not a URL, holds credentials, or plain HTTP where it is not allowed.
    """
    parts = _split(name, url)
    if parts.username is not None:
        raise ValueError(f"{name}: put the credentials into the connection's own fields, not into the URL.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not allow_http:
        raise ValueError(f"{name}: plain HTTP would send the secret unencrypted. Use https, or set allow_http.")
    return url


def _split(name: str, url: str) -> SplitResult:
    """The parts of a URL that a request can be sent to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # what the name lookup does, and fails at with a UnicodeError
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    if (
        not usable
        or parts.scheme not in ("http", "https")
        or not host
        or parts.query
        or parts.fragment
        or _NOT_IN_URL.search(url)
    ):
        raise ValueError(f"{name}: expected a host name or a base URL such as https://lms.example.com/api.")
    return parts


def host_of(url: str) -> str:
    """Host and port in one spelling, which identifies an account."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"
