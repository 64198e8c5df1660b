"""Writes a dataset: pages go into part files, a manifest commits them, and a checkpoint lets a retry resume."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import manifest as manifests
from airflow_provider_lms.storage.checkpoint import Checkpoint, fingerprint
from airflow_provider_lms.storage.documents import is_part, is_written_by_us
from airflow_provider_lms.storage.files import check_can_write, child, files_before, remove
from airflow_provider_lms.storage.manifest import DatasetConflict, Manifest, PartFile, TaskInstanceKey
from airflow_provider_lms.storage.parts import PartOptions, PartWriter, are_complete
from airflow_provider_lms.tables.columns import Columns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.records import Record
    from airflow_provider_lms.storage.attachments import Attachments

log = logging.getLogger(__name__)

ReadPages: TypeAlias = "Callable[[str | None, int], Iterable[Page[Any]]]"
"""Reads pages from a continuation on, after so many pages of earlier attempts."""


@dataclass(frozen=True)
class Description:
    """What a dataset holds and where it comes from.

    :param resource: the name of the listing, such as ``module_results``.
    :param record: the type of its records.
    :param primary_key: the attributes that identify a record; empty if none do so for every record.
    :param schema_version: of the record type.
    :param watermark: the attribute with the date from which a later run can continue, if there is one.
    :param host: the base URL of the LMS.
    :param query: the filters as given, for the manifest; nothing is among them that the dataset must not hold.
    :param details: what else must be the same for a retry to resume. Only a digest of it is stored.
    :param hash_key_id: tells with which secret columns are hashed; None if none are.
    :param subject: which part of the listing this is, for the log, such as ``course 100002000010000001``. It must not
        identify a person. Empty if the whole listing is read.
    """

    resource: str
    record: type[Record]
    primary_key: tuple[str, ...]
    watermark: str | None
    host: str
    query: dict[str, Any]
    schema_version: int = 1
    details: object = None
    hash_key_id: str | None = None
    subject: str = ""

    @property
    def label(self) -> str:
        """What is read, for the log, such as ``entity_progress of course 100002000010000001``."""
        return f"{self.resource} of {self.subject}" if self.subject else self.resource


class Dataset:
    """An output folder, for one writing.

    :param directory: the folder.
    :param run: the task instance that writes.
    :param if_exists: ``replace`` or ``fail``, if the folder already holds a dataset.
    """

    def __init__(self, directory: ObjectStoragePath, run: TaskInstanceKey, if_exists: str) -> None:
        self._directory = directory
        self._run = run
        self._if_exists = if_exists

    def committed_summary(self) -> dict[str, Any] | None:
        """The summary of the dataset that this task instance has committed before, if nothing may be replaced.

        :raises DatasetConflict: the folder holds a dataset that must not be replaced.
        """
        found = self._find_writable()
        return manifests.summarize(self._directory, found) if found and self._if_exists == "fail" else None

    def write(
        self,
        read: ReadPages,
        description: Description,
        parts: PartOptions,
        rejected: tuple[type[Exception], ...] = (),
        attachments: Attachments | None = None,
    ) -> dict[str, Any]:
        """Write all pages and commit them. Until then, and if anything fails, the dataset before is kept.

        Resumes an earlier attempt of the same task instance and query.

        :param read: reads pages from a continuation on.
        :param rejected: what ``read`` raises if a continuation is no longer accepted. Then everything is read again.
        :param attachments: writes the files that the records name while ``read`` reads them, if they name any.
        :return: the summary.
        :raises StorageError: the folder cannot be read or written. Nothing was read from the LMS.
        :raises DatasetConflict: see :meth:`committed_summary`. Or other tasks have removed parts of this dataset.
        """
        check_can_write("output_path", self._directory)
        mark = fingerprint(
            description.resource,
            description.host,
            description.query,
            asdict(parts.format),
            description.details,
        )
        found = checkpoints.find(self._directory)
        progress = _Progress.begin(self._directory, self._run, mark, found)
        if progress.resumes:
            try:
                return self._write(read, description, parts, progress, attachments)
            except rejected as error:
                if not progress.nothing_read:
                    raise
                log.warning("The LMS rejected the place where the last attempt stopped (%s). Reading again.", error)
                progress = _Progress.start_over(self._directory, self._run, mark, found)
        return self._write(read, description, parts, progress, attachments)

    def _write(
        self,
        read: ReadPages,
        description: Description,
        parts: PartOptions,
        progress: _Progress,
        attachments: Attachments | None,
    ) -> dict[str, Any]:
        writer = PartWriter(
            self._directory,
            f"part-{clock.utcnow():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
            parts,
            description.record,
            label=description.label,
            watermark=description.watermark,
            files=progress.files,
            pages=progress.pages,
            attachments=attachments,
            on_safe_point=lambda continuation: progress.save(continuation, writer.files, writer.pages),
        )
        progress.writer = writer
        try:
            start = progress.next
            last = writer.write(read(start, writer.pages), start)
            before = self._find_writable()
            self._check_not_replaced(writer)
            _warn_of_new_key(before, description.hash_key_id)
        except BaseException:
            kept = set(_names(progress.files))
            written = [*_names(writer.files), *([] if attachments is None else attachments.names)]
            self._remove(name for name in written if name not in kept)
            raise
        manifest = self._manifest(description, parts, progress, writer, complete=last is None)
        manifest.previous = [*(_names(before.files) if before else []), *progress.leftovers]
        # If this fails half-way, the manifest may name the new files or the old ones: both stay.
        manifests.put(self._directory, manifest)
        progress.forget()
        self._remove_outdated(manifest, before)
        log.info(
            "Wrote %s records to %s in %s (%s pages, %d files).",
            f"{manifest.records:,}",
            self._directory,
            describe_duration((manifest.finished_at - manifest.started_at).total_seconds()),
            f"{manifest.pages:,}",
            len(manifest.files),
        )
        return manifests.summarize(self._directory, manifest)

    def _manifest(
        self,
        description: Description,
        parts: PartOptions,
        progress: _Progress,
        writer: PartWriter,
        *,
        complete: bool,
    ) -> Manifest:
        columns = Columns(description.record)
        return Manifest(
            resource=description.resource,
            format=parts.format.name,
            compression=parts.format.compression,
            schema=columns.schema(),
            schema_version=description.schema_version,
            primary_key=[columns.name_of(attribute) for attribute in description.primary_key],
            query=description.query,
            host=description.host,
            run=self._run,
            started_at=progress.started_at,
            finished_at=clock.utcnow(),
            pages=writer.pages,
            records=writer.records,
            complete=complete,
            hash_key_id=description.hash_key_id,
            watermark_field=description.watermark and columns.name_of(description.watermark),
            consistent=all(file.consistent for file in writer.files),
            new_fields=sorted({name for file in writer.files for name in file.new_fields}),
            watermark=_watermark(writer.files),
            files=writer.files,
        )

    def _find_writable(self) -> Manifest | None:
        found = manifests.find(self._directory)
        manifests.check_writable(found, self._run, self._if_exists)
        unfinished = checkpoints.find(self._directory)
        if unfinished is not None:
            manifests.check_map_index(unfinished.run, self._run)
        return found

    def _check_not_replaced(self, writer: PartWriter) -> None:
        # A task that begins in this folder takes the parts of an unfinished dataset for abandoned.
        if not are_complete(self._directory, writer.files):
            raise DatasetConflict(
                "output_path: other tasks have committed to this folder twice while this task was writing, and have "
                "removed parts of it. Their dataset is kept. Let only one task at a time write to a folder: set "
                "max_active_runs=1, or use '{{ run_id }}' in output_path."
            )

    def _remove_outdated(self, manifest: Manifest, before: Manifest | None) -> None:
        """Remove the files that the previous dataset had replaced. Its own parts stay: someone may be reading them.

        Also remove what killed writers have left, once nobody can resume from it.
        """
        with suppress(Exception):  # the dataset is committed, and no manifest names what is left over
            replaced = before.previous if before is not None else []
            # List first, then read the checkpoint, then the manifest. Another writer goes the other way round: it puts
            # the manifest, then removes the checkpoint. So one of the two names its parts.
            old = files_before(self._directory, clock.utcnow() - checkpoints.LIFETIME)
            abandoned = [name for name in old if is_written_by_us(name)]
            unfinished = checkpoints.find(self._directory) if abandoned else None
            # Another writer may have committed since, with parts that were taken for abandoned.
            generations = [each for each in (manifest, before, manifests.find(self._directory)) if each is not None]
            named = {name for generation in generations for name in _names(generation.files)}
            self._remove(name for name in replaced if name not in named and is_part(name))
            named.update(name for generation in generations for name in generation.previous)
            if unfinished is not None:
                named.update(unfinished.leftovers, _names(unfinished.files))
            self._remove(name for name in abandoned if name not in named)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                remove(child(self._directory, name))
            except Exception as error:  # noqa: BLE001  # the dataset is complete all the same
                log.warning("%s could not be removed (%s). No manifest names it.", name, type(error).__name__)


class _Progress:
    """How far a dataset has come, over all attempts of a task instance."""

    def __init__(self, directory: ObjectStoragePath, run: TaskInstanceKey, mark: str) -> None:
        self._directory = directory
        self._run = run
        self._mark = mark
        self._pages_before = 0
        self.writer: PartWriter | None = None
        self.resumes = False
        self.started_at: datetime = clock.utcnow()
        self.next: str | None = None
        self.files: list[PartFile] = []
        self.pages = 0
        self.leftovers: list[str] = []

    @classmethod
    def begin(
        cls, directory: ObjectStoragePath, run: TaskInstanceKey, mark: str, found: Checkpoint | None
    ) -> _Progress:
        """Resume from a checkpoint if it is this task instance's own; otherwise start from the first page.

        :param mark: identifies the query and the format.
        :param found: the checkpoint in the folder.
        """
        if found is None or not found.belongs_to(mark, run):
            return cls.start_over(directory, run, mark, found)
        if not are_complete(directory, found.files):
            log.warning("Parts that an earlier attempt has written are missing or damaged. Reading everything again.")
            return cls.start_over(directory, run, mark, found)
        progress = cls(directory, run, mark)
        progress.resumes = True
        progress.started_at, progress.next = found.started_at, found.next
        progress.files, progress.leftovers = found.files, found.leftovers
        progress.pages = progress._pages_before = found.pages
        log.info("Resuming after %d pages in %d files of an earlier attempt.", found.pages, len(found.files))
        return progress

    @classmethod
    def start_over(
        cls, directory: ObjectStoragePath, run: TaskInstanceKey, mark: str, found: Checkpoint | None
    ) -> _Progress:
        """Start from the first page. The parts of a checkpoint in the folder are abandoned."""
        progress = cls(directory, run, mark)
        if found is not None:
            progress.leftovers = [*found.leftovers, *_names(found.files)]
        return progress

    @property
    def nothing_read(self) -> bool:
        """Whether this attempt has read no page."""
        return self.writer is not None and self.writer.pages == self._pages_before

    def save(self, continuation: str, files: list[PartFile], pages: int) -> None:
        """Let a retry resume from here."""
        checkpoint = Checkpoint(
            fingerprint=self._mark,
            run=self._run,
            next=continuation,
            files=list(files),
            pages=pages,
            leftovers=self.leftovers,
            started_at=self.started_at,
        )
        checkpoints.put(self._directory, checkpoint)
        self.files, self.pages = checkpoint.files, pages

    def forget(self) -> None:
        """Remove the checkpoint, since the dataset is committed."""
        try:
            found = checkpoints.find(self._directory)
            if found is not None and found.belongs_to(self._mark, self._run):
                checkpoints.discard(self._directory)
        except Exception as error:  # noqa: BLE001  # it is only old: nothing resumes from it but this task instance
            log.warning("The checkpoint could not be removed (%s).", type(error).__name__)


def _names(files: Iterable[PartFile]) -> list[str]:
    return [name for file in files for name in file.names]


def _warn_of_new_key(before: Manifest | None, key_id: str | None) -> None:
    if before is not None and key_id is not None and before.hash_key_id not in (None, key_id):
        log.warning(
            "The hash_secret has changed since the dataset before. The same value has another hash now, so hashed "
            "columns cannot be joined with older datasets."
        )


def _watermark(files: list[PartFile]) -> datetime | None:
    """The greatest watermark. None if one is not known: a later run would begin behind that record."""
    if not all(file.watermark_known for file in files):
        log.warning(
            "The dataset has no watermark, since a record has a value there that could not be read. Let the next run "
            "begin where this one began."
        )
        return None
    return max((file.watermark for file in files if file.watermark is not None), default=None)
