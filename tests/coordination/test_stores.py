"""Where processes keep what they share."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_provider_lms import clock
from airflow_provider_lms.clock import Clock
from airflow_provider_lms.coordination import CoordinationError, MemoryStore, Store
from airflow_provider_lms.coordination.local import LocalStore
from airflow_provider_lms.coordination.redis import RedisStore
from airflow_provider_lms.testing import fake_clock

KINDS = ("memory", "local", "redis")


class State(msgspec.Struct):
    count: int = 0


@pytest.fixture
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the store as another process would."""
    if request.param == "memory":
        only = MemoryStore()
        return lambda: only
    if request.param == "local":
        return lambda: LocalStore(tmp_path / "store.sqlite")
    url = request.getfixturevalue("redis_url")
    return lambda: RedisStore(url)


def add(state: State, _: float) -> int:
    state.count += 1
    return state.count


every_store = pytest.mark.parametrize("open_store", KINDS, indirect=True)


@every_store
def test_a_state_is_kept_by_key_and_starts_with_its_defaults(open_store: Callable[[], Store]) -> None:
    key = os.urandom(8).hex()
    assert open_store().read(key, State)[0] == State()
    assert [open_store().change(key, State, add) for _ in range(3)] == [1, 2, 3]
    assert open_store().read(key, State)[0] == State(3)
    assert open_store().read(f"{key}2", State)[0] == State()


def test_a_file_that_is_busy_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself does not wait while another process creates the file."""
    connect, refusals = sqlite3.connect, [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY]

    def connect_or_refuse(*args: Any, **options: Any) -> Any:
        if refusals:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = refusals.pop()
            raise error
        return connect(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_or_refuse)
    assert LocalStore(tmp_path / "store.sqlite").change("key", State, add) == 1
    assert not refusals


@every_store
def test_changes_at_the_same_time_follow_each_other(open_store: Callable[[], Store]) -> None:
    key = os.urandom(8).hex()
    results: list[int] = []

    def work() -> None:
        store = open_store()
        results.extend(store.change(key, State, add) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(1, 201))


@every_store
def test_a_step_that_fails_changes_nothing(open_store: Callable[[], Store]) -> None:
    key, store = os.urandom(8).hex(), open_store()

    def fail(state: State, _: float) -> None:
        state.count = 9
        raise KeyError

    with pytest.raises(KeyError):
        store.change(key, State, fail)
    assert store.read(key, State)[0] == State()
    assert store.change(key, State, add) == 1


@every_store
@pytest.mark.parametrize("jump", [-3_600, 3_600])
def test_all_see_one_clock_whatever_the_date_and_time_say(open_store: Callable[[], Store], jump: int) -> None:
    key = os.urandom(8).hex()
    with fake_clock() as clock:
        before = open_store().read(key, State)[1]
        clock.jump(jump)
        after = open_store().change(key, State, lambda _, now: now)
    assert 0 <= after - before < 5


def test_a_local_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    path.parent.mkdir()
    path.touch(0o666)
    store = LocalStore(path)
    store.change("key", State, add)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


class Uptime(Clock):
    """The monotonic clock of a machine that has been running for a while."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def uptime() -> Iterator[Uptime]:
    found = Uptime()
    before = clock.replace(found)
    yield found
    clock.replace(before)


def test_after_a_restart_of_the_machine_time_continues_from_the_latest_known(tmp_path: Path, uptime: Uptime) -> None:
    def at(seconds: float) -> float:
        uptime.seconds = seconds
        return LocalStore(tmp_path / "store.sqlite").change("key", State, lambda _, now: now)

    assert at(9_000.0) == 9_000
    assert at(5.0) == 9_000
    assert at(65.0) == 9_060
    assert LocalStore(tmp_path / "store.sqlite").read("key", State)[1] == 9_060


def test_unchanged_states_are_deleted_after_a_week(tmp_path: Path, uptime: Uptime) -> None:
    week = 7 * 86_400
    uptime.seconds = 100.0
    LocalStore(tmp_path / "store.sqlite").change("old", State, add)
    uptime.seconds = 100.0 + week
    assert LocalStore(tmp_path / "store.sqlite").read("old", State)[0].count == 1
    uptime.seconds = 101.0 + week
    store = LocalStore(tmp_path / "store.sqlite")
    store.change("new", State, add)
    assert (store.read("old", State)[0].count, store.read("new", State)[0].count) == (0, 1)


def test_twenty_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, msgspec; from pathlib import Path\n"
        "from airflow_provider_lms.coordination.local import LocalStore\n"
        "class State(msgspec.Struct): count: int = 0\n"
        "def add(state, now): state.count += 1; return state.count\n"
        "print(LocalStore(Path(sys.argv[1])).change('key', State, add))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store.sqlite")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(20)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert sorted(int(each) for each in said) == list(range(1, 21))


def _open_and_close(path: Path, failed: Queue[str]) -> None:
    try:
        for _ in range(5):
            LocalStore(path).change("key", State, add)
    except CoordinationError as error:
        failed.put(str(error))


