"""The manifest says what a dataset consists of. It is written last, so a dataset is what its manifest names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_lms.storage.documents import Count, PartName, Timestamp, UnreadableDocument, convert, decode
from airflow_provider_lms.storage.errors import ManifestError
from airflow_provider_lms.storage.files import Location, child, folder, read_bytes, write_bytes
from airflow_provider_lms.storage.partitions import Partition, PartitionedBy, PartitionKey, merge
from airflow_provider_lms.tables.columns import COLUMN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.providers.common.compat.sdk import ObjectStoragePath

NAME = "_manifest.json"
VERSION = 2
_WAY_OUT = "Choose another folder. If nobody needs this dataset any more, delete the file: the next run writes it anew."
_V1_WATERMARK = "latest_completion_date"
_V1_WATERMARK_FIELD = "completionDate"


@dataclass(frozen=True)
class TaskInstanceKey:
    """The task instance that writes a dataset. All fields are None outside a task."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> TaskInstanceKey:
        """The task instance of a context, which may be empty."""
        ti = context.get("ti")
        if ti is None:
            return cls()
        return cls(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, getattr(ti, "try_number", None))

    def same_instance(self, other: TaskInstanceKey) -> bool:
        """Whether the other is this task instance, in any of its attempts."""
        return self.same_task(other) and self.map_index == other.map_index

    def same_task(self, other: TaskInstanceKey) -> bool:
        """Whether the other is this task in this run, whatever its map index."""
        return self.dag_id is not None and (
            (self.dag_id, self.task_id, self.run_id) == (other.dag_id, other.task_id, other.run_id)
        )


class AttachedFile(msgspec.Struct, kw_only=True):
    """A file beside the parts, such as a PDF that a record names.

    :param name: the file's name in the dataset's folder.
    :param sha256: the digest of its bytes.
    """

    name: PartName
    bytes: Count
    sha256: str


class PartFile(msgspec.Struct, kw_only=True):
    """One finished part of a dataset.

    :param name: the file's name in the dataset's folder.
    :param sha256: the digest of its bytes.
    :param watermark: the greatest watermark of its records.
    :param watermark_known: False if a record has a value there that does not fit the field.
    :param consistent: False if records came or went while the listing was read.
    :param new_fields: the fields that are not declared, and that records so far have in ``_extra``.
    :param attachments: the files that its records name.
    :param carried: how many of its records were not read, but carried over from an earlier dataset.
    :param partitions: its records by day or month, if the dataset has partitions.
    """

    name: PartName
    records: Count
    bytes: Count
    sha256: str
    watermark: Timestamp | None = None
    watermark_known: bool = True
    consistent: bool = True
    new_fields: list[str] = []
    attachments: list[AttachedFile] = []
    carried: Count = 0
    partitions: dict[PartitionKey, Partition] = {}

    @property
    def names(self) -> list[str]:
        """The names of the part and of its attachments."""
        return [self.name, *(each.name for each in self.attachments)]


def names_of(files: Iterable[PartFile]) -> list[str]:
    """The names of parts and of their attachments."""
    return [name for file in files for name in file.names]


