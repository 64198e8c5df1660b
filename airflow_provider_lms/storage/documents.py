"""The small JSON documents beside the parts of a dataset, and what may stand in them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

T = TypeVar("T")

PartName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")]
"""The name of a file in the dataset's own folder. A path, a URL's query or a hidden file would lead elsewhere."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]

_NUMBERED = r"-\d{8}T\d{6}Z-[0-9a-f]{8}-(\d{4,}-)?\d{5,}"
_PART = re.compile(
    rf"part{_NUMBERED}\.(jsonl|csv|parquet)(\.gz|\.zst)?|file{_NUMBERED}\.pdf|states-\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}\.json"
)
_UNFINISHED = re.compile(rf"\.(_probe|_manifest\.json|_checkpoint\.json|{_PART.pattern})\.[0-9a-f]{{32}}\.tmp")


class UnreadableDocument(Exception):
    """A document is not JSON, or not of the expected type. The message says what is wrong, and where."""


def decode(content: bytes, kind: type[T]) -> T:
    """The content of a document.

    :raises UnreadableDocument: it cannot be read, whatever the bytes are.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except Exception as error:  # noqa: BLE001
        raise _unreadable(error) from None


def convert(content: object, kind: type[T]) -> T:
    """A decoded document as a type.

    :raises UnreadableDocument: it is of another type.
    """
    try:
        return msgspec.convert(content, kind)
    except Exception as error:  # noqa: BLE001
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> UnreadableDocument:
    """The error for one that a decoder raised.

    msgspec raises its own errors, but also RecursionError for deep nesting, UnicodeDecodeError for other encodings, and
    ValueError and OverflowError for odd dates and numbers. Nothing else runs while it decodes.
    """
    if isinstance(error, msgspec.ValidationError):
        return UnreadableDocument(str(error))
    return UnreadableDocument("it is not JSON in UTF-8" if isinstance(error, ValueError) else type(error).__name__)


def is_part(name: str) -> bool:
    """Whether this package gives such names to parts, their attachments and states."""
    return _PART.fullmatch(name) is not None


def is_written_by_us(name: str) -> bool:
    """Whether this package gives such names to files of a dataset, or to files that are not finished."""
    return is_part(name) or _UNFINISHED.fullmatch(name) is not None
