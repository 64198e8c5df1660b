"""What response headers say. Any value is possible, so each function returns a sound value or none."""

from __future__ import annotations

import email.utils
import logging
import math
import re
from datetime import UTC
from urllib.parse import urlsplit

from airflow_provider_lms import clock

log = logging.getLogger(__name__)

DAY = 86_400.0

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_LENGTH = re.compile(r"[0-9]{1,15}")


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from now, at least one. The header holds seconds, which may be a fraction, or an HTTP date.

    None for a wait of more than a day, and for anything that makes no sense: one odd header must not lock an account
    for years.
    """
    if not value:
        return None
    seconds = float(value) if _SECONDS.fullmatch(value.strip()) else _seconds_until(value)
    if not -DAY <= seconds <= DAY:  # also true for NaN
        log.warning("Ignoring the Retry-After header: it is no time within a day.")
        return None
    return max(seconds, 1.0)


def _seconds_until(date: str) -> float:
    """Seconds until an HTTP date; NaN if it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
        if moment.tzinfo is None:  # an HTTP date is always in GMT
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp() - clock.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return math.nan


def parse_media_type(value: str | None) -> str:
    """The media type in lower case, without parameters; empty if there is none."""
    found = _MEDIA_TYPE.match((value or "").strip().lower())
    return found[0] if found else ""


def parse_length(value: str | None) -> int | None:
    """The ``Content-Length``."""
    return int(value) if value and _LENGTH.fullmatch(value.strip()) else None


def redirect_host(location: str | None, own_host: str) -> str | None:
    """The host that a ``Location`` names; None if there is no ``Location``.

    :param own_host: the host of the request, which a relative address means.
    """
    if not location:
        return None
    try:
        host = urlsplit(location).hostname or own_host
    except ValueError:
        host = ""
    return host if _HOST.fullmatch(host) else "an address that cannot be read"


def host_of(url: str) -> str:
    """The host of a URL, for messages; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
