"""Connections of type ``ispring_learn``."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms.connections.ispring import ISPRING_LEARN, ISpringSettings
from airflow_provider_lms.coordination import SharedLinks
from airflow_provider_lms.hooks.base import ClientOptions, CourseHook, field_behaviour, form_widgets
from airflow_provider_lms.hooks.connection import PlainConnection
from airflow_provider_lms.hooks.coordination import shared_store
from airflow_provider_lms.hooks.urls import base_url, checked_url, host_of
from airflow_provider_lms.lms.course.readers import CompletionsQuery, CourseMemory
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.completions import ISpringCompletionsReader
from airflow_provider_lms.lms.ispring.course import STATUSES, ISpringCourseQuery, ISpringCourseReader
from airflow_provider_lms.lms.ispring.errors import error_of
from airflow_provider_lms.lms.ispring.grant import ClientCredentials

_DEFAULT_HOST = "api-learn.ispringlearn.com"
_TOKEN_PATH = "/api/v3/token"  # noqa: S105
_ACCEPT = {"auto": "application/json, application/xml;q=0.5", "json": "application/json", "xml": "application/xml"}


class ISpringLearnHook(CourseHook[ISpringLearnClient, ISpringSettings, ISpringCourseQuery]):
    """Connects to iSpring Learn.

    :param ispring_learn_conn_id: the connection.
    :param options: how the client is used.

    Example::

        client = ISpringLearnHook("ispring_learn_default").get_conn()
        for page in client.courses():
            print([course.title for course in page.records])
        client.close()
    """

    conn_name_attr = "ispring_learn_conn_id"
    default_conn_name = "ispring_learn_default"
    conn_type = ISPRING_LEARN.name
    hook_name = ISPRING_LEARN.label
    connection_type = ISPRING_LEARN
    course_query_type = ISpringCourseQuery
    status_meanings = STATUSES

    def __init__(self, ispring_learn_conn_id: str = default_conn_name, *, options: ClientOptions | None = None) -> None:
        super().__init__(options)
        self.ispring_learn_conn_id = ispring_learn_conn_id

    @property
    def conn_id(self) -> str:
        return self.ispring_learn_conn_id

    def build_client(
        self, connection: PlainConnection, settings: ISpringSettings, options: ClientOptions
    ) -> ISpringLearnClient:
        client_id, client_secret = connection.credentials
        url = base_url(connection, _DEFAULT_HOST, allow_http=settings.allow_http)
        auth_url = settings.auth_url and checked_url("auth_url", settings.auth_url, allow_http=settings.allow_http)
        grant = ClientCredentials(
            auth_url or f"{url.removesuffix('/api/v3')}{_TOKEN_PATH}",
            client_id,
            client_secret,
            scheme="" if settings.auth_scheme == "none" else settings.auth_scheme,
        )
        transport = self._transport(
            url,
            grant,
            settings,
            options,
            conn_id=connection.conn_id,
            client_id=client_id,
            secrets=(client_secret,),
            error_of=error_of,
            accept=_ACCEPT[settings.response_format],
        )
        links = SharedLinks(shared_store(), host_of(url), client_id, (client_secret,))
        return ISpringLearnClient(transport, page_size=settings.page_size, links=links)

    def course_reader(
        self, query: ISpringCourseQuery, client: ISpringLearnClient, memory: CourseMemory | None = None
    ) -> ISpringCourseReader:
        return ISpringCourseReader(client, query, memory)

    def completions_reader(self, query: CompletionsQuery, client: ISpringLearnClient) -> ISpringCompletionsReader:
        return ISpringCompletionsReader(client, query)

    def course_url(self, query: ISpringCourseQuery, client: ISpringLearnClient) -> str | None:
        return client.course_url(query.course_id)

    # Airflow looks for these two in the class itself, not in its bases.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extras of the form, below Airflow 3.2."""
        return form_widgets(ISPRING_LEARN)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels and examples of the form, below Airflow 3.2."""
        return field_behaviour(ISPRING_LEARN)
