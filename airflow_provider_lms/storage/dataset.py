"""Writes a dataset: pages go into part files, a manifest commits them, and a checkpoint lets a retry resume."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_lms import clock
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import manifest as manifests
from airflow_provider_lms.storage.checkpoint import fingerprint
from airflow_provider_lms.storage.documents import is_part, is_written_by_us
from airflow_provider_lms.storage.files import check_can_write, child, files_before, remove
from airflow_provider_lms.storage.manifest import DatasetConflict, Manifest, PartFile, TaskInstanceKey, names_of
from airflow_provider_lms.storage.partitions import EarlierDataset, PartitionedBy, find_changed
from airflow_provider_lms.storage.parts import PartOptions, are_complete
from airflow_provider_lms.storage.progress import Progress
from airflow_provider_lms.storage.split_writers import SplitWriters
from airflow_provider_lms.storage.states import put_states
from airflow_provider_lms.tables.columns import Columns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.listing.records import Record
    from airflow_provider_lms.storage.attachments import Attachments
    from airflow_provider_lms.storage.manifest import AttachedFile
    from airflow_provider_lms.storage.source import Source

log = logging.getLogger(__name__)


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
    :param partitioned_by: what its partitions are, if it has any.
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
    partitioned_by: PartitionedBy | None = None

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
        self.lost_pages = 0
        """How many pages some attempt has read, and must be read again by this one or by the next."""

    def committed_summary(self) -> dict[str, Any] | None:
        """The summary of the dataset that this task instance has committed before, if nothing may be replaced.

        :raises DatasetConflict: the folder holds a dataset that must not be replaced.
        """
        found = self._find_writable()
        return manifests.summarize(self._directory, found) if found and self._if_exists == "fail" else None

    def write(
        self,
        source: Source,
        description: Description,
        parts: PartOptions,
        attachments: Attachments | None = None,
        earlier: EarlierDataset | None = None,
    ) -> dict[str, Any]:
        """Write all pages and commit them. Until then, and if anything fails, the dataset before is kept.

        Resumes an earlier attempt of the same task instance and query.

        :param source: where the pages come from.
        :param attachments: writes the files that the records name while ``source`` is read, if they name any.
        :param earlier: what the partitions are compared with, if there are any.
        :return: the summary.
        :raises StorageError: the folder cannot be read or written. Nothing was read from the LMS.
        :raises DatasetConflict: see :meth:`committed_summary`. Or other tasks have removed parts of this dataset.
        :raises TooManyPartitions: too many partitions differ from the earlier dataset.
        """
        check_can_write("output_path", self._directory)
        mark = fingerprint(
            description.resource,
            description.host,
            description.query,
            asdict(parts.format),
            description.details,
            description.partitioned_by,
        )
        progress = Progress.begin(self._directory, self._run, mark)
        progress.add_splits(source)
        writers = SplitWriters(self._directory, description, parts, progress, attachments)
        states: AttachedFile | None = None
        try:
            writers.write(source.read(progress.pending()))
            states = self._put_states(source, progress)
            before = self._find_writable()
            self._check_not_replaced(writers.files)
            _warn_of_new_key(before, description.hash_key_id)
            _warn_of_another_listing(before, description.resource)
            manifest = self._manifest(description, parts, progress, writers)
            if earlier is not None:
                manifest.changed_partitions = self._changed_partitions(manifest, earlier, before)
        except BaseException:
            progress.lost_pages += writers.pages - progress.pages
            kept = set(names_of(progress.files))
            written = [*names_of(writers.files), *([] if attachments is None else attachments.names)]
            written += [] if states is None else [states.name]
            self._remove(name for name in written if name not in kept)
            raise
        finally:
            self.lost_pages = progress.lost_pages
        manifest.states = states
        self._commit(manifest, progress, before)
        return manifests.summarize(self._directory, manifest)

    def _commit(self, manifest: Manifest, progress: Progress, before: Manifest | None) -> None:
        manifest.previous = [*(before.names if before else []), *progress.leftovers]
        # If this fails half-way, the manifest may name the new files or the old ones: both stay.
        manifests.put(self._directory, manifest)
        progress.forget()
        self._remove_outdated(manifest, before)
        log.info(
            "Wrote %s records%s to %s in %s (%s pages, %d files).",
            f"{manifest.records:,}",
            f", {manifest.carried:,} of them carried over," if manifest.carried else "",
            self._directory,
            describe_duration((manifest.finished_at - manifest.started_at).total_seconds()),
            f"{manifest.pages:,}",
            len(manifest.files),
        )

    def _changed_partitions(self, manifest: Manifest, earlier: EarlierDataset, before: Manifest | None) -> list[str]:
        compared = before if earlier.directory is None else manifests.find(earlier.directory)
        if before is None or before.partitioned_by != manifest.partitioned_by:
            return find_changed(manifest, compared, earlier.max_partitions)
        # A task that has committed may fail before Airflow knows of its partitions, for example if it is killed.
        is_retry = self._run.same_instance(before.run)
        unreported = before.changed_partitions if is_retry or not earlier.was_reported(before.run) else None
        return find_changed(manifest, compared, earlier.max_partitions, unreported or ())

    def _put_states(self, source: Source, progress: Progress) -> AttachedFile | None:
        states = source.states([split.keys for split in progress.splits], progress.started_at)
        return None if states is None else put_states(self._directory, states)

    def _manifest(
        self,
        description: Description,
        parts: PartOptions,
        progress: Progress,
        writers: SplitWriters,
    ) -> Manifest:
        files = writers.files
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
            pages=writers.pages,
            records=sum(file.records for file in files),
            carried=sum(file.carried for file in files),
            complete=writers.complete,
            hash_key_id=description.hash_key_id,
            watermark_field=description.watermark and columns.name_of(description.watermark),
            consistent=all(file.consistent for file in files),
            new_fields=sorted({name for file in files for name in file.new_fields}),
            watermark=_watermark(files),
            files=files,
            partitioned_by=description.partitioned_by,
        )

    def _find_writable(self) -> Manifest | None:
        found = manifests.find(self._directory)
        manifests.check_writable(found, self._run, self._if_exists)
        unfinished = checkpoints.find(self._directory)
        if unfinished is not None:
            manifests.check_map_index(unfinished.run, self._run)
        return found

    def _check_not_replaced(self, files: Iterable[PartFile]) -> None:
        # A task that begins in this folder takes the parts of an unfinished dataset for abandoned.
        if not are_complete(self._directory, files):
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
            named = {name for generation in generations for name in generation.names}
            self._remove(name for name in replaced if name not in named and is_part(name))
            named.update(name for generation in generations for name in generation.previous)
            if unfinished is not None:
                named.update(unfinished.leftovers, names_of(unfinished.files))
            self._remove(name for name in abandoned if name not in named)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                remove(child(self._directory, name))
            except Exception as error:  # noqa: BLE001  # the dataset is complete all the same
                log.warning("%s could not be removed (%s). No manifest names it.", name, type(error).__name__)


def _warn_of_new_key(before: Manifest | None, key_id: str | None) -> None:
    if before is not None and key_id is not None and before.hash_key_id not in (None, key_id):
        log.warning(
            "The hash_secret has changed since the dataset before. The same value has another hash now, so hashed "
            "columns cannot be joined with older datasets."
        )


def _warn_of_another_listing(before: Manifest | None, resource: str) -> None:
    if before is not None and before.resource != resource:
        log.warning(
            "This dataset of %s replaces one of %s. If that is a mistake, give each listing a folder of its own: the "
            "files of the dataset before are there until the next run.",
            resource,
            before.resource,
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
