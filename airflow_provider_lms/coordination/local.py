"""A store in a SQLite file, for the processes of one host."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import tenacity

from airflow_provider_lms.coordination.store import KEEP_SECONDS, CoordinationError, Snapshot, Store

T = TypeVar("T")

_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (ahead REAL NOT NULL, latest REAL NOT NULL);
INSERT INTO clock SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM clock);
CREATE TABLE IF NOT EXISTS states (key TEXT PRIMARY KEY, state BLOB NOT NULL, changed REAL NOT NULL);
"""


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# SQLite waits for most locks by itself, but not where another process makes the file, or closes it as the last one.
_PATIENCE = tenacity.Retrying(
    retry=tenacity.retry_if_exception(_is_busy),
    wait=tenacity.wait_random(0.002, 0.05),
    stop=tenacity.stop_after_delay(_BUSY_SECONDS),
    reraise=True,
)


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
        def read(connection: sqlite3.Connection) -> Snapshot:
            ahead, latest, raw = connection.execute(
                "SELECT ahead, latest, (SELECT state FROM states WHERE key = ?) FROM clock", (key,)
            ).fetchone()
            return Snapshot(raw, max(time.monotonic() + ahead, latest))

        return self._with_connection(read)

    def _swap(self, key: str, rewrite: Callable[[Snapshot], bytes]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                now = _tick(connection)
                row = connection.execute("SELECT state FROM states WHERE key = ?", (key,)).fetchone()
                raw = rewrite(Snapshot(row and row[0], now))
                connection.execute("REPLACE INTO states VALUES (?, ?, ?)", (key, raw, now))

        self._with_connection(write)

    def _with_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            result: T = _PATIENCE.copy()(self._try, work)
            return result
        except (OSError, sqlite3.Error) as error:
            raise CoordinationError(
                f"{self._path}, by which tasks share request budget and access token, cannot be used ({error}). "
                "Make it readable and writable for the user who runs Airflow, or set [lms] coordination_url."
            ) from error

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._mutex:
            if self._connection is None:
                self._connection = self._open()
                weakref.finalize(self, self._connection.close)
            return work(self._connection)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # To close a file that is a database already would undo the locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if self._path.stat().st_mode & 0o077:
            self._path.chmod(0o600)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            # In this mode a commit waits for no disk, and yet no crash of the machine leaves a broken file.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            with _transaction(connection):
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute("DELETE FROM states WHERE changed < ?", (_tick(connection) - KEEP_SECONDS,))
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _tick(connection: sqlite3.Connection) -> float:
    ahead, latest = connection.execute("SELECT ahead, latest FROM clock").fetchone()
    here = time.monotonic()
    now: float = max(here + ahead, latest)
    connection.execute("UPDATE clock SET ahead = ?, latest = ?", (now - here, now))
    return now
