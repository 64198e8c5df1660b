"""Parquet, with real types: needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from airflow_provider_lms.storage.formats.columns import EXTRA, Columns, merged
from airflow_provider_lms.storage.formats.encoder import Row, Sink

_GROUP_ROWS = 20_000


class Parquet:
    """Row groups of about 20,000 records; timestamps in microseconds and UTC.

    Parquet compresses its own pages, so this encoder takes the compression itself.
    """

    suffix = ".parquet"
    compression = "none"

    def __init__(self, file: Sink, record: type[msgspec.Struct]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._columns = Columns(record)
        types = {
            "string": pa.string(),
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "any": pa.string(),
        }
        fields = [pa.field(column.name, types[column.type]) for column in self._columns.declared]
        self._schema = pa.schema([*fields, pa.field(EXTRA, pa.string())])
        self._pa = pa
        self._writer = pq.ParquetWriter(file, self._schema, compression=self.compression)
        self._batches: list[Any] = []
        self._rows = 0

    def write(self, records: Sequence[msgspec.Struct]) -> None:
        columns = [self._columns.values(column, records) for column in self._columns.declared]
        arrays = [
            self._pa.array(values, type=field.type)
            for values, field in zip([*columns, self._columns.beyond(records)], self._schema, strict=True)
        ]
        self._batches.append(self._pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(records)
        if self._rows >= _GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._writer.close()

    @staticmethod
    def read(file: BinaryIO, schema: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(file).iter_batches(batch_size=10_000):
            for row in msgspec.to_builtins(batch.to_pylist()):
                yield merged(row, schema)

    def _write_group(self) -> None:
        if self._batches:
            self._writer.write_table(self._pa.Table.from_batches(self._batches, schema=self._schema))
        self._batches, self._rows = [], 0


class ParquetGzip(Parquet):
    """Parquet with gzip."""

    compression = "gzip"


class ParquetZstd(Parquet):
    """Parquet with zstd."""

    compression = "zstd"
