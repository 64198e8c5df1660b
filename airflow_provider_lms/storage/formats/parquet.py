"""Parquet, with real types: needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from airflow_provider_lms.storage.formats.encoder import Row, Sink
from airflow_provider_lms.tables.arrow import ArrowTable
from airflow_provider_lms.tables.columns import merged

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.records import Record

_GROUP_ROWS = 20_000


class Parquet:
    """Row groups of about 20,000 records; timestamps in microseconds and UTC.

    Parquet compresses its own pages, so this encoder takes the compression itself.
    """

    suffix = ".parquet"
    compression = "none"

    def __init__(self, file: Sink, record: type[Record]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._table = ArrowTable(record)
        self._pa = pa
        self._writer = pq.ParquetWriter(file, self._table.schema, compression=self.compression)
        self._batches: list[Any] = []
        self._rows = 0

    def write(self, records: Sequence[Record]) -> None:
        self._batches.append(self._table.batch(records))
        self._rows += len(records)
        if self._rows >= _GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._writer.close()

    @staticmethod
    def read(file: BinaryIO, schema: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        import pyarrow.parquet as pq

        found = pq.ParquetFile(file)
        if found.num_row_groups == 0:  # pyarrow before version 19 raises OSError for such a file
            return
        for batch in found.iter_batches(batch_size=10_000):
            for row in msgspec.to_builtins(batch.to_pylist()):
                yield merged(row, schema)

    def _write_group(self) -> None:
        if self._batches:
            self._writer.write_table(self._pa.Table.from_batches(self._batches, schema=self._table.schema))
        self._batches, self._rows = [], 0


class ParquetGzip(Parquet):
    """Parquet with gzip."""

    compression = "gzip"


class ParquetZstd(Parquet):
    """Parquet with zstd."""

    compression = "zstd"
