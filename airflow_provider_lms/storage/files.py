"""Folders and files in object storage or on a local disk. A file appears completely or not at all."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_lms.storage.errors import StorageError
from airflow_provider_lms.storage.upload import BLOCK_BYTES, Upload, block_bytes

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)

Location: TypeAlias = "str | ObjectStoragePath"
T = TypeVar("T")

_LOCAL = ("", "file", "local")
_PROBE = "_probe"
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "adl": "azure"}


def folder(name: str, location: object) -> ObjectStoragePath:
    """The folder for a plain path, a URL or an ``ObjectStoragePath``.

    :param name: the parameter's name, for the error.
    :raises ValueError: it is empty, or a path that is not absolute.
    :raises StorageError: no file system for this kind of URL is installed.
    """
    text = str(location).strip().rstrip("/") if isinstance(location, str | ObjectStoragePath) else ""
    if not text:
        raise ValueError(f"{name}: expected a folder, as a path, a URL or an ObjectStoragePath, got {location!r}.")
    if "://" not in text:
        if not Path(text).is_absolute():
            raise ValueError(
                f"{name}: {text!r} is relative, so every worker would use another folder. "
                "Give a URL or an absolute path."
            )
        text = f"file://{text}"
    _check_url(name, text)
    try:
        return ObjectStoragePath(text)
    except TypeError as error:
        # Airflow 2.11.0, 3.0 and the first releases of 3.1 do not work with universal-pathlib 0.3, but allow it.
        raise StorageError(
            f"{name}: this version of Airflow does not work with the installed universal-pathlib. "
            "Install Airflow with its constraints file, or run: pip install 'universal-pathlib<0.3'"
        ) from error
    except Exception as error:
        raise StorageError(_cannot("use", text, error)) from error


def _check_url(name: str, url: str) -> None:
    parsed = urlsplit(url)
    bucket = parsed.netloc.rpartition("@")[2]
    if parsed.scheme in _LOCAL:
        # Two slashes: what looks like the first folder is a host's name, and the rest a path that is read as relative.
        if bucket or not parsed.path.startswith("/"):
            raise ValueError(
                f"{name}: {url!r} is relative, so every worker would use another folder. "
                "Give a file URL three slashes: file:///folder."
            )
    elif parsed.scheme in _EXTRAS and not bucket:
        raise ValueError(f"{name}: {url!r} names no bucket or container. Expected {parsed.scheme}://bucket/folder.")


def child(parent: ObjectStoragePath, name: str) -> ObjectStoragePath:
    """A file in a folder."""
    return ObjectStoragePath(f"{str(parent).rstrip('/')}/{name}")


@contextmanager
def write_whole(path: ObjectStoragePath, expected: int = 0) -> Iterator[BinaryIO]:
    """A file to write. It gets its name when the block ends; if the block raises, it never does.

    On a local disk it is written beside its place, and moved there when it is completely on the disk.

    :param expected: how many bytes it may have. Only very large objects need another way to send them.
    """
    if path.protocol in _LOCAL:
        yield from _moved_into_place(Path(path.path))
        return
    upload: Any = Upload(_file_system(path), path.path, block_bytes(expected))
    try:
        yield upload
        upload.commit()
    except BaseException:
        upload.discard()
        raise


def _moved_into_place(path: Path) -> Iterator[BinaryIO]:
    # fsspec would write into the system's temporary folder. That is often another disk, and the move then a copy.
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


def write_bytes(path: ObjectStoragePath, content: bytes) -> None:
    """Write a small file that others may replace at the same time, completely or not at all."""
    # In an object store this is one request. Azure rejects a commit in several requests if another writer's commit of
    # the same name comes in between.
    with write_whole(path) as file:
        file.write(content)


def read_bytes(path: ObjectStoragePath) -> bytes:
    """The content of a small file that others may replace at the same time.

    :raises FileNotFoundError: there is no such file.
    :raises StorageError: the store or the file cannot be read.
    """
    # One request. Opening a file takes two in S3, and reading fails if the object was replaced between them.
    content: bytes = _read(path, lambda fs: fs.cat_file(path.path))
    return content


def size_of(path: ObjectStoragePath) -> int:
    """The size of a file in bytes.

    :raises FileNotFoundError: there is no such file.
    :raises StorageError: the store cannot be read.
    """
    return _read(path, lambda fs: int(fs.info(path.path)["size"]))


def sizes_in(directory: ObjectStoragePath) -> dict[str, int]:
    """The sizes of the files in a folder in bytes, by name.

    :raises StorageError: the store cannot be read.
    """
    found = _read(directory, lambda fs: fs.ls(directory.path, detail=True))
    return {str(each["name"]).rpartition("/")[2]: int(each["size"]) for each in found if each["type"] == "file"}


def exists(path: ObjectStoragePath) -> bool:
    """Whether there is such a file.

    :raises StorageError: the store cannot be read.
    """
    try:
        size_of(path)
    except FileNotFoundError:
        return False
    return True


def open_to_read(path: ObjectStoragePath) -> BinaryIO:
    """A file to read, in bytes.

    :raises FileNotFoundError: there is no such file.
    :raises StorageError: the store cannot be read.
    """
    # Not path.open(): Airflow 2's wrapper around an open file cannot be iterated.
    file: BinaryIO = _read(path, lambda fs: fs.open(path.path, "rb", block_size=BLOCK_BYTES))
    return file


def files_before(directory: ObjectStoragePath, moment: datetime) -> list[str]:
    """The names of the files in a folder that were last written before a moment.

    A file whose time the file system does not tell is not among them.
    """
    return [
        str(entry["name"]).rpartition("/")[2]
        for entry in _file_system(directory).ls(directory.path, detail=True)
        if entry["type"] == "file" and (written := _modified(entry)) is not None and written < moment
    ]


def _modified(entry: dict[str, Any]) -> datetime | None:
    """The time in a listing's entry: a disk calls it ``mtime``, S3 ``LastModified``, Azure ``last_modified``."""
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        value = entry.get(name)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None


