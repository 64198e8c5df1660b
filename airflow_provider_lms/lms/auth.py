"""How a client proves who it is, and how long an access token is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_lms.lms.answers import Answer, refusal
from airflow_provider_lms.lms.budget import Wait
from airflow_provider_lms.lms.documents import parse
from airflow_provider_lms.lms.errors import LmsAuthError, LmsBrokenPage


@dataclass(frozen=True)
class Token:
    """An access token.

    :param value: the token itself.
    :param expires_in: its life in seconds, counted from the answer that brought it.
    """

    value: str = field(repr=False)
    expires_in: float


class Grant(Protocol):
    """How one LMS gives tokens: what to ask, what the answer means, how a request carries the token."""

    @property
    def url(self) -> str:
        """The token endpoint."""

    def form(self) -> dict[str, str]:
        """The form body of a token request."""

    def token(self, answer: Answer) -> Token:
        """The token in the answer.

        :raises LmsAuthError: there is none.
        :raises LmsRateLimited: nor will there be one for a while.
        :raises LmsUnavailable: there is none at the moment.
        """

    def header(self, token: str) -> str:
        """The value of the ``Authorization`` header."""


class TokenStore(Protocol):
    """Where the access token of an account is kept, for whoever uses the account. No method waits."""

    def take(self, rejected: str | None, turn: float) -> str | Wait | None:
        """The token, or None where it is the caller's turn to ask the LMS for one, or when to come again.

        :param rejected: a token that the LMS has refused; it is not returned again.
        :param turn: seconds that asking may take; ``put`` or ``give_up`` ends it before.
        """

    def put(self, token: str, expires_in: float) -> None:
        """Keep a token that lives for so many seconds."""

    def give_up(self, pause: float) -> None:
        """No token was given; nobody may ask for so many seconds."""


_OAUTH_ERRORS = {
    "invalid_client": "the client id or the client secret is wrong",
    "invalid_grant": "the grant was refused",
    "invalid_request": "the token request was refused as incomplete",
    "unauthorized_client": "this client may not use the client credentials grant",
    "unsupported_grant_type": "the client credentials grant is not offered here",
}


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2 client credentials in the form body, as iSpring Learn takes them.

    :param url: the token endpoint.
    :param scheme: what stands before the token in the header; empty for the bare token.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scheme: str = "Bearer"

    _DEFAULT_LIFE = 1800.0

    def form(self) -> dict[str, str]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "client_credentials",
        }

    def token(self, answer: Answer) -> Token:
        error = refusal(answer)
        if error is not None and error.transient:
            raise error
        try:
            content = parse(answer)
        except LmsBrokenPage:
            raise LmsAuthError(
                f"{answer.call}: HTTP {answer.status} with {answer.content_type or 'no content type'} in place of a "
                "token. Check the connection's host and auth_url.",
                answer.status,
            ) from None
        content = content if isinstance(content, dict) else {}
        value = content.get("access_token")
        if not isinstance(value, str) or not value:
            reason = _OAUTH_ERRORS.get(str(content.get("error")), "no access token came back")
            raise LmsAuthError(
                f"{answer.call}: HTTP {answer.status}, {reason}. "
                "Check the connection's login (client id) and password (client secret).",
                answer.status,
            )
        return Token(value, seconds(content.get("expires_in")) or self._DEFAULT_LIFE)

    def header(self, token: str) -> str:
        return f"{self.scheme} {token}".strip()


def seconds(value: Any) -> float | None:
    """A life in seconds as a token answer gives it; None where it gives none."""
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return None
