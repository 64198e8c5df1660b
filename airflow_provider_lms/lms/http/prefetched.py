"""A request that was sent in advance."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import NamedTuple

from airflow_provider_lms.lms.http.exchange import Params
from airflow_provider_lms.lms.http.observer import SentRequest
from airflow_provider_lms.lms.http.response import Response


class Prefetched(NamedTuple):
    """A request that was sent in advance, and its response once it has come."""

    path: str
    params: Params
    body: Mapping[str, object] | None
    token: str
    request: SentRequest
    response: Future[Response]


def method_of(body: Mapping[str, object] | None) -> str:
    """The HTTP method of a call that only reads: a query that is too long for a URL is the body of a ``POST``."""
    return "GET" if body is None else "POST"
