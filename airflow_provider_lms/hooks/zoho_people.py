"""Connections of type ``zoho_people``."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms.connections import ZOHO_DATA_CENTERS, ZOHO_PEOPLE
from airflow_provider_lms.hooks.account import Account
from airflow_provider_lms.hooks.base import LmsHook, Use, field_behaviour, form_widgets
from airflow_provider_lms.hooks.urls import checked_url
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.lms.zoho_people.answers import refused
from airflow_provider_lms.lms.zoho_people.auth import RefreshToken
from airflow_provider_lms.lms.zoho_people.completions import CompletionsReader
from airflow_provider_lms.lms.zoho_people.course import CourseReader

_TOKEN_PATH = "/oauth/v2/token"  # noqa: S105
_API_PATH = "/api/v1"


class ZohoPeopleHook(LmsHook[ZohoPeopleClient]):
    """Connects to the LMS of Zoho People.

    :param zoho_people_conn_id: the connection.
    :param max_wait: seconds that one call of the client may wait for a rate limit or an outage.
    :param longest_lock: a lock by the LMS that lasts so many seconds or more is not waited for; None is no limit.
    """

    conn_name_attr = "zoho_people_conn_id"
    default_conn_name = "zoho_people_default"
    conn_type = ZOHO_PEOPLE.name
    hook_name = ZOHO_PEOPLE.label
    connection_type = ZOHO_PEOPLE
    course_reader = CourseReader
    completions_reader = CompletionsReader

    def __init__(
        self,
        zoho_people_conn_id: str = default_conn_name,
        *,
        max_wait: float = 900.0,
        longest_lock: float | None = None,
    ) -> None:
        super().__init__(Use(max_wait=max_wait, longest_lock=longest_lock))
        self.zoho_people_conn_id = zoho_people_conn_id

    def client(self, account: Account, use: Use) -> ZohoPeopleClient:
        settings = self._settings(account)
        client_id, client_secret = account.credentials
        refresh_token = settings["refresh_token"]
        if not refresh_token:
            raise ValueError(f"Connection {account.conn_id!r}, extra 'refresh_token': it must be set.")
        domain = ZOHO_DATA_CENTERS[settings["data_center"]]

        def url(host: str) -> str:
            override = (settings[f"{host}_url"] or "").rstrip("/")
            name = f"Connection {account.conn_id!r}, {host}_url"
            return checked_url(name, override or f"https://{host}.{domain}", allow_http=settings["allow_http"])

        grant = RefreshToken(
            url("accounts").removesuffix(_TOKEN_PATH) + _TOKEN_PATH,
            client_id,
            client_secret,
            refresh_token,
            settings["data_center"],
        )
        transport = self._transport(
            url("people").removesuffix(_API_PATH) + _API_PATH,
            grant,
            settings,
            use,
            client_id=client_id,
            secrets=(client_secret, refresh_token),
            refused=refused,
        )
        return ZohoPeopleClient(transport)

    # Airflow looks for these two in the class itself, not in its bases.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extras of the form, below Airflow 3.2."""
        return form_widgets(ZOHO_PEOPLE)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels and examples of the form, below Airflow 3.2."""
        return field_behaviour(ZOHO_PEOPLE)
