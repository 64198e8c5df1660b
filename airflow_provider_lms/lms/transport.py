"""The one place where bytes enter: every request is authorised, counted, bounded in time and retried here."""

from __future__ import annotations

import email.utils
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from airflow_provider_lms.lms.answers import Answer, refusal
from airflow_provider_lms.lms.auth import Grant, TokenStore
from airflow_provider_lms.lms.budget import Budget, Limits, Wait
from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsTokenRefused, LmsTruncatedPage, LmsUnavailable
from airflow_provider_lms.lms.session import session

log = logging.getLogger(__name__)

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

_CHUNK = 65_536
_OUTAGE_SECONDS = 120.0
_LONG_WAIT = 10.0
_LEAVING_SECONDS = 0.02


class Transport:
    """Calls one LMS account. A call returns an answer with a 2xx status, or raises an :class:`LmsError`.

    Timeouts, resets, truncated bodies, 408 and 5xx are tried again for up to two minutes, rate limits for up to
    ``max_wait``; other refusals are not. A refused token is renewed once.

    :param base_url: scheme, host and path prefix of the API.
    :param grant: how to get a token and send it.
    :param tokens: where the token is kept, for all who use the account.
    :param budget: asked before each request to ``base_url``, by all who use the account.
    :param refused: what the LMS calls an error; None for an answer that it calls a success.
    :param accept: the ``Accept`` header.
    :param timeout: seconds that one request may take, from connecting to the last byte.
    :param max_wait: seconds that one call may wait for a rate limit or an outage; 0 never waits.
    :param longest_lock: a lock by the LMS that lasts so many seconds or more is not waited for; None is no limit.
    :param announce: called with each access token that is used, so that a log can mask it.
    """

    def __init__(
        self,
        base_url: str,
        grant: Grant,
        *,
        tokens: TokenStore,
        budget: Budget,
        refused: Callable[[Answer], LmsError | None] = refusal,
        accept: str = "application/json",
        timeout: float = 60.0,
        max_wait: float = 900.0,
        longest_lock: float | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.base_url = base_url
        self._grant = grant
        self._tokens = tokens
        self._budget = budget
        self._refused = refused
        self._timeout = timeout
        self._max_wait = max_wait
        self._longest_lock = math.inf if longest_lock is None else longest_lock
        self._announce = announce
        self._announced: str | None = None
        self._begun: _Begun | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._sent = threading.Event()
        self._session = session(accept, self._sent.set)

    @property
    def limits(self) -> Limits:
        """The account's request limits."""
        return self._budget.limits

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        page: int | None = None,
        shown: str | None = None,
        patient: bool = True,
    ) -> Answer:
        """``GET`` below the base URL.

        :param params: query parameters, in order; names may repeat.
        :param page: the page's number, for messages.
        :param shown: the path for messages, where it must not be shown as it is.
        :param patient: wait for a rate limit or an outage, and try again.
        """
        call = _name(shown or path, page)
        begun = self._take_begun(path, params)

        def attempt() -> Answer:
            nonlocal begun
            first, begun = begun, None
            return self._authorised(call, path, params, first)

        return self._patiently(attempt) if patient else attempt()

    def begin(self, path: str, params: Params = (), *, page: int | None = None) -> None:
        """Send what the next ``get`` will ask for, while the caller does something else.

        Nothing is sent where it would have to wait. One thread does the exchange and no more: tokens, budget and
        whatever Airflow is told of them stay in the caller's.
        """
        self._drop_begun()
        try:
            token, _ = self._token()
        except LmsError:
            return  # get() will meet it too, and has patience
        if self._budget.acquire() is None:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="lms-read-ahead")
            url, call = self.base_url + path, _name(path, page)
            self._sent.clear()
            answer = self._thread.submit(self._exchange, "GET", url, call, params=params, token=token)
            self._begun = _Begun(path, params, token, answer)
            # Whoever decodes a page now holds the interpreter, and the request would leave only after that.
            self._sent.wait(_LEAVING_SECONDS)

    def close(self) -> None:
        try:
            self._drop_begun()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
            self._session.close()
            self._budget.leave()

    def _authorised(self, call: str, path: str, params: Params, begun: _Begun | None = None) -> Answer:
        token = self._token()[0] if begun is None else begun.token
        renewed = False
        while True:
            try:
                return self._ask(call, path, params, token, begun)
            except LmsTokenRefused:
                if renewed:
                    raise
                # Another process may have renewed it already; only a token asked for here ends the search.
                token, renewed = self._token(rejected=token)
                begun = None

    def _ask(self, call: str, path: str, params: Params, token: str, begun: _Begun | None) -> Answer:
        if begun is None and (wait := self._budget.acquire()) is not None:
            raise _to_wait(call, wait)
        try:
            if begun is None:
                answer = self._exchange("GET", self.base_url + path, call, params=params, token=token)
            else:
                answer = begun.answer.result()
        finally:
            self._budget.answered()
        error = self._refused(answer)
        if error is None:
            return answer
        if isinstance(error, LmsRateLimited):
            error.retry_after = self._budget.lock(error.retry_after)
        raise error

    def _take_begun(self, path: str, params: Params) -> _Begun | None:
        begun = self._begun
        if begun is not None and (begun.path, begun.params) == (path, params):
            self._begun = None
            return begun
        self._drop_begun()
        return None

    def _drop_begun(self) -> None:
        """Wait for an answer that nobody asked for: the session serves one thread at a time."""
        if self._begun is not None:
            wait_for([self._begun.answer])
            self._begun = None
            self._budget.answered()

    def _token(self, rejected: str | None = None) -> tuple[str, bool]:
        """The account's token, and whether this call has asked the LMS for it."""
        taken = self._tokens.take(rejected, self._timeout)
        asked = taken is None
        if taken is None:
            taken = self._request_token()
        elif not isinstance(taken, str):
            raise _to_wait(f"POST {urlsplit(self._grant.url).path}", taken)
        if taken != self._announced:
            self._announce(taken)
            self._announced = taken
        return taken, asked

    def _request_token(self) -> str:
        call = f"POST {urlsplit(self._grant.url).path}"
        try:
            token = self._grant.token(self._exchange("POST", self._grant.url, call, form=self._grant.form()))
        except BaseException as error:
            self._tokens.give_up(getattr(error, "retry_after", None) or 0.0)
            raise
        self._tokens.put(token.value, token.expires_in)
        return token.value

    def _exchange(
        self,
        method: str,
        url: str,
        call: str,
        *,
        params: Params = (),
        form: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        deadline = time.monotonic() + self._timeout
        headers = {} if token is None else {"Authorization": self._grant.header(token)}
        if form is not None:
            headers["Accept"] = "application/json"
        try:
            with self._session.request(
                method,
                url,
                params=list(params),
                data=form,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,  # a redirect may lead to another host, and the token must not follow
                stream=True,
            ) as response:
                body = _body(response, deadline)
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError):
            raise LmsUnavailable(
                f"{call}: no trusted TLS connection to {_host(url)}. Check the connection's host, and the CA bundle "
                "(REQUESTS_CA_BUNDLE) if a proxy stands between."
            ) from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise LmsUnavailable(
                f"{call}: no whole answer within {self._timeout:g} s. "
                "If the LMS is just slow, raise 'timeout' in the connection or lower the page size."
            ) from None
        except urllib3.exceptions.HTTPError:
            raise LmsTruncatedPage(
                f"{call}: the connection ended before the body was complete{_expected(response)}. "
                "Nothing of this page was kept.",
                response.status_code,
            ) from None
        except requests.RequestException as error:
            raise LmsUnavailable(
                f"{call}: no connection to {_host(url)} ({type(error).__name__}). "
                "Check the connection's host, and whether this machine reaches it."
            ) from None
        return Answer(
            call=call,
            status=response.status_code,
            content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            body=body,
            retry_after=_retry_after(response.headers.get("Retry-After")),
            location=_host(response.headers.get("Location", "")) or None,
        )

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, LmsError) and error.transient),
            wait=_pause,
            stop=self._out_of_patience,
            before_sleep=_tell,
            reraise=True,
        )(attempt)

    def _out_of_patience(self, state: tenacity.RetryCallState) -> bool:
        error = _error(state)
        patience = min(self._max_wait, _OUTAGE_SECONDS)
        if isinstance(error, LmsRateLimited):
            patience = self._max_wait
            if error.locked and (error.retry_after or 0.0) >= self._longest_lock:
                return True
        return (state.seconds_since_start or 0.0) + state.upcoming_sleep > patience


