"""A server that sends whatever bytes a test wants, which no HTTP library would."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import TypeAlias

Script: TypeAlias = Callable[["Talk"], None]

LONG = 15.0
"""Seconds that a slow script goes on before it ends its response soundly: much longer than any timeout of a test."""


class Talk:
    """One connection, after the head of its first request has arrived."""

    def __init__(self, sock: socket.socket, head: bytes, stop: threading.Event) -> None:
        self.sock = sock
        self.head = head
        self.hung_up = threading.Event()
        self._stop = stop

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hold(self) -> None:
        """Send nothing for a long time, or until the test is over."""
        self._stop.wait(LONG)

    def drip(self, pieces: Iterable[bytes], pause: float = 0.02) -> None:
        """Send piece after piece, for a long time at most, or until the client hangs up."""
        left = LONG
        for piece in pieces:
            if left <= 0 or self._stop.wait(pause):
                return
            left -= pause
            self.send(piece)


class RawServer:
    """Runs a script for each connection, in a thread of its own. Use it as a context manager."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script = script
        self._tls = tls
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.served = 0
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)
            with sock:
                while head := read_head(sock):
                    self.served += 1
                    self.script(Talk(sock, head, self._stop))
        self.over.set()


def read_head(sock: socket.socket) -> bytes:
    """The head of a request; empty if the client has hung up."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = sock.recv(65_536)
        if not received:
            return b""
        head += received
    return head


def once(data: bytes) -> Script:
    """A whole response, after which the connection ends."""

    def send(talk: Talk) -> None:
        talk.send(data)
        talk.sock.shutdown(socket.SHUT_RDWR)

    return send
