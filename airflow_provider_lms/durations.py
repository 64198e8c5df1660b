"""Durations in words, for logs and messages."""

from __future__ import annotations

import math


def check_seconds(name: str, seconds: object) -> float:
    """A positive number of seconds, as it was given.

    :param name: the parameter, for the error.
    :raises ValueError: it is no such number. NaN and infinity are none: waiting for them would never end.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise ValueError(f"{name}: expected more than 0 seconds, got {seconds!r}.")
    return seconds


def describe_duration(seconds: float) -> str:
    """A duration in its two largest units: ``45 s``, ``5 min``, ``2 h 47 min``, ``3 d``."""
    left = max(round(seconds), 0)
    if left < 60:
        return f"{left} s"
    minutes = round(left / 60)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join(parts[:2])
