"""The connection type ``zoho_people``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from airflow_provider_lms.connections.form import ConnectionType, LmsSettings, extra

DataCenter: TypeAlias = Literal["us", "eu", "in", "au", "jp", "cn", "ca", "sa", "uk", "sg", "ae"]

DOMAINS: Mapping[DataCenter, str] = {
    "us": "zoho.com",
    "eu": "zoho.eu",
    "in": "zoho.in",
    "au": "zoho.com.au",
    "jp": "zoho.jp",
    "cn": "zoho.com.cn",
    "ca": "zohocloud.ca",
    "sa": "zoho.sa",
    "uk": "zoho.uk",
    "sg": "zoho.sg",
    "ae": "zoho.ae",
}
"""Zoho's data centers: the domain of their accounts host and of their People host."""


@dataclass(frozen=True, kw_only=True)
class ZohoPeopleSettings(LmsSettings):
    """The extras of a connection to Zoho People."""

    refresh_token: str | None = extra(
        "Refresh token",
        "With the scope ZOHOPEOPLE.training.READ, for employees also ZOHOPEOPLE.forms.READ, from the same API console.",
        secret=True,
    )
    data_center: DataCenter = extra(
        "Data center", "Where the account is: the end of its address, such as zoho.eu (us when empty).", default="us"
    )
    accounts_url: str | None = extra(
        "Accounts URL", "Where access tokens are requested, if not at the data center's accounts host."
    )
    people_url: str | None = extra("People URL", "Where Zoho People is, if not at the data center's people host.")
    requests_per_window: int | None = extra(
        "Requests per window", "Calls allowed in any window (30 when empty).", default=30, minimum=1
    )


ZOHO_PEOPLE = ConnectionType(
    name="zoho_people",
    label="Zoho People",
    settings=ZohoPeopleSettings,
    relabeling={"login": "Client ID", "password": "Client secret"},
    placeholders={
        "port": "443; not used",
        "login": "from the API console of the data center",
        "password": "from the API console of the data center",
    },
    # Port stays: the Test button of Airflow up to 3.3.2 refuses connections without one (apache/airflow#73298).
    hidden=("host", "schema", "extra"),
)
