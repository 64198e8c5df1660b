"""The addresses of courses that tasks share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_lms.coordination import MemoryStore, SharedLinks, Store
from airflow_provider_lms.coordination.links import LinksState
from airflow_provider_lms.coordination.local import LocalStore
from airflow_provider_lms.testing import FakeClock, fake_clock

URL = "https://example.ispringlearn.com/view/1-a"
DAY = 86_400


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as found:
        yield found


def links(store: Store, *, host: str = "api.example", client_id: str = "client", secret: str = "hidden") -> SharedLinks:
    return SharedLinks(store, host, client_id, (secret,))


def test_every_client_of_the_account_knows_a_link_whatever_the_case_of_the_id(clock: FakeClock, tmp_path: Path) -> None:
    one, other = (links(LocalStore(tmp_path / "shared.sqlite")) for _ in range(2))
    assert other.find("ab") is None
    one.put({"AB": URL, "cd": ""})
    assert (other.find("ab"), other.find("CD"), other.find("ef")) == (URL, "", None)
    other.put({"ef": URL})
    assert (one.find("ab"), one.find("ef")) == (URL, URL)


@pytest.mark.parametrize("other", [{"host": "other.example"}, {"client_id": "other"}, {"secret": "other"}])
def test_another_account_knows_nothing_of_it(clock: FakeClock, other: dict[str, str]) -> None:
    store = MemoryStore()
    links(store).put({"ab": URL})
    assert links(store, **other).find("ab") is None


def test_a_link_is_kept_for_a_week_and_that_there_is_none_for_a_day(clock: FakeClock) -> None:
    found = links(MemoryStore())
    found.put({"ab": URL, "cd": ""})
    clock.advance(DAY - 1)
    assert (found.find("ab"), found.find("cd")) == (URL, "")
    clock.advance(2)
    assert (found.find("ab"), found.find("cd")) == (URL, None)
    clock.advance(6 * DAY - 2)
    assert found.find("ab") == URL
    clock.advance(2)
    assert found.find("ab") is None


def test_the_newest_2000_are_kept(clock: FakeClock) -> None:
    found = links(MemoryStore())
    found.put({"old": URL})
    clock.advance(1)
    found.put({f"new-{number}": URL for number in range(2_000)})
    assert found.find("old") is None
    assert all(found.find(f"new-{number}") == URL for number in (0, 1_999))


def test_an_address_of_absurd_length_is_not_kept(clock: FakeClock) -> None:
    found = links(MemoryStore())
    found.put({"ab": "https://example.com/" + "x" * 2_000, "cd": URL})
    assert (found.find("ab"), found.find("cd")) == (None, URL)


def test_who_only_has_the_store_can_neither_read_nor_plant_a_link(clock: FakeClock) -> None:
    store = MemoryStore()
    found = links(store)
    found.put({"ab": URL})
    (raw,) = store._states.values()
    assert b"ispringlearn" not in raw

    def plant(state: LinksState, _: float) -> None:
        state.encrypted = b"\x81\xa2ab\x92\xb3https://evil.example\xcbA\x00\x00\x00\x00\x00\x00\x00"

    store.change(found._key, LinksState, plant)
    assert found.find("ab") is None
    found.put({"ab": URL})
    assert found.find("ab") == URL


def test_without_a_store_nothing_is_known_and_nothing_fails(tmp_path: Path) -> None:
    found = links(LocalStore(tmp_path))  # a folder, not a file
    found.put({"ab": URL})
    assert found.find("ab") is None
