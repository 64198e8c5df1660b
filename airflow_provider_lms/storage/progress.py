"""How far a dataset has come, over all attempts of a task instance."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_lms import clock
from airflow_provider_lms.lms.listing.splits import Split
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage.checkpoint import Checkpoint, SplitProgress
from airflow_provider_lms.storage.manifest import names_of
from airflow_provider_lms.storage.parts import are_complete

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.storage.manifest import PartFile, TaskInstanceKey
    from airflow_provider_lms.storage.source import Source

log = logging.getLogger(__name__)


class Progress:
    """What a checkpoint says, or what the next one will say.

    :param directory: the dataset's folder.
    :param run: the task instance that writes.
    :param mark: identifies the query and the format.
    """

    def __init__(self, directory: ObjectStoragePath, run: TaskInstanceKey, mark: str) -> None:
        self._directory = directory
        self._run = run
        self._mark = mark
        self.started_at: datetime = clock.utcnow()
        self.splits: list[SplitProgress] = []
        self.leftovers: list[str] = []
        self.lost_pages = 0
        """How many pages earlier attempts have read that must be read again."""

    @classmethod
    def begin(cls, directory: ObjectStoragePath, run: TaskInstanceKey, mark: str) -> Progress:
        """Resume from the checkpoint in the folder if it is this task instance's own; otherwise start from the first
        page.

        :raises StorageError: the folder cannot be read.
        """
        progress = cls(directory, run, mark)
        found = checkpoints.find(directory)
        if found is None:
            return progress
        if not found.belongs_to(mark, run):
            progress.leftovers = _all_files(found)
        elif not are_complete(directory, found.files):
            log.warning("Parts that an earlier attempt has written are missing or damaged. Reading everything again.")
            progress.leftovers, progress.lost_pages = _all_files(found), found.pages
        else:
            progress.started_at, progress.splits, progress.leftovers = found.started_at, found.splits, found.leftovers
            log.info("Resuming after %d pages in %d files of an earlier attempt.", found.pages, len(found.files))
        return progress

    @property
    def files(self) -> list[PartFile]:
        """The finished parts that the checkpoint names, in the order of the splits."""
        return [file for split in self.splits for file in split.files]

    @property
    def pages(self) -> int:
        """How many pages those parts hold."""
        return sum(split.pages for split in self.splits)

    @property
    def ended(self) -> int:
        """How many splits were read to their end."""
        return sum(split.ended for split in self.splits)

    def add_splits(self, source: Source) -> None:
        """Add the splits of the listing that the checkpoint does not know."""
        self.splits += [SplitProgress(keys=[*keys]) for keys in source.split([split.keys for split in self.splits])]

    def pending(self) -> list[Split]:
        """What is left to read."""
        return [
            Split(number, split.keys, split.next, split.pages)
            for number, split in enumerate(self.splits)
            if not split.ended
        ]

    def begin_anew(self, number: int) -> None:
        """Forget what was read of a split."""
        split = self.splits[number]
        self.lost_pages += split.pages
        self.leftovers += names_of(split.files)
        self.splits[number] = SplitProgress(keys=split.keys)

    def save(self) -> None:
        """Let a retry resume from here."""
        checkpoint = Checkpoint(
            fingerprint=self._mark,
            run=self._run,
            splits=self.splits,
            leftovers=self.leftovers,
            started_at=self.started_at,
        )
        checkpoints.put(self._directory, checkpoint)

    def forget(self) -> None:
        """Remove the checkpoint, since the dataset is committed."""
        try:
            found = checkpoints.find(self._directory)
            if found is not None and found.belongs_to(self._mark, self._run):
                checkpoints.discard(self._directory)
        except Exception as error:  # noqa: BLE001  # it is only old: nothing resumes from it but this task instance
            log.warning("The checkpoint could not be removed (%s).", type(error).__name__)


def _all_files(checkpoint: Checkpoint) -> list[str]:
    return [*checkpoint.leftovers, *names_of(checkpoint.files)]
