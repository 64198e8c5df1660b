"""Writes the splits of a listing, each into parts of its own, and keeps the checkpoint up to date."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.storage.parts import PartOptions, PartWriter
from airflow_provider_lms.storage.progress import Progress
from airflow_provider_lms.storage.progress_log import ProgressLog

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.listing.splits import Step
    from airflow_provider_lms.storage.attachments import Attachments
    from airflow_provider_lms.storage.dataset import Description
    from airflow_provider_lms.storage.manifest import PartFile


class SplitWriters:
    """Writes whatever split the next page belongs to. The order in which pages come does not change the dataset.

    :param directory: the dataset's folder.
    :param description: what is written.
    :param parts: how it is cut into files.
    :param progress: what was written before, and what is left to write.
    :param attachments: writes the files that records name, if they name any.
    """

    def __init__(
        self,
        directory: ObjectStoragePath,
        description: Description,
        parts: PartOptions,
        progress: Progress,
        attachments: Attachments | None = None,
    ) -> None:
        self._directory = directory
        self._description = description
        self._parts = parts
        self._progress = progress
        self._attachments = attachments
        self._stem = f"part-{clock.utcnow():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self._log = ProgressLog(description.label)
        self._writers = [self._writer(number) for number in range(len(progress.splits))]

    @property
    def files(self) -> list[PartFile]:
        """The finished parts, in the order of the splits."""
        return [file for writer in self._writers for file in writer.files]

    @property
    def pages(self) -> int:
        """How many pages were written."""
        return sum(writer.pages for writer in self._writers)

    @property
    def complete(self) -> bool:
        """Whether the listing was read to its end."""
        return all(writer.next is None for writer in self._writers)

    def write(self, steps: Generator[Step[Any]]) -> None:
        """Write everything. If a page cannot be read, the parts with the pages before it are kept for the next attempt.

        :param steps: what is read.
        """
        try:
            with closing(steps):
                while (step := self._next(steps)) is not None:
                    self._take(step)
            self._writers[0].end(at_least_one=not self.files)
        except BaseException as error:
            for writer in self._writers:
                writer.abandon(error)
            raise

    def _next(self, steps: Iterator[Step[Any]]) -> Step[Any] | None:
        try:
            return next(steps, None)
        except BaseException:  # also if Airflow kills the task, or its time is up
            for writer in self._writers:
                writer.interrupt()
            raise

    def _take(self, step: Step[Any]) -> None:
        writer = self._writers[step.split]
        if step.page is not None:
            writer.add(step.page)
            step.page.records.clear()  # several generators hold the page; decoding the next one is faster without it
            several = len(self._writers) > 1
            done, total = (self._progress.ended, len(self._writers)) if several else (step.page.unit, step.page.units)
            self._log.update(self.pages, sum(each.records for each in self._writers), done, total)
        elif step.begins_anew:
            self._progress.begin_anew(step.split)
            self._writers[step.split] = self._writer(step.split)
        else:
            writer.end()
            self._progress.splits[step.split].ended = True
            self._save(step.split, writer.next)

    def _writer(self, number: int) -> PartWriter:
        split = self._progress.splits[number]
        several = len(self._progress.splits) > 1
        return PartWriter(
            self._directory,
            f"{self._stem}-{number:04d}" if several else self._stem,
            self._parts,
            self._description.record,
            watermark=self._description.watermark,
            files=split.files,
            pages=split.pages,
            start=split.next,
            attachments=self._attachments,
            partitioned_by=self._description.partitioned_by,
            on_safe_point=lambda continuation: self._save(number, continuation),
        )

    def _save(self, number: int, continuation: str | None) -> None:
        if self._progress.ended < len(self._writers):  # else the manifest is written next, and names everything
            split, writer = self._progress.splits[number], self._writers[number]
            split.next, split.files, split.pages = continuation, [*writer.files], writer.pages
            self._progress.save()
