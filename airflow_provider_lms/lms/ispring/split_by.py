"""Splits results by courses, users or dates that nobody has named.

Ids are read from the LMS first. Dates are cut into windows, and each row is kept in the window that its own date lies
in. So no set of rows is needed to tell what was read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeVar

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsSplitError
from airflow_provider_lms.lms.ispring.listings.results import LearnerResult
from airflow_provider_lms.lms.listing.listed_first import ListedFirst
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Splitter
from airflow_provider_lms.lms.parameters import DateRange, parse_date_range, parse_ids

if TYPE_CHECKING:
    from airflow_provider_lms.lms.ispring.client import ISpringLearnClient

R = TypeVar("R", bound=LearnerResult)

SplitBy: TypeAlias = Literal["course_ids", "user_ids", "access_date"]
ReadResults: TypeAlias = "Callable[[ISpringLearnClient, Mapping[str, object], str | None], Iterator[Page[R]]]"
"""Reads results with a client, filters and a continuation."""

_WINDOWS = 40
_USUAL_SPAN = timedelta(days=730)
"""Where nobody says when the dates begin. Older ones are all in the first window."""

_OVERLAP = timedelta(days=2)
"""Neither the zone of the filter is documented, nor whether its ends belong to the range, nor whether it goes by days.
Two days are more than all of these can make."""

_INEXACT = timedelta(hours=38)
"""How far beyond a range the LMS may still take a row: by a whole day, in a zone 14 hours away."""


def splitter_by(
    split_by: SplitBy, client: ISpringLearnClient, filters: Mapping[str, object], read: ReadResults[R]
) -> Splitter[ISpringLearnClient, R]:
    """How results are split.

    :param client: reads the ids that ``filters`` do not name.
    :param filters: what is asked for.
    :param read: reads some of it.
    :raises ValueError: a filter is invalid.
    """
    if split_by == "access_date":
        return _by_access_date(filters, read)
    given = parse_ids(split_by, filters.get(split_by))
    listed = ListedFirst()

    def find_ids() -> Sequence[str]:
        if given is not None:
            return [*dict.fromkeys(given)]
        if split_by == "course_ids":
            return [course.content_item_id for course in listed.records(client.courses())]
        return [user.user_id for user in listed.records(client.users())]

    def read_some(client: ISpringLearnClient, ids: Sequence[str], start: str | None) -> Iterator[Page[R]]:
        return listed.mark(read(client, {**filters, split_by: ids}, start))

    return Splitter(find_ids, read_some)


class _Window(NamedTuple):
    """The days from one midnight in UTC to another; None is open.

    :param start: the first day.
    :param end: the day after the last.
    """

    start: date | None
    end: date | None

    @property
    def key(self) -> str:
        return f"{self.start or ''}/{self.end or ''}"

    @classmethod
    def of(cls, keys: Sequence[str]) -> _Window:
        """The window that consists of neighboring windows."""
        start, end = keys[0].partition("/")[0], keys[-1].partition("/")[2]
        return cls(*(date.fromisoformat(text) if text else None for text in (start, end)))

    def __contains__(self, moment: object) -> bool:
        day = moment.astimezone(UTC).date() if isinstance(moment, datetime) else None
        return day is not None and (self.start is None or self.start <= day) and (self.end is None or day < self.end)


def _by_access_date(filters: Mapping[str, object], read: ReadResults[R]) -> Splitter[ISpringLearnClient, R]:
    given: DateRange | None = filters.get("access_date")  # type: ignore[assignment]  # it is checked next
    asked_for = parse_date_range("access_date", given) or (None, None)

    def read_window(client: ISpringLearnClient, keys: Sequence[str], start: str | None) -> Iterator[Page[R]]:
        window = _Window.of(keys)
        asked = _with_overlap(window, *asked_for)
        narrowed = {**filters, "access_date": None if asked == (None, None) else asked}
        for page in read(client, narrowed, start):
            yield replace(page, records=[row for row in page.records if _is_in(window, asked, row)])

    return Splitter(lambda: [window.key for window in _windows(*asked_for)], read_window, is_fixed=True)


def _windows(start: datetime | None, end: datetime | None) -> list[_Window]:
    """Windows of about the same length, cut at midnight in UTC. The first and the last are open."""
    last = end or clock.utcnow()
    first = min(start or last - _USUAL_SPAN, last)
    days = (last.date() - first.date()).days
    count = min(_WINDOWS, max(days, 1))
    cuts = [first.date() + timedelta(days=days * number // count) for number in range(1, count)]
    return [_Window(*ends) for ends in zip((None, *cuts), (*cuts, None), strict=True)]


def _with_overlap(
    window: _Window, start: datetime | None, end: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """What to ask for: more than the window, but nothing that the author has not asked for."""
    starts = [] if window.start is None else [datetime.combine(window.start, time(), UTC) - _OVERLAP]
    ends = [] if window.end is None else [datetime.combine(window.end, time(), UTC) + _OVERLAP]
    return (
        max(starts if start is None else [start, *starts], default=None),
        min(ends if end is None else [end, *ends], default=None),
    )


def _is_in(window: _Window, asked: tuple[datetime | None, datetime | None], row: LearnerResult) -> bool:
    """Whether the row is kept in the window.

    :raises LmsSplitError: its date shows that the filter is about something else.
    """
    if row.access_date is None:
        raise LmsSplitError(
            "split_by: a row has no accessDate, so it is in no window. Split by 'course_ids' or 'user_ids'."
        )
    start, end = asked
    too_early = start is not None and row.access_date < start - _INEXACT
    if too_early or (end is not None and row.access_date > end + _INEXACT):
        raise LmsSplitError(
            "split_by: a row has an accessDate outside the range that was asked for, so iSpring Learn filters by "
            "another date. Split by 'course_ids' or 'user_ids'."
        )
    return row.access_date in window
