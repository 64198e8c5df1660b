"""What a cluster looks like from second to second: states of task instances, triggers, memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

from dev.cluster.processes import Processes

_STATES = "SELECT dag_id, state, count(*) FROM task_instance GROUP BY dag_id, state"
_TRIGGERS = "SELECT triggerer_id, count(*) FROM trigger GROUP BY triggerer_id"
_MEMORY_EVERY = 15


class Sample(NamedTuple):
    """The cluster at a moment.

    :param at: seconds on the monotonic clock.
    :param tasks: how many task instances there are by DAG and state.
    :param triggers: how many triggers each triggerer has.
    """

    at: float
    tasks: Counter[tuple[str, str | None]]
    triggers: Counter[int | None]

    def count(self, state: str, *dags: str) -> int:
        """How many task instances of some DAGs are in a state; of all DAGs if none is named."""
        return sum(count for (dag, found), count in self.tasks.items() if found == state and (not dags or dag in dags))


class Sampler:
    """Takes a sample every second while entered. ``most_memory`` is the greatest number of bytes seen.

    :param database: the address of Airflow's database, without a scheme.
    """

    def __init__(self, database: str, processes: Processes) -> None:
        from sqlalchemy import create_engine

        self.most_memory = 0
        self._samples: list[Sample] = []
        self._engine: Any = create_engine(f"postgresql+psycopg2://{database}")
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._engine.dispose()

    def latest(self) -> Sample:
        """A sample of now."""
        from sqlalchemy import text

        with self._engine.connect() as connection:
            tasks = {(dag, state): count for dag, state, count in connection.execute(text(_STATES))}
            triggers = dict(tuple(row) for row in connection.execute(text(_TRIGGERS)))
        return Sample(time.monotonic(), Counter(tasks), Counter(triggers))

    def between(self, start: float, end: float) -> list[Sample]:
        """The samples of a span of the monotonic clock."""
        return [each for each in self._samples if start <= each.at <= end]

    def _run(self) -> None:
        taken = 0
        while not self._ended.wait(1.0):
            with suppress(Exception):  # the next one may work; whatever matters is checked at the end
                self._samples.append(self.latest())
            if taken % _MEMORY_EVERY == 0:
                self.most_memory = max(self.most_memory, self._processes.memory())
            taken += 1
