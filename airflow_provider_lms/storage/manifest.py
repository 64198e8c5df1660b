"""The manifest: what a dataset consists of. It is written last, so a dataset is what its manifest names."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms.storage.files import Location, child, content, folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import ObjectStoragePath

NAME = "_manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Run:
    """The task instance that writes; all None outside a task."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Run:
        """The task instance of a context, which may be empty."""
        ti = context.get("ti")
        return cls(*(getattr(ti, name, None) for name in (field.name for field in fields(cls))))

    def same_instance(self, other: Mapping[str, Any]) -> bool:
        """Whether the other, from a manifest, is this task instance, in whatever try."""
        return self.same_task(other) and self.map_index == other.get("map_index")

    def same_task(self, other: Mapping[str, Any]) -> bool:
        """Whether the other, from a manifest, is this task in this run, whatever its map index."""
        return self.dag_id is not None and all(
            getattr(self, name) == other.get(name) for name in ("dag_id", "task_id", "run_id")
        )


class DatasetConflict(Exception):
    """The output folder holds a dataset that must not be replaced by this one."""


def read_manifest(location: Location) -> dict[str, Any]:
    """The manifest of a committed dataset.

    :param location: the dataset's folder, or its manifest, as a path, a URL or an ``ObjectStoragePath``.
    :return: ``version``, ``resource``, ``format``, ``schema``, ``query``, ``host``, ``run``, ``started_at``,
        ``finished_at``, ``pages``, ``records``, ``complete`` (False where ``max_pages`` ended it),
        ``latest_completion_date`` (RFC 3339 in UTC; None where no record has one), and ``files``, each with ``name``,
        ``records``, ``bytes``, ``sha256`` and its own ``latest_completion_date``.
    :raises FileNotFoundError: no dataset was committed there.
    """
    found = find(_dataset(location))
    if found is None:
        raise FileNotFoundError(f"{location}: no {NAME} here, so no dataset was committed to this folder.")
    return found


def find(directory: ObjectStoragePath) -> dict[str, Any] | None:
    """The manifest in a folder, if there is one.

    :raises ValueError: it was written by a later version of this package, or by something else.
    """
    path = child(directory, NAME)
    try:
        manifest: dict[str, Any] = msgspec.json.decode(content(path), type=dict[str, Any])
        version = manifest["version"]
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, KeyError):
        raise ValueError(f"{path}: this is not a manifest of airflow-provider-lms. Choose another folder.") from None
    if version != VERSION:
        raise ValueError(
            f"{path}: manifest version {version}; this package reads version {VERSION}. Upgrade the package."
        )
    return manifest


def put(directory: ObjectStoragePath, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, whole or not at all."""
    with whole_file(child(directory, NAME)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def check_writable(found: Mapping[str, Any] | None, run: Run, if_exists: str) -> None:
    """Refuse to replace a dataset that is not this task's to replace.

    :param found: the manifest in the folder.
    :raises DatasetConflict: another map index of this task in this run wrote it, or ``if_exists`` is ``fail``.
    """
    if found is None:
        return
    check_map_index(found["run"], run)
    if if_exists == "fail" and not run.same_instance(found["run"]):
        raise DatasetConflict(
            "output_path: the folder holds a dataset already, and if_exists is 'fail'. "
            "Choose another folder, or set if_exists='replace'."
        )


def check_map_index(other: Mapping[str, Any], run: Run) -> None:
    """Refuse to write where another map index of the same task has written in this run.

    :param other: the task instance that has written.
    :raises DatasetConflict: it is another map index.
    """
    if run.same_task(other) and not run.same_instance(other):
        raise DatasetConflict(
            f"output_path: map index {other['map_index']} of this task has written to this folder in this run. "
            "Give each mapped task a folder of its own, with '{{ ti.map_index }}' or the mapped id in output_path."
        )


def summary(directory: ObjectStoragePath, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The small account of a dataset that goes to XCom."""
    files = [
        {"uri": str(child(directory, file["name"])), **{key: file[key] for key in ("records", "bytes", "sha256")}}
        for file in manifest["files"]
    ]
    kept = ("records", "pages", "format", "resource", "latest_completion_date", "complete", "started_at", "finished_at")
    return {
        "uri": str(directory),
        "manifest": str(child(directory, NAME)),
        "files": files,
        **{key: manifest[key] for key in kept},
    }


def _dataset(location: Location) -> ObjectStoragePath:
    path = folder("location", location)
    return path.parent if path.name == NAME else path
