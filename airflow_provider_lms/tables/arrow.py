"""Records as Arrow tables: needs pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms.tables.columns import EXTRA, Columns

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowTable:
    """The Arrow form of a record type.

    :param record: the type whose fields are declared.
    """

    def __init__(self, record: type[msgspec.Struct]) -> None:
        import pyarrow as pa

        self._pa = pa
        self._columns = Columns(record)
        types = {
            "string": pa.string(),
            "integer": pa.int64(),
            "number": pa.float64(),
            "number or text": pa.float64(),
            "boolean": pa.bool_(),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "any": pa.string(),
        }
        fields = [pa.field(each.name, types[each.type], metadata=each.metadata) for each in self._columns.declared]
        self.schema: pa.Schema = pa.schema([*fields, pa.field(EXTRA, pa.string())])

    def batch(self, records: Sequence[Any]) -> pa.RecordBatch:
        """Records as a batch of this schema."""
        columns = [self._columns.values(column, records) for column in self._columns.declared]
        arrays = [
            self._pa.array(values, type=field.type)
            for values, field in zip([*columns, self._columns.extra_json(records)], self.schema, strict=True)
        ]
        return self._pa.RecordBatch.from_arrays(arrays, schema=self.schema)
