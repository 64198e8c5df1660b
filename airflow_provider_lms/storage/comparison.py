"""What has changed between two datasets of the same listing: what was inserted, updated and deleted."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from airflow_provider_lms.storage.files import Location
from airflow_provider_lms.storage.manifest import Manifest, load_manifest
from airflow_provider_lms.storage.reader import read_records
from airflow_provider_lms.tables.columns import READ_AT

log = logging.getLogger(__name__)

Change: TypeAlias = Literal["inserted", "updated", "deleted", "unchanged", "not_read"]
CHANGES: tuple[Change, ...] = get_args(Change)
Row: TypeAlias = dict[str, Any]
Source: TypeAlias = "Location | Mapping[str, Any]"

_LATER = "Read it again, and compare then."
_CONTENT_BYTES = 16
_READ_AT_BYTES = 8


@dataclass(frozen=True)
class Comparison:
    """Two datasets of a listing, compared by key.

    Rows are read again each time that they are asked for, so only a digest of each row is held in memory: about 150
    bytes for each key of each dataset.

    A row that was carried over from one dataset to the next is ``not_read``: nobody asked the LMS whether it has
    changed. Rows that were read are compared without the date of reading.

    :param counts: the number of rows by change: ``inserted``, ``updated``, ``deleted``, ``unchanged``, ``not_read``.
    :param key: the columns that identify a row.
    :param manifest: that of the current dataset.

    Example::

        found = compare_datasets("s3://lake/users/2026-11-24", "s3://lake/users/2026-11-25")
        print(found.counts)
        for leaver in found.rows("deleted"):
            print(leaver["userId"])
    """

    counts: Mapping[Change, int]
    key: tuple[str, ...]
    manifest: Manifest
    _previous: Source | None
    _current: Source
    _before: Mapping[bytes, bytes]
    _now: Mapping[bytes, bytes]

    def rows(self, change: Change) -> Iterator[Row]:
        """The rows of one change. A deleted row is the last one; the others are those of the current dataset.

        :raises FileNotFoundError: a dataset was replaced since they were compared.
        """
        if change == "deleted":
            rows = iter(()) if self._previous is None else read_records(self._previous)
        else:
            rows = read_records(self._current)
        return (row for row in rows if self._change_of(_digest(self._key_of(row))) == change)

    def _key_of(self, row: Row) -> list[Any]:
        return [row.get(name) for name in self.key]

    def _change_of(self, key: bytes) -> Change:
        if key not in self._now:
            return "deleted"
        if key not in self._before:
            return "inserted"
        return _change(self._before[key], self._now[key])


def compare_datasets(previous: Source | None, current: Source, key: Sequence[str] | str | None = None) -> Comparison:
    """Compare two committed datasets of the same listing.

    A dataset that may lack records cannot show what was deleted, so both must be complete and consistent.

    :param previous: the earlier dataset, as a folder or a summary; None if there is none, and everything is new.
    :param current: the later dataset.
    :param key: the columns that identify a row; None takes the primary key of the dataset.
    :raises ValueError: they cannot be compared: other listings, filters or hashes, one is not complete, or rows share a
        key.
    :raises FileNotFoundError: no dataset was committed there.

    Example::

        compare_datasets(yesterday["uri"], today["uri"]).counts["deleted"]
    """
    later = _load("current", current)
    earlier = None if previous is None else _load("previous", previous)
    columns = (key,) if isinstance(key, str) else tuple(key or later.primary_key)
    if earlier is not None:
        _check_comparable(earlier, later)
    names = {column["name"] for column in later.schema}
    if not columns:
        raise ValueError(f"key: {later.resource} has no primary key. Name the columns that identify a row.")
    for name in columns:
        if name not in names:
            raise ValueError(f"key: the dataset has no column {name!r}.")

    def digests(parameter: str, source: Source | None, manifest: Manifest | None) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        contents = {} if manifest is None else _contents(manifest)
        for row in () if source is None else read_records(source):
            identity = _digest([row.get(name) for name in columns])
            if identity in found:
                raise ValueError(f"key: several rows of {parameter} have the same {', '.join(columns)}.")
            if contents:
                row = {
                    name: contents.get(value, value) if isinstance(value, str) else value for name, value in row.items()
                }
            found[identity] = _digest_row(row)
        return found

    before, now = digests("previous", previous, earlier), digests("current", current, later)
    in_both = Counter(_change(before[each], digest) for each, digest in now.items() if each in before)
    counts: dict[Change, int] = {
        "inserted": len(now) - in_both.total(),
        "updated": in_both["updated"],
        "deleted": len(before) - in_both.total(),
        "unchanged": in_both["unchanged"],
        "not_read": in_both["not_read"],
    }
    log.info("Compared %s: %s.", later.resource, ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    return Comparison(counts, columns, later, previous, current, before, now)


def _load(parameter: str, source: Source) -> Manifest:
    found = load_manifest(source["uri"] if isinstance(source, Mapping) else source)
    if not found.complete:
        raise ValueError(f"{parameter}: max_pages cut this dataset short. {_LATER}")
    if not found.consistent:
        raise ValueError(f"{parameter}: records came or went while it was read, so it may lack some. {_LATER}")
    return found


def _check_comparable(earlier: Manifest, later: Manifest) -> None:
    same: tuple[tuple[str, Callable[[Manifest], object]], ...] = (
        ("listings", lambda each: each.resource),
        ("accounts", lambda each: each.host),
        ("filters", lambda each: each.query),
        ("columns", lambda each: sorted(column["name"] for column in each.schema)),
        ("secrets for their hashes", lambda each: each.hash_key_id),
    )
    for what, value in same:
        if value(earlier) != value(later):
            raise ValueError(f"previous, current: they have different {what}, so rows cannot be compared.")


def _contents(manifest: Manifest) -> dict[str, str]:
    """The digests of attached files by name. Each dataset gives them new names, so their contents are compared."""
    return {each.name: each.sha256 for file in manifest.files for each in file.attachments}


def _change(before: bytes, now: bytes) -> Change:
    """What has become of a row that is in both datasets.

    :param before: the digest of the row in the earlier dataset.
    :param now: in the later one.
    """
    if before[:_CONTENT_BYTES] != now[:_CONTENT_BYTES]:
        return "updated"
    has_read_at = len(now) > _CONTENT_BYTES
    return "not_read" if has_read_at and before == now else "unchanged"


def _digest_row(row: Row) -> bytes:
    """The digest of what a row says, and after it, where rows tell when they were read, the digest of that."""
    read_at = row.get(READ_AT)
    if read_at is None:
        return _digest(row)
    content = {name: value for name, value in row.items() if name != READ_AT}
    return _digest(content) + _digest(read_at, _READ_AT_BYTES)


def _digest(value: object, size: int = _CONTENT_BYTES) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(value, order="deterministic"), digest_size=size).digest()
