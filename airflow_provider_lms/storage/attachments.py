"""Files that belong to the records of a dataset, such as PDFs. A record names its file.

They share the fate of the part with their records: the manifest and the checkpoint name them with it, and they are
removed with it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_lms import clock
from airflow_provider_lms.storage.files import child, write_whole
from airflow_provider_lms.storage.manifest import AttachedFile

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


class Attachments:
    """Writes files into a dataset's folder, for one attempt of a task.

    Their names are numbered and hold nothing of the records: an id in a name could not be hashed or left out.

    :param directory: the dataset's folder.
    :param suffix: the end of their names, such as ``.pdf``.
    """

    def __init__(self, directory: ObjectStoragePath, suffix: str) -> None:
        self.names: list[str] = []
        """All files that were written."""
        self._directory = directory
        self._suffix = suffix
        self._stem = f"file-{clock.utcnow():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self._new: list[AttachedFile] = []

    def add(self, content: Iterable[bytes]) -> str:
        """Write a file, completely or not at all; return its name.

        :param content: its bytes, piece by piece.
        """
        name = f"{self._stem}-{len(self.names):05d}{self._suffix}"
        size, digest = 0, hashlib.sha256()
        with write_whole(child(self._directory, name)) as file:
            for piece in content:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        self.names.append(name)
        self._new.append(AttachedFile(name=name, bytes=size, sha256=digest.hexdigest()))
        return name

    def take_new(self) -> list[AttachedFile]:
        """The files that were written since the last call."""
        found, self._new = self._new, []
        return found
