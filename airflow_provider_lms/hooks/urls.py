"""URLs as connections give them: whether credentials may be sent there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.account import Account

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def base_url(account: Account, default: str, *, allow_http: bool) -> str:
    """The base URL that a connection's host and port stand for, without a slash at its end.

    :param default: the host where the connection names none.
    :param allow_http: whether credentials may go unencrypted to another machine.
    :raises ValueError: not a URL, or plain HTTP where it is not allowed.
    """
    host = (account.host or default).strip()
    if "://" not in host:
        name = urlsplit(f"//{host}").hostname
        host = f"{'http' if name in _LOOPBACK else 'https'}://{host}"
    url = checked_url(f"Connection {account.conn_id!r}, host", host.rstrip("/"), allow_http=allow_http)
    parts = urlsplit(url)
    if account.port and parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc}:{account.port}")
    return parts.geturl()


def checked_url(name: str, url: str, *, allow_http: bool) -> str:
    """The URL itself, if credentials may be sent to it.

    :param name: what it is, for the error.
    :raises ValueError: not a URL, holds credentials, or plain HTTP where it is not allowed.
    """
    parts = urlsplit(url)
    usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not usable or not _has_valid_port(parts):
        raise ValueError(f"{name}: expected a host name or a base URL such as https://api-learn.ispring.com.")
    if parts.username is not None:
        raise ValueError(f"{name}: put the credentials into the connection's own fields, not into the URL.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not allow_http:
        raise ValueError(f"{name}: plain HTTP would send the secret unencrypted. Use https, or set allow_http.")
    return url


def host_of(url: str) -> str:
    """Host and port, in the one spelling by which an account is known."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
