"""Runs when learners complete a course in iSpring Learn. Needs Airflow 3.

The asset's watcher polls the LMS in the triggerer. A watcher starts before any run, so it cannot use a run's
parameters. Set the course in the environment variable ``LMS_COURSE_ID`` of the DAG processor and the triggerer instead.
The connection ``ispring_learn_default`` points to a real account or to the simulator.
"""

from __future__ import annotations

import os
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger

# [START ispring_completion_events]
completions = Asset(
    "ispring_completions",
    watchers=[
        AssetWatcher(
            name="ispring_course",
            trigger=CourseCompletionEventTrigger(
                course_id=os.environ.get("LMS_COURSE_ID", "4f9bf619-7993-5ce8-b473-1d769a72e140"),
                ispring_learn_conn_id="ispring_learn_default",
                poll_interval=300,
            ),
        )
    ],
)
# [END ispring_completion_events]

with DAG(
    dag_id="ispring_completion_events",
    description="Runs when learners complete a course in iSpring Learn",
    schedule=[completions],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:

    @task
    def completed(triggering_asset_events: Any = None) -> list[str]:
        """Return the ids of the learners in all events that started this run."""
        events = [event for found in triggering_asset_events.values() for event in found]
        return [learner for event in events for learner in event.extra["payload"]["learner_ids"]]

    completed()
