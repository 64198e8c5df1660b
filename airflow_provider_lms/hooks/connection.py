"""A connection as plain data, so that a client is built in the same way on a worker and in the triggerer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.connections.form import is_encodable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_COLLISIONS = 50


@dataclass(frozen=True)
class PlainConnection:
    """The fields of an Airflow connection.

    Its errors name a field and not the connection: whoever resolved it adds the id with :func:`in_connection`.
    """

    conn_id: str
    host: str | None
    port: int | None
    login: str | None
    password: str | None = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    conn_type: str | None = None

    @classmethod
    def of(cls, connection: Connection, extra: Mapping[str, Any] | None = None) -> PlainConnection:
        """The fields of an Airflow connection.

        :param extra: its extra, if it was parsed already.
        :raises ValueError: its extra is no JSON object.
        """
        if extra is None:
            parse_extra(connection.extra)  # Airflow would take a damaged extra for an empty one
            extra = connection.extra_dejson
        return cls(
            conn_id=connection.conn_id,
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=extra,
            conn_type=connection.conn_type,
        )

    @property
    def credentials(self) -> tuple[str, str]:
        """Client id and client secret.

        :raises ValueError: one of them is missing, or cannot be sent.
        """
        if not self.login or not self.password:
            raise ValueError("login (client ID) and password (client secret) must both be set.")
        for name, value in (("login (client ID)", self.login), ("password (client secret)", self.password)):
            if not is_encodable(value):
                raise ValueError(f"{name}: it has a character that cannot be sent. Copy it again.")
        return self.login, self.password


@contextmanager
def in_connection(conn_id: str) -> Iterator[None]:
    """Name the connection in errors of its fields."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Connection {conn_id!r}, {error}") from None


def parse_extra(extra: str | None) -> dict[str, Any]:
    """A connection's extra.

    :raises ValueError: it is no JSON object.
    """
    try:
        found = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        found = ...
    if found is not None and not isinstance(found, dict):
        raise ValueError("extra: expected a JSON object.")
    return found or {}


async def resolve(conn_id: str) -> PlainConnection:
    """Resolve a connection for a trigger: on the event loop, and never in a thread.

    Calling Airflow from a thread collides with the triggerer's own calls and, on 3.1, kills every trigger.

    :raises ValueError: the extra is no JSON object.
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import BaseHook

    if not hasattr(BaseHook, "aget_connection"):
        connection = await get_async_connection(conn_id)
        return await _plain(conn_id, connection)
    for _ in range(_COLLISIONS):
        try:
            connection = await BaseHook.aget_connection(conn_id)
            break
        except BaseException as error:
            # Airflow 3.2 to 3.3.1 mask secrets by a synchronous call, which fails while another call is under way.
            if type(error).__name__ != "DeadlockImminentError":
                raise
            await clock.sleep_async(random.uniform(0.01, 0.1))  # noqa: S311
    else:
        connection = await BaseHook.aget_connection(conn_id)
    return await _plain(conn_id, connection)


async def _plain(conn_id: str, connection: Any) -> PlainConnection:
    with in_connection(conn_id):
        # Without Airflow's synchronous call to mask it.
        extra: Mapping[str, Any] = parse_extra(connection.extra)
    if hasattr(connection, "aextra_dejson"):  # masks its secrets in the log
        extra = await connection.aextra_dejson()
    return PlainConnection.of(connection, extra)
