"""A simulator that notes when the calls to Zoho People came and when they were answered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping

from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.exchange import Reply, Request

_chance = random.Random(1)

MOMENTS: Mapping[str, Callable[[float, float], float]] = {
    "arrival": min,
    "answer": max,
    "any moment between": _chance.uniform,
}
"""When an LMS may count a call, by its arrival and its answer. Zoho does not say when it does."""


class TimedSimulator(Simulator):
    """``served`` holds arrival and answer of each call to Zoho People, in seconds, without those for tokens."""

    served: list[tuple[float, float]]

    def __enter__(self) -> TimedSimulator:
        self.served = []
        super().__enter__()
        return self

    def reply(self, request: Request) -> Reply:
        arrival = time.monotonic()
        reply = super().reply(request)
        if "/oauth/" not in request.call:
            self.served.append((arrival, time.monotonic()))
        return reply

    def most_in_a_window(self, seconds: float, moment: str) -> int:
        """The greatest number of calls that any window holds.

        :param moment: when a call counts: one of ``MOMENTS``.
        """
        return _most_in_a_window((MOMENTS[moment](*each) for each in self.served), seconds)


def _most_in_a_window(moments: Iterable[float], seconds: float) -> int:
    ends = sorted(moments)
    first = most = 0
    for last, end in enumerate(ends):
        while ends[first] <= end - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
