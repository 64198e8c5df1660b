"""A server that notes each request as it came, and answers as a test wants."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.lms.raw_server import Talk

Answer: TypeAlias = Callable[[Talk], None]


@dataclass(frozen=True)
class Recorded:
    """A request as it came."""

    method: str
    target: str
    token: str
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON body; None if there is no body."""
        return json.loads(self.body) if self.body else None


class Recorder:
    """The script of a :class:`RawServer`. It reads each request to its end before it answers.

    :param answers: the answers in their order; the last one goes for all that follow.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers: Sequence[Answer] = answers
        self.requests: list[Recorded] = []
        self.tokens = 0

    def __call__(self, talk: Talk) -> None:
        head, _, begun = talk.head.partition(b"\r\n\r\n")
        body = bytearray(begun)  # bytes would be copied anew for each piece of a large body
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            received = talk.sock.recv(1_048_576)
            if not received:
                return
            body += received
        method, target, _ = head.decode().split("\r\n")[0].split(" ")
        if target.startswith("/token"):
            self.tokens += 1
            reply(200, f'{{"access_token":"token-{self.tokens}","expires_in":3600}}')(talk)
            return
        token = re.search(rb"(?i)\r\nauthorization: *(.*)", head)
        self.requests.append(Recorded(method, target, token[1].decode().strip() if token else "", bytes(body)))
        self.answers[min(len(self.requests), len(self.answers)) - 1](talk)

    @property
    def only(self) -> Recorded:
        """The request, which must be the only one."""
        (request,) = self.requests
        return request


def reply(status: int, body: str = "", content_type: str = "application/json", **headers: str) -> Answer:
    """A whole response. The connection stays open."""
    named = {"Content-Type": content_type, "Content-Length": str(len(body.encode())), **headers}
    if status == 204:
        del named["Content-Type"], named["Content-Length"]
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items())]
    return lambda talk: talk.send("\r\n".join((*lines, "", body)).encode())


def nothing(talk: Talk) -> None:
    """No answer until the client hangs up."""
    talk.hold()


def closed(talk: Talk) -> None:
    """The connection ends in place of an answer."""
    talk.sock.shutdown(socket.SHUT_RDWR)


def reset(talk: Talk) -> None:
    """The connection is reset in place of an answer."""
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.sock.close()


def truncated(talk: Talk) -> None:
    """A response whose body ends too early."""
    talk.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":')
    time.sleep(0.01)
    talk.sock.shutdown(socket.SHUT_RDWR)
