"""Redis behind TLS, as hosted Redis servers are."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.coordination.redis import RedisStore
from tests.certificates import server_with_certificate


class State(msgspec.Struct):
    count: int = 0


def add(state: State, _: float) -> int:
    state.count += 1
    return state.count


class TlsForwarder:
    """Accepts TLS, and forwards what comes to a port of this machine. The Redis server of the tests has no TLS."""

    def __init__(self, tls: ssl.SSLContext, port: int) -> None:
        self._tls, self._to = tls, port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # once it is closed
            while True:
                plain, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):  # a client that does not trust the certificate hangs up
            client = self._tls.wrap_socket(plain, server_side=True)
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
            self._copy(client, server)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.close()


@pytest.fixture
def forwarder(redis_url: str, tmp_path: Path) -> Iterator[TlsForwarder]:
    tls = server_with_certificate(tmp_path / "server.pem")
    with closing(TlsForwarder(tls, urlsplit(redis_url).port or 0)) as found:
        yield found


def url_of(forwarder: TlsForwarder, redis_url: str) -> str:
    return f"rediss://:{urlsplit(redis_url).password}@127.0.0.1:{forwarder.port}/0"


def test_tasks_share_a_redis_server_behind_tls(forwarder: TlsForwarder, redis_url: str, tmp_path: Path) -> None:
    url = f"{url_of(forwarder, redis_url)}?ssl_ca_certs={tmp_path / 'server.pem'}"
    ours, others = RedisStore(url), RedisStore(url)
    assert [store.change("behind-tls", State, add) for store in (ours, others, ours)] == [1, 2, 3]
    assert others.read("behind-tls", State)[0] == State(3)
    assert forwarder.connections >= 2
    assert "server.pem" not in ours.reach


def test_a_certificate_that_is_not_trusted_is_refused(forwarder: TlsForwarder, redis_url: str) -> None:
    with pytest.raises(CoordinationError, match=r"rediss://127\.0\.0\.1.*not trusted.*ssl_ca_certs") as error:
        RedisStore(url_of(forwarder, redis_url)).read("behind-tls", State)
    assert str(urlsplit(redis_url).password) not in str(error.value)
    assert forwarder.connections == 0
