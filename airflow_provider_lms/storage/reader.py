"""Reading committed datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.storage.files import Location, child, exists, folder, open_to_read
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import Manifest, load_manifest

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


def read_records(
    source: Location | Mapping[str, Any] | Iterable[Location | Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """The records of committed datasets, one after the other, in flat memory.

    :param source: a dataset's folder, a summary as an operator returns it, or several of these, such as the summaries
        of a mapped task.
    :return: plain dicts under the vendor's field names; dates are RFC 3339 text in UTC.
    :raises FileNotFoundError: no dataset was committed there, or it was replaced twice while it was being read.
    :raises ManifestError: the manifest cannot be read.
    :raises StorageError: the folder cannot be read: its connection, its permissions.

    Example::

        @task
        def count_overdue(summary):
            return sum(record["isOverdue"] for record in read_records(summary))
    """
    if isinstance(source, Mapping):
        source = source["uri"]
    elif not isinstance(source, str) and isinstance(source, Iterable):
        for each in source:
            yield from read_records(each)
        return
    directory = folder("source", source)
    yield from read_parts(directory, load_manifest(directory))


def read_parts(directory: ObjectStoragePath, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The records of the dataset of which the manifest is at hand. Shape and errors are those of :func:`read_records`.

    :param directory: the dataset's folder.
    """
    written = Format(manifest.format, manifest.compression)
    for part in manifest.files:
        path = child(directory, part.name)
        try:
            with open_to_read(path) as file:
                yield from written.read(file, manifest.schema)
        except Exception as error:
            if not exists(path):
                raise FileNotFoundError(
                    f"{path} is gone. The dataset was replaced twice while it was being read: read it again."
                ) from error
            raise
