"""A DAG that runs when learners have newly completed a course in iSpring Learn, for Airflow 3.

The asset's watcher polls in the triggerer. Name the course in the environment variable ``LMS_COURSE_ID`` of scheduler
and DAG processor: a watcher is known before any run, and so before any parameter. Only the connection
``ispring_learn_default`` decides whether a real account is read or the simulator.
"""

from __future__ import annotations

import os
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_lms.triggers.events import CourseCompletionEventTrigger

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

with DAG(
    dag_id="ispring_completion_events",
    description="Runs when learners have newly completed a course in iSpring Learn",
    schedule=[completions],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["lms", "ispring"],
    doc_md=__doc__,
) as dag:

    @task
    def completed(triggering_asset_events: Any = None) -> list[str]:
        """The learners of all events that have started this run."""
        events = [event for found in triggering_asset_events.values() for event in found]
        return [learner for event in events for learner in event.extra["payload"]["learner_ids"]]

    completed()
