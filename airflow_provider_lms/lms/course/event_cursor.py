"""Which completions an event trigger has reported already, so that none is reported twice and none is missed."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

from airflow_provider_lms.durations import describe_duration

log = logging.getLogger(__name__)

LATE_ARRIVAL_WINDOW = timedelta(hours=24)
"""How much later than its own date a completion may reach the LMS and still be reported."""
MAX_TRACKED = 5_000
"""How many reported completions are remembered: 40 kB of digests, where Airflow's database on MySQL holds 64 kB."""

_MAX_FUTURE = 500
"""How many completions are tracked that are dated in the future. They are never settled."""
_CLOCK_SKEW = timedelta(days=1)

_DIGEST = 8


class Completion(NamedTuple):
    """A learner has completed a course.

    :param learner_id: the learner.
    :param enrollment_id: the enrollment, if the LMS has such ids.
    :param completed_at: when; None if the LMS does not say it in a readable way.
    """

    learner_id: str
    enrollment_id: str | None = None
    completed_at: datetime | None = None

    @property
    def digest(self) -> str:
        """Eight characters that identify the completion without naming the learner."""
        content = "\n".join(map(str, self)).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()[: _DIGEST * 3 // 4]).decode()


class ReportedCompletions(msgspec.Struct, frozen=True):
    """What a trigger has reported. Stored in the state of its asset.

    :param since: completions from this date on are tracked one by one; older ones are settled. None if completions
        have no dates.
    :param digests: the tracked completions, 8 characters each.
    """

    since: datetime | None
    digests: str = ""

    @classmethod
    def at_start(cls, start: datetime, completions: Iterable[Completion], *, dated: bool) -> ReportedCompletions:
        """The state of a trigger that starts to watch: whatever was completed before counts as reported.

        :param completions: those from the late-arrival window before ``start`` on.
        :param dated: whether completions have dates. If not, all completions there are count as reported.
        """
        old = [each for each in completions if not dated or _date(each) < start]
        return cls(start - LATE_ARRIVAL_WINDOW if dated else None, "".join(each.digest for each in old))

    def unreported(
        self, completions: Iterable[Completion], now: datetime
    ) -> tuple[list[Completion], ReportedCompletions]:
        """The completions to report, and the state after they are reported.

        :param completions: all since ``since``.
        :param now: the time of reading. A completion may be dated later, by mistake; it does not move ``since``.
        """
        reported = dict.fromkeys(_digests(self.digests))
        if self.since is None:
            found = {each.digest: each for each in completions}
            fresh = [each for digest, each in found.items() if digest not in reported]
            # A learner whom one reading misses, since pages shift, must not be reported again by the next.
            return fresh, ReportedCompletions(None, "".join(list({**found, **reported})[:MAX_TRACKED]))
        found = {each.digest: each for each in completions if _date(each) >= self.since}
        plausible = {digest: each for digest, each in found.items() if _date(each) <= now + _CLOCK_SKEW}
        future = self._tracked_future(found.keys() - plausible.keys(), reported)
        tracked = {digest: each for digest, each in found.items() if digest in plausible or digest in future}
        fresh = [each for digest, each in tracked.items() if digest not in reported]
        after = self._after(self.since, list(plausible.values()), now)
        return fresh, ReportedCompletions(after.since, after.digests + "".join(sorted(future)))

    @staticmethod
    def _tracked_future(future: set[str], reported: Mapping[str, None]) -> set[str]:
        """The completions with an impossible date that are tracked: a limited number, those reported before first."""
        if len(future) <= _MAX_FUTURE:
            return future
        log.warning(
            "%s completions are dated in the future. Only %s of them are reported. Correct their dates in the LMS.",
            f"{len(future):,}",
            f"{_MAX_FUTURE:,}",
        )
        return set(sorted(future, key=lambda digest: (digest not in reported, digest))[:_MAX_FUTURE])

    @staticmethod
    def _after(since: datetime, found: list[Completion], now: datetime) -> ReportedCompletions:
        latest = max(map(_date, found), default=since)
        since = max(since, min(latest, now) - LATE_ARRIVAL_WINDOW)
        dates = sorted((date for date in map(_date, found) if date >= since), reverse=True)
        if len(dates) > MAX_TRACKED:
            since = dates[MAX_TRACKED] + timedelta(microseconds=1)
            log.warning(
                "More than %s completions are dated within %s. A completion that reaches the LMS from now on and is "
                "dated before %s will not be reported.",
                f"{MAX_TRACKED:,}",
                describe_duration(LATE_ARRIVAL_WINDOW.total_seconds()),
                since.isoformat(),
            )
        return ReportedCompletions(since, "".join(each.digest for each in found if _date(each) >= since))


def _date(completion: Completion) -> datetime:
    if completion.completed_at is None:
        raise ValueError("A completion has no date, although others have.")
    return completion.completed_at


def _digests(digests: str) -> Iterator[str]:
    characters = iter(digests)
    while chunk := "".join(islice(characters, _DIGEST)):
        yield chunk
