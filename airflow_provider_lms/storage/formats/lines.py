"""JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from airflow_provider_lms.storage.formats.encoder import Row, Sink

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.records import Record


class JsonLines:
    """One JSON object a line; dates as RFC 3339 in UTC, a field without a value as null."""

    suffix = ".jsonl"

    _encode = staticmethod(msgspec.json.Encoder().encode_lines)

    def __init__(self, file: Sink, _: type[Record]) -> None:
        self._file = file

    def write(self, records: Sequence[Record]) -> None:
        self._file.write(self._encode(records))

    def close(self) -> None:
        """Nothing ends a file of lines."""

    @staticmethod
    def read(file: BinaryIO, _: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        decode = msgspec.json.Decoder(dict[str, object]).decode
        return map(decode, file)
