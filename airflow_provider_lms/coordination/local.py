"""A store in a SQLite file, for the processes of one host."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_lms.coordination.store import KEEP_SECONDS, CoordinationError, Snapshot, Store

_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (ahead REAL NOT NULL, latest REAL NOT NULL);
INSERT INTO clock SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM clock);
CREATE TABLE IF NOT EXISTS states (key TEXT PRIMARY KEY, state BLOB NOT NULL, changed REAL NOT NULL);
"""


class LocalStore(Store):
    """States in a file that only its owner can read.

    Its clock is the machine's monotonic one, which all processes of a host share and no correction moves. That one
    starts anew with the machine; this one then goes on from the latest time it has seen, as if no time had passed.

    :param path: the file; made where there is none. Not on a network file system, whose locks SQLite cannot trust.
    """

    reach = "on this host only"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def _get(self, key: str) -> Snapshot:
        with self._opened() as connection:
            ahead, latest, raw = connection.execute(
                "SELECT ahead, latest, (SELECT state FROM states WHERE key = ?) FROM clock", (key,)
            ).fetchone()
            return Snapshot(raw, max(time.monotonic() + ahead, latest))

    def _swap(self, key: str, rewrite: Callable[[Snapshot], bytes]) -> None:
        with self._opened() as connection, _transaction(connection):
            now = _tick(connection)
            row = connection.execute("SELECT state FROM states WHERE key = ?", (key,)).fetchone()
            raw = rewrite(Snapshot(row and row[0], now))
            connection.execute("REPLACE INTO states VALUES (?, ?, ?)", (key, raw, now))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._mutex:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
        except (OSError, sqlite3.Error) as error:
            raise CoordinationError(
                f"{self._path}, by which tasks share request budget and access token, cannot be used ({error}). "
                "Make it readable and writable for the user who runs Airflow, or set [lms] coordination_url."
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)
        # In this mode a commit waits for no disk, and yet no crash of the machine leaves a broken file.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with _transaction(connection):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute("DELETE FROM states WHERE changed < ?", (_tick(connection) - KEEP_SECONDS,))
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _tick(connection: sqlite3.Connection) -> float:
    ahead, latest = connection.execute("SELECT ahead, latest FROM clock").fetchone()
    here = time.monotonic()
    now: float = max(here + ahead, latest)
    connection.execute("UPDATE clock SET ahead = ?, latest = ?", (now - here, now))
    return now
