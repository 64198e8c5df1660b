"""Running operators without Airflow's machinery, as a DAG's author would in a unit test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.operators.base import LmsExtractOperator


def execute(operator: LmsExtractOperator[Any], context: Mapping[str, Any] | None = None) -> Any:
    """The operator's result: a list of records without ``output_path``, otherwise a summary.

    :param context: the task's context; an empty one is that of a task outside a run.
    :raises LmsError: reading failed; also if it is the cause of an ``AirflowFailException``.
    """
    given: Any = {} if context is None else context
    try:
        return operator.execute(given)
    except AirflowFailException as error:
        if isinstance(error.__cause__, LmsError):
            raise error.__cause__ from None
        raise


@contextmanager
def running_task(dag_id: str, task_id: str, *, map_index: int = -1) -> Iterator[None]:
    """What runs inside runs in a task, as Airflow tells it."""
    try:
        from airflow.sdk.execution_time.context import set_current_context
    except ImportError:  # Airflow 2
        from airflow.models.taskinstance import set_current_context  # type: ignore[attr-defined, no-redef]
    context: Any = {"ti": SimpleNamespace(dag_id=dag_id, task_id=task_id, run_id="run 1", map_index=map_index)}
    with set_current_context(context):
        yield
