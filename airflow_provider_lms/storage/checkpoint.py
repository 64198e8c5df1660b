"""The checkpoint says how far an unfinished dataset has come. A retry of the task resumes from it."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.storage.documents import Count, PartName, Timestamp, UnreadableDocument, decode
from airflow_provider_lms.storage.files import child, read_bytes, remove, write_bytes
from airflow_provider_lms.storage.manifest import PartFile, TaskInstanceKey

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

NAME = "_checkpoint.json"
VERSION = 3
_LONGEST_CONTINUATION = 8_192
"""Servers accept no longer URLs, so a longer one is damaged and would fail every retry. An empty one is damaged too: it
would lead to the first page, whose records are already in the parts."""

LIFETIME = timedelta(days=2)
"""How long a retry may resume. Parts that no manifest and no checkpoint names are nobody's after that time: only a
checkpoint could have led a retry to them. A writer that is still at work after two days, and whose checkpoint another
writer has replaced, finds its parts missing and fails. It never commits a dataset with a hole."""

LIFETIME_OUTSIDE_A_TASK = timedelta(hours=1)
"""Without a task instance, the same query after a longer time is more likely a new reading than a retry."""


class SplitProgress(msgspec.Struct, kw_only=True):
    """How far one split of the listing has come.

    :param keys: what the split consists of; empty if it is the whole listing.
    :param next: the continuation after the last page in ``files``; None before the first part, and at the end.
    :param ended: whether the split was read to its end.
    :param files: the finished parts.
    :param pages: how many pages these hold.
    """

    keys: list[str] = []
    next: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_CONTINUATION)] | None = None
    ended: bool = False
    files: list[PartFile] = []
    pages: Count = 0


class Checkpoint(msgspec.Struct, kw_only=True):
    """What a retry needs to resume.

    :param fingerprint: identifies the query and the format.
    :param run: the task instance that writes.
    :param splits: how the listing is split, and how far each split has come.
    :param leftovers: parts that an earlier writer in this folder has abandoned.
    :param started_at: when the first attempt began.
    :param digest: of what decides which records the dataset gets. Damage to it would lose or repeat records in silence.
    """

    version: int = VERSION
    fingerprint: str
    run: TaskInstanceKey
    splits: Annotated[list[SplitProgress], msgspec.Meta(min_length=1)]
    leftovers: list[PartName]
    started_at: Timestamp
    written_at: Timestamp = msgspec.field(default_factory=clock.utcnow)
    digest: str = ""

    def belongs_to(self, fingerprint: str, run: TaskInstanceKey) -> bool:
        """Whether an earlier attempt of the same task instance has written it for the same query.

        Outside a task, the same query within an hour counts as that.
        """
        if self.fingerprint != fingerprint or self.version != VERSION or self.digest != self.compute_digest():
            return False
        age = abs(clock.utcnow() - self.written_at)  # a date in the far future does not make it valid forever
        if run == TaskInstanceKey():
            return self.run == run and age < LIFETIME_OUTSIDE_A_TASK
        return run.same_instance(self.run) and age < LIFETIME

    def compute_digest(self) -> str:
        """The digest of the positions and the parts."""
        return fingerprint(self.fingerprint, self.splits)

    @property
    def files(self) -> list[PartFile]:
        """The finished parts of all splits."""
        return [file for split in self.splits for file in split.files]

    @property
    def pages(self) -> int:
        """How many pages these hold."""
        return sum(split.pages for split in self.splits)


def fingerprint(*described: Any) -> str:
    """A digest of what must be the same for a retry to resume."""
    return hashlib.sha256(msgspec.json.encode(described, order="deterministic")).hexdigest()


def find(directory: ObjectStoragePath) -> Checkpoint | None:
    """The checkpoint in a folder; None if there is none that can be read.

    :raises StorageError: the folder cannot be read.
    """
    path = child(directory, NAME)
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return None
    try:
        return decode(content, Checkpoint)
    except UnreadableDocument as error:
        # It only saves requests. Failing here would fail every retry, until somebody removes the file.
        log.warning("%s is damaged (%s) and is ignored: everything is read again.", path, error)
        return None


def put(directory: ObjectStoragePath, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, completely or not at all."""
    signed = msgspec.structs.replace(checkpoint, digest=checkpoint.compute_digest())
    write_bytes(child(directory, NAME), msgspec.json.encode(signed))


def discard(directory: ObjectStoragePath) -> None:
    """Remove the checkpoint, if there is one."""
    remove(child(directory, NAME))
