"""The journal of a plan: what is about to be sent, and what came of it. A retry reads it and resumes.

Each entry is a small file beside the plan, since no object store can append to a file. An entry holds the results that
no earlier entry has, and the changes of the next request. So one file per request is enough: if the task is killed at
any point, the last entry names the changes whose outcome is unknown. If a request certainly did nothing, the next entry
says so.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.storage.documents import Timestamp, UnreadableDocument, decode
from airflow_provider_lms.storage.files import child, read_bytes, sizes_in, write_bytes
from airflow_provider_lms.sync.plan import PlanRefused

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a change.

    :param outcome: one of :class:`~airflow_provider_lms.sync.changes.Outcome`.
    :param detail: why; never a value of a person.
    :param answered: whether the LMS answered the request with a success. Then it is not sent again, even if reading
        does not show the change.
    """

    outcome: str
    detail: str | None = None
    answered: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the journal.

    :param intended: the changes that the next request is for, by their ids.
    :param results: what came of earlier ones, by their ids.
    :param withdrawn: earlier intended ones whose request was not sent, or did nothing.
    """

    at: Timestamp
    intended: list[str]
    results: dict[str, Result]
    withdrawn: list[str] = []


class Journal:
    """What was done for one plan so far.

    :param directory: the plan's folder.
    :param plan_sha256: the plan's digest. A plan that replaces this one in the folder has a journal of its own.
    :raises PlanRefused: an entry is damaged, so that nobody knows what was sent.

    Entries have the writer in their name. If another task applies the same plan at the same time, both see the other's
    entries, and stop.
    """

    def __init__(self, directory: ObjectStoragePath, plan_sha256: str) -> None:
        self._directory = directory
        self._stem = f"journal-{plan_sha256[:32]}"
        self._pending: dict[str, Result] = {}
        self._withdrawn: list[str] = []
        self.results: dict[str, Result] = {}
        """What came of changes, by their ids."""
        self.sent: Counter[str] = Counter()
        """How often a change was sent, or was about to be."""
        self.last_sent: dict[str, datetime] = {}
        """When that was the last time."""
        self._names = re.compile(rf"{self._stem}-(\d{{6,}})-[0-9a-f]{{8}}\.json")
        self._writer = uuid.uuid4().hex[:8]
        self._known = self._entries()
        for name in self._known:
            self._take(name)

    def intend(self, change_ids: Iterable[str]) -> None:
        """Note what is sent next. Nothing may be sent before this has returned.

        :raises PlanRefused: another task applies the same plan.
        """
        if self._entries() != self._known:
            raise PlanRefused(
                "plan: another task is applying this plan at the same time. This one has stopped. Let only one do it: "
                "set max_active_runs=1."
            )
        self._put([*change_ids])

    def record(self, results: Mapping[str, Result]) -> None:
        """Note what came of changes. It is stored with the next entry, or when :meth:`close` is called."""
        self._pending.update(results)
        self.results.update(results)

    def withdraw(self, change_ids: Iterable[str]) -> None:
        """Note that the last request for changes did nothing, so that it does not count as sent.

        It is stored as by :meth:`record`. If the task is killed before, the request counts: that is the safe side.
        """
        self._withdrawn += change_ids

    def close(self) -> None:
        """Store what is not stored yet."""
        if self._pending or self._withdrawn:
            self._put([])

    def _put(self, intended: list[str]) -> None:
        entry = Entry(at=clock.utcnow(), intended=intended, results=self._pending, withdrawn=self._withdrawn)
        name = f"{self._stem}-{len(self._known) + 1:06d}-{self._writer}.json"
        write_bytes(child(self._directory, name), msgspec.json.encode(entry))
        self._known.append(name)
        self._pending, self._withdrawn = {}, []
        self._count(entry)

    def _take(self, name: str) -> None:
        path = child(self._directory, name)
        try:
            entry = decode(read_bytes(path), Entry)
        except UnreadableDocument as error:
            raise PlanRefused(
                f"plan: {path} is damaged ({error}), so what was sent is not known. Make a new plan: it shows what is "
                "still missing."
            ) from None
        self._count(entry)
        self.results.update(entry.results)

    def _count(self, entry: Entry) -> None:
        self.sent.subtract(entry.withdrawn)
        self.sent.update(entry.intended)
        self.last_sent.update(dict.fromkeys(entry.intended, entry.at))

    def _entries(self) -> list[str]:
        """The names of all entries, in their order."""
        try:
            return sorted(name for name in sizes_in(self._directory) if self._names.fullmatch(name))
        except FileNotFoundError:
            return []
