"""What the hooks of all LMSs share: clients, readers, the test of a connection, and its form below Airflow 3.2."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_lms.assets import account_name, asset_root
from airflow_provider_lms.connections.form import ConnectionType, FormField, LmsSettings
from airflow_provider_lms.coordination import Owner, SharedRateLimiter, SharedTokens
from airflow_provider_lms.hooks.connection import PlainConnection, in_connection
from airflow_provider_lms.hooks.coordination import host_store, shared_store, single_host_warning
from airflow_provider_lms.hooks.lineage import report_read
from airflow_provider_lms.hooks.observer import no_observer, task_observer, triggerer_observer
from airflow_provider_lms.hooks.owner import TRIGGERER, current_owner
from airflow_provider_lms.hooks.reading import CountsCompletions, ReadsListings
from airflow_provider_lms.hooks.urls import host_of
from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.course.readers import (
    CompletionsQuery,
    CompletionsReader,
    CourseMemory,
    CourseQuery,
    CourseReader,
)
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.http.rate_limit import RateLimits, Reservation
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.transport import Transport

if TYPE_CHECKING:
    from airflow_provider_lms.lms.errors import LmsError
    from airflow_provider_lms.lms.http.auth import Grant

log = logging.getLogger(__name__)

_FORM_TIMEOUT = 10.0
_TRIGGER_TIMEOUT = 30.0

C = TypeVar("C", bound=LmsClient)
S = TypeVar("S", bound=LmsSettings)
Q = TypeVar("Q", bound=CourseQuery)


@dataclass(frozen=True)
class ClientOptions:
    """How a client is used.

    :param retry: how long a call goes on trying.
    :param max_timeout: an upper bound for the connection's own timeout, in seconds.
    :param bypass_token_cache: request an access token of its own, even if tasks share one.
    :param on_token: called with each access token that is used, so that a log can mask it.
    :param reservation: of a task that gives its worker slot back where it would have to wait; None waits.
    :param owner: by which name :meth:`LmsHook.holders` shows the client; None is the task that runs, if one does.
    :param make_observer: what reports the client's requests, given the connection's type and id.
    :param on_read: told the asset URI of each listing that is read; None tells Airflow's hook lineage.

    Example::

        impatient = ClientOptions(retry=RetryPolicy(max_wait=10.0), max_timeout=5.0)
        client = ISpringLearnHook("ispring_learn_default", options=impatient).get_conn()
        print(sum(len(page.records) for page in client.courses()))
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_timeout: float | None = None
    bypass_token_cache: bool = False
    on_token: Callable[[str], None] = mask_secret
    reservation: Reservation | None = None
    owner: Owner | None = None
    make_observer: Callable[[str, str], Observer] = task_observer
    on_read: Callable[[str], None] | None = None


NO_RETRIES = RetryPolicy(max_wait=0.0)
FORM_OPTIONS = ClientOptions(
    retry=NO_RETRIES,
    max_timeout=_FORM_TIMEOUT,
    bypass_token_cache=True,
    make_observer=no_observer,
    on_read=lambda _: None,
)
"""For the Test button: a short call that proves the credentials. Airflow gives the connection of each test a random id,
and each id would get metrics of its own."""
TRIGGER_OPTIONS = ClientOptions(
    retry=NO_RETRIES,
    max_timeout=_TRIGGER_TIMEOUT,
    on_token=lambda _: None,
    owner=TRIGGERER,
    make_observer=triggerer_observer,
    on_read=lambda _: None,
)
"""For a trigger, whose client works in threads. A thread must not call Airflow, not even to mask a token; nothing logs
one. Waiting is up to the event loop, so that no thread is held."""


