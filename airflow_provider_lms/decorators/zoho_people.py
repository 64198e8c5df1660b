"""``@task.zoho_people``: a task that is a function with a client of Zoho People."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import task_decorator_factory

from airflow_provider_lms.decorators.base import ClientTask

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient


class ZohoPeopleTask(ClientTask):
    """A function with a client of Zoho People. Parameters that are not named here are those of :class:`ClientTask`.

    :param zoho_people_conn_id: the connection (templated).
    """

    custom_operator_name = "@task.zoho_people"
    template_fields: Sequence[str] = ("zoho_people_conn_id", *ClientTask.template_fields)

    def __init__(self, *, zoho_people_conn_id: str = "zoho_people_default", **task: Any) -> None:
        super().__init__(**task)
        self.zoho_people_conn_id = zoho_people_conn_id

    def connect(self, options: ClientOptions) -> ZohoPeopleClient:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, options=options).get_conn()


def zoho_people_task(python_callable: Callable[..., Any] | None = None, **task: Any) -> Any:
    """Make a task of a function with a parameter ``client``, a client of Zoho People.

    In a DAG it is ``@task.zoho_people``. The client is opened before the function is called, and closed afterwards.

    :param python_callable: the function. It returns what goes to XCom.
    :param task: parameters of :class:`ZohoPeopleTask` and of any operator.

    Example::

        @task.zoho_people(zoho_people_conn_id="zoho_people_default")
        def names_of_courses(client):
            return [course.course_name for page in client.courses() for course in page.records]
    """
    return task_decorator_factory(python_callable, decorated_operator_class=ZohoPeopleTask, **task)