class _Begun(NamedTuple):
    """A request that was sent ahead."""

    path: str
    params: Params
    token: str
    answer: Future[Answer]


def _name(path: str, page: int | None) -> str:
    return f"GET {path}" + ("" if page is None else f", page {page}")


def _to_wait(call: str, wait: Wait) -> LmsRateLimited:
    message = f"{call}: {wait.reason} for another {math.ceil(wait.seconds)} s."
    return LmsRateLimited(message, retry_after=wait.seconds, locked=wait.locked)


def _pause(state: tenacity.RetryCallState) -> float:
    error = _error(state)
    asked = getattr(error, "retry_after", None)
    if asked is None:
        return tenacity.wait_exponential_jitter(initial=1, max=30, jitter=1)(state)
    if _is_own_wait(error):
        return float(asked)
    return float(asked) + tenacity.wait_random(0, min(5.0, 0.1 + asked / 10))(state)


def _tell(state: tenacity.RetryCallState) -> None:
    error, seconds = _error(state), state.upcoming_sleep
    if _is_own_wait(error):
        level = logging.INFO if seconds >= _LONG_WAIT else logging.DEBUG
    else:
        level = logging.WARNING if seconds >= 1 else logging.INFO
    log.log(level, "%s Trying again in %.1f s.", error, seconds)


def _is_own_wait(error: BaseException | None) -> bool:
    """Whether this side holds the request back; the time to wait is exact then, and no cause for alarm."""
    return isinstance(error, LmsRateLimited) and error.status is None


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _body(response: requests.Response, deadline: float) -> bytes:
    """The whole body, decompressed; read as it comes, since waiting for a full chunk could outlast any deadline."""
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)


def _expected(response: requests.Response) -> str:
    length = response.headers.get("Content-Length")
    return f" (expected {int(length):,} bytes)" if length and length.isdigit() else ""


def _retry_after(value: str | None) -> float | None:
    """Seconds from now, at least one; the header holds seconds or an HTTP date."""
    if not value:
        return None
    if value.strip().isdigit():
        return max(float(value), 1.0)
    moment = email.utils.parsedate_to_datetime(value) if email.utils.parsedate_tz(value) else None
    return None if moment is None else max(moment.timestamp() - time.time(), 1.0)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
