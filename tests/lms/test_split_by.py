"""Splitting all results by courses, users or dates: every row once, or an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.errors import LmsSplitError
from airflow_provider_lms.lms.ispring.listings.results import CourseResult
from airflow_provider_lms.lms.ispring.split_by import splitter_by
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import balanced
from airflow_provider_lms.testing import fake_clock

NOW = datetime(2026, 6, 15, 13, 30, tzinfo=UTC)
EPOCH = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = (NOW - EPOCH).days


@dataclass
class Model:
    """An LMS that filters by dates in one of the ways that its documentation allows.

    :param rows: what there is, each with the date that the filter goes by.
    :param inclusive: whether the ends of a range belong to it.
    :param by_day: whether it goes by days and not by seconds.
    :param zone: its hours ahead of UTC, for days.
    """

    rows: list[tuple[CourseResult, datetime]]
    inclusive: bool = True
    by_day: bool = False
    zone: int = 0

    def read(self, _: Any, filters: Mapping[str, Any], __: str | None) -> Iterator[Page[CourseResult]]:
        start, end = filters["access_date"] or (None, None)
        found = [row for row, moment in self.rows if self._is_in(moment, start, end)]
        for number in range(0, len(found), 7):
            yield Page([replace_row(row) for row in found[number : number + 7]], 1, None)

    def _is_in(self, moment: datetime, start: datetime | None, end: datetime | None) -> bool:
        here, first, last = self._rounded(moment), self._rounded(start), self._rounded(end)
        if first is not None and not (here >= first if self.inclusive else here > first):
            return False
        return last is None or (here <= last if self.inclusive else here < last)

    def _rounded(self, moment: datetime | None) -> Any:
        if moment is None or not self.by_day:
            return moment
        return (moment + timedelta(hours=self.zone)).date()


def replace_row(row: CourseResult) -> CourseResult:
    return CourseResult(user_id=row.user_id, course_id="c", completion_status="passed", access_date=row.access_date)


def row(number: int, moment: datetime | None) -> CourseResult:
    return CourseResult(user_id=str(number), course_id="c", completion_status="passed", access_date=moment)


def faithful(moments: Sequence[datetime], **options: Any) -> Model:
    """One that filters by the date that it sends."""
    return Model([(row(number, moment), moment) for number, moment in enumerate(moments)], **options)


def read_all(model: Model, splits: int, asked: Any = None) -> list[str]:
    """The users of all rows, split by date."""
    with fake_clock(NOW):
        splitter: Any = splitter_by("access_date", None, {"access_date": asked}, model.read)  # type: ignore[arg-type]
        keys = splitter.find_keys()
    return [
        each.user_id
        for some in balanced(keys, splits)
        for page in splitter.read(None, some, None)
        for each in page.records
    ]


# Seconds, and not microseconds: the filter has none.
MOMENTS = st.integers(0, DAYS * 86_400).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
EDGES = st.integers(0, DAYS).map(lambda days: EPOCH + timedelta(days=days))
ENDS: st.SearchStrategy[Any] = st.tuples(st.none() | MOMENTS | EDGES, st.none() | MOMENTS | EDGES)
RANGES = st.none() | ENDS.filter(lambda ends: any(ends) and not (all(ends) and ends[0] >= ends[1]))


@given(
    moments=st.lists(MOMENTS | EDGES, max_size=60),
    asked=RANGES,
    splits=st.integers(1, 50),
    inclusive=st.booleans(),
    by_day=st.booleans(),
    zone=st.integers(-12, 14),
)
def test_every_row_is_read_once(
    moments: list[datetime], asked: Any, splits: int, inclusive: bool, by_day: bool, zone: int
) -> None:
    model = faithful(moments, inclusive=inclusive, by_day=by_day, zone=zone)
    whole = [each.user_id for page in model.read(None, {"access_date": asked}, None) for each in page.records]
    assert Counter(read_all(model, splits, asked)) == Counter(whole)


@given(days=st.integers(6, 400), sign=st.sampled_from([-1, 1]), splits=st.integers(2, 50))
def test_a_filter_by_another_date_is_noticed(days: int, sign: int, splits: int) -> None:
    moments = [EPOCH + timedelta(days=number, hours=7) for number in range(DAYS)]
    model = Model(
        [(row(number, moment), moment + sign * timedelta(days=days)) for number, moment in enumerate(moments)]
    )
    with pytest.raises(LmsSplitError, match="filters by another date"):
        read_all(model, splits)


@given(moments=st.lists(MOMENTS, min_size=1, max_size=20), splits=st.integers(1, 50), data=st.data())
def test_a_row_without_a_date_is_noticed(moments: list[datetime], splits: int, data: st.DataObject) -> None:
    model = faithful(moments)
    number = data.draw(st.integers(0, len(moments) - 1))
    model.rows[number] = (row(number, None), moments[number])
    with pytest.raises(LmsSplitError, match="has no accessDate"):
        read_all(model, splits)


@given(moments=st.lists(MOMENTS, min_size=1, max_size=40), splits=st.integers(1, 50), data=st.data())
def test_rows_that_do_not_change_are_read_once_while_others_do(
    moments: list[datetime], splits: int, data: st.DataObject
) -> None:
    model = faithful(moments)
    edited = data.draw(st.sets(st.integers(0, len(moments) - 1)))
    whole, plain = list(moments), model.read

    def read(*query: Any) -> Iterator[Page[CourseResult]]:
        for number in edited:
            moment = data.draw(MOMENTS)
            model.rows[number] = (row(number, moment), moment)
        return plain(*query)

    model.read = read  # type: ignore[method-assign, assignment]
    found = Counter(read_all(model, splits))
    assert all(found[str(number)] == 1 for number in range(len(whole)) if number not in edited)


def test_windows_are_cut_at_midnight_and_overlap_only_on_inner_edges() -> None:
    asked: list[Any] = []

    def read(_: Any, filters: Mapping[str, Any], __: str | None) -> Iterator[Page[CourseResult]]:
        asked.append(filters["access_date"])
        return iter(())

    start, end = datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC)
    splitter: Any = splitter_by("access_date", None, {"access_date": (start, end)}, read)  # type: ignore[arg-type]
    keys = splitter.find_keys()
    assert keys == ["/2026-01-02", "2026-01-02/2026-01-03", "2026-01-03/2026-01-04", "2026-01-04/"]
    for some in balanced(keys, 2):
        list(splitter.read(None, some, None))
    assert asked == [(start, datetime(2026, 1, 5, tzinfo=UTC)), (start, end)]
    assert splitter.is_fixed


def test_nothing_is_asked_beyond_the_range_and_one_side_stays_open() -> None:
    asked: list[Any] = []

    def read(_: Any, filters: Mapping[str, Any], __: str | None) -> Iterator[Page[CourseResult]]:
        asked.append(filters["access_date"])
        return iter(())

    with fake_clock(NOW):
        splitter: Any = splitter_by("access_date", None, {}, read)  # type: ignore[arg-type]
        keys = splitter.find_keys()
    assert len(keys) == 40
    edges = [date.fromisoformat(key.partition("/")[2]) for key in keys[:-1]]
    assert edges == sorted(set(edges))
    for key in (keys[0], keys[-1]):
        list(splitter.read(None, [key], None))
    midnight = datetime(edges[0].year, edges[0].month, edges[0].day, tzinfo=UTC)
    assert asked[0] == (None, midnight + timedelta(days=2))
    assert asked[1][1] is None


def test_a_page_keeps_what_says_how_to_resume() -> None:
    page = Page([row(1, NOW)], 3, "token")
    splitter: Any = splitter_by("access_date", None, {}, lambda *_: iter([page]))  # type: ignore[arg-type]
    (found,) = splitter.read(None, ["/"], None)
    assert (found.next, found.number, found.records) == ("token", 3, page.records)
    assert replace(found, records=[]) == replace(page, records=[])
