"""``@task.ispring_learn``: a task that is a function with a client of iSpring Learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import task_decorator_factory

from airflow_provider_lms.decorators.base import ClientTask

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.ispring import ISpringLearnClient


class ISpringLearnTask(ClientTask):
    """A function with a client of iSpring Learn. Parameters that are not named here are those of :class:`ClientTask`.

    :param ispring_learn_conn_id: the connection (templated).
    """

    custom_operator_name = "@task.ispring_learn"
    template_fields: Sequence[str] = ("ispring_learn_conn_id", *ClientTask.template_fields)

    def __init__(self, *, ispring_learn_conn_id: str = "ispring_learn_default", **task: Any) -> None:
        super().__init__(**task)
        self.ispring_learn_conn_id = ispring_learn_conn_id

    def connect(self, options: ClientOptions) -> ISpringLearnClient:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        return ISpringLearnHook(self.ispring_learn_conn_id, options=options).get_conn()


def ispring_learn_task(python_callable: Callable[..., Any] | None = None, **task: Any) -> Any:
    """Make a task of a function with a parameter ``client``, a client of iSpring Learn.

    In a DAG it is ``@task.ispring_learn``. The client is opened before the function is called, and closed afterwards.

    :param python_callable: the function. It returns what goes to XCom.
    :param task: parameters of :class:`ISpringLearnTask` and of any operator.

    Example::

        @task.ispring_learn(ispring_learn_conn_id="ispring_learn_default")
        def count_courses(client):
            return sum(len(page.records) for page in client.courses())
    """
    return task_decorator_factory(python_callable, decorated_operator_class=ISpringLearnTask, **task)
