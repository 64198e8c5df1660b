"""How Zoho issues access tokens: for a refresh token, at the accounts host of the data center."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_lms.lms.errors import LmsAuthError, LmsBrokenPage, LmsGarbledResponse, LmsRateLimited
from airflow_provider_lms.lms.http.auth import Token, parse_lifetime
from airflow_provider_lms.lms.http.documents import parse_document
from airflow_provider_lms.lms.http.response import Response, error_of_status

_DEFAULT_LIFETIME = 3_600.0
_PAUSE = 600.0


@dataclass(frozen=True)
class RefreshToken:
    """OAuth 2 refresh tokens as Zoho takes them, sent in the form body.

    Zoho issues at most 10 access tokens in 10 minutes for a refresh token, and revokes the oldest of more than 15.

    :param url: the token endpoint.
    :param data_center: its data center, for messages.

    Sources: Zoho Accounts, "Access token expiry" and "Multi-DC". Third parties met errors with status 200 and 400.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    data_center: str

    def form(self) -> dict[str, str]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
        }

    def token(self, response: Response) -> Token:
        content, is_garbled = _content(response)
        value = content.get("access_token")
        if isinstance(value, str) and value:
            # The response's api_domain is not the host of Zoho People, so it is ignored.
            lifetime = parse_lifetime(content.get("expires_in_sec")) or parse_lifetime(content.get("expires_in"))
            return Token(value, lifetime or _DEFAULT_LIFETIME)
        error = str(content.get("error") or "")
        if error not in self._reasons and _is_throttled(content):
            raise LmsRateLimited(
                f"{response.call}: HTTP {response.status}: too many access tokens were requested. Zoho issues 10 in 10 "
                "minutes for a refresh token, and then none for a while.",
                response.status,
                response.retry_after or _PAUSE,
            )
        if (outage := error_of_status(response)) is not None and outage.transient:
            raise outage
        if is_garbled or (not error and response.status == 200):
            # Zoho answers so now and then for no reason, and well a moment later.
            raise LmsGarbledResponse(self._no_token(response), response.status)
        message = self._reasons.get(error, self._no_token(response))
        raise LmsAuthError(message, response.status, is_refusal=error in self._reasons)

    def header(self, token: str) -> str:
        return f"Zoho-oauthtoken {token}"

    @property
    def _reasons(self) -> Mapping[str, str]:
        console = f"the API console of the data center {self.data_center!r}"
        return {
            "invalid_client": (
                "Zoho does not know the client ID (invalid_client). Check the connection's login; it must come from "
                f"{console}."
            ),
            "invalid_client_secret": (
                "Zoho rejected the client secret (invalid_client_secret). Check the connection's password; it must "
                f"come from {console}."
            ),
            "invalid_code": (
                "Zoho rejected the refresh token (invalid_code). It was revoked, or it belongs to another client or to "
                f"another data center than {self.data_center!r}. Create a new one in {console}."
            ),
        }

    def _no_token(self, response: Response) -> str:
        return (
            f"{response.call}: HTTP {response.status} with {response.content_type or 'no content type'}, and no access "
            "token in it. Check the connection's data_center, and accounts_url if it is set."
        )


def _content(response: Response) -> tuple[Mapping[str, Any], bool]:
    """The fields of the response, and whether it is none of Zoho's."""
    try:
        found = parse_document(response)
    except LmsBrokenPage:
        return {}, True
    return (found, False) if isinstance(found, dict) else ({}, True)


def _is_throttled(content: Mapping[str, Any]) -> bool:
    """Recognize Zoho's sentence, or its shape: the words come in the language of the account."""
    text = f"{content.get('error')} {content.get('error_description')}".lower()
    return "access denied" in text or "too many requests" in text or content.get("status") == "failure"
