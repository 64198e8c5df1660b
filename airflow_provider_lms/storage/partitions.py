"""Which days or months of a dataset differ from those of an earlier dataset.

Each part notes a digest of the rows of each day or month, so two datasets are compared without reading them again. The
digest does not depend on the order of the rows, the cut into parts, or the file format.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec

from airflow_provider_lms.storage.documents import Count
from airflow_provider_lms.tables.columns import READ_AT, Columns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.storage.manifest import Manifest, TaskInstanceKey

log = logging.getLogger(__name__)

Grain: TypeAlias = Literal["day", "month"]

PartitionKey: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-[0-9]{2}(-[0-9]{2})?\Z")]
_KEY_LENGTHS: Mapping[Grain, int] = {"day": len("2026-11-29"), "month": len("2026-11")}
_DIGEST_BYTES = 16
_MODULUS = 1 << (8 * _DIGEST_BYTES)
_SHOWN = 5


class PartitionedBy(msgspec.Struct, frozen=True, kw_only=True):
    """What the partitions of a dataset are.

    :param column: the column with the date, in UTC.
    :param grain: the period: ``day`` or ``month``.
    """

    column: str
    grain: Grain


class Partition(msgspec.Struct, kw_only=True):
    """The rows of one day or month.

    :param records: how many there are.
    :param digest: the sum of the digests of all rows, in hexadecimal.
    """

    records: Count
    digest: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class TooManyPartitions(ValueError):
    """More days or months have changed than downstream DAGs are to be run for."""


@dataclass(frozen=True)
class EarlierDataset:
    """What the partitions of a new dataset are compared with.

    :param directory: the folder of the earlier dataset; None is the folder that the new one is written to.
    :param max_partitions: how many partitions may differ.
    :param was_reported: whether Airflow knows of the partitions that a task instance has found. If not, they are found
        again, whatever this dataset is compared with.
    """

    directory: ObjectStoragePath | None
    max_partitions: int
    was_reported: Callable[[TaskInstanceKey], bool] = lambda _: True


class PartitionDigests:
    """Digests the rows of each partition while they are written.

    :param by: what the partitions are.
    :param record: the type of the rows. Rows without a date belong to no partition.
    """

    def __init__(self, by: PartitionedBy, record: type[msgspec.Struct]) -> None:
        self._length = _KEY_LENGTHS[by.grain]
        attributes = {column.name: column.attribute for column in Columns(record).declared}
        self._date_of = attrgetter(attributes[by.column])
        # When a row was read says nothing about the row.
        self._ignored = {attributes[READ_AT]: None} if READ_AT in attributes else {}
        # Such a column is of floats in Parquet, so a row that was carried over has 47.0 where the LMS has sent 47.
        self._mixed = [column.attribute for column in Columns(record).declared if column.type == "number or text"]
        self._encode = msgspec.json.Encoder(order="deterministic").encode
        self._records: dict[str, int] = {}
        self._sums: dict[str, int] = {}

    def add(self, records: Iterable[Any]) -> None:
        """Count rows in."""
        for record in records:
            date = self._date_of(record)
            if date is None:
                continue
            key = date.isoformat()[: self._length]
            digest = hashlib.blake2b(self._encode(self._comparable(record)), digest_size=_DIGEST_BYTES).digest()
            self._records[key] = self._records.get(key, 0) + 1
            self._sums[key] = (self._sums.get(key, 0) + int.from_bytes(digest)) % _MODULUS

    def _comparable(self, record: Any) -> Any:
        changes: dict[str, Any] = dict(self._ignored)
        for attribute in self._mixed:
            value = getattr(record, attribute)
            if isinstance(value, float) and value.is_integer():
                changes[attribute] = int(value)
        return msgspec.structs.replace(record, **changes) if changes else record

    def partitions(self) -> dict[str, Partition]:
        """The partitions by key, such as ``2026-11-29`` or ``2026-11``."""
        return {
            key: Partition(records=count, digest=_hex(self._sums[key])) for key, count in sorted(self._records.items())
        }


def merge(parts: Iterable[Mapping[str, Partition]]) -> dict[str, Partition]:
    """The partitions of several parts together."""
    found: dict[str, Partition] = {}
    for part in parts:
        for key, each in part.items():
            before = found.get(key, Partition(records=0, digest=_hex(0)))
            total = (int(before.digest, 16) + int(each.digest, 16)) % _MODULUS
            found[key] = Partition(records=before.records + each.records, digest=_hex(total))
    return found


def find_changed(
    now: Manifest, earlier: Manifest | None, max_partitions: int, unreported: Iterable[str] = ()
) -> list[str]:
    """The keys of the partitions whose rows differ, in order.

    A partition that has gone counts if both datasets have the same filters. With other filters, its rows may only not
    have been asked for.

    :param now: the new dataset.
    :param earlier: the dataset to compare with; None if there is none. Then every partition differs.
    :param unreported: further partitions, which an earlier task has found and nobody knows of.
    :raises TooManyPartitions: there are more than ``max_partitions``.
    """
    partitions, before = now.partitions, _comparable(now, earlier)
    changed = {key for key, each in partitions.items() if before.get(key) != each}
    if earlier is not None and earlier.query == now.query:
        changed |= before.keys() - partitions.keys()
    found = sorted(changed.union(unreported))
    if len(found) > max_partitions:
        raise TooManyPartitions(_advice(found, now, max_partitions))
    return found


def _comparable(now: Manifest, earlier: Manifest | None) -> Mapping[str, Partition]:
    """The partitions of the earlier dataset; none if they cannot be compared, and the log says why."""
    if earlier is None:
        log.info("partition_by: there is no earlier dataset, so every partition counts as changed.")
        return {}
    pairs: Sequence[tuple[str, object, object]] = (
        ("listing", earlier.resource, now.resource),
        ("account", earlier.host, now.host),
        ("partitions", earlier.partitioned_by, now.partitioned_by),
        ("schema version", earlier.schema_version, now.schema_version),
        ("columns", earlier.schema, now.schema),
        ("secret for hashes", earlier.hash_key_id, now.hash_key_id),
    )
    different = [what for what, theirs, ours in pairs if theirs != ours]
    if different:
        log.warning(
            "partition_by: the earlier dataset differs in %s, so every partition counts as changed.",
            ", ".join(different),
        )
        return {}
    return earlier.partitions


def _advice(changed: Sequence[str], now: Manifest, max_partitions: int) -> str:
    by = now.partitioned_by
    period, column = ("partition", "the date") if by is None else (by.grain, by.column)
    shown = ", ".join(changed[:_SHOWN]) + (", ..." if len(changed) > _SHOWN else "")
    coarser = " set partition_by='month'," if period == "day" else ""
    return (
        f"max_partitions: the rows of {len(changed):,} {period}s of {column} differ from those before ({shown}), "
        f"and at most {max_partitions:,} may. Downstream DAGs would run once for each. The dataset before is kept. "
        f"To run them all, raise max_partitions for this run. Otherwise{coarser} or read a shorter period."
    )


def _hex(total: int) -> str:
    return f"{total:0{2 * _DIGEST_BYTES}x}"
