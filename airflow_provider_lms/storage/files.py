"""Folders and files in object storage or on a local disk, and files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from airflow.providers.common.compat.sdk import ObjectStoragePath

Location: TypeAlias = "str | ObjectStoragePath"

_LOCAL = ("", "file", "local")


def folder(name: str, location: object) -> ObjectStoragePath:
    """The folder that a plain path, a URL or an ``ObjectStoragePath`` names.

    :param name: the parameter's name, for the error.
    :raises ValueError: empty, or a path that is not absolute.
    """
    text = str(location).strip().rstrip("/") if isinstance(location, str | ObjectStoragePath) else ""
    if not text:
        raise ValueError(f"{name}: expected a folder, as a path, a URL or an ObjectStoragePath, got {location!r}.")
    if "://" not in text:
        if not Path(text).is_absolute():
            raise ValueError(
                f"{name}: {text!r} is relative, which differs between workers. Give a URL or an absolute path."
            )
        text = f"file://{text}"
    return ObjectStoragePath(text)


def child(parent: ObjectStoragePath, name: str) -> ObjectStoragePath:
    """A file in a folder."""
    return ObjectStoragePath(f"{str(parent).rstrip('/')}/{name}")


@contextmanager
def whole_file(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    """A file to write that takes its name when the block ends; if the block raises, it never does.

    On a local disk it is written beside its place, and moved there when all of it is on the disk.
    """
    if path.protocol in _LOCAL:
        yield from _moved_into_place(Path(path.path))
        return
    file: Any = path.open("wb", autocommit=False)  # type: ignore[no-untyped-call]
    try:
        yield file
        file.close()
        file.commit()
    except BaseException:
        with suppress(Exception):
            file.discard()
        raise


def _moved_into_place(path: Path) -> Iterator[BinaryIO]:
    # fsspec's own way writes into the system's temporary folder, often another disk, from where a move is a copy.
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def open_to_read(path: ObjectStoragePath) -> BinaryIO:
    """A file to read, in bytes."""
    # Airflow 2's wrapper around an open file has no lines to go through.
    file: BinaryIO = path.fs.open(path.path, "rb")
    return file


def content(path: ObjectStoragePath) -> bytes:
    """A small file's content, which others may be replacing meanwhile.

    :raises FileNotFoundError: there is no such file.
    """
    # One request. An open file is two in S3, and refuses to be read where the object was replaced between them.
    found: bytes = path.fs.cat_file(path.path)
    return found


def remove(path: ObjectStoragePath) -> None:
    """Remove a file that may be gone already."""
    with suppress(FileNotFoundError):
        path.fs.rm_file(path.path)