class Manifest(msgspec.Struct, kw_only=True):
    """A committed dataset.

    :param resource: the name of the listing, such as ``module_results``.
    :param schema: name and type of each declared column.
    :param schema_version: of the listing's columns; a breaking change raises it.
    :param primary_key: the columns that identify a record; empty if none do so for every record.
    :param query: the filters as given; no secret is among them.
    :param host: the base URL of the LMS.
    :param run: the task instance that wrote it.
    :param complete: whether the listing was read to its end; False if ``max_pages`` ended it.
    :param consistent: False if records came or went while the listing was read, also when it was read once more. Then
        it may lack some.
    :param new_fields: the fields that the LMS has sent and that are not declared. Records have them in ``_extra``.
    :param hash_key_id: tells with which secret columns were hashed; None if none were.
    :param watermark_field: the column that ``watermark`` is about; None if the records have no such column, or if the
        manifest is of version 1 and has no watermark.
    :param watermark: the greatest value in that column, from where a later run can continue. None if it is not known of
        every record.
    :param carried: how many records were not read, but carried over from an earlier dataset. They are as of the date in
        their column ``readAt``.
    :param states: the file that tells a later run in which state each learner was; None if none was kept.
    :param previous: files of the dataset before, which are removed with the next commit.
    :param partitioned_by: what its partitions are; None if it has none.
    :param changed_partitions: those that differ from an earlier dataset; None if the dataset has none.
    """

    version: int = VERSION
    resource: str
    format: Annotated[str, msgspec.Meta(pattern=r"\A(jsonl|csv|parquet)\Z")]
    compression: Annotated[str, msgspec.Meta(pattern=r"\A(none|gzip|zstd)\Z")] = "none"
    schema: list[dict[str, str]]
    schema_version: int = 1
    primary_key: list[str] = []
    query: dict[str, Any]
    host: str
    run: TaskInstanceKey
    started_at: Timestamp
    finished_at: Timestamp
    pages: Count
    records: Count
    complete: bool
    consistent: bool = True
    new_fields: list[str] = []
    hash_key_id: str | None = None
    watermark_field: str | None = None
    watermark: Timestamp | None = None
    files: list[PartFile]
    carried: Count = 0
    states: AttachedFile | None = None
    previous: list[PartName] = []
    partitioned_by: PartitionedBy | None = None
    changed_partitions: list[PartitionKey] | None = None

    @property
    def names(self) -> list[str]:
        """The names of all its files but the manifest itself."""
        return [*names_of(self.files), *([] if self.states is None else [self.states.name])]

    @property
    def partitions(self) -> dict[str, Partition]:
        """Its records by day or month; empty if it has no partitions."""
        return merge(file.partitions for file in self.files)

    def __post_init__(self) -> None:
        if not all("name" in column and column.get("type") in COLUMN_TYPES for column in self.schema):
            raise ValueError("a column has no name, or an unknown type")


class DatasetConflict(Exception):
    """The output folder holds a dataset that this one must not replace."""


def read_manifest(location: Location) -> dict[str, Any]:
    """The manifest of a committed dataset.

    :param location: the dataset's folder, or its manifest, as a path, a URL or an ``ObjectStoragePath``.
    :return: ``version`` (always 2: a manifest of version 1 is returned in the shape of version 2, with an empty
        ``primary_key``), ``resource``, ``format``, ``compression``, ``schema``, ``schema_version``, ``primary_key``
        (empty if no columns identify every record), ``query``, ``host``, ``run``, ``started_at``, ``finished_at``,
        ``pages``, ``records``, ``complete`` (False if ``max_pages`` ended it), ``consistent`` (False if records came or
        went while they were read), ``new_fields`` (sent by the LMS, not declared, and kept in ``_extra``),
        ``hash_key_id`` (tells with which secret columns were hashed), ``watermark_field``, ``watermark`` (RFC 3339 in
        UTC; None if no record has one, or if a value could not be read), ``files``, each with ``name``, ``records``,
        ``bytes``, ``sha256``, its own ``watermark``, ``watermark_known``, ``consistent``, ``new_fields``, ``carried``
        and ``attachments`` (the files that its records name, each with ``name``, ``bytes`` and ``sha256``),
        ``carried`` (records that were carried over from an earlier dataset, as of their ``readAt``), ``states`` (the
        file that a later run needs to carry rows over), and ``previous``, the files of the dataset before.
    :raises FileNotFoundError: no dataset was committed there.
    :raises ManifestError: the manifest cannot be read; a ``ValueError``.
    :raises StorageError: the folder cannot be read: its connection, its permissions; an ``OSError``.

    Example::

        manifest = read_manifest("s3://lake/lms/results")
        print(manifest["records"], manifest["watermark"])
    """
    found: dict[str, Any] = msgspec.to_builtins(load_manifest(location))
    return found


