"""A small LMS over real HTTP, to try DAGs and to test them without an account.

``python -m airflow_provider_lms.simulator`` serves it; in tests, the pytest plugin
``airflow_provider_lms.simulator.fixture`` gives a fixture ``lms``. It is written from what the vendors document, and
rejects what they would reject.
"""

from airflow_provider_lms.simulator.server import Simulator
from airflow_provider_lms.simulator.world import World

__all__ = ["Simulator", "World"]
