"""The checkpoint: how far an unfinished dataset has come, for the retry of the task that writes it."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms.storage.files import child, content, remove, whole_file
from airflow_provider_lms.storage.manifest import Run

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

NAME = "_checkpoint.json"
VERSION = 1
_LIFE = timedelta(days=2)
_LIFE_OUTSIDE_A_TASK = timedelta(hours=1)


class Checkpoint(msgspec.Struct, kw_only=True):
    """What a retry needs to go on.

    :param fingerprint: of the query and of the format.
    :param run: the task instance that writes.
    :param next: the continuation of the last page in ``files``.
    :param files: the finished parts.
    :param pages: how many pages these hold.
    :param leftovers: parts that an earlier writer in this folder has abandoned.
    :param started_at: when the first try began.
    """

    version: int = VERSION
    fingerprint: str
    run: Run
    next: str
    files: list[dict[str, Any]]
    pages: int
    leftovers: list[str]
    started_at: datetime
    written_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    def is_of(self, fingerprint: str, run: Run) -> bool:
        """Whether it was written by an earlier try of the same task instance, for the same query.

        Outside a task, the same query within an hour counts as that.
        """
        if self.fingerprint != fingerprint or self.version != VERSION:
            return False
        age = datetime.now(UTC) - self.written_at
        if run == Run():
            return self.run == run and age < _LIFE_OUTSIDE_A_TASK
        return run.same_instance(msgspec.to_builtins(self.run)) and age < _LIFE


def fingerprint(described: Any) -> str:
    """A digest of what must be the same for a retry to go on."""
    return hashlib.sha256(msgspec.json.encode(described, order="deterministic")).hexdigest()


def find(directory: ObjectStoragePath) -> Checkpoint | None:
    """The checkpoint in a folder; None where there is none that can be read."""
    try:
        return msgspec.json.decode(content(child(directory, NAME)), type=Checkpoint)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        log.warning("%s cannot be read, and is not used.", child(directory, NAME))
        return None


def put(directory: ObjectStoragePath, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, whole or not at all."""
    with whole_file(child(directory, NAME)) as file:
        file.write(msgspec.json.encode(checkpoint))


def discard(directory: ObjectStoragePath) -> None:
    """Remove the checkpoint, if there is one."""
    remove(child(directory, NAME))
