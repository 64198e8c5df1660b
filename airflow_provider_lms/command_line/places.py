"""Folders on the command line."""

from __future__ import annotations

from pathlib import Path


def folder_of(given: str) -> str:
    """A folder as the rest of this package takes it: a URL, or an absolute path.

    In a DAG a relative path would be another folder for each worker. In a shell everybody knows what it means.
    """
    return given if "://" in given else str(Path(given).expanduser().absolute())
