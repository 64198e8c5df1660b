"""Which failures of an LMS end a task at once, and which Airflow may try again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms import errors

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


def has_retry_policy(task: BaseOperator) -> bool:
    """Whether the task's own policy decides. Airflow does not ask it about an ``AirflowFailException``."""
    return getattr(task, "retry_policy", None) is not None


def fail_if_refused(task: BaseOperator, error: errors.LmsError) -> None:
    """End the task without further retries if they would only be refused again, and no policy decides that.

    :raises AirflowFailException: the LMS refused the call in its own error format.
    """
    from airflow.providers.common.compat.sdk import AirflowFailException

    if error.is_refusal and not has_retry_policy(task):
        raise AirflowFailException(str(error)) from error


def event_of(error: errors.LmsError) -> dict[str, Any]:
    """What a trigger's event has to say of an error for :func:`error_from`."""
    return {"message": str(error), "error": type(error).__name__, "is_refusal": error.is_refusal}


def error_from(event: Mapping[str, Any]) -> errors.LmsError:
    """The error that a trigger met, for a retry policy. An event of an older version does not name it."""
    found = getattr(errors, str(event.get("error")), None)
    kind: type[errors.LmsError] = errors.LmsError
    if isinstance(found, type) and issubclass(found, errors.LmsError):
        kind = found
    error = kind(str(event.get("message")))
    error.is_refusal = event.get("is_refusal") is True
    return error
