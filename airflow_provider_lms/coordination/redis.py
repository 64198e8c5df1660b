"""A store in Redis, for the processes of all hosts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_lms.coordination.store import KEEP_SECONDS, Store, StoredState
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

_PREFIX = "airflow-provider-lms:"
_RESPONSE_SECONDS = 5.0
_TRIES = 3


class RedisStore(Store):
    """States in Redis, on the Redis server's clock.

    :param url: ``redis://``, ``rediss://`` or ``unix://``, as the Redis client reads it.
    :raises CoordinationError: the Redis client is not installed, or it cannot read this URL.
    """

    across_hosts = True

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import ExponentialBackoff
            from redis.retry import Retry
        except ImportError:
            raise CoordinationError(
                "[lms] coordination_url names a Redis server, but the Redis client is not installed: "
                "pip install 'airflow-provider-lms[redis]'."
            ) from None
        self._failure: type[Exception] = redis.RedisError
        self._place = _without_credentials(url)
        self.reach = f"on all hosts that use {self._place}"
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=_RESPONSE_SECONDS,
                socket_connect_timeout=_RESPONSE_SECONDS,
                retry=Retry(ExponentialBackoff(cap=1.0, base=0.1), _TRIES),
            )
        except ValueError as error:
            raise CoordinationError(f"[lms] coordination_url: {error}") from None

    def _get(self, key: str) -> StoredState:
        def read(pipe: Any) -> StoredState:
            return _found(pipe.time().get(_PREFIX + key).execute())

        with self._client.pipeline(transaction=False) as pipe:
            found: StoredState = self._guarded(read, pipe)
            return found

    def _swap(self, key: str, rewrite: Callable[[StoredState], bytes]) -> None:
        def step(pipe: Any) -> None:
            raw = rewrite(_found((pipe.time(), pipe.get(_PREFIX + key))))
            pipe.multi()
            pipe.set(_PREFIX + key, raw, ex=KEEP_SECONDS)

        self._guarded(self._client.transaction, step, _PREFIX + key)

    def _repair(self, key: str) -> str:
        return f"Delete the key {_PREFIX + key!r} in Redis. Tasks then start counting anew."

    def _guarded(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except self._failure as error:
            raise CoordinationError(
                f"{self._place}, where tasks share the rate limit and the access token, cannot be used "
                f"({type(error).__name__}). {_advice(error)}"
            ) from None


def _found(replies: Any) -> StoredState:
    (seconds, microseconds), raw = replies
    return StoredState(raw, seconds + microseconds / 1e6)


def _advice(error: BaseException) -> str:
    if isinstance(error.__context__, ssl.SSLCertVerificationError):
        return (
            "Its certificate is not trusted. Name the file with the certificate of its authority at the end of "
            "[lms] coordination_url: ?ssl_ca_certs=/path/to/ca.pem"
        )
    return (
        "Check the server and [lms] coordination_url. If the keys that begin with "
        f"{_PREFIX!r} are damaged, delete them."
    )


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
