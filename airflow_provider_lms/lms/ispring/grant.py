"""How iSpring Learn issues access tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_lms.lms.errors import LmsAuthError, LmsBrokenPage, LmsGarbledResponse
from airflow_provider_lms.lms.http.auth import Token, parse_lifetime
from airflow_provider_lms.lms.http.documents import parse_document
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.ispring.errors import error_of

_DEFAULT_LIFETIME = 1800.0
_OAUTH_ERRORS = {
    "invalid_client": "the client ID or the client secret is wrong",
    "invalid_grant": "the grant was rejected",
    "invalid_request": "the token request was rejected as incomplete",
    "unauthorized_client": "this client may not use the client credentials grant",
    "unsupported_grant_type": "the client credentials grant is not offered here",
}


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2 client credentials, sent in the form body.

    :param url: the token endpoint.
    :param scheme: the word before the token in the ``Authorization`` header; empty for the bare token. The vendor's
        pages show both ways.

    Source: vendor page "Access Token".
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scheme: str = "Bearer"

    def form(self) -> dict[str, str]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "client_credentials",
        }

    def token(self, response: Response) -> Token:
        error = error_of(response)
        if error is not None and error.transient:
            raise error
        try:
            content = parse_document(response)
        except LmsBrokenPage:
            raise LmsGarbledResponse(
                f"{response.call}: HTTP {response.status} with {response.content_type or 'no content type'} instead of "
                "a token. Check the connection's host and auth_url.",
                response.status,
            ) from None
        content = content if isinstance(content, dict) else {}
        value = content.get("access_token")
        if not isinstance(value, str) or not value:
            known = _OAUTH_ERRORS.get(str(content.get("error")))
            reason = known or "the response has no access token"
            raise LmsAuthError(
                f"{response.call}: HTTP {response.status}, {reason}. "
                "Check the connection's login (client ID) and password (client secret).",
                response.status,
                is_refusal=known is not None or (error is not None and error.is_refusal),
            )
        return Token(value, parse_lifetime(content.get("expires_in")) or _DEFAULT_LIFETIME)

    def header(self, token: str) -> str:
        return f"{self.scheme} {token}".strip()
