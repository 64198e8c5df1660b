"""Whether outputs hold the same records: whatever the names' spelling, the types, the order and the files are."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers import CONTENDERS

Records = Counter[bytes]
"""A digest of each record, and how often it is there."""


def digests(rows: Iterator[Mapping[str, Any]]) -> Records:
    return Counter(_digest(row) for row in rows)


def written(peer: str, folder: Path) -> Records:
    """What a peer's output holds; a line that ends half-way is no record."""
    return digests(row for path in CONTENDERS[peer].load().files(folder) for row in _rows(path))


def check(peer: str, folder: Path, expected: Records) -> None:
    """Compare an output record for record."""
    found = written(peer, folder)
    if found != expected:
        raise RuntimeError(
            f"{peer} wrote {found.total():,} records in place of {expected.total():,}; "
            f"{(expected - found).total():,} are missing, {(found - expected).total():,} are wrong or there twice."
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                yield {name: _IN_CSV.get(text, text) for name, text in row.items()}
    else:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            yield from filter(None, map(_line, lines))


_IN_CSV = {"": None, "true": True, "false": False}


def _line(line: str) -> dict[str, Any] | None:
    """The record of a line; None where there is none, as among a tap's messages."""
    if not line.endswith("\n"):
        return None
    row: dict[str, Any] = json.loads(line)
    if "type" not in row:
        return row
    return row["record"] if row["type"] == "RECORD" else None


def _digest(row: Mapping[str, Any]) -> bytes:
    fields = sorted(
        (name.replace("_", "").lower(), _text(value))
        for name, value in row.items()
        if value is not None and not name.startswith("_dlt_")
    )
    return hashlib.blake2b(repr(fields).encode(), digest_size=16).digest()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    text = str(value)
    return text.removesuffix(".0") if text.replace(".", "", 1).isdigit() else text.replace("+00:00", "Z")
