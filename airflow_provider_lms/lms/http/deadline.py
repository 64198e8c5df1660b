"""A time limit and a size limit for a whole exchange, enforced where bytes leave the socket.

A timeout of ``requests`` or ``urllib3`` is for one wait. An LMS that sends one byte of a header every minute, or
``100 Continue`` without end, would never exceed it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import math
import socket
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

SocketOptions: TypeAlias = Sequence[tuple[int, int, int | bytes]]

log = logging.getLogger(__name__)

_READ_BUFFER = 65_536


class AddressRefused(Exception):
    """No address of a host may be connected to. It is no OSError, which urllib3 would take for an outage."""


class TooManyBytes(Exception):
    """More bytes have arrived in one exchange than are allowed."""


class Deadline:
    """The limits of the exchange in progress. Each session has one, since it carries out one exchange at a time."""

    def __init__(self) -> None:
        # By the system's clock and not by this package's: what a socket waits for is real.
        self._ends_at = math.inf
        self._bytes_left = math.inf
        self._aborted = False
        self._has_response = False
        self._is_kept = False
        self._socket: socket.socket | None = None

    @property
    def kept_connection_ended(self) -> bool:
        """Whether a failed exchange was on a connection from an earlier one, and no byte of a response has come.

        Then the server has most likely closed the connection before the request came.
        """
        return self._is_kept and not self._has_response and not self._aborted

    def start(self, seconds: float, max_bytes: float) -> None:
        """Begin an exchange.

        :param seconds: how long it may take, from now to the last byte.
        :param max_bytes: how many bytes may arrive, headers included.
        """
        self._ends_at = time.monotonic() + seconds
        self._bytes_left = max_bytes
        self._aborted = self._has_response = self._is_kept = False

    def seconds_left(self) -> float:
        """Seconds until the exchange must be over.

        :raises TimeoutError: it must be over now.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0 or self._aborted:
            raise TimeoutError("The exchange took too long.")
        return left

    def count(self, received: int) -> None:
        """Count bytes that have arrived.

        :raises TooManyBytes: they are too many.
        """
        self._has_response = self._has_response or received > 0
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise TooManyBytes

    def uses_kept_connection(self) -> None:
        """Say that the exchange's connection is from an earlier one, unless it has to connect anew."""
        self._is_kept = True

    def watch(self, sock: socket.socket) -> None:
        """Name the socket of the exchange."""
        self._socket = sock

    def abort(self) -> None:
        """End the exchange in progress, from another thread. What it reads from now on is a timeout."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def connect(
        self,
        host: str,
        port: int,
        options: SocketOptions | None,
        source_address: tuple[str, int] | None,
        may_connect: Callable[[str], bool] | None = None,
    ) -> socket.socket:
        """A connection to the first address that accepts one.

        urllib3 gives every address of a host the whole timeout; here they share it, so that one that never answers
        leaves time for the next. The operating system's resolver keeps its own time limit.

        :param may_connect: tells which addresses may be used; None allows all. It is asked about the very addresses
            that are connected to, so a name that has another address a moment later does not get around it.
        :raises TimeoutError: there is no time left.
        :raises AddressRefused: no address may be used.
        :raises OSError: no address accepts a connection.
        """
        failed: OSError | None = None
        self._is_kept = False
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if may_connect is not None:
            found = [each for each in found if may_connect(str(each[4][0]))]
            if not found:
                raise AddressRefused
        for untried, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self.seconds_left() / untried)
                self._socket = sock
                if source_address is not None:
                    sock.bind(source_address)
                sock.connect(address)
                sock.settimeout(self.seconds_left())
            except OSError as error:
                sock.close()
                failed = error
            else:
                return sock
        raise failed or OSError(f"{host} has no address.")


class DeadlineResponse(http.client.HTTPResponse):
    """A response whose status line, headers and body are read within a deadline."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        deadline.watch(sock)
        raw: io.RawIOBase = self.fp.detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, sock.settimeout, deadline), _READ_BUFFER)

    def begin(self) -> None:
        """Read the status line and the headers of the final response.

        The standard library takes an interim response other than ``100 Continue``, such as ``103 Early Hints``, for
        the final one. The real one would then answer the next request on this connection.

        A line that is no header ends them for the parser, and urllib3 would log all that follows, with the URL:
        cookies, e-mail addresses, learners' ids.
        """
        super().begin()
        while self.status < HTTPStatus.OK:
            # Otherwise the standard library takes the headers for read already.
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        rest = self.msg.get_payload()
        if self.msg.defects or (isinstance(rest, str) and rest):
            self.msg.set_payload("")
            self.msg.defects.clear()
            log.warning("The response has lines among its headers that are no headers. They are ignored.")


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket; each wait may take only the time that is left for the whole exchange."""

    def __init__(self, raw: io.RawIOBase, set_timeout: Callable[[float], None], deadline: Deadline) -> None:
        self._raw = raw
        self._set_timeout = set_timeout
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._set_timeout(self._deadline.seconds_left())
        received = self._raw.readinto(buffer)
        self._deadline.count(received or 0)
        return received

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