@pytest.mark.processes
def test_processes_may_make_open_and_close_the_file_at_the_same_moment(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    failed: Queue[str] = fork.Queue()
    for number in range(60):
        path = tmp_path / f"{number}.sqlite"
        processes = [fork.Process(target=_open_and_close, args=(path, failed)) for _ in range(6)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert failed.empty(), failed.get()
        assert LocalStore(path).read("key", State)[0].count == 30


@pytest.mark.parametrize("damage", ["a folder", "not a database"])
def test_a_local_file_that_cannot_be_used_says_so(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.sqlite"
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_text("something else " * 100)
    with pytest.raises(CoordinationError, match=r"store\.sqlite, where tasks share .* cannot be used"):
        LocalStore(path).change("key", State, add)


def test_redis_that_is_not_there_says_so_without_its_password() -> None:
    pytest.importorskip("redis")
    store = RedisStore("redis://somebody:hidden-word@127.0.0.1:1/3")
    with pytest.raises(CoordinationError, match=r"redis://127\.0\.0\.1:1/3, where tasks share .*ConnectionError") as e:
        store.change("key", State, add)
    assert "hidden-word" not in str(e.value)
    assert e.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://somebody:hidden-word@redis.internal:6379/3?password=hidden-word", "redis://redis.internal:6379/3"),
        ("rediss://redis.internal", "rediss://redis.internal"),
        ("unix://:hidden-word@/run/redis.sock?db=1", "unix:/run/redis.sock"),
    ],
)
def test_redis_is_named_without_its_password(url: str, shown: str) -> None:
    pytest.importorskip("redis")
    assert RedisStore(url).reach == f"on all hosts that use {shown}"


def test_redis_forgets_what_nobody_changes(redis_url: str) -> None:
    import redis

    key = os.urandom(8).hex()
    RedisStore(redis_url).change(key, State, add)
    client: Any = redis.Redis.from_url(redis_url)
    assert 600_000 < client.ttl(f"airflow-provider-lms:{key}") <= 604_800


def test_a_change_that_another_came_between_is_made_again(redis_url: str) -> None:
    key, calls = os.urandom(8).hex(), []

    def slow(state: State, _: float) -> int:
        calls.append(state.count)
        if len(calls) == 1:
            RedisStore(redis_url).change(key, State, add)
        state.count += 10
        return state.count

    assert RedisStore(redis_url).change(key, State, slow) == 11
    assert calls == [0, 1]


GARBAGE = [b"", b"\xff\xff", b"not msgpack", b"\x91" * 100_000, msgspec.msgpack.encode({"count": "many"}), b"\xc0"]


@pytest.mark.parametrize("raw", GARBAGE)
def test_a_damaged_entry_in_a_local_file_says_how_to_repair_it(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "store.sqlite"
    LocalStore(path).change("key", State, add)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE states SET state = ?", (raw,))
    for use in (lambda: LocalStore(path).read("key", State), lambda: LocalStore(path).change("key", State, add)):
        with pytest.raises(
            CoordinationError, match=r"entry 'key' cannot be read. stop the tasks, delete .*store\.sqlite"
        ):
            use()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE states SET state = 'text'",
        "UPDATE states SET state = 7",
        "UPDATE clock SET ahead = 'abc'",
        "UPDATE clock SET latest = 9e999",
        "UPDATE clock SET latest = 1e300",
        "UPDATE clock SET ahead = -1e300",
        "DELETE FROM clock",
        "DROP TABLE states; CREATE TABLE states (other TEXT)",
        "DROP TABLE clock; CREATE TABLE clock (ahead BLOB, latest BLOB); INSERT INTO clock VALUES (x'00', x'ff')",
        "DROP TABLE clock; CREATE TABLE clock (ahead INT, latest INT); INSERT INTO clock VALUES (NULL, NULL)",
    ],
)
def test_a_local_file_that_is_damaged_says_how_to_repair_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.sqlite"
    open_before = LocalStore(path)
    open_before.change("key", State, add)
    with sqlite3.connect(path) as connection:
        connection.executescript(damage)
    if damage == "DELETE FROM clock":  # which opening the file repairs
        assert LocalStore(path).read("key", State)[0].count == 1
        return
    for store in (open_before, LocalStore(path)):
        with pytest.raises(CoordinationError, match="delete"):
            store.read("key", State)
        with pytest.raises(CoordinationError, match="delete"):
            store.change("key", State, add)


@pytest.mark.parametrize("raw", GARBAGE)
def test_a_damaged_entry_in_redis_says_how_to_repair_it(redis_url: str, raw: bytes) -> None:
    import redis

    key = os.urandom(8).hex()
    client: Any = redis.Redis.from_url(redis_url)
    client.set(f"airflow-provider-lms:{key}", raw)
    for use in (lambda: RedisStore(redis_url).read(key, State), lambda: RedisStore(redis_url).change(key, State, add)):
        with pytest.raises(CoordinationError, match=f"Delete the key 'airflow-provider-lms:{key}' in Redis"):
            use()


def test_an_entry_of_another_type_in_redis_says_how_to_repair_it(redis_url: str) -> None:
    import redis

    key = os.urandom(8).hex()
    client: Any = redis.Redis.from_url(redis_url)
    client.rpush(f"airflow-provider-lms:{key}", "a", "b")
    for use in (lambda: RedisStore(redis_url).read(key, State), lambda: RedisStore(redis_url).change(key, State, add)):
        with pytest.raises(CoordinationError, match="If the keys that begin with 'airflow-provider-lms:' are damaged"):
            use()
