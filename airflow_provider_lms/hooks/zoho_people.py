"""Connections of type ``zoho_people``."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms.connections.zoho_people import DOMAINS, ZOHO_PEOPLE, ZohoPeopleSettings
from airflow_provider_lms.hooks.base import ClientOptions, CourseHook, field_behaviour, form_widgets
from airflow_provider_lms.hooks.connection import PlainConnection
from airflow_provider_lms.hooks.urls import checked_url
from airflow_provider_lms.lms.course.readers import CompletionsQuery, CourseMemory
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.completions import ZohoPeopleCompletionsReader
from airflow_provider_lms.lms.zoho_people.course import STATUSES, ZohoPeopleCourseQuery, ZohoPeopleCourseReader
from airflow_provider_lms.lms.zoho_people.error_codes import error_of
from airflow_provider_lms.lms.zoho_people.grant import RefreshToken

_TOKEN_PATH = "/oauth/v2/token"  # noqa: S105
_API_PATH = "/api/v1"


class ZohoPeopleHook(CourseHook[ZohoPeopleClient, ZohoPeopleSettings, ZohoPeopleCourseQuery]):
    """Connects to the LMS of Zoho People.

    :param zoho_people_conn_id: the connection.
    :param options: how the client is used.

    Example::

        client = ZohoPeopleHook("zoho_people_default").get_conn()
        for page in client.courses():
            print([course.course_name for course in page.records])
        client.close()
    """

    conn_name_attr = "zoho_people_conn_id"
    default_conn_name = "zoho_people_default"
    conn_type = ZOHO_PEOPLE.name
    hook_name = ZOHO_PEOPLE.label
    connection_type = ZOHO_PEOPLE
    course_query_type = ZohoPeopleCourseQuery
    status_meanings = STATUSES

    def __init__(self, zoho_people_conn_id: str = default_conn_name, *, options: ClientOptions | None = None) -> None:
        super().__init__(options)
        self.zoho_people_conn_id = zoho_people_conn_id

    @property
    def conn_id(self) -> str:
        return self.zoho_people_conn_id

    def build_client(
        self, connection: PlainConnection, settings: ZohoPeopleSettings, options: ClientOptions
    ) -> ZohoPeopleClient:
        client_id, client_secret = connection.credentials
        if not settings.refresh_token:
            raise ValueError("extra 'refresh_token': it must be set.")
        domain = DOMAINS[settings.data_center]

        def url(name: str, override: str | None, host: str) -> str:
            found = (override or "").rstrip("/") or f"https://{host}.{domain}"
            return checked_url(name, found, allow_http=settings.allow_http)

        accounts_url = url("accounts_url", settings.accounts_url, "accounts")
        people_url = url("people_url", settings.people_url, "people")
        grant = RefreshToken(
            accounts_url.removesuffix(_TOKEN_PATH) + _TOKEN_PATH,
            client_id,
            client_secret,
            settings.refresh_token,
            settings.data_center,
        )
        transport = self._transport(
            people_url.removesuffix(_API_PATH) + _API_PATH,
            grant,
            settings,
            options,
            conn_id=connection.conn_id,
            client_id=client_id,
            secrets=(client_secret, settings.refresh_token),
            error_of=error_of,
        )
        return ZohoPeopleClient(transport)

    def course_reader(
        self, query: ZohoPeopleCourseQuery, client: ZohoPeopleClient, memory: CourseMemory | None = None
    ) -> ZohoPeopleCourseReader:
        return ZohoPeopleCourseReader(client, query, memory)

    def completions_reader(self, query: CompletionsQuery, client: ZohoPeopleClient) -> ZohoPeopleCompletionsReader:
        return ZohoPeopleCompletionsReader(client, query)

    # Airflow looks for these two in the class itself, not in its bases.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extras of the form, below Airflow 3.2."""
        return form_widgets(ZOHO_PEOPLE)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels and examples of the form, below Airflow 3.2."""
        return field_behaviour(ZOHO_PEOPLE)
