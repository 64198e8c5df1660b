"""All HTTP of this package: every request is authorized, counted, limited in time and retried here."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TypeVar

from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsTokenRefused
from airflow_provider_lms.lms.http.access import Access
from airflow_provider_lms.lms.http.auth import Grant, TokenStore
from airflow_provider_lms.lms.http.download import Downloader, ErrorOf, Exchange, Store
from airflow_provider_lms.lms.http.exchange import (
    DEFAULT_MAX_BODY_BYTES,
    DEFAULT_TIMEOUT,
    Exchanger,
    Params,
    resend_if_closed,
)
from airflow_provider_lms.lms.http.observer import UNUSED, Call, Observer, SentRequest
from airflow_provider_lms.lms.http.prefetched import Prefetched, method_of
from airflow_provider_lms.lms.http.rate_limit import RateLimiter
from airflow_provider_lms.lms.http.response import Response, error_of_status, with_retry_after
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.http.unsafe import Doubt, error_if_unsafe, no_doubt, send_once

T = TypeVar("T")

_SENT_SECONDS = 0.02
_CLOSE_SECONDS = 0.5
_FILE = "file"


class Transport:
    """Sends requests to one LMS account. A call returns a successful response or raises an :class:`LmsError`.

    A rejected access token is renewed once per call.

    :param base_url: scheme, host and path prefix of the API.
    :param grant: how to request a token, and how to send it.
    :param tokens: where the token is kept, for everybody who uses the account.
    :param rate_limiter: asked before each request to ``base_url``, by everybody who uses the account.
    :param error_of: the error that a response stands for; None for a success.
    :param accept: the ``Accept`` header.
    :param timeout: seconds that one request may take, from connecting to the last byte.
    :param max_body_bytes: the largest body of a response, decompressed.
    :param retry: how long to go on trying.
    :param on_token: called with each access token that is used, so that a log can mask it.
    :param observer: is told what happens to requests; None if nobody watches.
    """

    def __init__(
        self,
        base_url: str,
        grant: Grant,
        *,
        tokens: TokenStore,
        rate_limiter: RateLimiter,
        error_of: Callable[[Response], LmsError | None] = error_of_status,
        accept: str = "application/json",
        timeout: float = DEFAULT_TIMEOUT,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        retry: RetryPolicy | None = None,
        on_token: Callable[[str], None] = lambda _: None,
        observer: Observer | None = None,
    ) -> None:
        self.base_url = base_url
        self.rate_limiter = rate_limiter
        self._error_of = error_of
        self._new_exchanger = partial(Exchanger, accept, timeout=timeout, max_body_bytes=max_body_bytes)
        self._exchanger = self._new_exchanger()
        self.observer = observer or Observer()
        self._access = Access(grant, tokens, self._exchanger, on_token, self.observer)
        self._retry = RetryPolicy() if retry is None else retry
        self._answered = threading.Event()
        self._sent = 0
        self._request_slot: Callable[[], AbstractContextManager[None]] = nullcontext
        self._downloader: Downloader | None = None
        self._prefetched: Prefetched | None = None
        self._prefetch_thread: ThreadPoolExecutor | None = None

    @property
    def has_answered(self) -> bool:
        """Whether the LMS has answered a call, of this transport or of a sibling."""
        return self._answered.is_set()

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        page: int | None = None,
        shown_path: str | None = None,
        endpoint: str | None = None,
        retry: bool = True,
    ) -> Response:
        """Send ``GET`` below the base URL.

        :param path: begins with a slash. Each ``/..`` at its beginning leaves a part of the base URL's path, for an API
            beside the one that the base URL names; requests resolves it before it sends.
        :param params: query parameters in order; names may repeat.
        :param page: the page number, for messages.
        :param shown_path: the path for messages, if the real one holds a person's id.
        :param endpoint: the path for traces, if the one for messages holds any id.
        :param retry: wait for limits and outages, and try again.
        """
        call = Call.of("GET", path, page, shown_path, endpoint)
        prefetched = self._take_prefetched(path, params)

        def attempt() -> Response:
            nonlocal prefetched
            first, prefetched = prefetched, None
            return self._authorized(call, self._exchange(call, path, params), self._error_of, first)

        return self.retrying(attempt) if retry else attempt()

    def post(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        page: int | None = None,
        shown_path: str | None = None,
        endpoint: str | None = None,
    ) -> Response:
        """Send ``POST`` with a JSON body below the base URL.

        Only for a call that reads: it is sent again after a rejected token, and if a kept connection turns out to be
        closed. Other errors are not tried again; :meth:`retrying` does that.

        :param body: becomes the JSON body.
        """
        prefetched = self._take_prefetched(path, (), body)
        call = Call.of("POST", path, page, shown_path, endpoint)
        return self._authorized(call, self._exchange(call, path, (), body), self._error_of, prefetched)

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Params = (),
        shown_path: str | None = None,
        endpoint: str | None = None,
        doubt: Doubt = no_doubt,
    ) -> Response:
        """Send a call that changes something. It is sent again only if the LMS cannot have carried it out.

        :param method: ``POST``, ``DELETE`` and so on.
        :param body: becomes the JSON body; None sends none.
        :param doubt: why a response without an error does not confirm the call; None if it does.
        :raises LmsUnconfirmed: it was sent, and nobody knows whether it was carried out.
        :raises LmsError: it was not carried out.
        """
        self._drop_prefetched()
        call, url = Call.of(method, path, None, shown_path, endpoint), self.base_url + path
        exchange = send_once(partial(self._exchanger.send, method, url, call.text, params=params, json=body))
        return self.retrying(lambda: self._authorized(call, exchange, error_if_unsafe(self._error_of, doubt)))

    def download(self, url: str, name: str, start: bytes, store: Store) -> None:
        """Fetch a file from an address that the LMS has named in a response, in flat memory.

        Only the API's own origin gets the access token and counts toward the account's limit. The connection's timeout
        and the largest body apply to each request, also to those that follow a redirect.

        :param url: its address. It may be a secret, so no message contains it.
        :param name: what it is, for messages.
        :param start: the bytes that each file of this kind begins with.
        :param store: takes the pieces of the file; called again for each new attempt.
        :raises LmsFileError: the address must not be used, or there is no such file.
        """
        self._drop_prefetched()
        if self._downloader is None:
            timeout, max_bytes = self._exchanger.timeout, self._exchanger.max_body_bytes
            foreign = partial(Exchanger, "*/*", timeout=timeout, max_body_bytes=max_bytes)
            self._downloader = Downloader(
                self.base_url,
                self._exchanger,
                lambda call, exchange, error_of: self._authorized(Call(call, "GET", _FILE), exchange, error_of),
                lambda check: foreign(may_connect=check),
            )
        self.retrying(partial(self._downloader.fetch, url, name, start, store))

    def retrying(self, attempt: Callable[[], T]) -> T:
        """Call ``attempt``, which reads a response, until it succeeds or the retry policy gives up."""
        self._sent = 0
        try:
            return self._retry.run(attempt, self.observer.retries)
        except BaseException:
            # Nobody asks again. If the task is killed, others need not wait until it has stored what it has.
            self.rate_limiter.cancel()
            raise

    def prefetch(
        self,
        path: str,
        params: Params = (),
        *,
        body: Mapping[str, object] | None = None,
        page: int | None = None,
        shown_path: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        """Send in advance what the next ``get`` or ``post`` will ask for, while the caller does something else.

        Nothing is sent if that would mean to wait. The thread does the exchange and nothing else. Tokens, the rate
        limiter and whatever Airflow hears of them stay in the caller's thread: on Airflow 3.0 and 3.1 a worker must not
        be talked to from two threads.

        :param body: of a ``POST`` that only reads; None is a ``GET``.
        """
        self._drop_prefetched()
        try:
            token, _ = self._access.token()
        except LmsError:
            return  # the call itself will meet the same error, and retries
        if self.rate_limiter.acquire() is not None:
            return
        if self._prefetch_thread is None:
            self._prefetch_thread = ThreadPoolExecutor(1, thread_name_prefix="lms-prefetch")
        call = Call.of(method := method_of(body), path, page, shown_path, endpoint)
        is_sent, header, request = threading.Event(), self._access.header(token), SentRequest(call)
        send = partial(
            self._exchanger.send,
            method,
            self.base_url + path,
            call.text,
            params=params,
            json=body,
            header=header,
            on_sent=is_sent.set,
        )
        response = self._prefetch_thread.submit(request.timed, send)
        self._prefetched = Prefetched(path, params, body, token, request, response)
        # Wait until the request bytes are sent. Otherwise the caller would start to decode, which holds the GIL, and
        # the request would leave only after that.
        is_sent.wait(_SENT_SECONDS)

    def sibling(
        self,
        request_slot: Callable[[], AbstractContextManager[None]],
        sleep: Callable[[float], None],
        on_token: Callable[[str], None],
    ) -> Transport:
        """A transport for another thread, with connections of its own. It shares the account with this one.

        :param request_slot: entered for each request, from before it is sent until its response has come.
        :param sleep: how to wait before another attempt.
        :param on_token: see the class.
        """
        sibling = copy(self)
        sibling.rate_limiter = self.rate_limiter.sibling()
        sibling._exchanger = self._new_exchanger()
        sibling._access = self._access.sibling(sibling._exchanger, on_token)
        sibling._request_slot = request_slot
        sibling._retry = replace(self._retry, sleep=sleep)
        sibling._downloader = sibling._prefetched = sibling._prefetch_thread = None
        return sibling

    def authenticate(self) -> None:
        """Make sure that there is an access token, for threads that would otherwise wait for one another."""
        self._retry.run(self._access.token, self.observer.retries)

    def report_token(self, token: str) -> None:
        """Tell of an access token that is used, so that a log can mask it."""
        self._access.report(token)

    def abort(self) -> None:
        """End the exchange that another thread is waiting for. Its outcome is an error."""
        self._exchanger.abort()

    def close(self) -> None:
        """Close the connections to the LMS, whether or not a prefetched response has come."""
        is_over = False
        try:
            is_over = self._drop_prefetched(patience=_CLOSE_SECONDS)
        finally:
            if self._prefetch_thread is not None:
                self._prefetch_thread.shutdown(wait=is_over)
            self._exchanger.close()
            if self._downloader is not None:
                self._downloader.close()
            self.rate_limiter.close()

    def disguise(self, text: str) -> str:
        """Stands for a text where others may read it. Only with the account's credentials can it be computed."""
        key = repr(sorted(self._access.secrets.items())).encode()
        return hmac.digest(key, text.encode(), "sha256").hex()[:32]

    def lock_seconds_left(self) -> float:
        """How long the account is still locked for all tasks, in seconds; 0 if it is not."""
        return max(self.rate_limiter.lock_seconds_left(), self._access.tokens.lock_seconds_left())

    def lift_lock(self) -> None:
        """End the account's lock, for all tasks."""
        self.rate_limiter.lift_lock()
        self._access.tokens.lift_lock()

    def _exchange(self, call: Call, path: str, params: Params, body: Mapping[str, object] | None = None) -> Exchange:
        return lambda header: self._exchanger.send(
            method_of(body), self.base_url + path, call.text, params=params, json=body, header=header
        )

    def _authorized(
        self, call: Call, exchange: Exchange, error_of: ErrorOf, prefetched: Prefetched | None = None
    ) -> Response:
        token = self._access.token()[0] if prefetched is None else prefetched.token
        renewed = False
        while True:
            try:
                return self._send(call, exchange, error_of, token, prefetched)
            except LmsTokenRefused:
                if renewed:
                    raise
                # Another process may have renewed the token already. Only one requested here ends the search.
                token, renewed = self._access.token(rejected=token)
                prefetched = None

    def _send(
        self, call: Call, exchange: Exchange, error_of: ErrorOf, token: str, prefetched: Prefetched | None
    ) -> Response:
        with self._request_slot():
            response, request = self._exchanged(call, exchange, token, prefetched)
            error = error_of(response)
            if error is not None:
                request.failed(error)
            self.observer.request_ended(request)
            if error is None:
                self._answered.set()
                return response
            if isinstance(error, LmsRateLimited):
                error.retry_after = self.rate_limiter.block(error.retry_after)
            raise with_retry_after(error, response)

    def _exchanged(
        self, call: Call, exchange: Exchange, token: str, prefetched: Prefetched | None
    ) -> tuple[Response, SentRequest]:
        def send() -> tuple[Response, SentRequest]:
            nonlocal prefetched
            sent, prefetched = prefetched, None
            if sent is None and (not_now := self.rate_limiter.acquire()) is not None:
                raise not_now.error(call.text)
            self._sent += 1
            request = SentRequest(call) if sent is None else sent.request
            request.attempt = self._sent
            try:
                if sent is None:
                    response = request.timed(lambda: exchange(self._access.header(token)))
                else:
                    response = sent.response.result()
            except BaseException as error:
                request.failed(error)
                self.observer.request_ended(request)
                raise
            finally:
                self.rate_limiter.release()
            request.status = response.status
            return response, request

        return resend_if_closed(send)

    def _take_prefetched(
        self, path: str, params: Params, body: Mapping[str, object] | None = None
    ) -> Prefetched | None:
        prefetched = self._prefetched
        if prefetched is not None and (prefetched.path, prefetched.params, prefetched.body) == (path, params, body):
            self._prefetched = None
            return prefetched
        self._drop_prefetched()
        return None

    def _drop_prefetched(self, patience: float | None = None) -> bool:
        """Wait for a response that nobody asked for: the session serves one thread at a time.

        :param patience: seconds after which the exchange is ended; None waits until it is over.
        :return: whether it is over.
        """
        if self._prefetched is None:
            return True
        request, response = self._prefetched.request, self._prefetched.response
        self._prefetched = None
        try:
            if wait_for([response], patience).not_done:
                self._exchanger.abort()
                # A name that the operating system still looks up cannot be interrupted. It ends by itself.
                wait_for([response], patience)
            return response.done()
        finally:
            self.rate_limiter.release()
            request.outcome = UNUSED
            self.observer.request_ended(request)
