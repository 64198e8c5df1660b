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


def client(conn_type: str, of: Account) -> Any:
    """A client that a trigger may use in a thread.

    :param conn_type: the type of the connection.
    :raises ValueError: a field of the connection is missing or cannot be meant as it is.
    """
    from airflow.providers.common.compat.module_loading import import_string

    return import_string(CONNECTION_TYPES[conn_type].hook)().client(of, IN_A_TRIGGER)


def identity(conn_type: str, of: Account, course: Mapping[str, Any]) -> str:
    """The same for all who read the same of the same account, whatever their connections are called."""
    account = (conn_type, of.host, of.port, of.login, of.password, of.extra)
    return hashlib.sha256(msgspec.json.encode((account, course), order="deterministic")).hexdigest()
