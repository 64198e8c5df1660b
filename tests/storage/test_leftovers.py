"""What killed writers leave in a folder, and when it is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage.manifest import TaskInstanceKey
from airflow_provider_lms.testing import fake_clock
from tests.storage.place import Place
from tests.storage.test_resume import EVERYBODY, RETRY, RUN, Listing, fail, names, users, write

OLD = checkpoints.LIFETIME + timedelta(minutes=5)
ANOTHER = TaskInstanceKey("dag", "another", "run", -1, 1)
LEFT = [
    "part-20260101T000000Z-0123abcd-00000.jsonl",
    "part-20260101T000000Z-0123abcd-00017.csv.gz",
    "part-20260101T000000Z-0123abcd-123456.parquet",
    "file-20260101T000000Z-0123abcd-00003.pdf",
    ".file-20260101T000000Z-0123abcd-00003.pdf.0123456789abcdef0123456789abcdef.tmp",
    ".part-20260101T000000Z-0123abcd-00000.jsonl.zst.0123456789abcdef0123456789abcdef.tmp",
    "._manifest.json.0123456789abcdef0123456789abcdef.tmp",
    "._checkpoint.json.0123456789abcdef0123456789abcdef.tmp",
    "._probe.0123456789abcdef0123456789abcdef.tmp",
]
SOMEBODY_ELSES = [
    "part-00000.jsonl",
    "file-00003.pdf",
    "file-20260101T000000Z-0123abcd-00003.jsonl",
    "part-20260101T000000Z-0123abcd-00000.jsonl.bak",
    "my-part-20260101T000000Z-0123abcd-00000.jsonl",
    ".another.tmp",
    "_SUCCESS",
    "notes.txt",
]


@pytest.fixture
def leave(place: Place) -> Callable[[list[str]], None]:
    def put(left: list[str]) -> None:
        for name in left:
            (place / name).write_bytes(b"left")

    return put


def test_what_killed_writers_left_is_removed_when_it_is_nobodys(
    place: Place, leave: Callable[[list[str]], None]
) -> None:
    leave(LEFT)
    with fake_clock() as clock:
        clock.advance(OLD.total_seconds())
        write(place, Listing())
    assert not names(place) & set(LEFT)
    assert users(place) == EVERYBODY


def test_what_may_still_be_somebodys_is_kept(place: Place, leave: Callable[[list[str]], None]) -> None:
    leave(LEFT)
    with fake_clock() as clock:
        clock.advance((checkpoints.LIFETIME - timedelta(minutes=5)).total_seconds())
        write(place, Listing())
    assert names(place) >= set(LEFT)


def test_files_of_others_are_kept_however_old(place: Place, leave: Callable[[list[str]], None]) -> None:
    leave(SOMEBODY_ELSES)
    with fake_clock() as clock:
        clock.advance(10 * OLD.total_seconds())
        write(place, Listing())
        write(place, Listing())
    assert names(place) >= set(SOMEBODY_ELSES)


def test_files_in_folders_below_are_kept(place: Place, leave: Callable[[list[str]], None]) -> None:
    write(place / "below", Listing())
    leave(LEFT[:1])
    with fake_clock() as clock:
        clock.advance(OLD.total_seconds())
        write(place, Listing())
    assert users(place / "below") == EVERYBODY


def test_an_old_dataset_that_readers_may_still_read_is_kept_until_the_next_commit(place: Place) -> None:
    write(place, Listing())
    before = names(place)
    with fake_clock() as clock:
        clock.advance(OLD.total_seconds())
        write(place, Listing())
        assert names(place) >= before
        clock.advance(OLD.total_seconds())
        write(place, Listing())
    assert names(place) & before == {"_manifest.json"}


HOUR = 3_600.0


class During(Listing):
    """Something happens after page 5."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self._happens = happens

    def __call__(self, start: str | None, before: int) -> Iterator[Page[CourseResult]]:
        for page in super().__call__(start, before):
            yield page
            if page.number == 5:
                self._happens()


def test_old_parts_of_a_writer_that_is_still_at_work_are_kept(place: Place) -> None:
    with fake_clock() as clock:
        fail(place, 4)
        clock.advance(checkpoints.LIFETIME.total_seconds() - HOUR)

        def another_commits() -> None:
            clock.advance(2 * HOUR)
            write(place, Listing(), run=ANOTHER)

        listing = During(another_commits)
        write(place, listing, run=RETRY)
    assert listing.asked == [("3", 3)]
    assert users(place) == EVERYBODY


def test_old_parts_that_a_checkpoint_names_are_kept_for_its_retry(place: Place) -> None:
    with fake_clock() as clock:

        def another_fails_twice() -> None:
            fail(place, 3, run=RUN)
            clock.advance(checkpoints.LIFETIME.total_seconds() - HOUR)
            fail(place, 5, run=RETRY)
            clock.advance(2 * HOUR)

        write(place, During(another_fails_twice), run=ANOTHER, part_bytes=1_000_000)
        listing = Listing()
        write(place, listing, run=RETRY)
    assert listing.asked == [("4", 4)]
    assert users(place) == EVERYBODY


def test_a_failure_removes_nothing(place: Place, leave: Callable[[list[str]], None]) -> None:
    leave(LEFT)
    with fake_clock() as clock:
        clock.advance(OLD.total_seconds())
        fail(place, 3, run=RUN)
    assert names(place) >= set(LEFT)
