"""A connection as plain data, so that a client is built the same way on a worker and in a triggerer."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_COLLISIONS = 50


@dataclass(frozen=True)
class Account:
    """What a connection holds."""

    conn_id: str
    host: str | None
    port: int | None
    login: str | None
    password: str | None = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, connection: Connection, extra: Mapping[str, Any] | None = None) -> Account:
        """The account of a connection.

        :param extra: its extra, where it is at hand already.
        """
        return cls(
            conn_id=connection.conn_id,
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_dejson if extra is None else extra,
        )

    @property
    def credentials(self) -> tuple[str, str]:
        """Client id and client secret.

        :raises ValueError: one of them is missing.
        """
        if not self.login or not self.password:
            raise ValueError(
                f"Connection {self.conn_id!r}: login (client id) and password (client secret) must both be set."
            )
        return self.login, self.password


async def resolve(conn_id: str) -> Account:
    """The account of a connection, for a trigger: resolved on the event loop, and in no thread.

    A thread that calls Airflow meets the triggerer's own calls, which on Airflow 3.1 ends all of its triggers.
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import BaseHook

    if not hasattr(BaseHook, "aget_connection"):
        connection = await get_async_connection(conn_id)
        return Account.of(connection, _extra(connection))
    for _ in range(_COLLISIONS):
        try:
            connection = await BaseHook.aget_connection(conn_id)
            break
        except BaseException as error:
            # Airflow 3.2 to 3.3.1 mask the secrets by a synchronous call, which refuses to stand beside another call.
            if type(error).__name__ != "DeadlockImminentError":
                raise
            await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311
    else:
        connection = await BaseHook.aget_connection(conn_id)
    return Account.of(connection, await _masked_extra(connection))


async def _masked_extra(connection: Any) -> Mapping[str, Any]:
    if hasattr(connection, "aextra_dejson"):
        found: Mapping[str, Any] = await connection.aextra_dejson()
        return found
    return _extra(connection)


def _extra(connection: Any) -> Mapping[str, Any]:
    """The extra as Airflow reads it, without its call to mask it."""
    try:
        found = json.loads(connection.extra or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
