"""What an operator or a sensor does when Airflow kills its task."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_KILLED = 143
"""The exit code of a process that was ended by SIGTERM."""


class Killable:
    """Ends the task where it stands when Airflow kills it, so that it leaves the queue of the rate limit at once.

    Airflow calls ``on_kill`` in a signal handler, in the middle of whatever the task is doing: perhaps it holds the
    lock of the store that tasks share. So ``on_kill`` itself touches nothing. It raises, and each part cleans up as the
    exception passes, as after ``execution_timeout``.
    """

    _running_in: int | None = None

    @contextmanager
    def _killable(self) -> Iterator[None]:
        """For as long as the task can be killed."""
        self._running_in = threading.get_ident()
        try:
            yield
        finally:
            self._running_in = None

    def on_kill(self) -> None:
        """End the task.

        :raises SystemExit: on Airflow 3, if it is running. Airflow then retries the task if it has retries left, unless
            somebody has set its state.
        """
        import airflow

        # Airflow 2 itself raises AirflowTaskTerminated after on_kill. On Airflow 3 the task would go on.
        if self._running_in == threading.get_ident() and airflow.__version__ >= "3":
            self._running_in = None  # a second signal must not disturb the cleaning up
            raise SystemExit(_KILLED)
