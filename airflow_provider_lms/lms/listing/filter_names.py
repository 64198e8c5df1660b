"""The filters of a listing as plain names and plain values, for those who have no Python: a shell, a JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_lms.lms.listing.filters import ChoiceFilter, DateRangeFilter, Filter
from airflow_provider_lms.lms.listing.path import Path, PathId
from airflow_provider_lms.lms.listing.spec import Listing


class FilterName(NamedTuple):
    """A filter, as it is named and described.

    :param name: such as ``course_ids``. A range of dates has two, its start and its end.
    :param takes: which values it takes, in words.
    :param required: whether the listing cannot be read without it.
    """

    name: str
    takes: str
    required: bool = False


def filters_of(listing: Listing[Any]) -> list[FilterName]:
    """The filters of a listing, and those that choose its parents."""
    found: dict[str, FilterName] = {}
    for each in _filters(listing):
        found.setdefault(each.name, each)
    return [*found.values()]


def parse_filters(parameter: str, given: object) -> Mapping[str, Any]:
    """Filters by name; None is no filter.

    :param parameter: what the caller calls filters, for the error.
    :raises ValueError: anything else.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{parameter}: expected the filters of the listing by name, such as {{'course_ids': [...]}}.")
    return given


def check_names(parameter: str, what: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse a filter that does not exist.

    :param parameter: what the caller calls filters, for the error.
    :param what: what has the filters, for the error.
    :raises ValueError: a name that is not known.
    """
    for name in given:
        if name not in known:
            there = f"It has {', '.join(known)}." if known else "It has none."
            raise ValueError(f"{parameter}: {what} has no filter {name!r}. {there}")


def with_ranges(listing: Listing[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as the client takes them: a range of dates as a pair."""
    found = dict(given)
    lists: list[Listing[Any]] = [listing]
    while lists[-1].parent is not None:
        lists.append(lists[-1].parent.listing)
    for each in (each for every in lists for each in every.filters if isinstance(each, DateRangeFilter)):
        start, end = (found.pop(name, None) for name in _range(each))
        if (start, end) != (None, None):
            found[each.name] = (start, end)
    return found


def _filters(listing: Listing[Any]) -> Iterator[FilterName]:
    parent = listing.parent
    chosen = {} if parent is None else parent.ids
    required = {*Path(listing.path).required_ids(), *(each.name for each in listing.path_ids if each.param)}
    for each in listing.path_ids:
        yield FilterName(each.name, _takes(each), each.name in required and each.name not in chosen)
    for each_filter in listing.filters:
        names = _range(each_filter) if isinstance(each_filter, DateRangeFilter) else [each_filter.name]
        yield from (FilterName(name, _takes(each_filter)) for name in names)
    if parent is not None:
        if parent.listing.parent is None and len(parent.ids) == 1:
            yield from (FilterName(f"{name}s", "one or more ids") for name in parent.ids)
        # What a parent requires is needed only if its records are not named, so it is not required.
        yield from (each._replace(required=False) for each in _filters(parent.listing))


def _takes(each: PathId | Filter) -> str:
    if isinstance(each, DateRangeFilter):
        return "a date, such as 2026-01-31T00:00:00Z"
    if isinstance(each, ChoiceFilter):
        return f"one or more of {', '.join(each.choices)}"
    if isinstance(each, PathId):
        return f"one of {', '.join(each.choices)}" if each.choices else "one id"
    if each.personal:
        return "one text" if each.single else "one or more texts"
    return "one id" if each.single else "one or more ids"


def _range(each: DateRangeFilter) -> list[str]:
    return [f"{each.name}_start", f"{each.name}_end"]
