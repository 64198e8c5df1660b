"""How records become files: the formats, and what compresses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_lms.storage.formats.compression import SUFFIXES, ClosableSink, compressing, decompressing, zstd
from airflow_provider_lms.storage.formats.csv import Csv
from airflow_provider_lms.storage.formats.encoder import Encoder, Encoding, Row, Sink
from airflow_provider_lms.storage.formats.lines import JsonLines
from airflow_provider_lms.storage.formats.parquet import Parquet, ParquetGzip, ParquetZstd

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.records import Record

_ENCODINGS: dict[str, dict[str, Encoding]] = {
    "jsonl": dict.fromkeys(SUFFIXES, JsonLines),
    "csv": dict.fromkeys(SUFFIXES, Csv),
    "parquet": {"none": Parquet, "gzip": ParquetGzip, "zstd": ParquetZstd},
}
_DEFAULTS = {"parquet": "zstd"}


@dataclass(frozen=True)
class Format:
    """A format with its compression.

    :param name: ``jsonl``, ``csv`` or ``parquet``.
    :param compression: ``none``, ``gzip`` or ``zstd``.
    """

    name: str
    compression: str

    @classmethod
    def chosen(cls, name: object, compression: object) -> Format:
        """The format that an operator's ``output_format`` and ``compression`` ask for.

        :raises ValueError: there is no such format or compression, or what it needs is not installed.
        """
        if not isinstance(name, str) or name not in _ENCODINGS:
            raise ValueError(f"output_format: expected {_alternatives(_ENCODINGS)}, got {name!r}.")
        if compression is None:
            compression = _DEFAULTS.get(name, "none")
        if not isinstance(compression, str) or compression not in SUFFIXES:
            raise ValueError(f"compression: expected {_alternatives(SUFFIXES)}, got {compression!r}.")
        found = cls(name, compression)
        found._check_installed()
        return found

    @property
    def suffix(self) -> str:
        """The end of a file's name."""
        return self._encoding.suffix + ("" if self._compresses_itself else SUFFIXES[self.compression])

    def encoder(self, file: Sink, record: type[Record]) -> Encoder:
        """Begin a file.

        :param record: the type whose fields are declared.
        """
        if self._compresses_itself or self.compression == "none":
            return self._encoding(file, record)
        return _Compressed(self._encoding, compressing(file, self.compression), record)

    def read(self, file: BinaryIO, schema: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        """The records of a file as plain dicts, one after the other.

        :param schema: name and type of each declared field, from the manifest.
        """
        plain = file if self._compresses_itself else decompressing(file, self.compression)
        return self._encoding.read(plain, schema)

    @property
    def _encoding(self) -> Encoding:
        return _ENCODINGS[self.name][self.compression]

    @property
    def _compresses_itself(self) -> bool:
        return self.name == "parquet"

    def _check_installed(self) -> None:
        try:
            if self.name == "parquet":
                import pyarrow  # noqa: F401
            elif self.compression == "zstd":
                zstd()
        except ImportError:
            extra = "parquet" if self.name == "parquet" else "zstd"
            parameter = "output_format" if self.name == "parquet" else "compression"
            raise ValueError(
                f"{parameter}: {extra} needs another package: pip install 'airflow-provider-lms[{extra}]'."
            ) from None


class _Compressed:
    """An encoder whose bytes are compressed."""

    def __init__(self, encoding: Encoding, file: ClosableSink, record: type[Record]) -> None:
        self._file = file
        self._encoder = encoding(file, record)

    def write(self, records: Sequence[Record]) -> None:
        self._encoder.write(records)

    def close(self) -> None:
        self._encoder.close()
        self._file.close()


def _alternatives(names: Mapping[str, object]) -> str:
    return " or ".join(map(repr, names))
