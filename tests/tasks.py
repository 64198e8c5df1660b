"""Running operators without Airflow's machinery, as a DAG's author would in a unit test."""

from __future__ import annotations

from collections.abc import Mapping
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
