"""A store in a SQLite file, for the processes of one host."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import tenacity

from airflow_provider_lms import clock
from airflow_provider_lms.coordination.store import KEEP_SECONDS, Store, StoredState
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

T = TypeVar("T")

_BUSY_SECONDS = 30.0
_LONGEST_UPTIME = 1e10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (ahead REAL NOT NULL, latest REAL NOT NULL);
INSERT INTO clock SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM clock);
CREATE TABLE IF NOT EXISTS states (key TEXT PRIMARY KEY, state BLOB NOT NULL, changed REAL NOT NULL);
"""


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# SQLite itself waits for most locks, but not while another process creates the file, or closes it as the last one.
_WHILE_BUSY = tenacity.Retrying(
    retry=tenacity.retry_if_exception(_is_busy),
    wait=tenacity.wait_random(0.002, 0.05),
    stop=tenacity.stop_after_delay(_BUSY_SECONDS),
    reraise=True,
)


class LocalStore(Store):
    """States in a file that only its owner can read.

    The store goes by the machine's monotonic clock, which all processes of a host share and no correction moves. That
    clock starts again when the machine does. The store then continues from the latest time it has seen, as if no time
    had passed.

    :param path: the file; it is created if there is none. Not on a network file system: SQLite cannot trust its locks.
    """

    reach = "on this host only"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None

    def _get(self, key: str) -> StoredState:
        def read(connection: sqlite3.Connection) -> StoredState:
            row = connection.execute(
                "SELECT ahead, latest, (SELECT state FROM states WHERE key = ?) FROM clock", (key,)
            ).fetchone()
            ahead, latest = _clock_of(row)
            return StoredState(row[2], max(clock.monotonic() + ahead, latest))

        return self._with_connection(read)

    def _swap(self, key: str, rewrite: Callable[[StoredState], bytes]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                now = _tick(connection)
                row = connection.execute("SELECT state FROM states WHERE key = ?", (key,)).fetchone()
                raw = rewrite(StoredState(row and row[0], now))
                connection.execute("REPLACE INTO states VALUES (?, ?, ?)", (key, raw, now))

        self._with_connection(write)

    def _with_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._try_while_busy(work)
        except (OSError, sqlite3.Error) as error:
            raise CoordinationError(
                f"{self._path}, where tasks share the rate limit and the access token, cannot be used ({error}). "
                "Make it readable and writable for the user who runs Airflow, or set [lms] coordination_url. "
                f"If it is damaged: {self._repair()}"
            ) from error

    def _try_while_busy(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # Every request comes here twice, and tenacity takes longer for its own work than SQLite does.
        try:
            return self._try(work)
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        result: T = _WHILE_BUSY.copy()(self._try, work)
        return result

    def _repair(self, key: str = "") -> str:  # noqa: ARG002
        return f"stop the tasks, delete {self._path} and the files beside it, and tasks start counting anew."

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._mutex:
            if self._connection is not None and self._file_id() != self._opened_file:
                # Somebody has deleted or replaced the file. Processes that went on with the old one would count apart.
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = self._open()
                self._opened_file = self._file_id()
                weakref.finalize(self, self._connection.close)
            return work(self._connection)

    def _file_id(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Closing a file that is a database already would release the locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if self._path.stat().st_mode & 0o077:
            self._path.chmod(0o600)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            # In this mode a commit does not wait for the disk, and a crash of the machine still leaves a sound file.
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
    try:
        connection.execute("BEGIN IMMEDIATE")  # here, since a signal may raise as soon as it returns
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _tick(connection: sqlite3.Connection) -> float:
    ahead, latest = _clock_of(connection.execute("SELECT ahead, latest FROM clock").fetchone())
    here = clock.monotonic()
    now: float = max(here + ahead, latest)
    connection.execute("UPDATE clock SET ahead = ?, latest = ?", (now - here, now))
    return now


def _clock_of(row: Sequence[object] | None) -> tuple[float, float]:
    """The clock's two numbers. At a nonsensical time, every lock and every limit would be past, or would last forever.

    :raises sqlite3.DatabaseError: the file is damaged.
    """
    numbers = [each for each in row[:2] if isinstance(each, float | int)] if row is not None else []
    if len(numbers) == 2 and all(abs(each) < _LONGEST_UPTIME for each in numbers):
        return float(numbers[0]), float(numbers[1])
    raise sqlite3.DatabaseError("its clock is damaged")
