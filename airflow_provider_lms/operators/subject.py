"""Says in the log which part of a listing a task reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_lms.lms.listing.spec import Listing

_LONGEST_ID = 40
"""A UUID has 36 characters. Usual ids are shown in full, so that a log can be searched for them."""


def describe_subject(listing: Listing[Any], query: Mapping[str, object]) -> str:
    """What of a listing is read: ``course 100002000010000001``, ``12 courses, 3 users``. Empty if it is everything.

    Ids of people are never shown, only counted: logs must not hold learners' data.

    :param query: the parameters as rendered.
    """
    named = [
        f"{_noun(each.name, '_id')} {_shorten(str(query[each.name]))}"
        for each in listing.path_ids
        if not each.personal and isinstance(query.get(each.name), str | int)
    ]
    counted = [
        f"{count:,} {_noun(name, '_ids')}{'' if count == 1 else 's'}"
        for name, value in query.items()
        if name.endswith("_ids") and (count := _count(name, value))
    ]
    return ", ".join([*named, *counted])


def _noun(name: str, suffix: str) -> str:
    return name.removesuffix(suffix).replace("_", " ")


def _count(name: str, value: object) -> int:
    from airflow_provider_lms.lms.parameters import parse_ids

    try:
        return len(parse_ids(name, value, numeric=True) or ())
    except ValueError:  # reading will say what is wrong
        return 0


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_ID else f"{text[:8]}...{text[-8:]}"
