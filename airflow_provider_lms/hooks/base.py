"""What the hooks of all LMSs share: reading a connection, testing it, and its form below Airflow 3.2."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_lms.coordination import SharedBudget, SharedTokens
from airflow_provider_lms.hooks.account import Account
from airflow_provider_lms.hooks.coordination import gap, shared_store
from airflow_provider_lms.hooks.urls import host_of
from airflow_provider_lms.lms.budget import Limits
from airflow_provider_lms.lms.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_lms.connections import ConnectionType
    from airflow_provider_lms.lms.auth import Grant

log = logging.getLogger(__name__)

_TEST_SECONDS = 10.0
_TRIGGER_SECONDS = 30.0


class Client(Protocol):
    """What every LMS client offers besides its listings."""

    @property
    def base_url(self) -> str: ...

    def check(self) -> None: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Client)


@dataclass(frozen=True)
class Use:
    """How a client is used.

    :param max_wait: seconds that one call of the client may wait for a rate limit or an outage.
    :param longest_lock: a lock by the LMS that lasts so many seconds or more is not waited for; None is no limit.
    :param timeout: an upper bound to the connection's own timeout, in seconds.
    :param fresh: ask for an access token of its own, whatever other tasks share.
    :param announce: called with each access token that is used, so that a log can mask it.
    """

    max_wait: float = 900.0
    longest_lock: float | None = None
    timeout: float | None = None
    fresh: bool = False
    announce: Callable[[str], None] = mask_secret


_IN_A_FORM = Use(max_wait=0.0, timeout=_TEST_SECONDS, fresh=True)
IN_A_TRIGGER = Use(max_wait=0.0, timeout=_TRIGGER_SECONDS, announce=lambda _: None)
"""A trigger's client works in threads, which must not call Airflow, not even to mask a token; nothing logs one."""


class LmsHook(BaseHook, ABC, Generic[C]):
    """Base of the hooks: a subclass names its connection type and builds a client from a connection.

    :param use: how the client is used.
    """

    conn_name_attr: ClassVar[str]
    connection_type: ClassVar[ConnectionType]
    course_reader: ClassVar[type[Any]]
    """Reads who stands where in a course, again and again; made of a client and what is to be read."""
    completions_reader: ClassVar[type[Any]]
    """Reads who has completed a course, likewise."""

    def __init__(self, use: Use) -> None:
        super().__init__()
        self._use = use

    def get_conn(self) -> C:
        """A client with a session of its own; nothing is sent yet.

        :raises ValueError: a field of the connection is missing or cannot be meant as it is.
        :raises CoordinationError: there is no such store as ``[lms] coordination_url`` names.
        """
        return self.client(Account.of(self.get_connection(self._connection_id())), self._use)

    @abstractmethod
    def client(self, account: Account, use: Use) -> C:
        """A client for an account that is already at hand.

        :param account: what to connect to.
        :raises ValueError: a field of the connection is missing or cannot be meant as it is.
        :raises CoordinationError: there is no such store as ``[lms] coordination_url`` names.
        """

    def test_connection(self) -> tuple[bool, str]:
        """Take a fresh token and make one small call; says what to fix where that fails, and never raises."""
        try:
            client = self.client(Account.of(self.get_connection(self._connection_id())), _IN_A_FORM)
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
        use: Use,
        *,
        client_id: str,
        secrets: Sequence[str],
        **options: Any,
    ) -> Transport:
        """A transport that shares the account's request budget, lock and access token with all other tasks."""
        store = shared_store()
        log.info("Request budget, lock and access token are shared %s.", store.reach)
        if (warning := gap(store)) is not None:
            log.warning(warning)
        host = host_of(url)
        return Transport(
            url,
            grant,
            tokens=SharedTokens(store, (host_of(grant.url), host), client_id, secrets, fresh=use.fresh),
            budget=SharedBudget(store, host, client_id, limits(settings)),
            timeout=min(settings["timeout"], use.timeout or settings["timeout"]),
            max_wait=use.max_wait,
            longest_lock=use.longest_lock,
            announce=use.announce,
            **options,
        )

    def _connection_id(self) -> str:
        return str(getattr(self, self.conn_name_attr))

    def _settings(self, account: Account) -> dict[str, Any]:
        try:
            return self.connection_type.read(account.extra)
        except ValueError as error:
            raise ValueError(f"Connection {account.conn_id!r}, {error}") from None


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
