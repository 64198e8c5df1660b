"""How a client authenticates: access tokens, who grants them, and where they are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_lms.lms.http.rate_limit import RetryAfter
from airflow_provider_lms.lms.http.response import Response


@dataclass(frozen=True)
class Token:
    """An access token.

    :param value: the token itself.
    :param expires_in: lifetime in seconds, counted from the response that brought it.
    """

    value: str = field(repr=False)
    expires_in: float


class Grant(Protocol):
    """How one LMS issues tokens: what to request, what the response means, how a request carries the token."""

    @property
    def url(self) -> str:
        """The token endpoint."""

    def form(self) -> dict[str, str]:
        """The form body of a token request."""

    def token(self, response: Response) -> Token:
        """The token in a response.

        :raises LmsAuthError: the LMS rejected the credentials.
        :raises LmsRateLimited: too many tokens were requested.
        :raises LmsUnavailable: no token can be issued at the moment.
        """

    def header(self, token: str) -> str:
        """The value of the ``Authorization`` header."""


class TokenStore(Protocol):
    """Keeps the access token of an account for everybody who uses the account. No method blocks."""

    def sibling(self) -> TokenStore:
        """The store of the same token for another thread."""

    def take(self, rejected: str | None, turn: float) -> str | RetryAfter | None:
        """The token; or None if it is the caller's turn to request one; or when to ask again.

        :param rejected: a token that the LMS has rejected; it is not returned again.
        :param turn: seconds that the request may take; ``put`` or ``give_up`` ends the turn earlier.
        """

    def put(self, token: str, expires_in: float) -> None:
        """Keep a token that lives for this many seconds."""

    def give_up(self, pause: float) -> None:
        """No token was issued; nobody may request one for this many seconds."""

    def lock_seconds_left(self) -> float:
        """How long nobody may request a token, in seconds; 0 if anybody may."""

    def lift_lock(self) -> None:
        """Let everybody request a token again."""


def parse_lifetime(value: object) -> float | None:
    """A lifetime in seconds as a token response gives it; None if it gives none, or one that makes no sense."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def is_sendable(token: str) -> bool:
    """Whether a header can carry a token: visible ASCII characters, without spaces."""
    return all("!" <= character <= "~" for character in token)
