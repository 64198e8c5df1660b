"""Writing a dataset: pages into part files, page by page, and a manifest that commits them all at once."""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from airflow_provider_lms.storage import manifest as manifests
from airflow_provider_lms.storage.files import child, remove, whole_file
from airflow_provider_lms.storage.formats.columns import Columns
from airflow_provider_lms.storage.manifest import Run

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.paging import Page
    from airflow_provider_lms.storage.formats import Format

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 30.0


@dataclass(frozen=True)
class Description:
    """What a dataset holds and where it comes from, for its manifest.

    :param resource: the name of the listing, such as ``module_results``.
    :param record: the type of its records.
    :param host: the base URL of the LMS.
    :param query: the filters as given; no secret is among them.
    """

    resource: str
    record: type[msgspec.Struct]
    host: str
    query: Mapping[str, Any]


@dataclass(frozen=True)
class Parts:
    """How a dataset is cut into files: a part is closed after the page that fills it.

    :param format: how records become bytes.
    :param part_bytes: bytes after which a part is full.
    :param part_seconds: seconds after which a part is full.
    """

    format: Format
    part_bytes: int
    part_seconds: float


class Dataset:
    """An output folder, for one writing.

    :param directory: the folder.
    :param run: the task instance that writes.
    :param if_exists: ``replace`` or ``fail``, for a folder that holds a dataset already.
    """

    def __init__(self, directory: ObjectStoragePath, run: Run, if_exists: str) -> None:
        self._directory = directory
        self._run = run
        self._if_exists = if_exists

    def written(self) -> dict[str, Any] | None:
        """The summary of the dataset that this very task instance committed before, where nothing may be replaced.

        :raises DatasetConflict: the folder holds a dataset that must not be replaced.
        """
        found = self._found()
        return manifests.summary(self._directory, found) if found and self._if_exists == "fail" else None

    def write(self, pages: Iterable[Page[Any]], description: Description, parts: Parts) -> dict[str, Any]:
        """Write all pages and commit them; until then, and if anything fails, the folder holds what it held before.

        :return: the summary.
        """
        started_at = datetime.now(UTC)
        writer = _PartWriter(
            self._directory, parts, description.record, f"part-{started_at:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        )
        try:
            last = writer.write(pages)
            before = self._found()
        except BaseException:
            self._remove(file["name"] for file in writer.files)
            raise
        manifest: dict[str, Any] = msgspec.to_builtins(
            {
                "version": manifests.VERSION,
                "resource": description.resource,
                "format": parts.format.name,
                "compression": parts.format.compression,
                "schema": Columns(description.record).schema(),
                "query": description.query,
                "host": description.host,
                "run": asdict(self._run),
                "started_at": started_at,
                "finished_at": datetime.now(UTC),
                "pages": writer.pages,
                "records": sum(file["records"] for file in writer.files),
                "complete": last is None,
                "files": writer.files,
                "previous": [file["name"] for file in before["files"]] if before else [],
            }
        )
        # If this fails half-way, the manifest may name the new files or the old ones: both stay.
        manifests.put(self._directory, manifest)
        # The generation before stays for whoever is reading it; the one before that is done with.
        self._remove(before["previous"] if before else ())
        return manifests.summary(self._directory, manifest)

    def _found(self) -> dict[str, Any] | None:
        found = manifests.find(self._directory)
        manifests.check_writable(found, self._run, self._if_exists)
        return found

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                remove(child(self._directory, name))
            except Exception as error:  # noqa: BLE001  # the dataset is whole all the same
                log.warning("%s could not be removed (%s); nothing refers to it.", name, type(error).__name__)


class _PartWriter:
    """Writes pages into part files, each of which appears whole or not at all."""

    def __init__(self, directory: ObjectStoragePath, parts: Parts, record: type[msgspec.Struct], stem: str) -> None:
        self._directory = directory
        self._parts = parts
        self._record = record
        self._stem = stem
        self._part: _Part | None = None
        self.files: list[dict[str, Any]] = []
        self.pages = 0

    def write(self, pages: Iterable[Page[Any]]) -> str | None:
        """Write every page; return the continuation of the last."""
        told, records, last = time.monotonic(), 0, None
        try:
            for page in pages:
                self._add(page)
                last = page.next
                records += len(page.records)
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    told = time.monotonic()
                    log.info("%d pages, %d records so far.", self.pages, records)
            self._finish()
        except BaseException as error:
            if self._part is not None:
                self._part.abandon(error)
            raise
        log.info("%d pages, %d records in %d files.", self.pages, records, len(self.files))
        return last

    def _add(self, page: Page[Any]) -> None:
        self.pages += 1
        if not page.records:
            return
        if self._part is None:
            name = f"{self._stem}-{len(self.files):05d}{self._parts.format.suffix}"
            self._part = _Part(child(self._directory, name), self._parts.format, self._record)
        self._part.add(page)
        if self._part.bytes >= self._parts.part_bytes or self._part.age >= self._parts.part_seconds:
            self._finish()

    def _finish(self) -> None:
        if self._part is not None:
            self.files.append(self._part.finish())
            self._part = None


class _Part:
    """One part file while it is open; stands before the file to count and digest what is written."""

    closed = False

    def __init__(self, path: ObjectStoragePath, format: Format, record: type[msgspec.Struct]) -> None:  # noqa: A002
        self._name = path.name
        self._whole: AbstractContextManager[BinaryIO] = whole_file(path)
        self._file = self._whole.__enter__()
        self._digest = hashlib.sha256()
        self._opened = time.monotonic()
        self._records = 0
        self.bytes = 0
        self._encoder = format.encoder(self, record)

    @property
    def age(self) -> float:
        return time.monotonic() - self._opened

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
        self._records += len(page.records)

    def finish(self) -> dict[str, Any]:
        self._encoder.close()
        self._whole.__exit__(None, None, None)
        return {
            "name": self._name,
            "records": self._records,
            "bytes": self.bytes,
            "sha256": self._digest.hexdigest(),
        }

    def abandon(self, error: BaseException) -> None:
        self._whole.__exit__(type(error), error, error.__traceback__)
