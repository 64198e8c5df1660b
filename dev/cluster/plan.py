"""What the cluster does, and how much of it: names that its DAGs and its checks share, and sizes."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_lms.simulator import World
from airflow_provider_lms.simulator.zoho import Limits

ISPRING, SENSORS = "ispring", "sensors"
WAITING, DEFERRING, DISTURBED = "zoho_waiting", "zoho_deferring", "zoho_disturbed"
ZOHO = {WAITING: False, DEFERRING: True, DISTURBED: True}
"""The DAGs that read Zoho People, and whether their tasks give their worker slots back. Each has its own account."""

ENTITY_TYPES = ["offline_tests", "online_tests", "assignments"]
"""Types 0, 1 and 2, each of one page."""

POKE_SECONDS = 15
REQUIRED = [1, 2, 3, 4, 5]
"""How many learners must have completed the course, for each of five sensors that wait for it."""

OUTPUT = "{{{{ params.output }}}}/{course}"
LATENCY = 0.1


@dataclass(frozen=True)
class Size:
    """How much there is to do.

    :param tasks: mapped tasks for each LMS.
    :param sensors_for: courses that five sensors each wait for.
    :param learners: of each Zoho account; a task needs three calls for each.
    :param limits: of each Zoho account: more calls than Zoho's 30 a minute, but its own window, since tasks give their
        worker slots back for waits of half a minute or more.
    :param compare: whether tasks are run undisturbed, to measure what ``deferrable`` is good for.
    :param disturb: whether parts are killed while tasks run.
    :param forget: whether Redis also restarts without its data.
    """

    tasks: int
    sensors_for: int
    learners: int
    limits: Limits
    compare: bool
    disturb: bool
    forget: bool

    @property
    def zoho_calls(self) -> float:
        """How many calls to Zoho People one DAG needs, roughly: some more for each course than for its learners."""
        return self.tasks * (2.5 + len(ENTITY_TYPES) * self.learners)

    @property
    def zoho_world(self) -> World:
        return World(users=self.learners, courses=self.tasks, modules=2)

    @property
    def ispring_world(self) -> World:
        return World(users=150, courses=self.tasks, modules=4)

    @property
    def sensors_world(self) -> World:
        return World(users=max(REQUIRED) + 1, courses=self.sensors_for, modules=1, blocked=0)


LONG = Size(40, 10, 5, Limits(requests=200), compare=True, disturb=True, forget=True)
# A longer window: where the first calls take long, half a minute of a short one may not be left to wait.
SHORT = Size(8, 2, 4, Limits(requests=70, window_seconds=90), compare=False, disturb=True, forget=False)
