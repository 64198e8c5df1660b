"""The formats, and which of them can be tried here."""

from __future__ import annotations

import pytest

from airflow_provider_lms.storage.formats import Format

ALL = [(name, compression) for name in ("jsonl", "csv", "parquet") for compression in ("none", "gzip", "zstd")]


def need(name: str, compression: str | None) -> None:
    """Skip where a format's package is not installed, as on older Airflows."""
    try:
        Format.chosen(name, compression)
    except ValueError as error:
        pytest.skip(str(error))
