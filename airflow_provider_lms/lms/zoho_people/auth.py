"""How Zoho gives access tokens: for a refresh token, at the accounts host of the data centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_lms.lms.answers import Answer, refusal
from airflow_provider_lms.lms.auth import Token, seconds
from airflow_provider_lms.lms.documents import parse
from airflow_provider_lms.lms.errors import LmsAuthError, LmsBrokenPage, LmsRateLimited

_LIFE = 3_600.0
_PAUSE = 600.0


@dataclass(frozen=True)
class RefreshToken:
    """OAuth 2 refresh tokens as Zoho takes them, in the form body.

    Zoho gives at most 10 access tokens in 10 minutes for a refresh token, and forgets the oldest of 15.

    :param url: the token endpoint.
    :param data_center: its data centre, for messages.

    Sources: Zoho Accounts, "Access token expiry" and "Multi-DC". Others met errors with status 200 and with 400.
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

    def token(self, answer: Answer) -> Token:
        content = self._content(answer)
        value = content.get("access_token")
        if isinstance(value, str) and value:
            # The response's api_domain is not the host of Zoho People; it is left alone.
            return Token(value, seconds(content.get("expires_in_sec")) or seconds(content.get("expires_in")) or _LIFE)
        error = str(content.get("error") or "")
        if error not in self._reasons and _too_many(content):
            raise LmsRateLimited(
                f"{answer.call}: HTTP {answer.status}: Zoho was asked for too many access tokens (it gives 10 in 10 "
                "minutes for a refresh token) and gives none for a while.",
                answer.status,
                answer.retry_after or _PAUSE,
            )
        if (transient := refusal(answer)) is not None and transient.transient:
            raise transient
        raise LmsAuthError(self._reasons.get(error, self._nothing(answer)), answer.status)

    def header(self, token: str) -> str:
        return f"Zoho-oauthtoken {token}"

    @property
    def _reasons(self) -> Mapping[str, str]:
        here = f"the API console of the data centre {self.data_center!r}"
        return {
            "invalid_client": (
                "Zoho does not know the client id (invalid_client). Check the connection's login; it must come from "
                f"{here}."
            ),
            "invalid_client_secret": (
                "Zoho refused the client secret (invalid_client_secret). Check the connection's password; it must come "
                f"from {here}."
            ),
            "invalid_code": (
                "Zoho refused the refresh token (invalid_code). It was revoked, or it belongs to another client or to "
                f"another data centre than {self.data_center!r}: create one in {here}."
            ),
        }

    def _content(self, answer: Answer) -> Mapping[str, Any]:
        try:
            found = parse(answer)
        except LmsBrokenPage:
            found = None
        return found if isinstance(found, dict) else {}

    def _nothing(self, answer: Answer) -> str:
        return (
            f"{answer.call}: HTTP {answer.status} with {answer.content_type or 'no content type'}, and no access token "
            "came back. Check the connection's data_center, and accounts_url if it is set."
        )


def _too_many(content: Mapping[str, Any]) -> bool:
    """Zoho's sentence, or its shape: the words come in the language of the account."""
    said = f"{content.get('error')} {content.get('error_description')}".lower()
    return "access denied" in said or "too many requests" in said or content.get("status") == "failure"
