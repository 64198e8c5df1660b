"""dlt with what its page on performance offers: no compression, larger buffers, a process per core to normalize."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import Task, dlt_documented

_SETTINGS = {
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    # Files are what the processes share out among them.
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "NORMALIZE__WORKERS": "2",
}


def read(task: Task) -> None:
    os.environ.update(_SETTINGS)
    dlt_documented.read(task)


def files(folder: Path) -> Sequence[Path]:
    return dlt_documented.files(folder)
