"""Whose requests a client sends, so that people can find who holds an account's rate limit."""

from __future__ import annotations

from airflow_provider_lms.coordination import Owner

TRIGGERER = Owner("triggerer")
"""The polls of a triggerer. One of them serves all the tasks that wait for the same course."""


def current_owner() -> Owner | None:
    """The task instance that runs in this process; None outside a task, and outside its ``execute``.

    Ids, and no more: whoever can read the store learns which tasks use an account, but nothing that they read.
    """
    from airflow.providers.common.compat.sdk import get_current_context

    try:
        ti = get_current_context()["ti"]
    except Exception:  # noqa: BLE001  # Airflow raises errors of its own; and no name is no reason to fail
        return None
    return Owner("task", ti.dag_id, ti.task_id, ti.run_id, -1 if ti.map_index is None else ti.map_index)
