"""Pages into part files, each of which appears whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from airflow_provider_lms.storage.files import child, whole_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.paging import Page
    from airflow_provider_lms.storage.formats import Format

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 30.0
_OVERFULL = 2


@dataclass(frozen=True)
class Parts:
    """How a dataset is cut into files: a part is closed after the page that fills it.

    Where reading cannot go on after that page, the part is closed after the first page where it can, unless it has
    twice the size or age by then.

    :param format: how records become bytes.
    :param part_bytes: bytes after which a part is full.
    :param part_seconds: seconds after which a part is full.
    """

    format: Format
    part_bytes: int
    part_seconds: float


class PartWriter:
    """Writes pages into part files.

    :param directory: their folder.
    :param stem: the beginning of their names.
    :param record: the type whose fields are declared.
    :param files: parts that an earlier try has finished.
    :param pages: how many pages these hold.
    :param finished: called with a continuation when all up to there is in finished parts, and reading may go on there.
    """

    def __init__(
        self,
        directory: ObjectStoragePath,
        stem: str,
        parts: Parts,
        record: type[msgspec.Struct],
        *,
        files: Iterable[dict[str, Any]] = (),
        pages: int = 0,
        finished: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._parts = parts
        self._record = record
        self._finished = finished
        self._part: _Part | None = None
        self._last: Page[Any] | None = None
        self._safe_at = time.monotonic()
        self.files = list(files)
        self.pages = self._safe_pages = pages

    @property
    def records(self) -> int:
        return sum(file["records"] for file in self.files)

    def write(self, pages: Iterable[Page[Any]], start: str | None = None) -> str | None:
        """Write every page; return the continuation of the last.

        If a page cannot be read, what was read before it is finished for the next try.

        :param start: the continuation that the pages begin with.
        """
        reading, told = iter(pages), time.monotonic()
        try:
            while (page := self._next(reading)) is not None:
                self._add(page)
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    told = time.monotonic()
                    written = 0 if self._part is None else self._part.records
                    log.info("%d pages, %d records so far.", self.pages, self.records + written)
            self._finish()
        except BaseException as error:
            if self._part is not None:
                self._part.abandon(error)
            raise
        log.info("%d pages, %d records in %d files.", self.pages, self.records, len(self.files))
        return start if self._last is None else self._last.next

    def _next(self, reading: Any) -> Page[Any] | None:
        try:
            page: Page[Any] | None = next(reading, None)
        except Exception:
            if self._continuation is not None:
                with suppress(Exception):  # what went wrong with the page is what matters
                    self._finish()
            raise
        return page

    def _add(self, page: Page[Any]) -> None:
        self.pages += 1
        self._last = page
        if page.records:
            if self._part is None:
                name = f"{self._stem}-{len(self.files):05d}{self._parts.format.suffix}"
                self._part = _Part(child(self._directory, name), self._parts.format, self._record)
            self._part.add(page)
        size = 0 if self._part is None else self._part.bytes
        age = time.monotonic() - self._safe_at
        fill = max(size / self._parts.part_bytes, age / self._parts.part_seconds)
        if fill >= (_OVERFULL if page.next is not None and self._continuation is None else 1):
            self._finish()

    @property
    def _continuation(self) -> str | None:
        """Where reading may go on later; None where it may not."""
        return self._last.next if self._last is not None and self._last.resumable else None

    def _finish(self) -> None:
        if self._part is not None:
            self.files.append(self._part.finish())
            self._part = None
        if self._continuation is not None and self.pages > self._safe_pages:
            self._finished(self._continuation)
            self._safe_pages = self.pages
        self._safe_at = time.monotonic()


def are_whole(directory: ObjectStoragePath, files: Iterable[Mapping[str, Any]]) -> bool:
    """Whether finished parts are all there.

    :param files: ``name`` and ``bytes`` of each.
    """
    try:
        return all(child(directory, file["name"]).stat().st_size == file["bytes"] for file in files)
    except FileNotFoundError:
        return False


class _Part:
    """One part file while it is open; stands before the file to count and digest what is written."""

    closed = False

    def __init__(self, path: ObjectStoragePath, format: Format, record: type[msgspec.Struct]) -> None:  # noqa: A002
        self._name = path.name
        self._whole: AbstractContextManager[BinaryIO] = whole_file(path)
        self._file = self._whole.__enter__()
        self._digest = hashlib.sha256()
        self._watermark: str | None = getattr(record, "watermark", None)
        self._latest: datetime | None = None
        self.records = 0
        self.bytes = 0
        self._encoder = format.encoder(self, record)

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        self.bytes += len(content)
        self._file.write(content)
        return len(content)

    def flush(self) -> None:
        """What is written goes to the file when the part is finished."""

    def tell(self) -> int:
        return self.bytes

    def add(self, page: Page[Any]) -> None:
        self._encoder.write(page.records)
        self.records += len(page.records)
        if self._watermark is not None:
            found = filter(None, (self._latest, *map(attrgetter(self._watermark), page.records)))
            self._latest = max(found, default=None)

    def finish(self) -> dict[str, Any]:
        self._encoder.close()
        self._whole.__exit__(None, None, None)
        return {
            "name": self._name,
            "records": self.records,
            "bytes": self.bytes,
            "sha256": self._digest.hexdigest(),
            "latest_completion_date": None if self._latest is None else msgspec.to_builtins(self._latest),
        }

    def abandon(self, error: BaseException) -> None:
        self._whole.__exit__(type(error), error, error.__traceback__)
