"""The HTTP session: one that tells when a request has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_lms import __version__


def session(accept: str, sent: Callable[[], None]) -> requests.Session:
    """A session with connections of its own.

    :param accept: the ``Accept`` header.
    :param sent: called when all of a request is on its way, unless a proxy stands between.
    """
    found = requests.Session()
    # Without an auth of its own, requests would let a ~/.netrc entry replace the Authorization header.
    found.auth = lambda request: request
    found.headers.update({"Accept": accept, "User-Agent": f"airflow-provider-lms/{__version__}"})
    for scheme in ("http://", "https://"):
        found.mount(scheme, _Adapter(sent))
    return found


class _Adapter(HTTPAdapter):
    def __init__(self, sent: Callable[[], None]) -> None:
        self._sent = sent
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _telling(HTTPConnectionPool, HTTPConnection, self._sent),
            "https": _telling(HTTPSConnectionPool, HTTPSConnection, self._sent),
        }


def _telling(pool: Any, connection: Any, sent: Callable[[], None]) -> type[HTTPConnectionPool]:
    def request(self: Any, *args: Any, **options: Any) -> None:
        connection.request(self, *args, **options)
        sent()

    telling = type(connection.__name__, (connection,), {"request": request})
    found: type[HTTPConnectionPool] = type(pool.__name__, (pool,), {"ConnectionCls": telling})
    return found
