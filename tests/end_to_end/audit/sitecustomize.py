"""Notes which thread of a triggerer makes this package's blocking calls.

Python imports a module of this name when it starts, if the module's folder is in ``PYTHONPATH``.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

BLOCKING = ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "time.sleep")
HEAVY = "airflow_provider_lms.lms.http.transport"
"""Needs requests, and takes longer to import than an event loop may be blocked."""


def note(event: str, arguments: tuple[Any, ...]) -> None:
    """Append the call and its thread to the file."""
    if (event in BLOCKING and _is_of_this_package()) or (event == "import" and arguments[0] == HEAVY):
        with Path(os.environ["LMS_BLOCKING_CALLS"]).open("a") as file:
            file.write(f"{event} {threading.current_thread().name}\n")


def _is_of_this_package() -> bool:
    frame = sys._getframe(1)
    while frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).startswith("airflow_provider_lms."):
            return True
        frame = frame.f_back
    return False


if "triggerer" in sys.orig_argv:
    sys.addaudithook(note)
