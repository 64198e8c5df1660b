"""Filters on the command line: ``--filter NAME=VALUE``. Operators and sensors check the values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.command_line.exit_codes import UsageError
from airflow_provider_lms.lms.listing.filters import DateRangeFilter

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.spec import Listing


def parse_filters(given: Sequence[str]) -> dict[str, str | list[str]]:
    """Filters by name. One that is repeated has several values.

    :param given: such as ``course_ids=f0e7400a``.
    :raises UsageError: an argument without a name or a value.
    """
    found: dict[str, list[str]] = {}
    for each in given:
        name, _, value = each.partition("=")
        if not name.strip() or not value:
            raise UsageError(f"--filter: expected NAME=VALUE, such as course_ids=17, got {each!r}.")
        found.setdefault(name.strip(), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def check_names(what: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse a filter that does not exist.

    :param what: what has the filters, for the error.
    :raises UsageError: a name that is not known.
    """
    for name in given:
        if name not in known:
            there = f"It has {', '.join(known)}." if known else "It has none."
            raise UsageError(f"--filter: {what} has no filter {name!r}. {there}")


def check_required(what: str, given: Mapping[str, object], kind: type[Any]) -> None:
    """Refuse to go on without what an operator must be given.

    :raises UsageError: a parameter is missing.
    """
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        is_required = parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        if is_required and name not in given:
            raise UsageError(f"--filter: {what} needs --filter {name}=...")


def names_of_listing(listing: Listing[Any]) -> list[str]:
    """The filters of a listing, and those that choose its parents. A range of dates has two, its start and its end."""
    names: list[str] = []
    for each in (*listing.path_ids, *listing.filters):
        names += _range(each.name) if isinstance(each, DateRangeFilter) else [each.name]
    if (parent := listing.parent) is not None:
        if parent.listing.parent is None and len(parent.ids) == 1:
            names += [f"{name}s" for name in parent.ids]
        names += names_of_listing(parent.listing)
    return list(dict.fromkeys(names))


def with_ranges(listing: Listing[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as the client takes them: a range of dates as a pair."""
    found = dict(given)
    lists: list[Listing[Any]] = [listing]
    while lists[-1].parent is not None:
        lists.append(lists[-1].parent.listing)
    for each in (each for every in lists for each in every.filters if isinstance(each, DateRangeFilter)):
        start, end = (found.pop(name, None) for name in _range(each.name))
        if (start, end) != (None, None):
            found[each.name] = (start, end)
    return found


def _range(name: str) -> list[str]:
    return [f"{name}_start", f"{name}_end"]
