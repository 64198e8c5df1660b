"""What the formats have in common: records go in, bytes come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.records import Record

Row = dict[str, object]


class Sink(Protocol):
    """Takes bytes."""

    def write(self, content: bytes, /) -> int: ...

    def flush(self) -> None: ...


class Encoder(Protocol):
    """Writes records into one file."""

    def write(self, records: Sequence[Record]) -> None:
        """Append records."""

    def close(self) -> None:
        """Write what the format needs at its end; the file itself stays open."""


class Encoding(Protocol):
    """A format: a class of encoders, and the way back."""

    suffix: str

    def __call__(self, file: Sink, record: type[Record], /) -> Encoder:
        """Begin a file.

        :param record: the type whose fields are declared; records may be of subclasses with further fields.
        """

    def read(self, file: BinaryIO, schema: Sequence[Mapping[str, str]], /) -> Iterator[Row]:
        """The records of a file as plain dicts: all declared fields, and further ones where they have a value.

        :param schema: name and type of each declared field.
        """
