"""An HTTP session that keeps a deadline, and reports when a request has left."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from airflow_provider_lms import __version__
from airflow_provider_lms.lms.http.deadline import Deadline, DeadlineResponse


def open_session(
    accept: str, deadline: Deadline, on_sent: Callable[[], None], may_connect: Callable[[str], bool] | None = None
) -> requests.Session:
    """A session with connections of its own.

    :param accept: the ``Accept`` header.
    :param deadline: what each exchange keeps to. A SOCKS proxy keeps to it only roughly: its own handshake has the
        timeout that the request is sent with.
    :param on_sent: called when all bytes of a request are on their way.
    :param may_connect: for hosts that a response has named: tells which IP addresses may be connected to. Then no
        cookie is kept or sent either. None trusts all hosts. Behind a proxy, only the proxy knows the addresses.
    """
    session = _Session()
    if may_connect is not None:
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    # Without an auth of its own, requests would let a ~/.netrc entry replace the Authorization header.
    session.auth = lambda request: request
    session.headers.update(
        {
            "Accept": accept,
            # Only what read_body() can decompress within a bound, whatever else is installed.
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"airflow-provider-lms/{__version__}",
        }
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(deadline, on_sent, may_connect))
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect is followed.

        ``allow_redirects=False`` alone is not enough: requests then still parses the Location, which may fail, and
        reads the whole body, however large.
        """


class _Adapter(HTTPAdapter):
    def __init__(
        self, deadline: Deadline, on_sent: Callable[[], None], may_connect: Callable[[str], bool] | None
    ) -> None:
        self._options: dict[str, Any] = {"deadline": deadline, "on_sent": on_sent}
        self._may_connect = may_connect
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes(may_connect=self._may_connect)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pool_classes()
        return manager

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """A response without what this package does not use.

        requests would look for an encoding in the Content-Type here. Its older releases raise an AttributeError for
        ``text/html; charset``.
        """
        response = requests.Response()
        response.status_code = resp.status
        response.headers.update(resp.headers)
        response.raw = resp
        response.request = req
        response.url = req.url or ""
        return response

    def _pool_classes(self, **more: Any) -> dict[str, Any]:
        # A pool hands what it does not know on to its connections.
        options = {**self._options, **more}
        return {"http": partial(_HttpPool, **options), "https": partial(_HttpsPool, **options)}


class _HttpConnection(HTTPConnection):
    def __init__(
        self,
        *args: Any,
        deadline: Deadline,
        on_sent: Callable[[], None],
        may_connect: Callable[[str], bool] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._deadline, self._on_sent, self._may_connect = deadline, on_sent, may_connect
        self._has_served = False
        self.response_class = partial(DeadlineResponse, deadline=deadline)  # type: ignore[assignment]

    def request(self, *args: Any, **options: Any) -> None:
        if self._has_served:
            self._deadline.uses_kept_connection()
        super().request(*args, **options)  # over plain HTTP, this connects
        self._has_served = True
        self._on_sent()

    def _new_conn(self) -> socket.socket:
        """As urllib3 does it, within the deadline."""
        self._has_served = False
        try:
            sock = self._deadline.connect(
                self._dns_host, self.port or 0, self.socket_options, self.source_address, self._may_connect
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:  # a host name that the DNS cannot have
            raise NewConnectionError(self, "The host name is invalid.") from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "The connection was not accepted in time.") from error
        except OSError as error:
            raise NewConnectionError(self, f"No connection: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock


class _HttpsConnection(_HttpConnection, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