class LmsHook(BaseHook, ReadsListings, ABC, Generic[C, S]):
    """Base of the hooks. A subclass names its connection type, and builds a client from a connection.

    :param options: how the client is used.
    """

    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    connection_type: ClassVar[ConnectionType[Any]]

    def __init__(self, options: ClientOptions | None = None) -> None:
        super().__init__()
        self.options = ClientOptions() if options is None else options

    @property
    @abstractmethod
    def conn_id(self) -> str:
        """The connection's id."""

    @abstractmethod
    def build_client(self, connection: PlainConnection, settings: S, options: ClientOptions) -> C:
        """A client for a connection.

        :param settings: the connection's extras.
        :raises ValueError: a field of the connection is missing or invalid.
        """

    def get_conn(self) -> C:
        """A client with a session of its own; nothing is sent yet.

        :raises ValueError: a field of the connection is missing or invalid.
        :raises CoordinationError: ``[lms] coordination_url`` names no store.
        """
        return self.client()

    def client(self, connection: PlainConnection | None = None, options: ClientOptions | None = None) -> C:
        """A client, as :meth:`get_conn` gives it.

        :param connection: the connection if it was resolved already; None resolves it here.
        :param options: in place of the hook's own.
        :raises ValueError: a field of the connection is missing or invalid.
        """
        with in_connection(self.conn_id if connection is None else connection.conn_id):
            return self._client(connection or self._connection(), options or self.options)

    def lock_seconds_left(self) -> float:
        """How long the account is still locked for all tasks, in seconds; 0 if it is not.

        The LMS has locked it after too many requests, or issues no access tokens at the moment.

        :raises CoordinationError: the store that tasks share cannot be used.

        Example::

            hook = ZohoPeopleHook("zoho_people_default")
            print(hook.lock_seconds_left())
        """
        with closing(self.client()) as client:
            return client.lock_seconds_left()

    def lift_lock(self) -> None:
        """End the account's lock for all tasks, for example because the LMS has ended its own.

        If the LMS still refuses requests, the next response locks the account again.

        :raises CoordinationError: the store that tasks share cannot be used.

        Example::

            ZohoPeopleHook("zoho_people_default").lift_lock()
        """
        with closing(self.client()) as client:
            client.lift_lock()

    def asset_uri(self, listing: str) -> str:
        """The identity of a listing of the account, for assets and lineage, such as ``ispring-learn://acme/courses``.

        :param listing: its name, as in the data dictionary.

        Example::

            print(ISpringLearnHook("ispring_learn_default").asset_uri("module_results"))
        """
        with closing(self.client()) as client:
            return client.asset_uri(listing)

    def holders(self) -> list[dict[str, Any]]:
        """Who has requests to the account in flight, and then who is in its queue, in the queue's order.

        :return: the fields of each :class:`~airflow_provider_lms.lms.http.rate_limit.Holding`, as JSON can hold them.
        :raises CoordinationError: the store that tasks share cannot be used.

        Example::

            for each in ZohoPeopleHook("zoho_people_default").holders():
                print(each["state"], each["dag_id"], each["task_id"], each["map_index"], each["requests"])
        """
        with closing(self.client()) as client:
            return [each.to_json() for each in client.holders()]

    def test_connection(self) -> tuple[bool, str]:
        """Request a new access token and make one small call. Says what to fix if that fails; never raises."""
        try:
            # Without the connection's id in errors: the form tests a connection under a random one.
            client = self._client(self._connection(), FORM_OPTIONS)
            try:
                client.check()
            finally:
                client.close()
            store = shared_store()
        except Exception as error:  # noqa: BLE001  # whatever it is, the form must show it
            return False, str(error) or type(error).__name__
        shared = single_host_warning(store) or f"Tasks share the rate limit and the access token {store.reach}."
        return True, f"{client.base_url}: a new access token was issued, and results can be read. {shared}"

    def _connection(self) -> PlainConnection:
        return PlainConnection.of(self.get_connection(self.conn_id))

    def _client(self, connection: PlainConnection, options: ClientOptions) -> C:
        conn_type = (connection.conn_type or "").replace("-", "_")
        if conn_type != self.conn_type:
            raise ValueError(
                f"type {conn_type!r}: expected {self.conn_type!r}. Nothing was sent. Set the connection's type, or "
                f"name another connection in {self.conn_name_attr}."
            )
        settings = self.connection_type.parse(connection.extra)
        client = self.build_client(connection, settings, options)
        client.hash_secret = settings.hash_secret
        client.parallel_requests = settings.parallel_requests
        account = account_name(settings.account, host_of(client.base_url), connection.credentials[0])
        client.asset_root = asset_root(self.conn_type, account)
        client.on_read = options.on_read or partial(report_read, self)
        return client

    def _transport(
        self,
        url: str,
        grant: Grant,
        settings: LmsSettings,
        options: ClientOptions,
        *,
        conn_id: str,
        client_id: str,
        secrets: tuple[str, ...],
        error_of: Callable[[Response], LmsError | None],
        accept: str = "application/json",
    ) -> Transport:
        """A transport that shares the account's rate limit, lock and access token with all other tasks."""
        store = shared_store()
        log.debug("The rate limit, the lock and the access token are shared %s.", store.reach)
        if (warning := single_host_warning(store)) is not None:
            _warn_once(warning)
        host = host_of(url)
        observer = options.make_observer(self.conn_type, conn_id)
        return Transport(
            url,
            grant,
            tokens=SharedTokens(
                store, (host_of(grant.url), host), client_id, secrets, bypass_cache=options.bypass_token_cache
            ),
            rate_limiter=SharedRateLimiter(
                store,
                host,
                client_id,
                rate_limits(settings),
                host_store=host_store(store),
                reservation=options.reservation,
                owner=options.owner or current_owner(),
                on_usage=observer.rate_limit_used if observer.is_on else None,
            ),
            error_of=error_of,
            accept=accept,
            timeout=min(settings.timeout, options.max_timeout or settings.timeout),
            max_body_bytes=settings.max_body_bytes,
            retry=options.retry,
            on_token=options.on_token,
            observer=observer,
        )


