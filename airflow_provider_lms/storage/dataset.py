"""Writing a dataset: pages into part files, a manifest that commits them all at once, a checkpoint for a retry."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import manifest as manifests
from airflow_provider_lms.storage.checkpoint import fingerprint
from airflow_provider_lms.storage.files import child, remove
from airflow_provider_lms.storage.formats.columns import Columns
from airflow_provider_lms.storage.manifest import DatasetConflict, Run
from airflow_provider_lms.storage.parts import Parts, PartWriter, are_whole

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.lms.paging import Page

log = logging.getLogger(__name__)

Reading: TypeAlias = "Callable[[str | None, int], Iterable[Page[Any]]]"
"""Reads pages from a continuation on, after so many pages of earlier tries."""


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

    def write(
        self, read: Reading, description: Description, parts: Parts, refused: tuple[type[Exception], ...] = ()
    ) -> dict[str, Any]:
        """Write all pages and commit them; until then, and if anything fails, the dataset before stays as it is.

        An earlier try of the same task instance for the same query is gone on with.

        :param read: reads pages; given a continuation, from there on.
        :param refused: what ``read`` raises for a continuation that is no longer accepted: then all is read anew.
        :return: the summary.
        """
        mark = fingerprint([description.resource, description.host, description.query, asdict(parts.format)])
        found = checkpoints.find(self._directory)
        progress = _Progress(self._directory, self._run, mark, found)
        if progress.resumes:
            try:
                return self._write(read, description, parts, progress)
            except refused as error:
                if not progress.refused_at_once:
                    raise
                log.warning("The LMS does not go on where the last try ended (%s); all is read anew.", error)
                progress = _Progress(self._directory, self._run, mark, found, anew=True)
        return self._write(read, description, parts, progress)

    def _write(self, read: Reading, description: Description, parts: Parts, progress: _Progress) -> dict[str, Any]:
        writer = PartWriter(
            self._directory,
            f"part-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
            parts,
            description.record,
            files=progress.files,
            pages=progress.pages,
            finished=lambda continuation: progress.save(continuation, writer.files, writer.pages),
        )
        progress.writer = writer
        try:
            start = progress.next
            last = writer.write(read(start, writer.pages), start)
            before = self._found()
            self._check_not_overtaken(writer)
        except BaseException:
            kept = {file["name"] for file in progress.files}
            self._remove(file["name"] for file in writer.files if file["name"] not in kept)
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
                "started_at": progress.started_at,
                "finished_at": datetime.now(UTC),
                "pages": writer.pages,
                "records": writer.records,
                "complete": last is None,
                "latest_completion_date": max(
                    filter(None, (file["latest_completion_date"] for file in writer.files)), default=None
                ),
                "files": writer.files,
                "previous": [*([file["name"] for file in before["files"]] if before else []), *progress.leftovers],
            }
        )
        # If this fails half-way, the manifest may name the new files or the old ones: both stay.
        manifests.put(self._directory, manifest)
        progress.forget()
        # The generation before stays for whoever is reading it; the one before that is done with. Another writer may
        # have committed since, with parts that were taken for abandoned.
        with suppress(Exception):  # the dataset is whole, and what is left over is named by nobody
            generations = filter(None, (manifest, before, manifests.find(self._directory)))
            named = {file["name"] for generation in generations for file in generation["files"]}
            self._remove(name for name in (before["previous"] if before else ()) if name not in named)
        return manifests.summary(self._directory, manifest)

    def _found(self) -> dict[str, Any] | None:
        found = manifests.find(self._directory)
        manifests.check_writable(found, self._run, self._if_exists)
        unfinished = checkpoints.find(self._directory)
        if unfinished is not None:
            manifests.check_map_index(msgspec.to_builtins(unfinished.run), self._run)
        return found

    def _check_not_overtaken(self, writer: PartWriter) -> None:
        # Whoever begins in this folder takes the parts of an unfinished dataset for abandoned.
        if not are_whole(self._directory, writer.files):
            raise DatasetConflict(
                "output_path: other writers have replaced the dataset in this folder twice while this one was being "
                "written, and removed parts of it. Theirs stands. Let one task at a time write to a folder, with "
                "max_active_runs=1 or '{{ run_id }}' in output_path."
            )

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                remove(child(self._directory, name))
            except Exception as error:  # noqa: BLE001  # the dataset is whole all the same
                log.warning("%s could not be removed (%s); nothing refers to it.", name, type(error).__name__)


class _Progress:
    """How far a dataset has come, over all tries of a task instance.

    :param found: the checkpoint in the folder.
    :param anew: begin at the beginning all the same.
    """

    def __init__(
        self,
        directory: ObjectStoragePath,
        run: Run,
        mark: str,
        found: checkpoints.Checkpoint | None,
        *,
        anew: bool = False,
    ) -> None:
        self._directory = directory
        self._run = run
        self._mark = mark
        self.writer: PartWriter | None = None
        own = found is not None and found.is_of(mark, run) and are_whole(directory, found.files)
        self.resumes = own and not anew
        self.started_at = datetime.now(UTC)
        self.next: str | None = None
        self.files: list[dict[str, Any]] = []
        self.pages = self._before = 0
        self.leftovers: list[str] = []
        if found is None:
            return
        self.leftovers = found.leftovers
        if self.resumes:
            self.started_at, self.next = found.started_at, found.next
            self.files, self.pages, self._before = found.files, found.pages, found.pages
            log.info("Going on after %d pages in %d files of an earlier try.", self.pages, len(self.files))
        else:
            self.leftovers = [*found.leftovers, *(file["name"] for file in found.files)]

    @property
    def refused_at_once(self) -> bool:
        """Whether not one page more was read."""
        return self.writer is not None and self.writer.pages == self._before

    def save(self, continuation: str, files: list[dict[str, Any]], pages: int) -> None:
        """Let a retry go on from here."""
        checkpoint = checkpoints.Checkpoint(
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
        """The dataset is committed."""
        found = checkpoints.find(self._directory)
        if found is not None and found.is_of(self._mark, self._run):
            checkpoints.discard(self._directory)
