"""Writes pages into part files. A part appears completely or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_lms import clock
from airflow_provider_lms.storage.files import child, size_of, sizes_in, write_whole
from airflow_provider_lms.storage.manifest import AttachedFile, PartFile
from airflow_provider_lms.storage.partitions import PartitionDigests

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.records import Record
    from airflow_provider_lms.storage.attachments import Attachments
    from airflow_provider_lms.storage.formats import Format
    from airflow_provider_lms.storage.partitions import PartitionedBy

_OVERFULL = 2


@dataclass(frozen=True)
class PartOptions:
    """How a dataset is cut into files: a part is closed after the page that fills it.

    If reading could not resume after that page, the part stays open until the first page where it could, but only up
    to twice the size or age.

    :param format: how records become bytes.
    :param part_bytes: size in bytes at which a part is full, together with its attachments.
    :param part_seconds: age in seconds at which a part is full.
    """

    format: Format
    part_bytes: int
    part_seconds: float


class PartWriter:
    """Writes the pages of a listing, or of a split of it, into part files.

    :param directory: their folder.
    :param stem: the beginning of their names.
    :param record: the type whose fields are declared.
    :param watermark: the attribute whose greatest value each part notes, if there is one.
    :param files: parts that an earlier attempt has finished.
    :param pages: how many pages these hold.
    :param start: where reading continues after these.
    :param attachments: writes the files that records name, if they name any.
    :param partitioned_by: what the partitions are whose records each part counts, if there are any.
    :param on_safe_point: called with a continuation when finished parts hold everything up to there, and reading could
        resume there.
    """

    def __init__(
        self,
        directory: ObjectStoragePath,
        stem: str,
        parts: PartOptions,
        record: type[Record],
        *,
        watermark: str | None = None,
        files: Iterable[PartFile] = (),
        pages: int = 0,
        start: str | None = None,
        attachments: Attachments | None = None,
        partitioned_by: PartitionedBy | None = None,
        on_safe_point: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._parts = parts
        self._record = record
        self._watermark = watermark
        self._attachments = attachments
        self._partitioned_by = partitioned_by
        self._on_safe_point = on_safe_point
        self._part: _Part | None = None
        self._last: Page[Any] | None = None
        self._start = start
        self._safe_at = clock.monotonic()
        self.files = list(files)
        self.pages = self._safe_pages = pages

    @property
    def records(self) -> int:
        """How many records were written, those in the open part too."""
        return sum(file.records for file in self.files) + (0 if self._part is None else self._part.records)

    @property
    def next(self) -> str | None:
        """The continuation after the last page."""
        return self._start if self._last is None else self._last.next

    def add(self, page: Page[Any]) -> None:
        """Write a page."""
        self.pages += not page.carried
        self._last = page
        if page.records or not page.consistent:
            if self._part is None:
                self._part = self._open_part()
            self._part.add(page, [] if self._attachments is None else self._attachments.take_new())
        size = 0 if self._part is None else self._part.bytes + self._part.attached_bytes
        age = clock.monotonic() - self._safe_at
        fill = max(size / self._parts.part_bytes, age / self._parts.part_seconds)
        if fill >= (_OVERFULL if page.next is not None and self._continuation is None else 1):
            self._finish()

    def end(self, *, at_least_one: bool = False) -> None:
        """Finish the last part.

        :param at_least_one: write an empty part if there is none: a reader of the files, such as DuckDB, finds the
            columns even if there is no record.
        """
        if at_least_one and self._part is None and not self.files:
            self._part = self._open_part()
        self._finish()

    def interrupt(self) -> None:
        """Finish the last part for the next attempt, if that could resume after it."""
        if self._continuation is not None:
            with suppress(Exception):  # the error that matters is the one that has interrupted the reading
                self._finish()

    def abandon(self, error: BaseException) -> None:
        """Remove the last part if it is not finished."""
        if self._part is not None:
            part, self._part = self._part, None
            part.abandon(error)

    def _open_part(self) -> _Part:
        name = f"{self._stem}-{len(self.files):05d}{self._parts.format.suffix}"
        by = self._partitioned_by
        partitions = None if by is None else PartitionDigests(by, self._record)
        return _Part(child(self._directory, name), self._parts, self._record, self._watermark, partitions)

    @property
    def _continuation(self) -> str | None:
        """Where a later attempt could resume; None if it could not."""
        return self._last.next if self._last is not None and self._last.resumable else None

    def _finish(self) -> None:
        if self._part is not None:
            self.files.append(self._part.finish())
            self._part = None
        if self._continuation is not None and self.pages > self._safe_pages:
            self._on_safe_point(self._continuation)
            self._safe_pages = self.pages
        self._safe_at = clock.monotonic()


def are_complete(directory: ObjectStoragePath, files: Iterable[PartFile]) -> bool:
    """Whether all of these finished parts are there with their attachments, in their full size."""
    files = list(files)
    try:
        if not all(size_of(child(directory, file.name)) == file.bytes for file in files):
            return False
    except FileNotFoundError:
        return False
    # There may be many of them. Listing the folder takes one request for 1,000.
    attached = [each for file in files for each in file.attachments]
    sizes = sizes_in(directory) if attached else {}
    return all(sizes.get(each.name) == each.bytes for each in attached)


class _Part:
    """One part file while it is open. The encoder writes into it, and it counts and digests the bytes."""

    closed = False

    def __init__(
        self,
        path: ObjectStoragePath,
        parts: PartOptions,
        record: type[Record],
        watermark: str | None,
        partitions: PartitionDigests | None,
    ) -> None:
        self._name = path.name
        self._whole: AbstractContextManager[BinaryIO] = write_whole(path, _OVERFULL * parts.part_bytes)
        self._file = self._whole.__enter__()
        self._digest = hashlib.sha256()
        self._watermark = watermark
        self._partitions = partitions
        self._latest: datetime | None = None
        self._watermark_known = self._consistent = True
        self._new_fields: Set[str] = frozenset()
        self._attached: list[AttachedFile] = []
        self.records = 0
        self.carried = 0
        self.bytes = 0
        self.attached_bytes = 0
        self._encoder = parts.format.encoder(self, record)

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        self.bytes += len(content)
        self._file.write(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: the file is written when the part is finished."""

    def tell(self) -> int:
        return self.bytes

    def add(self, page: Page[Any], attached: Sequence[AttachedFile]) -> None:
        self._encoder.write(page.records)
        self._attached += attached
        self.attached_bytes += sum(each.bytes for each in attached)
        self.records += len(page.records)
        self.carried += len(page.records) if page.carried else 0
        self._consistent = self._consistent and page.consistent
        self._new_fields |= page.new_fields
        if self._watermark is not None:
            self._watermark_known = self._watermark_known and self._watermark not in page.misfits
            latest = max(filter(None, map(attrgetter(self._watermark), page.records)), default=None)
            self._latest = max(filter(None, (self._latest, latest)), default=None)
        if self._partitions is not None:
            self._partitions.add(page.records)

    def finish(self) -> PartFile:
        self._encoder.close()
        self._whole.__exit__(None, None, None)
        return PartFile(
            name=self._name,
            records=self.records,
            bytes=self.bytes,
            sha256=self._digest.hexdigest(),
            watermark=self._latest,
            watermark_known=self._watermark_known,
            consistent=self._consistent,
            new_fields=sorted(self._new_fields),
            attachments=self._attached,
            carried=self.carried,
            partitions={} if self._partitions is None else self._partitions.partitions(),
        )

    def abandon(self, error: BaseException) -> None:
        self._whole.__exit__(type(error), error, error.__traceback__)
