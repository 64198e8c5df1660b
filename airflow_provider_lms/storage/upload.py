"""Uploads one object. It appears completely or not at all, and only one block of it is in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_MIB = 2**20
BLOCK_BYTES = 8 * _MIB
"""The file systems' own blocks are up to 50 MiB, and they copy a block before they send it. That took 220 MB of memory.
S3 accepts at least 5 MiB, and Google at least 256 KiB."""

_MAX_BLOCKS = 9_000
"""S3 accepts 10,000 blocks per object, Azure 50,000."""


def block_bytes(expected: int) -> int:
    """The size of the blocks in which an object is sent.

    :param expected: how many bytes the object may have.
    """
    needed = -(-expected // _MAX_BLOCKS)
    return max(BLOCK_BYTES, -(-needed // _MIB) * _MIB)


class Upload:
    """A file to write. Until :meth:`commit`, no reader sees it.

    An object of less than one block is sent in one request, a larger one block by block.

    :param fs: the store's file system.
    :param path: the object, as the file system names it.
    :param block: size of a block in bytes.
    """

    def __init__(self, fs: AbstractFileSystem, path: str, block: int) -> None:
        self._fs = fs
        self._path = path
        self._block = block
        self._first = bytearray()
        self._file: Any = None

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        # A page may be larger than a block. The file systems would keep all of it until it is sent.
        for start in range(0, len(view), self._block):
            self._write_block(view[start : start + self._block])
        return len(view)

    def _write_block(self, content: memoryview) -> None:
        if self._file is not None:
            self._file.write(content)
            return
        self._first += content
        if len(self._first) >= self._block:
            self._file = self._fs.open(self._path, "wb", autocommit=False, block_size=self._block)
            self._file.write(self._first)
            self._first = bytearray()

    def flush(self) -> None:
        """Do nothing: blocks are sent when they are full."""

    def commit(self) -> None:
        """Give the object its name and its content."""
        if self._file is None:
            self._fs.pipe_file(self._path, bytes(self._first))
            return
        self._file.close()
        self._file.commit()

    def discard(self) -> None:
        """Forget what was sent. Nothing happens if that fails: no reader can see it."""
        if self._file is None:
            return
        with suppress(Exception):
            self._file.discard()
        # adlfs has no discard(), and its close() commits the blocks sent so far, even at garbage collection. With this
        # flag it does not, and only ends its client.
        self._file.closed = True
        with suppress(Exception):
            self._file.close()
