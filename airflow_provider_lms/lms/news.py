"""Completions that nobody has been told of yet, and what must be kept so that none is told twice."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

OVERLAP = timedelta(hours=24)
"""How much later than at its date a completion may reach the LMS, and still be told."""
AT_MOST = 5_000
"""How many completions are kept apart: 40 kB of digests, where Airflow holds 64 kB."""

_DIGEST = 8


class Completion(NamedTuple):
    """A learner has completed a course.

    :param completed_at: when; None where the LMS does not say it in a way that can be read.
    """

    learner_id: str
    enrollment_id: str | None = None
    completed_at: datetime | None = None

    @property
    def digest(self) -> str:
        content = "\n".join(map(str, self)).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()[: _DIGEST * 3 // 4]).decode()


class Seen(msgspec.Struct, frozen=True):
    """What has been told.

    :param since: completions from then on are kept apart; those before are done with. None where they have no dates.
    :param digests: of each that has been told, 8 characters.
    """

    since: datetime | None
    digests: str = ""

    @classmethod
    def before(cls, start: datetime, completions: Iterable[Completion], *, dated: bool) -> Seen:
        """What counts as told for who listens from then on: all that was completed before; without dates, all there is.

        :param completions: those of the overlap before the start, and later ones.
        """
        old = [each for each in completions if not dated or _date(each) < start]
        return cls(start - OVERLAP if dated else None, "".join(each.digest for each in old))

    def news(self, completions: Iterable[Completion], now: datetime) -> tuple[list[Completion], Seen]:
        """Those that have not been told, and what has been told after them.

        :param completions: all since ``since``.
        :param now: the time of reading; a later date does not count as one.
        """
        told = dict.fromkeys(_chunks(self.digests))
        found = {each.digest: each for each in completions if self.since is None or _date(each) >= self.since}
        fresh = [each for digest, each in found.items() if digest not in told]
        if self.since is None:
            # Whoever one reading has missed, since pages shift, is not told again by the next.
            return fresh, Seen(None, "".join(list({**found, **told})[:AT_MOST]))
        return fresh, self._after(self.since, list(found.values()), now)

    @staticmethod
    def _after(since: datetime, found: list[Completion], now: datetime) -> Seen:
        latest = max(map(_date, found), default=since)
        since = max(since, min(latest, now) - OVERLAP)
        dates = sorted((date for date in map(_date, found) if date >= since), reverse=True)
        if len(dates) > AT_MOST:
            since = dates[AT_MOST] + timedelta(microseconds=1)
        return Seen(since, "".join(each.digest for each in found if _date(each) >= since))


def _date(completion: Completion) -> datetime:
    if completion.completed_at is None:
        raise ValueError("A completion without a date stands among others with dates.")
    return completion.completed_at


def _chunks(digests: str) -> Iterator[str]:
    characters = iter(digests)
    while chunk := "".join(islice(characters, _DIGEST)):
        yield chunk
