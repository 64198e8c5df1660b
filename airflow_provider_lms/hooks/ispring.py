"""Connections of type ``ispring_learn``."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms.connections import ISPRING_LEARN
from airflow_provider_lms.hooks.account import Account
from airflow_provider_lms.hooks.base import LmsHook, Use, field_behaviour, form_widgets
from airflow_provider_lms.hooks.urls import base_url, checked_url
from airflow_provider_lms.lms.auth import ClientCredentials
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.completions import CompletionsReader
from airflow_provider_lms.lms.ispring.course import CourseReader

_DEFAULT_HOST = "api-learn.ispringlearn.com"
_TOKEN_PATH = "/api/v3/token"  # noqa: S105
_ACCEPT = {"auto": "application/json, application/xml;q=0.5", "json": "application/json", "xml": "application/xml"}


class ISpringLearnHook(LmsHook[ISpringLearnClient]):
    """Connects to iSpring Learn.

    :param ispring_learn_conn_id: the connection.
    :param max_wait: seconds that one call of the client may wait for a rate limit or an outage.
    :param longest_lock: a lock by the LMS that lasts so many seconds or more is not waited for; None is no limit.
    """

    conn_name_attr = "ispring_learn_conn_id"
    default_conn_name = "ispring_learn_default"
    conn_type = ISPRING_LEARN.name
    hook_name = ISPRING_LEARN.label
    connection_type = ISPRING_LEARN
    course_reader = CourseReader
    completions_reader = CompletionsReader

    def __init__(
        self,
        ispring_learn_conn_id: str = default_conn_name,
        *,
        max_wait: float = 900.0,
        longest_lock: float | None = None,
    ) -> None:
        super().__init__(Use(max_wait=max_wait, longest_lock=longest_lock))
        self.ispring_learn_conn_id = ispring_learn_conn_id

    def client(self, account: Account, use: Use) -> ISpringLearnClient:
        settings = self._settings(account)
        client_id, client_secret = account.credentials
        url = base_url(account, _DEFAULT_HOST, allow_http=settings["allow_http"])
        auth_url = settings["auth_url"] and checked_url(
            f"Connection {account.conn_id!r}, auth_url", settings["auth_url"], allow_http=settings["allow_http"]
        )
        scheme = settings["auth_scheme"]
        grant = ClientCredentials(
            auth_url or f"{url.removesuffix('/api/v3')}{_TOKEN_PATH}",
            client_id,
            client_secret,
            scheme="" if scheme == "none" else scheme,
        )
        transport = self._transport(
            url,
            grant,
            settings,
            use,
            client_id=client_id,
            secrets=(client_secret,),
            accept=_ACCEPT[settings["response_format"]],
        )
        return ISpringLearnClient(transport, page_size=settings["page_size"])

    # Airflow looks for these two in the class itself, not in its bases.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extras of the form, below Airflow 3.2."""
        return form_widgets(ISPRING_LEARN)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels and examples of the form, below Airflow 3.2."""
        return field_behaviour(ISPRING_LEARN)
