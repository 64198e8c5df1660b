"""Accounts as triggers need them: resolved on the event loop, once for all who ask at the same time."""

from __future__ import annotations

import asyncio
import hashlib
import time
import weakref
from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_lms.connections import CONNECTION_TYPES
from airflow_provider_lms.hooks.account import Account, resolve
from airflow_provider_lms.hooks.base import IN_A_TRIGGER

_FRESH_SECONDS = 60.0
_KNOWN: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, tuple[float, Account]]] = (
    weakref.WeakKeyDictionary()
)
_LOCKS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = weakref.WeakKeyDictionary()


async def account(conn_id: str) -> Account:
    """The account of a connection, as it was at most a minute ago: thousands of triggers may start at once."""
    loop = asyncio.get_running_loop()
    known = _KNOWN.setdefault(loop, {})
    async with _LOCKS.setdefault(loop, {}).setdefault(conn_id, asyncio.Lock()):
        resolved = known.get(conn_id)
        if resolved is None or time.monotonic() - resolved[0] > _FRESH_SECONDS:
            resolved = known[conn_id] = time.monotonic(), await resolve(conn_id)
        return resolved[1]


def course_reader(conn_type: str, of: Account, course: Mapping[str, Any]) -> Any:
    """Reads who stands where in a course; may be used in a thread.

    :param conn_type: the type of the connection.
    :param course: what is read of it.
    :raises ValueError: a field of the connection or of the course is missing or cannot be meant as it is.
    """
    hook = _hook(conn_type)
    return hook.course_reader(hook().client(of, IN_A_TRIGGER), **course)


def completions_reader(conn_type: str, of: Account, course: Mapping[str, Any]) -> Any:
    """Reads who has completed a course, likewise."""
    hook = _hook(conn_type)
    return hook.completions_reader(hook().client(of, IN_A_TRIGGER), **course)


def identity(conn_type: str, of: Account, course: Mapping[str, Any]) -> str:
    """The same for all who read the same of the same account, whatever their connections are called."""
    account = (conn_type, of.host, of.port, of.login, of.password, of.extra)
    return hashlib.sha256(msgspec.json.encode((account, course), order="deterministic")).hexdigest()


def _hook(conn_type: str) -> Any:
    from airflow.providers.common.compat.module_loading import import_string

    return import_string(CONNECTION_TYPES[conn_type].hook)
