"""Connections and readers of triggers. A connection is resolved on the event loop, once for all who need it."""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.hooks.base import TRIGGER_OPTIONS, CourseHook
from airflow_provider_lms.hooks.connection import PlainConnection, resolve
from airflow_provider_lms.hooks.observer import triggerer_observer
from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.course.readers import CompletionsQuery, CompletionsReader, CourseQuery, CourseReader
from airflow_provider_lms.triggers.accounts import Account, shared_account
from airflow_provider_lms.vendors import VENDORS

C = TypeVar("C", bound=LmsClient)

_FRESH_SECONDS = 60.0


class _Cache:
    """The connections that were resolved on one event loop."""

    def __init__(self) -> None:
        self.resolved: dict[str, tuple[float, PlainConnection]] = {}
        self.locks: dict[str, asyncio.Lock] = {}


_CACHES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Cache] = weakref.WeakKeyDictionary()


async def resolve_cached(conn_id: str, max_age: float = _FRESH_SECONDS) -> PlainConnection:
    """A connection as it was at most a minute ago: thousands of triggers may start at once, or fail at once.

    :param max_age: seconds that it may be old when this is called.
    """
    asked_at = clock.monotonic()  # before the lock: who waits for another's answer may use it
    cache = _CACHES.setdefault(asyncio.get_running_loop(), _Cache())
    async with cache.locks.setdefault(conn_id, asyncio.Lock()):
        found = cache.resolved.get(conn_id)
        if found is None or asked_at - found[0] > max_age:
            found = cache.resolved[conn_id] = clock.monotonic(), await resolve(conn_id)
        return found[1]


def course_query(conn_type: str, course: Mapping[str, Any]) -> CourseQuery:
    """The LMS's course query, as the sensor made it.

    :param conn_type: the type of the connection.
    :param course: the query as plain JSON, as Airflow has stored it.
    :raises ValueError: a field has the wrong type.
    """
    return msgspec.convert(course, _hook(conn_type).course_query_type)


def course_reader(conn_type: str, connection: PlainConnection, query: CourseQuery) -> CourseReader:
    """A reader of a course's progress, with a client of its own. May be called in a thread.

    :param conn_type: the type of the connection.
    :param query: what to read.
    :raises ValueError: a field of the connection or of the query is invalid.
    """
    hook = _hook(conn_type)
    with _closed_on_error(hook.client(connection)) as client:
        return hook.course_reader(query, client)


def completions_reader(conn_type: str, connection: PlainConnection, query: CompletionsQuery) -> CompletionsReader:
    """A reader of a course's completions, likewise."""
    hook = _hook(conn_type)
    with _closed_on_error(hook.client(connection)) as client:
        return hook.completions_reader(query, client)


def account_of(conn_type: str, connection: PlainConnection) -> Account:
    """The account of a connection on this event loop, whatever its secret is at the moment.

    Connections with different extras count as different accounts, for the extras may name the host. Those that name the
    same account are reported under the one that came first.
    """
    account = (conn_type, connection.host, connection.port, connection.login, connection.extra)
    key = hashlib.sha256(msgspec.json.encode(account, order="deterministic")).hexdigest()
    return shared_account(key, lambda: triggerer_observer(conn_type, connection.conn_id))


def poll_key(conn_type: str, connection: PlainConnection, query: CourseQuery) -> str:
    """The same for all who read the same from the same account, whatever their connections are called.

    Everything that makes an account is in it, the password included: after a secret was rotated, those who hold the new
    one must not share a poll with those who hold the old one.
    """
    account = (
        conn_type,
        connection.host,
        connection.port,
        connection.login,
        connection.password,
        connection.extra,
    )
    return hashlib.sha256(msgspec.json.encode((account, query), order="deterministic")).hexdigest()


@contextmanager
def _closed_on_error(client: C) -> Iterator[C]:
    """Close a client if building its reader fails: a feed tries again after each interval, with a new client."""
    try:
        yield client
    except BaseException:
        client.close()
        raise


def _hook(conn_type: str) -> CourseHook[Any, Any, Any]:
    from airflow.providers.common.compat.module_loading import import_string

    hook: CourseHook[Any, Any, Any] = import_string(VENDORS[conn_type].hook)(options=TRIGGER_OPTIONS)
    return hook
