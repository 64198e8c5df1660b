"""Operators that work on datasets. They need no LMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_lms.operators.options import Compression, Names, OutputFormat, TaskOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.storage.comparison import Change, Comparison
    from airflow_provider_lms.tables.columns import RowType

Source: TypeAlias = "str | ObjectStoragePath | Mapping[str, Any]"

_ROWS = 10_000


class CompareDatasetsOperator(BaseOperator):
    """Tells what has changed between two datasets of a listing: rows that were inserted, updated and deleted.

    :param current: the later dataset: its folder, or the summary that its task has returned (templated).
    :param previous: the earlier dataset: its folder, or the summary that its task has returned (templated). None if
        there is none: then everything is new.
    :param key: the columns that identify a row (templated); None takes the primary key of the dataset.
    :param output_path: the folder for the datasets ``inserted``, ``updated`` and ``deleted`` (templated). None returns
        only the counts.
    :param output_format: ``jsonl``, ``csv`` or ``parquet``, as for the operators that extract (templated).
    :param compression: ``none``, ``gzip`` or ``zstd``, as for the operators that extract (templated).

    Example::

        CompareDatasetsOperator(
            task_id="leavers",
            previous="s3://lake/users/{{ macros.ds_add(ds, -1) }}",
            current="s3://lake/users/{{ ds }}",
            output_path="s3://lake/user_changes/{{ ds }}",
        )
    """

    template_fields: Sequence[str] = ("current", "previous", "key", "output_path", "output_format", "compression")

    def __init__(
        self,
        *,
        current: Source,
        previous: Source | None = None,
        key: Names = None,
        output_path: str | ObjectStoragePath | None = None,
        output_format: OutputFormat = "jsonl",
        compression: Compression | None = None,
        **task: Unpack[TaskOptions],
    ) -> None:
        super().__init__(**task)
        self.current = current
        self.previous = previous
        self.key = key
        self.output_path = output_path
        self.output_format = output_format
        self.compression = compression

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare the datasets.

        :return: ``counts`` with the number of rows that are ``inserted``, ``updated``, ``deleted``, ``unchanged`` and
            ``not_read`` (carried over from the earlier dataset); with ``output_path`` also the summary of a dataset for
            each of the first three.
        :raises ValueError: a parameter is invalid, or the datasets cannot be compared.
        """
        from airflow_provider_lms.lms.parameters import parse_ids
        from airflow_provider_lms.storage.comparison import compare_datasets
        from airflow_provider_lms.storage.files import child, folder
        from airflow_provider_lms.storage.formats import Format
        from airflow_provider_lms.storage.manifest import TaskInstanceKey

        chosen = Format.chosen(self.output_format, self.compression)
        found = compare_datasets(self.previous, self.current, parse_ids("key", self.key))
        result: dict[str, Any] = {"counts": dict(found.counts)}
        if self.output_path is not None:
            whole = folder("output_path", self.output_path)
            changes: tuple[Change, ...] = ("inserted", "updated", "deleted")
            for change in changes:
                result[change] = _write(found, change, child(whole, change), TaskInstanceKey.of(context), chosen)
        return result


def _write(found: Comparison, change: Change, directory: ObjectStoragePath, run: Any, chosen: Any) -> dict[str, Any]:
    from airflow_provider_lms.storage.dataset import Dataset, Description
    from airflow_provider_lms.storage.parts import PartOptions
    from airflow_provider_lms.storage.source import WholeListing
    from airflow_provider_lms.tables.columns import Columns, RowType

    manifest = found.manifest
    rows = RowType(manifest.resource, manifest.schema)
    attributes = {column.name: column.attribute for column in Columns(rows.record).declared}
    description = Description(
        resource=manifest.resource,
        record=rows.record,  # type: ignore[arg-type]  # it has the columns of a record, and comes from no LMS
        primary_key=tuple(attributes[name] for name in found.key),
        watermark=None,
        host=manifest.host,
        query=manifest.query,
        schema_version=manifest.schema_version,
        hash_key_id=manifest.hash_key_id,
    )
    parts = PartOptions(chosen, 128_000_000, 300.0)
    return Dataset(directory, run, "replace").write(
        WholeListing(lambda *_: _pages(found, change, rows)), description, parts
    )


def _pages(found: Comparison, change: Change, rows: RowType) -> Iterator[Page[Any]]:
    from airflow_provider_lms.lms.listing.page import Page

    left = found.rows(change)
    for number in count(1):
        some = list(islice(left, _ROWS))
        if not some:
            return
        yield Page(rows.records(some), number, None)
