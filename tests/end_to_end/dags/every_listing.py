"""Every listing of every LMS, read by its name; the ids of what to read come with the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_lms.operators.any_listing import AnyListing
from airflow_provider_lms.operators.ispring import ISpringListingOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleListingOperator
from airflow_provider_lms.vendors import VENDORS

READERS: dict[str, Callable[..., AnyListing]] = {
    "ispring_learn": partial(ISpringListingOperator, ispring_learn_conn_id="every_ispring_listing"),
    "zoho_people": partial(ZohoPeopleListingOperator, zoho_people_conn_id="every_zoho_listing"),
}
LISTINGS = {f"{vendor}.{name}": (vendor, name) for vendor in READERS for name in VENDORS[vendor].listings()}
"""The vendor and the name of each listing, by the id of its task."""

with DAG(
    dag_id="every_listing",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"output": "", "filters": {}},
    # Otherwise the filters would be rendered as text.
    render_template_as_native_obj=True,
    max_active_tasks=len(LISTINGS),
) as dag:
    for task_id, (vendor, name) in LISTINGS.items():
        READERS[vendor](
            task_id=task_id,
            listing=name,
            filters="{{ params.filters[task.task_id] }}",
            output_path="{{ params.output }}/{{ task.task_id }}",
        )
