"""Sensors that wait in the triggerer, and a DAG that completions start."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, task
from airflow.sdk import AssetWatcher

from airflow_provider_lms.sensors.ispring import ISpringCourseCompletionSensor
from airflow_provider_lms.sensors.zoho_people import ZohoPeopleCourseCompletionSensor
from airflow_provider_lms.simulator import World
from airflow_provider_lms.simulator.zoho_world import ZohoWorld
from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger

WORLD = World(users=20, courses=4, modules=1)
SEVERAL = 12
START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG(dag_id="waits", schedule=None, start_date=START):
    ISpringCourseCompletionSensor(
        task_id="ispring",
        ispring_learn_conn_id="waits",
        course_id=WORLD.catalog[0].id,
        required_share="80%",
        poke_interval=3,
        timeout=180,
        deferrable=True,
    )
    ZohoPeopleCourseCompletionSensor(
        task_id="zoho",
        zoho_people_conn_id="waits_zoho",
        course_id=ZohoWorld(WORLD).courses[0].id,
        poke_interval=3,
        timeout=180,
        deferrable=True,
    )

with DAG(dag_id="waits_for_many", schedule=None, start_date=START, max_active_tasks=100):
    ISpringCourseCompletionSensor.partial(
        task_id="learners",
        ispring_learn_conn_id="waits",
        course_id=WORLD.catalog[1].id,
        poke_interval=3,
        timeout=180,
        deferrable=True,
    ).expand(user_ids=[[user.id] for user in WORLD.people[:SEVERAL]])

completions = Asset(
    "completions",
    watchers=[
        AssetWatcher(
            name="course",
            trigger=CourseCompletionEventTrigger(
                course_id=WORLD.catalog[2].id, ispring_learn_conn_id="waits", poll_interval=2
            ),
        )
    ],
)
zoho_completions = Asset(
    "zoho_completions",
    watchers=[
        AssetWatcher(
            name="course",
            trigger=CourseCompletionEventTrigger(
                course_id=ZohoWorld(WORLD).courses[2].id, zoho_people_conn_id="waits_zoho", poll_interval=2
            ),
        )
    ],
)

with DAG(dag_id="on_completion", schedule=completions | zoho_completions, start_date=START):

    @task
    def note(triggering_asset_events: Any = None) -> list[str]:
        """Return who has completed a course."""
        events = [event for found in triggering_asset_events.values() for event in found]
        return [learner for event in events for learner in event.extra["payload"]["learner_ids"]]

    note()