def remove(path: ObjectStoragePath) -> None:
    """Remove a file, unless it is gone already."""
    with suppress(FileNotFoundError):
        _file_system(path).rm_file(path.path)


def check_can_write(name: str, directory: ObjectStoragePath) -> None:
    """Write a small file and remove it again, so that a task fails before its first request and not after its last.

    :param name: the parameter's name, for the error.
    :raises StorageError: nothing can be written there.
    """
    path = child(directory, _PROBE)
    try:
        if path.protocol in _LOCAL:
            probe = Path(path.path).with_name(f".{_PROBE}.{uuid.uuid4().hex}.tmp")
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        else:
            _file_system(path).pipe_file(path.path, b"airflow-provider-lms checks that it can write here.")
    except StorageError:
        raise
    except Exception as error:
        raise StorageError(f"{name}: {_cannot('write to', str(directory), error)}") from error
    try:
        remove(path)
    except Exception as error:  # noqa: BLE001  # writing is enough: a bucket may keep everything by its policy
        log.warning("%s could not be removed (%s).", path, type(error).__name__)


def _read(path: ObjectStoragePath, read: Callable[[AbstractFileSystem], T]) -> T:
    # Not within the try: a connection without its key file must not look like a folder without a dataset.
    fs = _file_system(path)
    try:
        return read(fs)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise StorageError(_cannot("read", str(path), error)) from error


def _file_system(path: ObjectStoragePath) -> AbstractFileSystem:
    try:
        fs = path.fs
    except Exception as error:
        raise StorageError(_cannot("use", str(path), error)) from error
    # A file system keeps what it has listed and never looks again, but other workers write to the folder as well. Then
    # a file that exists is not found, and one that was removed is.
    fs.invalidate_cache()
    return fs


def _cannot(verb: str, url: str, error: Exception) -> str:
    """What happened and what to do. The error's own text is left to its ``__cause__``: it may hold a credential."""
    scheme, _, rest = url.partition("://")
    message = f"Cannot {verb} {url} ({type(error).__name__})."
    if scheme in _LOCAL:
        return f"{message} Check that the folder exists and that the task's user may read and write it."
    connection = rest.partition("/")[0].rpartition("@")[0]
    named = f"the connection {connection!r}" if connection else "the credentials of the worker's environment"
    extra = f", and that the extra {_EXTRAS[scheme]!r} is installed" if scheme in _EXTRAS else ""
    return (
        f"{message} Check {named}, that the bucket or container exists, that its objects may be listed, read, written "
        f"and removed{extra}."
    )
