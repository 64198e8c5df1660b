"""Splitting ids over several requests, and reading several listings as one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.units import Unit, read_units

ID = st.text("abcdef0123456789-Ж", min_size=1, max_size=40)
IDS = st.dictionaries(
    st.sampled_from(["user_ids", "course_ids", "module_ids"]),
    st.lists(ID, min_size=1, max_size=40, unique=True).map(tuple),
)


def query(ids: dict[str, tuple[str, ...]]) -> Query:
    id_lists = {name: tuple((f"{name}[]", item) for item in items) for name, items in ids.items()}
    return Query("/results", "/results", "/results", {}, (("pageSize", "100"),), id_lists)


@given(ids=IDS, room=st.integers(1_200, 5_000))
def test_the_parts_ask_for_every_combination_once_and_fit(ids: dict[str, tuple[str, ...]], room: int) -> None:
    whole = query(ids)
    asked: list[tuple[str, ...]] = []
    for part in whole.split(room):
        assert len(urlencode(part.params())) <= room
        assert part.fixed == whole.fixed
        asked += product(*(part.ids(name) for name in ids))
    assert len(asked) == len(set(asked))
    assert set(asked) == set(product(*ids.values()))


@given(ids=IDS, room=st.integers(1_200, 5_000))
def test_a_query_that_fits_is_not_split(ids: dict[str, tuple[str, ...]], room: int) -> None:
    whole = query(ids)
    assert whole.fits(room) == (whole.split(room) == [whole])


@given(ids=IDS, most=st.integers(3, 50))
def test_the_parts_ask_for_every_combination_once_and_have_few_ids(ids: dict[str, tuple[str, ...]], most: int) -> None:
    asked: list[tuple[str, ...]] = []
    parts = query(ids).split_by_number(most)
    for part in parts:
        assert sum(len(part.ids(name)) for name in ids) <= most
        asked += product(*(part.ids(name) for name in ids))
    assert len(asked) == len(set(asked))
    assert set(asked) == set(product(*ids.values()))
    assert (len(parts) == 1) == (sum(map(len, ids.values())) <= most)


def test_a_body_has_arrays_and_numbers() -> None:
    whole = query({"user_ids": ("7", "8")})
    assert whole.body((("pageToken", "9"),), numbers=["pageSize"]) == {
        "pageSize": 100,
        "user_ids": ["7", "8"],
        "pageToken": "9",
    }


def test_one_id_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="too many values for one request"):
        query({"user_ids": ("x" * 200,)}).split(100)


class Number(msgspec.Struct):
    value: int


def unit(key: str, values: list[int], page_size: int) -> Unit[Number]:
    """A listing of numbers whose continuation is the number of the first record."""

    def pages(start: str | None) -> Iterator[Page[Number]]:
        first = int(start or 0)
        while True:
            records = [Number(value) for value in values[first : first + page_size]]
            first += page_size
            following = str(first) if first < len(values) else None
            yield Page(records, 1, following, resumable=following is None)
            if following is None:
                return

    return Unit(key, pages)


def values(pages: Iterator[Page[Number]]) -> list[int]:
    return [record.value for page in pages for record in page.records]


@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6), page_size=st.integers(1, 3))
def test_units_are_read_in_turn_and_resume_at_any_page(sizes: list[int], page_size: int) -> None:
    units = [unit(f"{n:02d}", list(range(n * 100, n * 100 + size)), page_size) for n, size in enumerate(sizes)]
    pages = list(read_units(units))
    expected = [n * 100 + position for n, size in enumerate(sizes) for position in range(size)]
    assert values(iter(pages)) == expected
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert pages[-1].next is None
    assert {page.units for page in pages} == {len(sizes)}
    for number, page in enumerate(pages[:-1], start=1):
        assert page.next is not None
        assert values(read_units(units, page.next)) == values(iter(pages[number:]))
        # By the key: where other units have come before it, reading resumes at the same one.
        assert values(read_units([unit("new", [7], 1), *units], page.next)) == values(iter(pages[number:]))


@given(token=st.text(min_size=1), first=st.sampled_from(["a", "b"]))
def test_a_continuation_of_a_unit_may_be_any_text(token: str, first: str) -> None:
    asked: list[tuple[str, str | None]] = []

    def pages(key: str, start: str | None) -> Iterator[Page[Number]]:
        asked.append((key, start))
        yield Page([], 1, token if start is None else None)

    units = [Unit(key, partial(pages, key)) for key in ("a", "b")]
    page = next(page for page in read_units(units) if page.next == f"{first}:{token}")
    asked.clear()
    list(read_units(units, page.next))
    assert asked[0] == (first, token)
    # The units after it are read from their beginning.
    assert asked[1:] == [("b", None)][: first == "a"]


def no_pages(key: str) -> Unit[Number]:
    return Unit(key, lambda _: iter(()))


def test_the_last_page_says_so_even_if_the_last_units_have_none() -> None:
    units = [unit("a", [1], 1), no_pages("b"), no_pages("c")]
    pages = list(read_units(units))
    assert values(iter(pages)) == [1]
    assert [page.next for page in pages] == ["b:", None]
    assert [page.next for page in read_units(units, "b:")] == [None]


def test_reading_resumes_behind_a_parent_that_was_deleted() -> None:
    left = [unit(key, [number], 1) for number, key in enumerate("aceg")]
    assert values(read_units(left, "b:1", in_order=True)) == [1, 2, 3]
    assert values(read_units(left, "f:", in_order=True)) == [3]
    (page,) = read_units(left, "h:5", in_order=True)
    assert (page.records, page.next) == ([], None)


def test_units_may_be_nested() -> None:
    inner = {key: [unit("x", [1, 2, 3], 2), unit("y", [4], 2)] for key in ("a", "b")}
    outer = [Unit(key, partial(read_units, inner[key])) for key in inner]
    pages = list(read_units(outer))
    assert [page.next for page in pages] == ["a:x:2", "a:y:", "b:", "b:x:2", "b:y:", None]
    for number, page in enumerate(pages[:-1], start=1):
        assert values(read_units(outer, page.next)) == values(iter(pages[number:]))


@pytest.mark.parametrize(
    ("start", "message"), [("nonsense", "expected the 'next' of an earlier page"), ("gone:0", "is no longer there")]
)
def test_a_continuation_that_leads_nowhere_is_rejected(start: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"start: .*{message}"):
        list(read_units([unit("a", [1], 1)], start))
