"""What the hooks of all LMSs share: reading a connection, testing it, and its form below Airflow 3.2."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_lms.coordination import SharedBudget, SharedTokens
from airflow_provider_lms.hooks.coordination import gap, shared_store
from airflow_provider_lms.lms.budget import Limits
from airflow_provider_lms.lms.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_lms.connections import ConnectionType
    from airflow_provider_lms.lms.auth import Grant

log = logging.getLogger(__name__)

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TEST_SECONDS = 10.0


class Client(Protocol):
    """What every LMS client offers besides its listings."""

    @property
    def base_url(self) -> str: ...

    def check(self) -> None: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Client)


class LmsHook(BaseHook, ABC, Generic[C]):
    """Base of the hooks: a subclass names its connection type and builds a client from a connection.

    :param max_wait: seconds that one call of the client may wait for a rate limit or an outage.
    """

    conn_name_attr: ClassVar[str]
    connection_type: ClassVar[ConnectionType]

    def __init__(self, *, max_wait: float = 900.0) -> None:
        super().__init__()
        self._max_wait = max_wait

    def get_conn(self) -> C:
        """A client with a session of its own; nothing is sent yet.

        :raises ValueError: a field of the connection is missing or cannot be meant as it is.
        :raises CoordinationError: there is no such store as ``[lms] coordination_url`` names.
        """
        return self.client(self.get_connection(self._connection_id()), max_wait=self._max_wait)

    @abstractmethod
    def client(
        self, connection: Connection, *, max_wait: float, timeout: float | None = None, fresh: bool = False
    ) -> C:
        """A client for a connection that is already at hand.

        :param connection: what to connect to.
        :param max_wait: as in the hook.
        :param timeout: an upper bound to the connection's own timeout, in seconds.
        :param fresh: ask for an access token of its own, whatever other tasks share.
        :raises ValueError: a field of the connection is missing or cannot be meant as it is.
        :raises CoordinationError: there is no such store as ``[lms] coordination_url`` names.
        """

    def test_connection(self) -> tuple[bool, str]:
        """Take a fresh token and make one small call; says what to fix where that fails, and never raises."""
        try:
            connection = self.get_connection(self._connection_id())
            client = self.client(connection, max_wait=0.0, timeout=_TEST_SECONDS, fresh=True)
            try:
                client.check()
            finally:
                client.close()
            store = shared_store()
        except Exception as error:  # noqa: BLE001  # whatever it is, the form must say so
            return False, str(error) or type(error).__name__
        shared = gap(store) or f"Tasks share request budget and access token {store.reach}."
        return True, f"{client.base_url}: a new access token was given, and results can be read. {shared}"

    def _transport(
        self,
        url: str,
        grant: Grant,
        settings: dict[str, Any],
        *,
        client_id: str,
        secrets: Sequence[str],
        timeout: float | None,
        fresh: bool,
        **options: Any,
    ) -> Transport:
        """A transport that shares the account's request budget, lock and access token with all other tasks."""
        store = shared_store()
        log.info("Request budget, lock and access token are shared %s.", store.reach)
        if (warning := gap(store)) is not None:
            log.warning(warning)
        host = _host(url)
        return Transport(
            url,
            grant,
            tokens=SharedTokens(store, (_host(grant.url), host), client_id, secrets, fresh=fresh),
            budget=SharedBudget(store, host, client_id, limits(settings)),
            timeout=min(settings["timeout"], timeout or settings["timeout"]),
            announce=mask_secret,
            **options,
        )

    def _connection_id(self) -> str:
        return str(getattr(self, self.conn_name_attr))

    def _settings(self, connection: Connection) -> dict[str, Any]:
        try:
            return self.connection_type.read(connection.extra_dejson)
        except ValueError as error:
            raise ValueError(f"Connection {connection.conn_id!r}, {error}") from None

    @staticmethod
    def _credentials(connection: Connection) -> tuple[str, str]:
        if not connection.login or not connection.password:
            raise ValueError(
                f"Connection {connection.conn_id!r}: login (client id) and password (client secret) must both be set."
            )
        return connection.login, connection.password


def base_url(connection: Connection, default: str, *, allow_http: bool) -> str:
    """The base URL that a connection's host and port stand for, without a slash at its end.

    :param default: the host where the connection names none.
    :param allow_http: whether credentials may go unencrypted to another machine.
    :raises ValueError: not a URL, or plain HTTP where it is not allowed.
    """
    host = (connection.host or default).strip()
    if "://" not in host:
        name = urlsplit(f"//{host}").hostname
        host = f"{'http' if name in _LOOPBACK else 'https'}://{host}"
    url = checked_url(f"Connection {connection.conn_id!r}, host", host.rstrip("/"), allow_http=allow_http)
    parts = urlsplit(url)
    if connection.port and parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc}:{connection.port}")
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


def _host(url: str) -> str:
    """Host and port, in the one spelling by which an account is known."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def limits(settings: dict[str, Any]) -> Limits:
    """The request limits among a connection's settings."""
    return Limits(
        requests=settings["requests_per_window"],
        window_seconds=settings["window_seconds"],
        lock_seconds=settings["lock_seconds"],
        requests_per_day=settings["requests_per_day"],
    )


def form_widgets(connection_type: ConnectionType) -> dict[str, Any]:
    """The extras as WTForms fields, for Airflow below 3.2."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, PasswordField, StringField

    def widget(kind: str, secret: bool) -> tuple[Any, Any]:
        if secret:
            return PasswordField, BS3PasswordFieldWidget()
        field = {"integer": IntegerField, "boolean": BooleanField}.get(kind, StringField)
        return field, None if field is BooleanField else BS3TextFieldWidget()

    widgets = {}
    for field in connection_type.fields:
        wtform, look = widget(field.kind, field.secret)
        choices = f" ({', '.join(field.choices)})" if field.choices else ""
        options = {} if look is None else {"widget": look}
        widgets[field.name] = wtform(
            lazy_gettext(field.label), description=field.hint + choices, default=field.default, **options
        )
    return widgets


def field_behaviour(connection_type: ConnectionType) -> dict[str, Any]:
    """Labels, examples and hidden fields, for Airflow below 3.2."""
    return {
        "hidden_fields": list(connection_type.hidden),
        "relabeling": dict(connection_type.relabeling),
        "placeholders": dict(connection_type.placeholders),
    }