class CourseHook(LmsHook[C, S], CountsCompletions[C, Q], Generic[C, S, Q]):
    """Base of the hooks of an LMS with courses, which sensors and triggers can wait for."""

    @abstractmethod
    def course_reader(self, query: Q, client: C, memory: CourseMemory | None = None) -> CourseReader:
        """A reader of a course's progress.

        :param query: what to read.
        :param client: the account to read; it is closed with the reader.
        :param memory: what earlier readers of the same course have learned, and where this one notes what it learns.
        :raises ValueError: a field of the query is invalid.
        """

    @abstractmethod
    def completions_reader(self, query: CompletionsQuery, client: C) -> CompletionsReader:
        """A reader of a course's completions, likewise."""

    def course_url(self, query: Q, client: C) -> str | None:  # noqa: ARG002
        """The course's address for a browser; None if the LMS does not tell it."""
        return None


@cache
def _warn_once(message: str) -> None:
    """Log a warning once per process: it is the same for every client."""
    log.warning(message)


def rate_limits(settings: LmsSettings) -> RateLimits:
    """The request limits in a connection's settings."""
    return RateLimits(
        requests=settings.requests_per_window,
        window_seconds=settings.window_seconds,
        lock_seconds=settings.lock_seconds,
        requests_per_day=settings.requests_per_day,
    )


def form_widgets(connection_type: ConnectionType[Any]) -> dict[str, Any]:
    """The extras as WTForms fields, for Airflow below 3.2."""
    from flask_babel import lazy_gettext

    def widget(field: FormField) -> Any:
        choices = f" ({', '.join(field.choices)})" if field.choices else ""
        wtform, options = _wtform(field)
        return wtform(
            lazy_gettext(field.label), description=field.hint + choices, default=field.form_default, **options
        )

    return {field.name: widget(field) for field in connection_type.fields()}


def _wtform(field: FormField) -> tuple[Any, dict[str, Any]]:
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    if field.kind == "boolean":
        return BooleanField, {}
    if field.secret:
        return PasswordField, {"widget": _SecretWidget()}
    if field.kind == "integer":
        # Without Optional, WTForms takes an empty number for a wrong one, and Airflow 2 does not save the form.
        return IntegerField, {"widget": BS3TextFieldWidget(), "validators": [Optional()]}
    # Airflow 3.0 and 3.1 make a dropdown of any_of.
    validators = [Optional(), any_of(list(field.choices))] if field.choices else []
    return StringField, {"widget": BS3TextFieldWidget(), "validators": validators}


class _SecretWidget:
    """A password field that keeps a stored secret when a connection is edited in Airflow 2.

    Airflow 2 puts the stored secret into the field, but WTForms' own widget then shows an empty one, and an empty
    field deletes the extra. Airflow's placeholder means "unchanged", so the page holds that in place of the secret.
    What a user has typed is shown again if the form could not be saved; it would be lost otherwise.
    """

    input_type = "password"

    def __call__(self, field: Any, **options: Any) -> Any:
        from airflow.www.views import SENSITIVE_FIELD_PLACEHOLDER  # type: ignore[import-not-found]
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget

        # Only what a browser has sent is raw data.
        if field.data and not field.raw_data:
            options["value"] = SENSITIVE_FIELD_PLACEHOLDER
        return BS3PasswordFieldWidget(hide_value=False)(field, **options)


def field_behaviour(connection_type: ConnectionType[Any]) -> dict[str, Any]:
    """Labels, examples and hidden fields, for Airflow below 3.2."""
    return {
        "hidden_fields": list(connection_type.hidden),
        "relabeling": dict(connection_type.relabeling),
        "placeholders": dict(connection_type.placeholders),
    }
