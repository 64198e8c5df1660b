"""Files that are compressed as they are written, and decompressed as they are read."""

from __future__ import annotations

import gzip
import sys
from typing import Any, BinaryIO, Protocol

from airflow_provider_lms.storage.formats.encoder import Sink

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


class ClosableSink(Sink, Protocol):
    """A sink that writes what is left when it is closed."""

    def close(self) -> None: ...


def compressing(file: Sink, compression: str) -> ClosableSink:
    """A sink before another; closing it leaves the other open.

    :param compression: ``gzip`` or ``zstd``.
    """
    if compression == "gzip":
        # A fixed time, so that the same records make the same file.
        return gzip.GzipFile(fileobj=file, mode="wb", mtime=0)
    sink: ClosableSink = zstd().ZstdFile(file, "wb")
    # Otherwise a file without records would have no frame at all, and readers would take it for cut off.
    sink.write(b"")
    return sink


def decompressing(file: BinaryIO, compression: str) -> BinaryIO:
    """A file as it was before it was compressed."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    return file if compression == "none" else zstd().ZstdFile(file)


def zstd() -> Any:
    """The zstd module of the standard library, which before Python 3.14 is a package.

    :raises ImportError: it is not installed.
    """
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
