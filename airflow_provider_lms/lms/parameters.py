"""Checks parameters as DAG authors give them. Whatever is invalid raises a ``ValueError`` that names the parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias, TypeVar

import pendulum

from airflow_provider_lms.durations import describe_duration

T = TypeVar("T")
DateLike: TypeAlias = datetime | str
DateRange: TypeAlias = tuple[DateLike | None, DateLike | None]
"""(start, end); either may be None."""

_INTERVAL = re.compile(r"(\d{1,5})\s*([dh])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
_NO_IDS = (".", "..")
"""In the path of a URL these mean another path."""


def parse_ids(name: str, value: object, *, numeric: bool = False) -> tuple[str, ...] | None:
    """Ids in the order given, without duplicates.

    :param name: the parameter's name, for the error.
    :param value: None for no filter; one id, several ids, or a JSON array of ids as text.
    :param numeric: whether an id may be an integer.
    :raises ValueError: an empty list, an empty id, or something that is not an id.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = _parse_json_array(name, value) if value.lstrip().startswith("[") else [value]
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
        refuse_none(name, item)
        if item in _NO_IDS or not item.isprintable():
            raise ValueError(f"{name}: {item!r} is not an id.")
    return tuple(dict.fromkeys(found))


def parse_required_ids(name: str, value: object, *, numeric: bool = False) -> tuple[str, ...]:
    """Like :func:`parse_ids`, where there must be an id.

    :raises ValueError: as :func:`parse_ids`, or None.
    """
    if value is None or (isinstance(value, Sized) and not value):
        raise ValueError(f"{name}: give at least one id.")
    return parse_ids(name, value, numeric=numeric) or ()


def parse_object(name: str, value: object) -> Mapping[str, object] | None:
    """An object; None if none is given. A text is taken as JSON, since templates give texts.

    :param name: the parameter's name, for the error.
    :raises ValueError: it is no object.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(
                f"{name}: the text starts like a JSON object but is not one. In a template, end the expression with "
                "'| tojson'."
            ) from None
    if value is None or isinstance(value, Mapping):
        return value
    raise ValueError(f"{name}: expected an object, got {value!r}.")


def refuse_none(name: str, text: object) -> None:
    """Refuse the text that a template makes of a value that is not there.

    :raises ValueError: it is this text.
    """
    if isinstance(text, str) and text.strip() == "None":
        raise ValueError(
            f"{name}: got the text 'None'. The template names a value that is not there; correct it, or leave the "
            "parameter out."
        )


def refuse_title(name: str, text: str) -> None:
    """Refuse a title in place of an id. The LMS would only say that a parameter is wrong.

    :raises ValueError: the text has spaces.
    """
    if any(character.isspace() for character in text):
        raise ValueError(f"{name}: {text!r} is a name, not an id. Ids have no spaces; listings tell them.")


def parse_id(name: str, value: object) -> str:
    """One id. An integer is taken as its digits.

    :raises ValueError: several ids, none, or something that is not an id.
    """
    found = parse_ids(name, value, numeric=True)
    if found is None or len(found) != 1:
        raise ValueError(f"{name}: expected one id, got {value!r}.")
    return found[0]


def parse_choices(name: str, value: object, choices: Sequence[str], owner: str) -> tuple[str, ...] | None:
    """Like :func:`parse_ids`, for values out of a fixed set.

    :param owner: whose values these are, for the error.
    :raises ValueError: as :func:`parse_ids`, or a value outside the set.
    """
    found = parse_ids(name, value, numeric=True)
    for item in found or ():
        if item not in choices:
            raise ValueError(f"{name}: {item!r} is not one of {owner} ({', '.join(choices)}).")
    return found


def parse_choice(name: str, value: object, choices: Sequence[T]) -> T:
    """The choice that the value equals.

    :raises ValueError: it equals none.
    """
    for choice in choices:
        if value == choice:
            return choice
    raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {value!r}.")


def parse_int(name: str, value: object, minimum: int = 1) -> int:
    """An integer, which may be given as text.

    :raises ValueError: not an integer, or below the minimum.
    """
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or number < minimum:
        raise ValueError(f"{name}: expected a whole number of at least {minimum}, got {value!r}.")
    return number


def parse_float(name: str, value: object, minimum: float) -> float:
    """A finite number, which may be given as text.

    :raises ValueError: not a number, or below the minimum.
    """
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not minimum <= number < float("inf"):
        raise ValueError(f"{name}: expected a number of at least {minimum:g}, got {value!r}.")
    return number


def parse_flag(name: str, value: object) -> bool:
    """True or False, and nothing that Python takes for one of them: the text "false" would be true.

    :raises ValueError: anything else.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected True or False, got {type(value).__name__}.")
    return value