def load_manifest(location: Location) -> Manifest:
    """The manifest of a committed dataset, typed.

    :raises FileNotFoundError: no dataset was committed there.
    :raises ManifestError: the manifest cannot be read.
    :raises StorageError: the folder cannot be read.
    """
    path = folder("location", location)
    found = find(path.parent if path.name == NAME else path)
    if found is None:
        raise FileNotFoundError(f"{location}: there is no {NAME} here, so no dataset was committed to this folder.")
    return found


def find(directory: ObjectStoragePath) -> Manifest | None:
    """The manifest in a folder, if there is one.

    :raises ManifestError: it was written by a later version of this package, or by something else, or it is damaged.
    :raises StorageError: the folder cannot be read.
    """
    path = child(directory, NAME)
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return None
    try:
        fields = decode(content, dict[str, Any])
    except UnreadableDocument as error:
        raise ManifestError(f"{path}: this is not a manifest of airflow-provider-lms ({error}). {_WAY_OUT}") from None
    version = fields.get("version")
    if type(version) is not int or version < 1:
        raise ManifestError(f"{path}: this is not a manifest of airflow-provider-lms (no version). {_WAY_OUT}")
    if version > VERSION:
        raise ManifestError(
            f"{path}: manifest version {version:,}. This package reads versions 1 to {VERSION}: upgrade it."
        )
    try:
        return convert(_from_version_1(fields) if version == 1 else fields, Manifest)
    except UnreadableDocument as error:
        raise ManifestError(f"{path}: the manifest is damaged ({error}). {_WAY_OUT}") from None


def put(directory: ObjectStoragePath, manifest: Manifest) -> None:
    """Write the manifest, completely or not at all."""
    write_bytes(child(directory, NAME), msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def check_writable(found: Manifest | None, run: TaskInstanceKey, if_exists: str) -> None:
    """Refuse to replace a dataset that this task instance must not replace.

    :param found: the manifest in the folder.
    :raises DatasetConflict: another map index of this task in this run wrote it, or ``if_exists`` is ``fail``.
    """
    if found is None:
        return
    check_map_index(found.run, run)
    if if_exists == "fail" and not run.same_instance(found.run):
        raise DatasetConflict(
            "output_path: the folder already holds a dataset, and if_exists is 'fail'. "
            "Choose another folder, or set if_exists='replace'."
        )


def check_map_index(other: TaskInstanceKey, run: TaskInstanceKey) -> None:
    """Refuse to write where another map index of the same task has written in this run.

    :param other: the task instance that has written.
    :raises DatasetConflict: it is another map index.
    """
    if run.same_task(other) and not run.same_instance(other):
        raise DatasetConflict(
            f"output_path: map index {other.map_index} of this task has written to this folder in this run. "
            "Give each mapped task its own folder: use '{{ ti.map_index }}' or the mapped id in output_path."
        )


def summarize(directory: ObjectStoragePath, manifest: Manifest) -> dict[str, Any]:
    """The summary of a dataset that goes to XCom."""
    summary: dict[str, Any] = msgspec.to_builtins(
        {
            "uri": str(directory),
            "manifest": str(child(directory, NAME)),
            "files": [
                {
                    "uri": str(child(directory, file.name)),
                    "records": file.records,
                    "bytes": file.bytes,
                    "sha256": file.sha256,
                }
                for file in manifest.files
            ],
            "records": manifest.records,
            "pages": manifest.pages,
            "format": manifest.format,
            "resource": manifest.resource,
            "schema_version": manifest.schema_version,
            "watermark": manifest.watermark,
            "complete": manifest.complete,
            "consistent": manifest.consistent,
            "new_fields": manifest.new_fields,
            "carried": manifest.carried,
            "changed_partitions": manifest.changed_partitions,
            "started_at": manifest.started_at,
            "finished_at": manifest.finished_at,
        }
    )
    return summary


def _from_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew one watermark, that of the completion date, and no name for its column."""
    files = convert(content.get("files"), list[dict[str, Any]])
    watermark = content.get(_V1_WATERMARK)
    return {
        **content,
        "version": VERSION,
        "watermark_field": None if watermark is None else _V1_WATERMARK_FIELD,
        "watermark": watermark,
        "files": [{**file, "watermark": file.get(_V1_WATERMARK)} for file in files],
    }
