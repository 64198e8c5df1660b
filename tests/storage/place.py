"""A folder for datasets, on a disk or in an object store, as everybody else sees it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem


class Place:
    """Like a ``pathlib.Path``, with what the tests need of it. Its text is the URL for an operator.

    :param url: with its connection.
    :param fs: an fsspec file system with nothing of this package in it.
    :param root: the path within the file system.
    """

    def __init__(self, url: str, fs: Any, root: str) -> None:
        self._url = url
        self.fs = fs
        self._root = root

    def __str__(self) -> str:
        return self._url

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self._url}/{name}", self.fs, f"{self._root}/{name}")

    def __lt__(self, other: Place) -> bool:
        return self._root < other._root

    @property
    def name(self) -> str:
        return self._root.rpartition("/")[2]

    @property
    def path(self) -> str:
        return self._root

    def iterdir(self) -> Iterator[Place]:
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(self._root, detail=True)
        except FileNotFoundError:
            return
        for entry in found:
            if entry["type"] == "file":
                yield self / str(entry["name"]).rpartition("/")[2]

    def glob(self, pattern: str) -> Iterator[Place]:
        return (each for each in self.iterdir() if fnmatch(each.name, pattern))

    def exists(self) -> bool:
        self.fs.invalidate_cache()
        return bool(self.fs.exists(self._root))

    def read_bytes(self) -> bytes:
        return bytes(self.fs.cat_file(self._root))

    def read_text(self) -> str:
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        self.fs.makedirs(self._root.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(self._root, content)

    def write_text(self, content: str) -> None:
        self.write_bytes(content.encode())

    def unlink(self) -> None:
        self.fs.rm_file(self._root)


def on_disk(path: Path) -> Place:
    return Place(path.as_uri(), LocalFileSystem(), str(path))
