"""Reading committed datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_lms.storage.files import Location, child, folder, open_to_read
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import read_manifest


def read_records(
    source: Location | Mapping[str, Any] | Iterable[Location | Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """The records of committed datasets, one after the other, without holding them all.

    :param source: a dataset's folder, a summary as an operator returns it, or several of these, such as the summaries
        of a mapped task.
    :return: plain dicts under the vendor's field names; dates are RFC 3339 text in UTC.
    :raises FileNotFoundError: no dataset was committed there.
    """
    if isinstance(source, Mapping):
        source = source["uri"]
    elif not isinstance(source, str) and isinstance(source, Iterable):
        for each in source:
            yield from read_records(each)
        return
    directory = folder("source", source)
    manifest = read_manifest(directory)
    written = Format(manifest["format"], manifest.get("compression", "none"))
    for each in manifest["files"]:
        with open_to_read(child(directory, each["name"])) as file:
            yield from written.read(file, manifest["schema"])
