"""Filters as DAG authors give them, turned into what may go into a query. Whatever does not fit is named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias, TypeVar

import pendulum

T = TypeVar("T")
Instant: TypeAlias = datetime | str
Range: TypeAlias = tuple[Instant | None, Instant | None]


def ids(name: str, value: object, *, numeric: bool = False) -> tuple[str, ...] | None:
    """Ids in the order given, each once.

    :param name: the parameter's name, for the error.
    :param value: None for no filter; one id, several ids, or a JSON array of ids as text.
    :param numeric: an id may be a whole number.
    :raises ValueError: no id at all, an empty id, or something that is not an id.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = _json_array(name, value) if value.lstrip().startswith("[") else [value]
    elif numeric and isinstance(value, int):
        value = [value]
    if not isinstance(value, Iterable):
        raise ValueError(f"{name}: expected an id or a list of ids, got {type(value).__name__}.")
    found = [item.strip() if isinstance(item, str) else item for item in value]
    if not found:
        raise ValueError(f"{name}: the list is empty. Leave the parameter out (None) to read without this filter.")
    if numeric:
        found = [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in found]
    for item in found:
        if not isinstance(item, str) or not item:
            raise ValueError(f"{name}: each id must be a non-empty string, got {item!r}.")
    return tuple(dict.fromkeys(found))


def one_id(name: str, value: object) -> str:
    """One id; a whole number is taken as its digits.

    :raises ValueError: several, none, or something that is not an id.
    """
    found = ids(name, value, numeric=True)
    if found is None or len(found) != 1:
        raise ValueError(f"{name}: expected one id, got {value!r}.")
    return found[0]


def choices(name: str, value: object, allowed: Sequence[str], owner: str) -> tuple[str, ...] | None:
    """Like :func:`ids`, for values out of a fixed set.

    :param owner: whose values they are, for the error.
    :raises ValueError: as :func:`ids`, or a value outside the set.
    """
    found = ids(name, value, numeric=True)
    for item in found or ():
        if item not in allowed:
            raise ValueError(f"{name}: {item!r} is not one of {owner} ({', '.join(allowed)}).")
    return found


def one_of(name: str, value: object, allowed: Sequence[T]) -> T:
    """The value itself, if it is one of a few words.

    :raises ValueError: another one.
    """
    for each in allowed:
        if value == each:
            return each
    raise ValueError(f"{name}: expected {' or '.join(map(repr, allowed))}, got {value!r}.")


def whole(name: str, value: object, minimum: int = 1) -> int:
    """A whole number, also as text.

    :raises ValueError: not a whole number, or below the minimum.
    """
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or number < minimum:
        raise ValueError(f"{name}: expected a whole number of at least {minimum}, got {value!r}.")
    return number


def number(name: str, value: object, minimum: float) -> float:
    """A number, also as text.

    :raises ValueError: not a number, or below the minimum.
    """
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        found = None
    if found is None or not minimum <= found < float("inf"):
        raise ValueError(f"{name}: expected a number of at least {minimum:g}, got {value!r}.")
    return found


def date_range(name: str, value: Range | None) -> tuple[datetime | None, datetime | None] | None:
    """Start and end in UTC; the start floored and the end ceiled to the second.

    :param name: the parameter's name; the ends are named ``<name>_start`` and ``<name>_end`` in errors.
    :param value: None for no filter; start and end, either of which may be None.
    :raises ValueError: no end at all, not a date, or a start that is not before its end.
    """
    if value is None:
        return None
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name}: expected a (start, end) tuple, got {value!r}.")
    start = None if value[0] is None else instant(f"{name}_start", value[0]).replace(microsecond=0)
    end = None if value[1] is None else _ceiled(instant(f"{name}_end", value[1]))
    if start is None and end is None:
        raise ValueError(f"{name}: give a start, an end or both; None in place of the tuple reads without this filter.")
    if start is not None and end is not None and start >= end:
        raise ValueError(f"{name}: the start ({start.isoformat()}) must be before the end ({end.isoformat()}).")
    return start, end


def instant(name: str, value: Instant) -> datetime:
    """A moment in UTC; a naive one is taken as UTC.

    :param name: the parameter's name, for the error.
    :param value: a datetime or an ISO 8601 text.
    :raises ValueError: anything else.
    """
    moment: object = value
    if isinstance(value, str):
        try:
            moment = pendulum.parse(value, exact=True)
        except ValueError:
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, datetime):
        raise ValueError(
            f"{name}: expected a datetime or an ISO 8601 text such as 2026-01-31T00:00:00Z, got {value!r}."
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _json_array(name: str, text: str) -> list[object]:
    try:
        found: list[object] = json.loads(text)
    except ValueError:
        raise ValueError(
            f"{name}: the text starts like a JSON array but is none. In a template, end the expression with '| tojson'."
        ) from None
    return found


def _ceiled(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
