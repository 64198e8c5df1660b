"""Record formats: one encoder for each, writing into an open file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec


class Sink(Protocol):
    """Takes bytes."""

    def write(self, content: bytes, /) -> int: ...


class Encoder(Protocol):
    """Writes records into one file, in one format."""

    format: ClassVar[str]
    suffix: ClassVar[str]

    def __init__(self, file: Sink) -> None: ...

    def write(self, records: Sequence[msgspec.Struct]) -> None:
        """Append records."""

    def close(self) -> None:
        """Write what the format needs at its end; the file itself stays open."""


class JsonLines:
    """One JSON object a line; dates as RFC 3339 in UTC, a field without a value as null."""

    format: ClassVar[str] = "jsonl"
    suffix: ClassVar[str] = ".jsonl"

    _encode = staticmethod(msgspec.json.Encoder().encode_lines)

    def __init__(self, file: Sink) -> None:
        self._file = file

    def write(self, records: Sequence[msgspec.Struct]) -> None:
        self._file.write(self._encode(records))

    def close(self) -> None:
        """Nothing ends a file of lines."""
