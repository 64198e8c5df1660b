"""The access token of an account, for one client: takes it from those who share it, or requests it from the LMS."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from urllib.parse import urlsplit

from airflow_provider_lms.lms.errors import LmsAuthError, LmsError, LmsRateLimited, WaitReason
from airflow_provider_lms.lms.http.auth import Grant, TokenStore, is_sendable
from airflow_provider_lms.lms.http.exchange import Exchanger, resend_if_closed
from airflow_provider_lms.lms.http.observer import Call, Observer, SentRequest
from airflow_provider_lms.lms.http.response import with_retry_after


class Access:
    """Gives a client the token that its requests carry.

    :param grant: how to request a token, and how to send it.
    :param tokens: where the token is kept, for everybody who uses the account.
    :param exchanger: sends the request for a token.
    :param on_token: called with each access token that is used, so that a log can mask it.
    :param observer: is told of each request for a token.
    """

    def __init__(
        self,
        grant: Grant,
        tokens: TokenStore,
        exchanger: Exchanger,
        on_token: Callable[[str], None],
        observer: Observer,
    ) -> None:
        self.tokens = tokens
        self.grant = grant
        self._exchanger = exchanger
        self._on_token = on_token
        self._observer = observer
        self._reported: str | None = None

    def sibling(self, exchanger: Exchanger, on_token: Callable[[str], None]) -> Access:
        """The access to the same account for another thread."""
        sibling = copy(self)
        sibling.tokens = self.tokens.sibling()
        sibling._exchanger = exchanger
        sibling._on_token = on_token
        return sibling

    @property
    def secrets(self) -> dict[str, str]:
        """The account's credentials, as a token request sends them."""
        return self.grant.form()

    def token(self, rejected: str | None = None) -> tuple[str, bool]:
        """The account's token, and whether this call has requested it from the LMS.

        :param rejected: a token that the LMS has rejected; it is not returned again.
        :raises LmsError: there is none at the moment.
        """
        taken = self.tokens.take(rejected, self._exchanger.timeout)
        requested = taken is None
        if taken is None:
            taken = self._request()
        elif not isinstance(taken, str):
            raise taken.error(self._call.text)
        self.report(taken)
        return taken, requested

    def report(self, token: str) -> None:
        """Tell of an access token that is used, so that a log can mask it."""
        if token != self._reported:
            self._on_token(token)
            self._reported = token

    def header(self, token: str) -> dict[str, str]:
        """The header that carries a token."""
        return {"Authorization": self.grant.header(token)}

    @property
    def _call(self) -> Call:
        path = urlsplit(self.grant.url).path
        return Call(f"POST {path}", "POST", path)

    def _request(self) -> str:
        sent = SentRequest(self._call)
        try:
            accept = {"Accept": "application/json"}
            send = partial(
                self._exchanger.send, "POST", self.grant.url, self._call.text, form=self.grant.form(), header=accept
            )
            response = sent.timed(partial(resend_if_closed, send))
            sent.status = response.status
            try:
                token = self.grant.token(response)
            except LmsError as error:
                raise with_retry_after(error, response) from None
            if not is_sendable(token.value):
                raise LmsAuthError(
                    f"{self._call.text}: the access token has characters that an HTTP header cannot carry. "
                    "Check the connection's host, and where access tokens are requested.",
                    response.status,
                )
        except BaseException as error:
            sent.failed(error)
            pause = 0.0
            if isinstance(error, LmsRateLimited):
                error.waits_for, pause = WaitReason.TOKEN, error.retry_after or 0.0
            self.tokens.give_up(pause)
            raise
        finally:
            self._observer.token_requested(sent)
        self.tokens.put(token.value, token.expires_in)
        return token.value
