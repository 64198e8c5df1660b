"""What can go wrong with the place where datasets are kept."""

from __future__ import annotations


class StorageError(OSError):
    """An object store or a folder cannot be used: its connection, its permissions, or a missing bucket.

    The original error is its ``__cause__``.
    """


class ManifestError(ValueError):
    """The ``_manifest.json`` in a folder cannot be read, so nothing in the folder is read, replaced or removed."""
