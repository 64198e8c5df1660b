"""The connection type ``ispring_learn``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_lms.connections.form import ConnectionType, LmsSettings, extra


@dataclass(frozen=True, kw_only=True)
class ISpringSettings(LmsSettings):
    """The extras of a connection to iSpring Learn."""

    auth_url: str | None = extra(
        "Authentication URL", "Where access tokens are requested; <base URL>/api/v3/token when empty."
    )
    auth_scheme: Literal["Bearer", "none"] = extra(
        "Authorization scheme",
        "The word before the token in the Authorization header. none sends the token alone.",
        default="Bearer",
    )
    response_format: Literal["auto", "json", "xml"] = extra(
        "Response format",
        "What to ask for (auto when empty). auto prefers JSON, which is faster, and accepts XML.",
        default="auto",
    )
    page_size: int | None = extra("Page size", "Rows per page (the vendor's 1,000 when empty).", minimum=1)


ISPRING_LEARN = ConnectionType(
    name="ispring_learn",
    label="iSpring Learn",
    settings=ISpringSettings,
    relabeling={"login": "Client ID", "password": "Client secret", "host": "API host"},
    placeholders={
        "host": "api-learn.ispringlearn.com (default), api-learn.ispring.com, .eu, .ru, or a base URL with its path",
        "port": "443, unless the host contains a port",
        "login": "from the account's API keys",
        "password": "from the account's API keys",
    },
    # Port stays: the Test button of Airflow up to 3.3.2 refuses connections without one (apache/airflow#73298).
    hidden=("schema", "extra"),
)