def parse_text(name: str, value: object) -> str:
    """A text that is not blank. It may be about a person or be a secret, so no message contains it.

    :raises ValueError: anything else.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: expected a text that is not empty.")
    refuse_none(name, value)
    return value


def parse_interval(name: str, value: object, minimum: timedelta) -> timedelta:
    """How often something is done: a timedelta, or a text such as ``7d`` or ``12h``.

    :raises ValueError: it is neither, or shorter than the minimum.
    """
    interval = value
    if isinstance(value, str) and (found := _INTERVAL.fullmatch(value.strip())):
        interval = int(found[1]) * _UNITS[found[2]]
    if not isinstance(interval, timedelta):
        raise ValueError(f"{name}: expected a timedelta or a text such as '7d' or '12h', got {value!r}.")
    if interval < minimum:
        raise ValueError(f"{name}: expected {describe_duration(minimum.total_seconds())} or more, got {value!r}.")
    return interval


def parse_date_range(name: str, value: DateRange | None) -> tuple[datetime | None, datetime | None] | None:
    """Start and end in UTC; the start rounded down and the end rounded up to the second.

    :param name: the parameter's name; the ends are called ``<name>_start`` and ``<name>_end`` in errors.
    :param value: None for no filter; start and end, either of which may be None.
    :raises ValueError: neither end is given, an end is not a date, or the start is not before the end.
    """
    if value is None:
        return None
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name}: expected a (start, end) tuple, got {value!r}.")
    start = None if value[0] is None else parse_datetime(f"{name}_start", value[0])
    end = None if value[1] is None else parse_datetime(f"{name}_end", value[1])
    if start is None and end is None:
        raise ValueError(f"{name}: give a start, an end or both. None instead of the tuple reads without this filter.")
    # Before rounding: the ends of an empty range would become one second apart.
    if start is not None and end is not None and start >= end:
        raise ValueError(f"{name}: the start ({start.isoformat()}) must be before the end ({end.isoformat()}).")
    return start and start.replace(microsecond=0), end and _round_up(f"{name}_end", end)


def parse_date(name: str, value: date | str) -> date:
    """A day. A datetime is refused, since its time of day and its zone would be lost.

    :param value: a date, or an ISO 8601 text such as ``2026-01-31``.
    :raises ValueError: anything else.
    """
    day: object = value
    refuse_none(name, value)
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            day = None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"{name}: expected a date without a time, such as 2026-01-31, got {value!r}.")
    return day


def parse_datetime(name: str, value: DateLike | date) -> datetime:
    """A moment in UTC. Without a zone it is taken as UTC.

    :param name: the parameter's name, for the error.
    :param value: a datetime, a date, which is its midnight, or an ISO 8601 text.
    :raises ValueError: anything else.
    """
    moment: object = value
    refuse_none(name, value)
    if isinstance(value, str):
        try:
            moment = pendulum.parse(value, exact=True)
        except (ValueError, OverflowError):
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, datetime):
        raise ValueError(
            f"{name}: expected a datetime or an ISO 8601 text such as 2026-01-31T00:00:00Z, got {value!r}."
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name}: {value} is outside the years 1 to 9999 in UTC.") from None


def _parse_json_array(name: str, text: str) -> list[object]:
    try:
        found: list[object] = json.loads(text)
    except ValueError:
        raise ValueError(
            f"{name}: the text starts like a JSON array but is not one. In a template, end the expression with "
            "'| tojson'."
        ) from None
    return found


def _round_up(name: str, moment: datetime) -> datetime:
    try:
        return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
    except OverflowError:
        raise ValueError(
            f"{name}: {moment.isoformat()} is too late. Leave it out for a range without an end."
        ) from None
